"""How the house is laid out: names, the direction of imports, and what the training loop may know."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bcl_edu.rows import METHODS

ROOT = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "bcl_edu").rglob("*.py"))
}
"""The package's files by module."""
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn"}
"""Packages that are imported by another name."""


def imports(module: str) -> set[str]:
    """Modules of the package that a module imports when it is imported: neither within functions nor for types."""
    return set(_imported(ast.parse(FILES[module].read_text()).body, module)) - {module}


def _imported(body: list[ast.stmt], module: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield from (one for one in (whole, node.module) if one in FILES)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in FILES)
        elif (isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test)) or isinstance(
            node, ast.Try
        ):
            yield from _imported([*node.body, *node.orelse], module)


def test_no_two_files_of_the_package_have_one_name() -> None:
    names = Counter(path.name for path in FILES.values() if not path.name.startswith("__"))
    assert [name for name, number in names.items() if number > 1] == []


def test_no_imports_go_in_a_circle() -> None:
    # a package's own `__init__` imports its parts, which do not import it by what it exports
    left = {module: {one for one in imports(module) if not module.startswith(f"{one}.")} for module in FILES}
    while free := [module for module, needed in left.items() if not needed & left.keys()]:
        for module in free:
            del left[module]
    assert left == {}


def test_only_the_course_imports_the_course() -> None:
    of_course = {module for module in FILES if (module + ".").startswith("bcl_edu.course.")}
    assert {module for module in FILES.keys() - of_course if imports(module) & of_course} == set()


def test_the_loop_names_no_method() -> None:
    allowed = {f"bcl_edu.methods{part}" for part in ("", ".protocol", ".stage", ".samplers")}
    for module, path in FILES.items():
        if module.startswith("bcl_edu.training"):
            of_methods = {one for one in imports(module) if one.startswith("bcl_edu.methods")}
            assert of_methods <= allowed, module
            strings = {node.value for node in ast.walk(ast.parse(path.read_text())) if _is_text(node)}
            assert not strings & METHODS.keys(), module


def test_contributing_names_files_and_folders_that_are_there() -> None:
    named = set(re.findall(r"`([\w/]+(?:\.py|\.md|/))`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert len(named) > 20
    homes = (ROOT, ROOT / "bcl_edu", ROOT / "tests" / "methods")
    missing = {one for one in named if "NAME" not in one and not any((home / one).exists() for home in homes)}
    assert missing == set()


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_the_core_imports_at_once_only_what_pip_installs_without_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[<>=!~\[ ]", one)[0] for one in project["dependencies"]}
    required = {IMPORTED_AS.get(name, name) for name in required} | sys.stdlib_module_names | {"bcl_edu"}
    for module, path in FILES.items():
        if not (module + ".").startswith("bcl_edu.course."):
            assert set(_packages(ast.parse(path.read_text()).body)) <= required, module


def _packages(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            yield from _packages([*node.body, *node.orelse])
