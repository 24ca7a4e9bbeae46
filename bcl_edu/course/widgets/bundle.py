"""One ES module of the widgets' browser code, for a notebook and for a page that works from disk.

The modules under `browser/` import each other by relative path, which neither a notebook nor a page opened from disk
can follow. Here each becomes a function that is called once and returns what the module exports, in the order in which
they need each other.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "(\.[./\w]*)/(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


@cache
def module(entry: Path) -> str:
    """A module and all that it imports, in one piece; its exports are in the constant `<name>_module`.

    Args:
        entry: the file, `<name>.js`; what it imports may lie in other folders.

    Raises:
        FileNotFoundError: a module imports one that does not exist.
        ValueError: modules import each other in a circle, or two of them have one name.
    """
    order: list[Path] = []
    _visit(entry.resolve(), order, ())
    return "\n".join(_as_function(path) for path in order)


def _visit(path: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    if path in above:
        names = " -> ".join(each.stem for each in (*above, path))
        raise ValueError(f"modules import each other: {names}")
    if path in order:
        return
    for _, folder, name in _IMPORT.findall(path.read_text(encoding="utf-8")):
        _visit((path.parent / folder / f"{name}.js").resolve(), order, (*above, path))
    for other in order:
        if other.stem == path.stem:
            raise ValueError(f"two modules are called {path.stem}: {other} and {path}; rename one")
    order.append(path)


def _as_function(path: Path) -> str:
    text = _IMPORT.sub(r"const \1 = \3_module;", path.read_text(encoding="utf-8"))
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", text)
    return f"const {path.stem}_module = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"
