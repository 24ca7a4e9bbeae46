"""Modules of the browser become one, in the order in which they need each other."""

import re
from pathlib import Path

import pytest

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.explorer.page import BROWSER


def written(folder: Path, **modules: str) -> Path:
    """These modules in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_modules_come_after_what_they_import_and_only_once() -> None:
    text = bundle.module(BROWSER / "widget.js")
    places = {
        name: text.index(f"const {name}_module") for name in ("linear_algebra", "solver", "optima", "widget")
    }
    assert list(places) == sorted(places, key=places.__getitem__)
    assert text.count("const linear_algebra_module") == 1
    assert "export " not in re.sub(r"//.*", "", text)


def test_a_module_of_another_folder_is_found_from_where_it_is_imported(tmp_path: Path) -> None:
    written(tmp_path / "shared", colour='import { red } from "./paint.js";\nexport const colour = red;\n')
    written(tmp_path / "shared", paint='export const red = "red";\n')
    page = written(
        tmp_path / "page", a='import { colour } from "../shared/colour.js";\nexport const a = colour;\n'
    )
    text = bundle.module(page / "a.js")
    assert text.index("const paint_module") < text.index("const colour_module") < text.index("const a_module")
    assert "const { colour } = colour_module;" in text


def test_modules_that_import_each_other_are_refused(tmp_path: Path) -> None:
    written(tmp_path, a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\n')
    with pytest.raises(ValueError, match="a -> b -> a"):
        bundle.module(tmp_path / "a.js")


def test_two_modules_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "other", b="export const c = 1;\n")
    written(tmp_path, b="export const b = 1;\n")
    written(tmp_path, a='import { b } from "./b.js";\nimport { c } from "./other/b.js";\n')
    with pytest.raises(ValueError, match="called b"):
        bundle.module(tmp_path / "a.js")
