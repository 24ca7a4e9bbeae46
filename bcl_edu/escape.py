"""Strings from files (names of classes and folders, values of records) made harmless for each form they are shown in.

A stranger's record or file name may hold HTML, Markdown or terminal control sequences. Each function returns text that
the form shows as the characters it consists of. Control characters, line breaks among them, are written as ``\\x1b``.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import Any

_MARKDOWN = re.compile(r"([\\`*_\[\]|$~])")

# control, format (such as those that reverse the direction of writing), surrogate; line and paragraph separators
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def for_terminal(text: object, *, keep: str = "") -> str:
    """For a terminal or a text file: no control characters, except those in ``keep``."""
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in _UNPRINTABLE
        else _code(character)
        for character in text
    )


def for_html(text: object) -> str:
    """For an element's content or a quoted attribute of HTML."""
    return html.escape(for_terminal(text), quote=True)


def for_markdown(text: object) -> str:
    """For a line or a table's cell of Markdown, also with HTML and LaTeX in it, as JupyterLab renders it."""
    return html.escape(_MARKDOWN.sub(r"\\\1", for_terminal(text)), quote=False)


def for_plotly(text: object) -> str:
    """For any text of a plotly figure, which understands some of HTML's elements."""
    return html.escape(for_terminal(text), quote=False)


def json_in_html(value: Any) -> str:
    """A value as JSON that can stand in a script element of HTML, which it neither ends nor hides the end of."""
    return json.dumps(value).replace("<", "\\u003c")


def _code(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
