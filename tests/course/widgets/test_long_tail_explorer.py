import pytest
import torch

from bcl_edu.course.widgets import long_tail_explorer
from bcl_edu.course.widgets.imbalance import some_classes
from bcl_edu.data import LabelledImages


def balanced(num_classes: int, each: int) -> LabelledImages:
    labels = torch.arange(num_classes).repeat_interleave(each)
    images = labels.to(torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4).contiguous()
    return LabelledImages(images, labels, tuple(f"class {k}" for k in range(num_classes)))


SETS = {"small": balanced(3, 40), "large": balanced(25, 100)}


def shown_classes(box: object) -> int:
    bars = box.children[2].children[2].figure  # type: ignore[attr-defined]
    return sum(len(trace.x) for trace in bars.data)


def test_the_first_data_set_is_shown_first() -> None:
    box = long_tail_explorer(SETS)
    assert box.children[0].options == ("small", "large")
    assert shown_classes(box) == 3


def test_choosing_another_shows_its_classes_and_keeps_the_slider_where_it_is() -> None:
    box = long_tail_explorer(SETS, imbalance_factor=20)
    box.children[2].children[0].value = 30.0
    box.children[0].value = "large"
    assert shown_classes(box) == 25
    assert box.children[2].children[0].value == 30.0


def test_a_data_set_with_too_few_images_for_the_factor_moves_the_slider_back() -> None:
    box = long_tail_explorer({"large": SETS["large"], "small": SETS["small"]}, imbalance_factor=100)
    box.children[0].value = "small"
    slider = box.children[2].children[0]
    assert slider.value == pytest.approx(40.0)  # a head class of 40 leaves one image to the tail
    slider.value = 1000.0
    assert slider.value == pytest.approx(40.0)


def test_the_new_slider_moves_the_new_figures() -> None:
    box = long_tail_explorer(SETS)
    box.children[0].value = "large"
    slider, _, bars, _ = box.children[2].children
    slider.value = 100.0
    assert min(min(trace.y) for trace in bars.figure.data if len(trace.y)) == 1


def test_what_was_shown_before_is_closed_and_leaks_no_model() -> None:
    box = long_tail_explorer(SETS)
    before = box.children[2]
    parts = before.children
    box.children[0].value = "large"
    assert before.comm is None
    assert all(part.comm is None for part in parts)


def test_no_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match="no data set"):
        long_tail_explorer({})


def test_of_many_classes_ten_are_shown_head_and_tail_among_them() -> None:
    shown = some_classes(SETS["large"])
    assert shown.num_classes == 10
    assert shown.class_names[0] == "class 0"
    assert shown.class_names[-1] == "class 24"
    # every image still stands under its own name
    for image, label in zip(shown.images, shown.labels.tolist(), strict=True):
        assert shown.class_names[label] == f"class {int(image[0, 0, 0])}"


def test_of_few_classes_all_are_shown() -> None:
    shown = some_classes(SETS["small"])
    assert shown.class_names == SETS["small"].class_names
    assert torch.equal(shown.labels, SETS["small"].labels)
