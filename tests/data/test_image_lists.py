import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from bcl_edu.data.image_lists import read_annotations, read_list, write_list
from tests.photographs import annotations

IMAGES = [("train_val2018/Plantae/2/b.jpg", 2), ("train_val2018/Aves/0/a.jpg", 0)]


def test_lines_are_paths_and_labels_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("train/n01/a.JPEG 0\n\n  ./train/n02/b c.JPEG\t12  \n", encoding="utf-8")
    images = read_list(file)
    assert [images.path(i) for i in range(2)] == ["train/n01/a.JPEG", "train/n02/b c.JPEG"]
    assert images.labels.tolist() == [0, 12]


def test_a_written_list_reads_back_the_same(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("träin/ä.JPEG 3\ntrain/b.JPEG 0\n", encoding="utf-8")
    images = read_list(file)
    write_list(tmp_path / "again.txt", images)
    assert (tmp_path / "again.txt").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train/a.JPEG", "line 2: 'train/a.JPEG' is not a path and a label"),
        ("train/a.JPEG -1", "line 2: .* is not a path and a label"),
        ("train/a.JPEG n01440764", "line 2: .* is not a path and a label"),
        ("7", "line 2: '7' is not a path and a label"),
        ("../a.JPEG 1", r"line 2: '\.\./a\.JPEG' leaves the data set's folder"),
        ("/etc/a.JPEG 1", "line 2: '/etc/a.JPEG' leaves the data set's folder"),
        (
            "train/a.JPEG 1000001",
            r"list\.txt: train/a\.JPEG has label 1000001; expected the number of a class",
        ),
        (
            "train/a.JPEG 99999999999999999999",
            "has label 99999999999999999999; expected the number of a class",
        ),
    ],
)
def test_a_bad_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(f"train/b.JPEG 0\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_list(file)


def test_no_list_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the list of images"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="lists no image"):
        read_list(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot read the list of images"):
        read_list(tmp_path / "binary.txt")


def test_annotations_are_matched_by_the_images_id_and_keep_the_images_order(tmp_path: Path) -> None:
    content = annotations(IMAGES, classes=3)
    assert content["annotations"][0]["image_id"] != content["images"][0]["id"]  # type: ignore[index]
    file = tmp_path / "train2018.json"
    file.write_text(json.dumps(content))
    images = read_annotations(file)
    assert [(images.path(i), int(images.labels[i])) for i in range(2)] == IMAGES


def test_annotations_are_read_out_of_the_archive_that_is_downloaded(tmp_path: Path) -> None:
    content = json.dumps(annotations(IMAGES, classes=3)).encode()
    file = tmp_path / "train2018.json.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        member = tarfile.TarInfo("train2018.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    assert np.array_equal(read_annotations(file).labels, [2, 0])
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name]  # nothing was unpacked
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(ValueError, match="cannot read the annotations"):
        read_annotations(file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.pop("annotations"), "not of the form of iNaturalist's annotations"),
        (lambda c: c["images"][0].pop("file_name"), "not of the form of iNaturalist's annotations"),
        (
            lambda c: c["annotations"].pop(),
            "2 images and 1 annotations of 1 images; expected one annotation for each",
        ),
        (lambda c: c["annotations"].append(c["annotations"][0]), "2 images and 3 annotations of 2 images"),
        (lambda c: c["categories"].pop(), "category 2 of an annotation is not among the 'categories'"),
        (
            lambda c: (c["annotations"][0].update(category_id=-4), c["categories"].append({"id": -4})),
            "has label -4; expected the number of a class, from 0",
        ),
    ],
)
def test_annotations_that_do_not_fit_their_images_are_refused(
    spoil: object, message: str, tmp_path: Path
) -> None:
    content = annotations(IMAGES, classes=3)
    spoil(content)  # type: ignore[operator]
    file = tmp_path / "train2018.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_annotations(file)


def test_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train2018.json").write_text("{")
    with pytest.raises(ValueError, match=r"cannot read the annotations .*train2018\.json"):
        read_annotations(tmp_path / "train2018.json")
