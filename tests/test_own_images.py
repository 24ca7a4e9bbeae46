"""Images of one's own, by the commands: recipes `folder` and `lists`, from help to report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bcl_edu import evaluate, export, train
from bcl_edu.report.__main__ import main as report
from bcl_edu.stored_forms import recipe_from_dict

COUNTS = {"ant": 4, "bee": 12, "cow": 7}
QUICK = ["--backbone", "digits_net", "--epochs", "1", "--workers", "0", "--device", "cpu"]
QUIET = ["--no-tensorboard", "--no-progress"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three classes in an order that is not that of their sizes; pictures of several shapes and modes."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.RandomState(0)
    for name, count in COUNTS.items():
        for split, number in (("train", count), ("test", 3 if name == "bee" else 2)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                shape = [(20, 30, 3), (30, 20, 3), (1, 40, 3)][index % 3]
                picture = Image.fromarray(random.randint(0, 256, shape).astype(np.uint8))
                mode = ["RGB", "L", "P", "1"][index % 4]
                picture.convert(mode).save(folder / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCL_EDU_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield root


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("own") / "run"
    train.main(
        [
            "folder",
            "--data-dir",
            str(pictures),
            *QUICK,
            *QUIET,
            "--val-fraction",
            "0.25",
            "--output",
            str(output),
        ]
    )
    return output


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


@pytest.mark.parametrize("recipe", ["folder", "lists"])
def test_help_says_what_the_defaults_are_and_why(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train.main([recipe, "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    for word in ("--val-fraction", "--val-list", "--image-size", "--profile", "defaults", "centre square"):
        assert word in printed


def test_the_record_has_what_the_images_decided(run: Path) -> None:
    recipe, data = record(run)["recipe"], record(run)["data"]
    assert recipe["image_size"] == 20  # the median short side of 20, 20 and 1
    assert recipe["views"] == "cifar"
    assert recipe["upright"] is True
    assert data["class_names"] == list(COUNTS)
    assert data["class_counts"] == [3, 9, 5]
    assert data["validation"]["images"] == 6
    assert data["test_is_balanced"] is False


def test_a_run_of_ones_own_images_is_resumed_evaluated_exported_and_reported(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["folder", "--data-dir", str(pictures), *QUICK, *QUIET, "--val-fraction", "0.25"]
    train.main([*again, "--output", str(run), "--resume"])
    export.main([str(run), str(tmp_path / "kept")])
    capsys.readouterr()
    found = []
    for folder in (run, tmp_path / "kept"):
        evaluate.main([str(folder), "--data-dir", str(pictures), "--json", "--device", "cpu"])
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["top1"] == record(run)["last"]["top1"]
    report([str(tmp_path / "kept")])
    assert "data set folder" in capsys.readouterr().out


def test_a_run_that_took_photographs_as_they_were_stored_is_evaluated_so(run: Path) -> None:
    recipe = record(run)["recipe"]
    del recipe["upright"]  # as records of earlier versions
    assert recipe_from_dict(recipe).upright is False


def test_a_dry_run_of_ones_own_images(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.main(["folder", "--data-dir", str(pictures), *QUICK, "--dry-run"])
    assert "estimated, nothing was written" in capsys.readouterr().out


def write_lists(pictures: Path, folder: Path) -> None:
    """train.txt, test.txt and val.txt, the last with the first training picture of each class."""
    for split, validation in (("train", False), ("test", False), ("train", True)):
        lines = [
            f"{path.relative_to(pictures)} {label}\n"
            for label, name in enumerate(COUNTS)
            for path in sorted((pictures / split / name).iterdir())[: 1 if validation else None]
        ]
        (folder / f"{'val' if validation else split}.txt").write_text("".join(lines))


def test_a_run_of_own_lists_is_estimated_resumed_exported_evaluated_and_reported(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lists(pictures, tmp_path)
    own = ["--data-dir", str(pictures), "--test-list", "test.txt"]
    command = ["lists", *own, "--train-list", "train.txt", *QUICK, *QUIET]
    train.main([*command, "--dry-run"])
    assert "23 images, " in capsys.readouterr().out

    def ctrl_c(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bcl_edu.training.loop._Run._tell", ctrl_c)  # after the checkpoint
        with pytest.raises(SystemExit):
            train.main([*command, "--output", "run"])
    train.main([*command, "--output", "run", "--resume"])
    export.main(["run", "kept"])
    capsys.readouterr()
    found = []
    for folder in ("run", "kept"):
        evaluate.main([folder, *own, "--json", "--device", "cpu", "--workers", "0"])
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["top1"] == record(tmp_path / "run")["last"]["top1"]
    assert [row["class"] for row in found[0]["per_class"]] == list(COUNTS)
    report(["kept"])
    printed = capsys.readouterr().out
    assert "data set lists" in printed
    assert "balanced test set" not in printed
    assert "mean over classes" in printed


@pytest.mark.parametrize("image_size", [20, 72], ids=["in memory", "on disk"])
def test_an_unreadable_picture_is_replaced_in_training_only_if_that_was_asked_for(
    image_size: int, pictures: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(pictures, tmp_path / "own")
    (own / "train" / "bee" / "3.png").write_text("no image")
    command = ["folder", "--data-dir", str(own), *QUICK, *QUIET, "--image-size", str(image_size)]
    with pytest.raises(SystemExit, match=r"cannot read the image .*3\.png"):
        train.main([*command, "--output", str(tmp_path / "refused")])
    with pytest.warns(UserWarning, match=r"3\.png.*replaced by"):
        train.main([*command, "--output", str(tmp_path / "run"), "--unreadable-images", "replace"])
    assert record(tmp_path / "run")["data"]["class_counts"] == list(COUNTS.values())


def test_lists_train_what_they_name_and_a_profile_cuts_by_size(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lists(pictures, tmp_path)
    train.main(
        [
            *("lists", "--data-dir", str(pictures), *QUICK, *QUIET, "--output", "run"),
            *("--train-list", "train.txt", "--test-list", "test.txt", "--val-list", "val.txt"),
            *("--profile", "exponential", "--imbalance-factor", "4"),
        ]
    )
    data = record(tmp_path / "run")["data"]
    assert data["validation"] == {"images": 3}
    assert data["class_counts"] == [2, 11, 5]  # of 3, 11 and 6: the largest class has most


def test_a_validation_split_is_a_list_or_a_fraction_not_both(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lists(pictures, tmp_path)
    lists = ["--train-list", "train.txt", "--test-list", "test.txt", "--val-list", "val.txt"]
    with pytest.raises(SystemExit, match=r"val_fraction is 0\.1"):
        train.main(["lists", "--data-dir", str(pictures), *QUICK, *lists, "--val-fraction", "0.1"])


# ---- evaluation on other images


def renamed(pictures: Path, root: Path, names: dict[str, str]) -> Path:
    """The test pictures of some classes under other names."""
    for old, new in names.items():
        shutil.copytree(pictures / "test" / old, root / "test" / new)
    return root


def evaluated(run: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    evaluate.main([str(run), "--json", "--device", "cpu", "--workers", "0", *options])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_classes_under_other_names_are_refused_or_mapped_by_a_file(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = evaluated(run, capsys, "--data-dir", str(pictures))
    numbers = renamed(pictures, tmp_path / "numbers", {"ant": "2", "bee": "0", "cow": "1"})
    with pytest.raises(SystemExit, match=r"0, 1, 2, .* ant, bee, cow"):
        evaluated(run, capsys, "--data-dir", str(numbers))
    (tmp_path / "map.csv").write_text("2,ant\n0,bee\n1,cow\n")
    mapped = evaluated(run, capsys, "--data-dir", str(numbers), "--class-map", str(tmp_path / "map.csv"))
    assert mapped["per_class"] == own["per_class"]


def test_some_of_the_classes_can_be_evaluated(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = renamed(pictures, tmp_path / "some", {"bee": "bee", "cow": "cow"})
    (tmp_path / "map.csv").write_text("bee,bee\n")
    found = evaluated(run, capsys, "--data-dir", str(some), "--class-map", str(tmp_path / "map.csv"))
    assert [row["test_images"] for row in found["per_class"]] == [0, 3, 2]
    assert found["per_class"][0]["accuracy"] is None


def test_a_test_set_that_is_not_balanced_has_both_averages(
    run: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(run, capsys, "--data-dir", str(pictures))
    of_classes = [row["accuracy"] for row in found["per_class"]]
    assert found["test_is_balanced"] is False
    assert found["class_average"] == pytest.approx(sum(of_classes) / 3)
    assert 0 <= found["calibration_error"] <= 100
    evaluate.main([str(run), "--data-dir", str(pictures), "--device", "cpu"])
    printed = capsys.readouterr().out
    assert f"mean over classes {found['class_average']:.2f} %" in printed


def test_a_run_of_folders_is_evaluated_on_a_list_only_if_it_is_of_lists(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="folder has no lists"):
        evaluated(run, capsys, "--data-dir", str(pictures), "--test-list", str(tmp_path / "test.txt"))
