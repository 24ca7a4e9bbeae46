"""The files that set the project up agree with one another."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [
    *PROJECT["dependencies"],
    *(name for extra in PROJECT["optional-dependencies"].values() for name in extra),
]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and line[0] != "#"
)


@pytest.mark.parametrize("requirement", REQUIRED)
def test_every_requirement_has_a_tested_version(requirement: str) -> None:
    name = re.split(r"[<>=!~\[ ]", requirement)[0]
    assert name.lower() in {pin.lower() for pin in PINS}


def test_no_version_is_one_platforms_alone() -> None:
    assert [name for name in PINS if name.startswith(("nvidia", "cuda", "triton"))] == []


def test_conda_installs_what_make_installs() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = (part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[lab,test]"]
    assert "--editable '.[lab,test]'" in (ROOT / "Makefile").read_text()
    assert f"python {PROJECT['requires-python']}" in environment["dependencies"]


def test_make_lab_opens_the_start() -> None:
    assert (
        "FIRST_NOTEBOOK := $(firstword $(sort $(wildcard notebooks/*.ipynb)))"
        in (ROOT / "Makefile").read_text()
    )
    assert min(path.name for path in (ROOT / "notebooks").glob("*.ipynb")) == "00_start_here.ipynb"
