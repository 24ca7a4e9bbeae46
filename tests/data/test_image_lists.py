import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from bcl_edu.data.annotations import read_annotations
from bcl_edu.data.image_lists import read_list, write_list
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
        ("train/a.JPEG", "line 2: 'train/a.JPEG' "),
        ("train/a.JPEG -1", "line 2: "),
        ("train/a.JPEG n01440764", "line 2: "),
        ("7", "line 2: '7' "),
        ("../a.JPEG 1", r"line 2: '\.\./a\.JPEG' leaves"),
        ("/etc/a.JPEG 1", "line 2: '/etc/a.JPEG' leaves"),
        (
            "train/a.JPEG 1000001",
            r"list\.txt: train/a\.JPEG has label 1000001",
        ),
        (
            "train/a.JPEG 99999999999999999999",
            "label 99999999999999999999",
        ),
    ],
)
def test_a_bad_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(f"train/b.JPEG 0\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_list(file)


def test_no_list_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="lists no image"):
        read_list(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot read"):
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
    with pytest.raises(ValueError, match="cannot read"):
        read_annotations(file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.pop("annotations"), "iNaturalist's annotations"),
        (lambda c: c["images"][0].pop("file_name"), "iNaturalist's annotations"),
        (
            lambda c: c["annotations"].pop(),
            "2 images and 1 annotation",
        ),
        (lambda c: c["annotations"].append(c["annotations"][0]), "2 images and 3 annotations"),
        (lambda c: c["categories"].pop(), "category 2 .*'categories'"),
        (
            lambda c: (c["annotations"][0].update(category_id=-4), c["categories"].append({"id": -4})),
            "label -4; .* from 0",
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
    with pytest.raises(ValueError, match=r"cannot read .*train2018\.json"):
        read_annotations(tmp_path / "train2018.json")


@pytest.mark.parametrize(
    "text",
    [
        "a b.png,0\nc.png,12\n",
        "path,label\na b.png,0\nc.png,12",
        "Label,other,Image\n0,x,a b.png\n12,y,./c.png\n\n",
    ],
    ids=["no header", "header", "other columns"],
)
def test_a_csv_has_paths_and_labels(text: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    images = read_list(tmp_path / "list.csv")
    assert [images.path(i) for i in range(2)] == ["a b.png", "c.png"]
    assert images.labels.tolist() == [0, 12]
    assert images.words is None


def test_labels_of_a_csv_may_be_words(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('image,class\nb.png,"dog, large"\na.png,7\n')
    images = read_list(tmp_path / "list.csv")
    assert images.words is not None
    assert images.words.tolist() == ["dog, large", "7"]
    assert images.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a.png\n", "line 1: 'a.png'"),
        ("a.png,\n", "line 1"),
        ("path,size\na.png,3\n", "label"),
        ('x,"' + "y" * 200_000, "line 1"),
    ],
)
def test_a_bad_csv_is_named(text: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=named):
        read_list(tmp_path / "list.csv")


def test_one_very_long_line_is_refused_by_its_number(tmp_path: Path) -> None:
    lines = [f"{i}.png 0" for i in range(20_000)]
    lines[77] = "x" * 2_000_000 + " 0"
    (tmp_path / "list.txt").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"line 78: 'x{80}'… "):
        read_list(tmp_path / "list.txt")


def test_paths_that_together_take_too_much_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcl_edu.data.image_lists._LARGEST_TABLE", 100)
    (tmp_path / "list.txt").write_text("a.png 0\n" * 5 + "x" * 50 + " 0\n")
    with pytest.raises(ValueError, match=r"6 paths, .*50 bytes"):
        read_list(tmp_path / "list.txt")


def one_image(**changes: str) -> str:
    """Annotations of one image, as text, with some values written otherwise."""
    value = {"id": "1", "file_name": '"a"', "category_id": "0"} | changes
    return (
        f'{{"images": [{{"id": {value["id"]}, "file_name": {value["file_name"]}}}], "categories": [{{"id": 0}}], '
        f'"annotations": [{{"image_id": {value["id"]}, "category_id": {value["category_id"]}}}]}}'
    )


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"images": [], "annotations": [], "categories": 3}',
        one_image(id="[]"),
        one_image(category_id="1e999"),
        one_image(category_id="0.7"),
        one_image(category_id="true"),
        one_image(file_name="5"),
        one_image(file_name='"a\\u0000"'),
        '{"images": [], "annotations": [NaN], "categories": []}',
        "[]",
        "9" * 5000,
    ],
    ids=[
        "nested",
        "no list",
        "id is a list",
        "infinite",
        "no whole",
        "true",
        "number",
        "zero byte",
        "NaN",
        "a list",
        "huge",
    ],
)
def test_annotations_of_strangers_are_one_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "train2018.json").write_text(text)
    with pytest.raises(ValueError, match=r"train2018\.json"):
        read_annotations(tmp_path / "train2018.json")


def test_an_archive_of_annotations_whose_member_is_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "train2018.json.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        member = tarfile.TarInfo("train2018.json")
        member.type, member.linkname = tarfile.SYMTYPE, "train2018.json"
        archive.addfile(member)
    with pytest.raises(ValueError, match=f"{file}.*has no file train2018"):
        read_annotations(file)


def test_a_pipe_in_place_of_a_list_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(ValueError, match="it is a pipe"):
        read_list(tmp_path / "list.txt")
