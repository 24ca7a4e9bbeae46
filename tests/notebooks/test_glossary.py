"""The glossary: every code name in it exists, every notebook it points to, and each code name stands there once."""

import dataclasses
import importlib
import inspect
import re

import pytest

from tools.notebooks import NOTEBOOKS

GLOSSARY = (NOTEBOOKS / "glossary.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in GLOSSARY.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| symbol"))
]
NAMES = re.findall(r"`(bcl_edu[\w.]+(?:\(\w+\))?)`", GLOSSARY)


def resolve(name: str) -> object:
    """What a dotted name stands for: a thing in a module, or a field of a class.

    Raises:
        AttributeError: it does not exist.
    """
    room, *rest = name.removeprefix("bcl_edu.").split(".")
    thing: object = importlib.import_module(f"bcl_edu.{room}")
    for part in rest:
        if dataclasses.is_dataclass(thing) and part in {field.name for field in dataclasses.fields(thing)}:
            return part
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("name", NAMES)
def test_a_code_name_exists(name: str) -> None:
    name, _, argument = name.rstrip(")").partition("(")
    thing = resolve(name)
    if argument:
        assert argument in inspect.signature(thing).parameters  # type: ignore[arg-type]


def test_a_wrong_name_would_be_noticed() -> None:
    with pytest.raises(AttributeError):
        resolve("bcl_edu.losses.no_such_loss")


def test_every_row_is_whole_and_has_a_code_name() -> None:
    assert len(ROWS) > 30
    for row in ROWS:
        assert len(row) == 4
        assert all(row)
        assert re.search(r"`bcl_edu[\w.()]+`", row[1])


def test_no_thing_is_explained_twice() -> None:
    assert sorted(NAMES) == sorted(set(NAMES))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", GLOSSARY))))
def test_a_notebook_it_points_to_exists(target: str) -> None:
    assert (NOTEBOOKS / target).exists()
