"""One ES module of the explorer's browser code, for a widget and for a page that works from disk.

The modules under `browser/` import each other by relative path, which neither a notebook nor a page opened from disk
can follow. Here each becomes a function that is called once and returns what the module exports, in the order in which
they need each other.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

BROWSER = Path(__file__).parent / "browser"
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


@cache
def module(entry: str) -> str:
    """The module `entry` and all that it imports, in one piece; its exports are in the constant `<entry>_module`.

    Args:
        entry: name of a file under `browser/`, without ".js".

    Raises:
        FileNotFoundError: a module imports one that does not exist.
        ValueError: modules import each other in a circle.
    """
    order: list[str] = []
    _visit(entry, order, ())
    return "\n".join(_as_function(name) for name in order)


def stylesheet() -> str:
    """The explorer's CSS."""
    return (BROWSER / "explorer.css").read_text(encoding="utf-8")


def _read(name: str) -> str:
    return (BROWSER / f"{name}.js").read_text(encoding="utf-8")


def _visit(name: str, order: list[str], path: tuple[str, ...]) -> None:
    if name in path:
        raise ValueError(f"modules import each other: {' -> '.join((*path, name))}")
    if name in order:
        return
    for _, imported in _IMPORT.findall(_read(name)):
        _visit(imported, order, (*path, name))
    order.append(name)


def _as_function(name: str) -> str:
    text = _IMPORT.sub(r"const \1 = \2_module;", _read(name))
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", text)
    return f"const {name}_module = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"
