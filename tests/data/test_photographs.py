import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bcl_edu.data import PHOTOGRAPH_SETS, Dataset, ImageFiles, open_dataset
from bcl_edu.data.published import ExpectedCounts, OfficialFile
from tests.data.small_imagenet import TEST, TRAIN, WNIDS, own_lists, small_imagenet, write_lists
from tests.photographs import annotations


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_imagenet(tmp_path / "imagenet")


def opened(root: Path, **options: object) -> Dataset:
    return open_dataset("imagenet-lt", root, **options)  # type: ignore[arg-type]


def files(dataset: Dataset, split: str = "train") -> ImageFiles:
    images = getattr(dataset, split)
    assert isinstance(images, ImageFiles)
    return images


def test_the_published_numbers_are_those_of_the_papers() -> None:
    imagenet, inaturalist = PHOTOGRAPH_SETS["imagenet-lt"].splits, PHOTOGRAPH_SETS["inaturalist2018"].splits
    assert {split: str(listed.expected) for split, listed in imagenet.items()} == {
        "train": "115,846 images, 1,000 classes, 1,280 down to 5 each",
        "validation": "20,000 images, 1,000 classes, 20 each",
        "test": "50,000 images, 1,000 classes, 50 each",
    }
    assert {split: str(listed.expected) for split, listed in inaturalist.items()} == {
        "train": "437,513 images, 8,142 classes, 1,000 down to 2 each",
        "test": "24,426 images, 8,142 classes, 3 each",
    }


@pytest.mark.usefixtures("published_small")
def test_it_opens_with_labels_names_and_counts(root: Path) -> None:
    write_lists(root)
    data = opened(root)
    assert data.class_names == WNIDS
    assert data.train.class_counts.tolist() == [4, 2, 1]
    assert data.test.labels.tolist() == [0, 1, 2]
    assert data.train.image_shape == (3, 224, 224)
    assert opened(root, image_size=64).train.image_shape == (3, 64, 64)
    assert data.facts["lists"]["train"] == {"file": "ImageNet_LT_train.txt", "as_published": True}
    assert files(data).file(5) == root / "train/n01443537/n01443537_1.JPEG"


@pytest.mark.usefixtures("published_small")
@pytest.mark.parametrize("below", [".", "ILSVRC/Data/CLS-LOC", "imagenet"])
@pytest.mark.parametrize("flat", [False, True])
def test_images_are_found_in_every_usual_tree(below: str, flat: bool, tmp_path: Path) -> None:
    small_imagenet(tmp_path / "data" / below, flat=flat)
    write_lists(tmp_path / "data")
    data = opened(tmp_path / "data")
    for split in (data.train, data.test):
        assert isinstance(split, ImageFiles)
        assert all(split.file(index).is_file() for index in range(len(split)))


@pytest.mark.usefixtures("published_small")
def test_the_hashes_do_not_depend_on_where_the_files_lie(tmp_path: Path) -> None:
    trees = [small_imagenet(tmp_path / "a"), small_imagenet(tmp_path / "b/imagenet", flat=True)]
    write_lists(trees[0])
    write_lists(tmp_path / "b")
    first, second = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert first.train.sha256() == second.train.sha256()
    assert first.test.sha256() == second.test.sha256() != first.train.sha256()


def test_the_hash_of_a_subset_is_that_of_its_images_in_whatever_order_they_are_listed(root: Path) -> None:
    (root / "a.txt").write_text("\n".join(TRAIN))
    (root / "b.txt").write_text("\n".join(reversed(TRAIN)))
    (root / "test.txt").write_text("\n".join(TEST))
    one, other = (
        opened(root, lists={"train": root / name, "test": root / "test.txt"}).train
        for name in ("a.txt", "b.txt")
    )
    chosen = torch.tensor([0, 3, 6])
    assert one.subset_sha256(chosen) == other.subset_sha256(6 - chosen)
    assert one.subset_sha256(chosen) != one.subset_sha256(torch.tensor([0, 3, 5]))
    assert one.sha256() != other.sha256()
    lines = sorted(TRAIN[i] for i in chosen.tolist())
    assert one.subset_sha256(chosen) == hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_list_that_is_not_the_published_one_is_refused_unless_it_is_named(root: Path) -> None:
    write_lists(root)
    message = r"is not the published list: it has 7 images instead of 115,846; .* name it .*--train-list"
    with pytest.raises(ValueError, match=message):
        opened(root)
    own = {"train": root / "ImageNet_LT_train.txt", "test": root / "ImageNet_LT_test.txt"}
    data = opened(root, lists=own)
    assert len(data.train) == 7
    assert data.facts["lists"]["train"]["as_published"] is False


@pytest.mark.usefixtures("published_small")
def test_lists_may_lie_beside_the_images_in_their_own_folder_or_in_the_cache(
    root: Path, tmp_path: Path
) -> None:
    for place in (root / "ImageNet_LT", tmp_path / "cache/lists/imagenet-lt"):
        place.mkdir(parents=True)
        write_lists(place)
        assert len(opened(root, cache_dir=tmp_path / "cache").train) == 7
        for file in place.iterdir():
            file.unlink()


def test_a_missing_list_says_what_to_do(root: Path) -> None:
    with pytest.raises(ValueError, match=r"--download; 5 MB.*classifier-balancing.*put it.*--train-list"):
        opened(root)


@pytest.mark.usefixtures("published_small")
def test_no_images_at_all_say_where_they_come_from_and_what_was_looked_for(tmp_path: Path) -> None:
    write_lists(tmp_path)
    with pytest.raises(
        ValueError, match=r"looked for train/n01440764/.*ILSVRC2012_img_train\.tar.*--data-dir"
    ):
        opened(tmp_path)


@pytest.mark.usefixtures("published_small")
def test_a_class_without_its_first_image_is_noticed_at_once(root: Path) -> None:
    write_lists(root)
    (root / "train/n01443537/n01443537_0.JPEG").unlink()
    message = r"of 3 classes of imagenet-lt, 1 lack their first train image, .*n01443537_0\.JPEG; .*bcl_edu.data check"
    with pytest.raises(ValueError, match=message):
        opened(root)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (TRAIN[:4] + TRAIN[6:], TEST, r"label 1 \(1 such class\)"),
        (TRAIN[:6], TEST, r"label 2 of val/n01484850/.*2 classes \(labels 0\.\.1\)"),
    ],
)
def test_lists_that_do_not_belong_together_are_refused(
    train: list[str], test: list[str], message: str, root: Path
) -> None:
    (root / "train.txt").write_text("\n".join(train))
    (root / "test.txt").write_text("\n".join(test))
    with pytest.raises(ValueError, match=message):
        opened(root, lists={"train": root / "train.txt", "test": root / "test.txt"})


def test_lists_are_for_image_files_only() -> None:
    with pytest.raises(ValueError, match=r"cifar10 .*lists, imagenet-lt"):
        open_dataset("cifar10", lists={"train": Path("list.txt")})


def test_a_picture_is_rgb_in_its_own_size_and_a_damaged_one_is_named(root: Path) -> None:
    images = files(opened(root, lists=own_lists(root)))
    Image.fromarray(np.zeros((5, 9), dtype=np.uint8)).save(images.file(0))
    assert (images.picture(0).mode, images.picture(0).size) == ("RGB", (9, 5))
    whole = images.file(1).read_bytes()
    images.file(1).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cannot read the image .*n01440764_1\.JPEG: .*truncated"):
        images.picture(1)


# ---- iNaturalist


def inaturalist(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, int]]]:
    """Two classes in iNaturalist's tree, without lists."""
    splits = {
        "train": [(f"train_val2018/Aves/0/{i}.jpg", 0) for i in range(3)]
        + [("train_val2018/Plantae/1/a.jpg", 1)],
        "val": [("train_val2018/Plantae/1/b.jpg", 1), ("train_val2018/Aves/0/c.jpg", 0)],
    }
    for path, _ in splits["train"] + splits["val"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), "green").save(root / path)
    source = PHOTOGRAPH_SETS["inaturalist2018"]
    counts = {"train": ExpectedCounts(4, 2, 3, 1), "test": ExpectedCounts(2, 2, 1, 1)}
    small = {split: replace(source.splits[split], expected=counts[split]) for split in counts}
    monkeypatch.setitem(PHOTOGRAPH_SETS, "inaturalist2018", replace(source, splits=small))
    return splits


def test_inaturalist_is_the_same_from_its_annotations_and_from_the_lists_in_common_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = inaturalist(tmp_path, monkeypatch)
    for split, images in splits.items():
        (tmp_path / f"{split}2018.json").write_text(json.dumps(annotations(images, classes=2)))
    first = open_dataset("inaturalist2018", tmp_path)
    for split, images in splits.items():
        text = "".join(f"{path} {label}\n" for path, label in images)
        (tmp_path / f"iNaturalist18_{split}.txt").write_text(text)
        (tmp_path / f"{split}2018.json").unlink()
    second = open_dataset("inaturalist2018", tmp_path)
    assert first.class_names == second.class_names == ("Aves/0", "Plantae/1")
    assert first.train.class_counts.tolist() == [3, 1]
    assert (first.train.sha256(), first.test.sha256()) == (second.train.sha256(), second.test.sha256())


# ---- downloads, from a server on this machine


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published_small: None) -> Iterator[Path]:
    """A folder that is served as the place where ImageNet-LT's lists are published."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    source = PHOTOGRAPH_SETS["imagenet-lt"]
    splits = {
        split: replace(
            listed,
            official=OfficialFile(
                f"http://127.0.0.1:{server.server_port}/{listed.list_name}", None, megabytes=1
            ),
        )
        for split, listed in source.splits.items()
    }
    monkeypatch.setitem(PHOTOGRAPH_SETS, "imagenet-lt", replace(source, splits=splits))
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_lists_are_fetched_on_demand_once(server: Path, root: Path) -> None:
    write_lists(server)
    assert len(opened(root, download=True).train) == 7
    assert {"ImageNet_LT_train.txt", "ImageNet_LT_test.txt"} <= set(os.listdir(root))
    for file in server.iterdir():
        file.unlink()
    assert len(opened(root, download=True).train) == 7


def test_a_fetched_list_with_other_counts_is_refused_and_not_kept(server: Path, root: Path) -> None:
    write_lists(server)
    (server / "ImageNet_LT_train.txt").write_text("\n".join(TRAIN[:-1]))
    with pytest.raises(
        ValueError,
        match=r"6 images .*7; 2 classes .*3; 2 .*1",
    ):
        opened(root, download=True)
    assert not [name for name in os.listdir(root) if name.startswith("ImageNet_LT_train")]


def test_a_page_instead_of_a_list_is_refused(server: Path, root: Path) -> None:
    (server / "ImageNet_LT_train.txt").write_text("<html>sign in</html>\n")
    with pytest.raises(ValueError, match="not a path"):
        opened(root, download=True)


def test_lists_go_to_the_cache_where_the_data_may_only_be_read(
    server: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lists(server)
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: False if (Path(path), mode) == (root, os.W_OK) else access(path, mode),
    )
    assert len(opened(root, download=True, cache_dir=tmp_path / "cache").train) == 7
    assert not list(root.glob("*.txt"))
    assert len(list((tmp_path / "cache/lists/imagenet-lt").glob("*.txt"))) == 2


def test_without_a_network_the_message_says_what_to_fetch_and_where_to_put_it(
    server: Path, root: Path
) -> None:
    with pytest.raises(ConnectionError, match=f"404.*fetch .*put it.* {root}"):
        opened(root, download=True)
