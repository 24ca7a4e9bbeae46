import torch

from bcl_edu.course.widgets import LiveFigure, imbalance_slider
from bcl_edu.data import LabelledImages, exponential_profile

CLASSES, EACH = 3, 40


def balanced() -> LabelledImages:
    labels = torch.arange(CLASSES).repeat_interleave(EACH)
    images = labels.to(torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4).contiguous()
    return LabelledImages(images, labels, ("a", "b", "c"))


def shown_counts(bars: LiveFigure) -> dict[str, int]:
    return {name: count for trace in bars.figure.data for name, count in zip(trace.x, trace.y, strict=True)}


def test_moving_the_slider_cuts_the_tail_as_the_profile_says() -> None:
    slider, _, bars, _ = imbalance_slider(balanced()).children
    for factor in (1.0, 4.0, 40.0):
        slider.value = factor
        expected = exponential_profile(EACH, CLASSES, factor).tolist()
        assert shown_counts(bars) == dict(zip("abc", expected, strict=True))


def test_the_images_shown_run_out_with_the_tail() -> None:
    slider, _, _, images = imbalance_slider(balanced()).children
    slider.value = 40.0
    assert images.figure.layout.xaxis.ticktext == ("a<br>40", "b<br>6", "c<br>1")
    slider.value = 1.0
    assert images.figure.layout.xaxis.ticktext == ("a<br>40", "b<br>40", "c<br>40")


def test_the_head_fills_the_same_axis_at_every_factor() -> None:
    slider, _, bars, _ = imbalance_slider(balanced()).children
    before = bars.figure.layout.yaxis.range
    slider.value = 40.0
    assert bars.figure.layout.yaxis.range == before


def test_the_value_taken_is_the_value_shown() -> None:
    slider, _, bars, _ = imbalance_slider(balanced()).children
    slider.value = 10.000000000000002  # what the browser makes of 10.0
    assert shown_counts(bars)["c"] == 4
