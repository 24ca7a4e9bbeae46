"""The explorer as one file and as one module."""

import re
from pathlib import Path

import pytest

from bcl_edu.course.widgets.explorer import Settings, explorer_html, write_page
from bcl_edu.course.widgets.explorer.__main__ import main


def test_the_page_needs_nothing_but_itself() -> None:
    page = explorer_html()
    namespace = "http://www.w3.org/2000/svg"  # a name, which nothing fetches
    assert re.findall(r"https?://[^\"'\s]+", page.replace(namespace, "")) == []
    assert not re.search(r"<link|<script[^>]* src|@import|^import ", page, re.MULTILINE)
    assert len(page) < 200_000


def test_the_page_opens_at_the_settings_asked_for(tmp_path: Path) -> None:
    path = write_page(tmp_path / "new" / "page.html", Settings(imbalance_factor=20, losses=("ce", "lc")))
    assert '"imbalanceFactor": 20, ' in path.read_text()
    assert '"losses": ["ce", "lc"]' in path.read_text()
    assert list(path.parent.iterdir()) == [path]  # no temporary file stays behind


def test_the_page_leads_back_where_it_is_told_to() -> None:
    assert '<a href="index.html">' in explorer_html(home="index.html")
    assert "<a href=" not in explorer_html()


def test_the_command_writes_the_page_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "page.html"
    assert main([str(path), "--num-classes", "10"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert '"numClasses": 10' in path.read_text()


def test_the_command_refuses_a_wrong_setting_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "page.html"), "--num-classes", "12"])
    assert stop.value.code == 2
    assert "num_classes is 12; expected 2 to 10" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
