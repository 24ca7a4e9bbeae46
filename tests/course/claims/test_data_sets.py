"""Sizes of data sets that are counted from their published lists, where these are."""

from pathlib import Path

import pytest

from bcl_edu.course.claims import CLAIMS, Verdict, check


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data sets of this test's own."""
    monkeypatch.setenv("BCL_EDU_DATA", str(tmp_path))
    monkeypatch.setenv("BCL_EDU_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_without_its_list_a_data_set_is_needed() -> None:
    checked = check(CLAIMS["imagenet-lt"])
    assert checked.verdict is Verdict.OPEN
    assert checked.in_words == "○ needs the data set"


def write_list(data: Path, images: int) -> None:
    folder = data / "imagenet-lt"
    folder.mkdir()
    lines = [f"train/n{i % 1000:08}/n{i}.JPEG {i % 1000}" for i in range(images)]
    (folder / "ImageNet_LT_train.txt").write_text("\n".join(lines) + "\n")


def test_a_list_of_the_claimed_size_decides(data: Path) -> None:
    write_list(data, 115_846)
    checked = check(CLAIMS["imagenet-lt"])
    assert checked.verdict is Verdict.TRUE
    assert "115,846 images, 1,000 classes" in checked.evidence.found


def test_a_hundred_images_less_refute_the_printed_thousands(data: Path) -> None:
    write_list(data, 115_746)
    assert check(CLAIMS["imagenet-lt"]).verdict is Verdict.FALSE
