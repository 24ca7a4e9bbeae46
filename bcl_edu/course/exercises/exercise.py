"""An exercise: a reference, cases to try a reader's function on, and the mistakes that readers make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """Arguments for one call.

    Attributes:
        about: what is special about them, in words that complete "right where ...".
        arguments: passed by position.
    """

    about: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Mistake:
    """A wrong variant of the reference that people really write.

    Attributes:
        name: for tests; readers never see it.
        hint: what kind of mistake it is. It asks or points, and leaves the mending to the reader.
        answer: computes what the mistake computes, from the same arguments as the reference.
    """

    name: str
    hint: str
    answer: Function


def _as_it_is(answer: Tensor) -> Tensor:
    return answer


def _nothing_to_say(answer: Tensor) -> str:
    return ""


@dataclass(frozen=True)
class Exercise:
    """A function for the reader to write.

    Attributes:
        name: what `check` calls it by.
        task: one sentence that says what to compute.
        arguments: names of the arguments, in order.
        returns: what comes back, in words, with its shape.
        reference: computes the right answer.
        by_hand: a case small enough for pencil and paper; shown to a reader whose mistake is not a known one.
        hidden: draws the other cases, the same ones every time.
        mistakes: the known ones; where several give the reader's answers the first is named.
        compared: of an answer, what has to agree with the reference; all of it, unless several answers are right.
        remark: on a wrong answer that no known mistake explains: one sentence, or "".
        parts: names of the answer's parts, if it is a tuple.
    """

    name: str
    task: str
    arguments: tuple[str, ...]
    returns: str
    reference: Function
    by_hand: Case
    hidden: Callable[[], Sequence[Case]]
    mistakes: tuple[Mistake, ...]
    compared: Callable[[Tensor], Tensor] = _as_it_is
    remark: Callable[[Tensor], str] = _nothing_to_say
    parts: tuple[str, ...] = ()

    @property
    def cases(self) -> list[Case]:
        """All cases, the one for pencil and paper first."""
        return [self.by_hand, *self.hidden()]

    @property
    def one_right_answer(self) -> bool:
        """True if only the reference's own answer is right."""
        return self.compared is _as_it_is

    @property
    def signature(self) -> str:
        """Call signature of the reader's function."""
        return f"{self.name}({', '.join(self.arguments)})"
