"""The verdict of a check, as text and as a small panel in a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal

State = Literal["passed", "wrong", "open"]

# Symbol and word tell the states apart; the colours (readable on light and dark pages) only repeat it.
_LOOKS: dict[State, tuple[str, str, str]] = {
    "passed": ("✓", "passed", "#009e73"),
    "wrong": ("✗", "not yet", "#d55e00"),
    "open": ("○", "open", "#797979"),
}


@dataclass(frozen=True)
class Verdict:
    """The answer to one check; nothing but words.

    Attributes:
        exercise: its name.
        state: "passed", "wrong", or "open" where the function has not been written yet.
        lines: what to tell the reader, the most important first.
    """

    exercise: str
    state: State
    lines: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True if the reader's function is right in every case."""
        return self.state == "passed"

    def __str__(self) -> str:
        symbol, word, _ = _LOOKS[self.state]
        return "\n".join([f"{symbol} {self.exercise}: {word}", *(f"  {line}" for line in self.lines)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        symbol, word, colour = _LOOKS[self.state]
        paragraphs = "".join(
            f'<p style="margin: .35em 0 0 0">{_with_code(html.escape(line))}</p>' for line in self.lines
        )
        return (
            f'<div role="status" style="border-left: 5px solid {colour}; padding: .3em 0 .4em .9em; '
            f'max-width: 48em; line-height: 1.45">'
            f"<strong>{symbol} {html.escape(self.exercise)}: {word}</strong>{paragraphs}</div>"
        )


def _with_code(text: str) -> str:
    """Backquoted words of an escaped line as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd backquote: leave the line as it is
        return text
    return "".join(f"<code>{part}</code>" if odd % 2 else part for odd, part in enumerate(parts))
