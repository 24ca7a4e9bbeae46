"""The check of the installation: what it finds, and that every remedy is one line that helps."""

import io
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bcl_edu import installation
from bcl_edu.installation import Finding, Installation, check_installation, data, packages, python, scale
from bcl_edu.models import backbones


def test_this_installation_is_ready_and_says_so() -> None:
    found = check_installation(measure=False)
    assert found.ready
    assert "Everything" in str(found)
    assert {"Python", "packages", "device", "data: digits"} <= {finding.subject for finding in found.findings}


def test_an_old_python_gets_a_remedy() -> None:
    assert python((3, 9)).remedy.startswith("make lab PYTHON=")
    assert python((3, 12)).remedy == ""


def test_a_missing_and_an_old_package_get_a_remedy_and_the_rest_is_counted() -> None:
    count, missing, old = packages(
        ["torch>=1", "no-such-package>=2", "plotly>=999", 'pytest; extra == "test"']
    )
    assert count.found.startswith("1 of 3 in order: torch ")
    assert (missing.subject, missing.found) == ("no-such-package", "not installed")
    assert ">=999 is needed" in old.found
    assert "pip install" in missing.remedy
    assert not Installation((count, missing)).ready


def test_what_notebooks_need_is_what_the_project_says_it_needs() -> None:
    (line,) = packages()
    assert "jupyterlab" in line.found


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion-mnist"])
def test_data_that_are_not_there_are_no_obstacle_but_get_a_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCL_EDU_DATA", str(tmp_path))
    monkeypatch.setattr("bcl_edu.data.open.SYSTEM_DIR", tmp_path / "nowhere")
    (finding,) = [one for one in data() if one.subject == f"data: {name}"]
    assert finding.remedy.startswith(f"open_dataset({name!r}, download=True)")
    assert finding.remedy.endswith(str(tmp_path / name))
    assert Installation((finding,)).ready


def test_class_folders_are_found_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cifar10" / "train").mkdir(parents=True)
    monkeypatch.setenv("BCL_EDU_DATA", str(tmp_path))
    (finding,) = [one for one in data() if one.subject == "data: cifar10"]
    assert (finding.found, finding.remedy) == ("found", "")


@pytest.mark.parametrize("name", ["imagenet-lt", "inaturalist2018"])
def test_images_that_cannot_be_downloaded_are_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCL_EDU_DATA", str(tmp_path))
    (finding,) = [one for one in data() if one.subject == f"data: {name}"]
    assert finding.remedy == f"put the images into {tmp_path / name}; data/README.md says from where"


def test_every_remedy_is_one_line() -> None:
    findings = [python((3, 9)), *packages(["no-such-package"]), *data()]
    assert all("\n" not in finding.remedy for finding in findings)


def test_the_scale_follows_from_the_rate() -> None:
    _, cifar, imagenet = scale(3 * 10_847 * 200 / 7200)
    assert "about 2.0 h here" in cifar.found
    assert "about 24 days here" in imagenet.found  # 90 epochs of 115,846 images, each 59 times as dear


def test_resnet_50_is_as_many_times_dearer_as_the_scale_says() -> None:
    def multiplications(name: str, side: int) -> int:
        with torch.device("meta"):
            model = backbones.build_backbone(name)  # type: ignore[arg-type]
            images = torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            model(images)
        return int(counter.get_total_flops())

    ratio = multiplications("resnet50", 224) / multiplications("resnet32", 32)
    assert ratio == pytest.approx(installation.RESNET50_OVER_RESNET32, rel=0.02)


def test_the_rate_is_measured_by_real_steps() -> None:
    assert installation.images_a_second(batch_size=2, seconds=0) > 0


def test_in_a_notebook_it_is_a_table_that_shows_text_as_text() -> None:
    table = Installation((Finding("a", "<b>", "do & this"),))._repr_html_()
    assert "&lt;b&gt;" in table
    assert "<b>do &amp; this</b>" in table
    assert "✗" in table


def test_where_the_encoding_lacks_a_mark_it_is_written_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(installation, "check_installation", lambda: Installation((Finding("a", "there"),)))
    installation.main()
    assert b"\\u2713" in written.getvalue()
    assert b"there" in written.getvalue()
