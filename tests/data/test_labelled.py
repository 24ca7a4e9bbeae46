import pytest
import torch

from bcl_edu.data import Dataset, LabelledImages


def labelled(*labels: int, channels: int = 3) -> LabelledImages:
    """Image i is filled with the value i."""
    images = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None].expand(-1, channels, 2, 2)
    return LabelledImages(images, torch.tensor(labels), ("a", "b", "c"))


def test_class_counts_include_a_class_without_images() -> None:
    assert labelled(2, 0, 2).class_counts.tolist() == [1, 0, 2]


def test_select_keeps_the_order_asked_for() -> None:
    chosen = labelled(0, 1, 2).select(torch.tensor([2, 0]))
    assert chosen.labels.tolist() == [2, 0]
    assert chosen.images[:, 0, 0, 0].tolist() == [2, 0]
    assert len(chosen) == 2


def test_sha256_is_that_of_the_content_not_of_the_memory_layout() -> None:
    whole = labelled(0, 1, 2)
    same = LabelledImages(
        whole.images.contiguous(memory_format=torch.channels_last), whole.labels, whole.class_names
    )
    assert whole.sha256() == same.sha256()


@pytest.mark.parametrize("part", ["images", "labels", "class_names"])
def test_sha256_tells_a_change_of_any_part(part: str) -> None:
    whole = labelled(0, 1, 2)
    images, labels, names = whole.images.clone(), whole.labels.clone(), whole.class_names
    if part == "images":
        images[1, 0, 0, 0] += 1
    elif part == "labels":
        labels[1] = 2
    else:
        names = ("a", "b", "d")
    assert LabelledImages(images, labels, names).sha256() != whole.sha256()


def test_a_label_without_a_name_is_refused_by_value_and_position() -> None:
    with pytest.raises(ValueError, match=r"label 3 at position 1.* 3 class"):
        labelled(0, 3)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 2, 2),
        torch.zeros(2, 2, 2, dtype=torch.uint8),
        torch.zeros(2, 4, 2, 2, dtype=torch.uint8),
    ],
    ids=["float", "no channel", "four channels"],
)
def test_images_of_another_shape_or_type_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 .*\(n, 1 or 3"):
        LabelledImages(images, torch.zeros(2, dtype=torch.int64), ("a",))


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("labels", [torch.zeros(3, dtype=torch.int64), torch.zeros(2, dtype=torch.int32)])
def test_labels_of_another_length_or_type_are_refused(labels: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected int64 of shape \(2,\)"):
        LabelledImages(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), labels, ("a",))


def test_a_dataset_has_one_size_of_image() -> None:
    with pytest.raises(ValueError, match=r"train images .*\(3, 2, 2\), .*\(1, 2, 2\)"):
        Dataset("mine", labelled(0), labelled(0, channels=1))


def test_a_dataset_has_one_list_of_class_names() -> None:
    train = labelled(0)
    with pytest.raises(ValueError, match=r"class names .*differ"):
        Dataset("mine", train, LabelledImages(train.images, train.labels, ("a", "b")))
