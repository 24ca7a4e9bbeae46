"""What the explorer's sliders mean for the geometry."""

import numpy as np
import pytest

from bcl_edu.course.widgets.explorer import LOSSES, Settings
from bcl_edu.data import exponential_profile
from bcl_edu.geometry.optimum import certified_optimum


def test_the_full_data_are_the_profile_without_its_floor_with_two_views_of_every_image() -> None:
    settings = Settings(imbalance_factor=100, num_classes=3)
    assert settings.class_counts == pytest.approx([5000, 500, 50], rel=1e-12)
    assert settings.compositions.counts == pytest.approx(np.array([[10000, 1000, 100]]), rel=1e-12)


def test_mini_batches_are_drawn_from_whole_images() -> None:
    settings = Settings(imbalance_factor=31.6, num_classes=6, batch_size=64)
    assert settings.class_counts.tolist() == exponential_profile(5000, 6, 31.6).tolist()
    assert (settings.compositions.counts.sum(axis=1) == 2 * 64).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_of_the_menu_can_be_solved_by_the_geometry(loss: str) -> None:
    settings = Settings(num_classes=3, losses=(loss, loss))
    assert certified_optimum(settings.compositions, loss, temperature=settings.temperature).certified


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"imbalance_factor": 0.5}, r"imbalance factor is 0\.5; expected 1 .*1000"),
        ({"imbalance_factor": float("nan")}, "imbalance factor is nan"),
        ({"temperature": 0.0}, r"temperature is 0\.0; expected 0\.05 to 2"),
        ({"num_classes": 11}, "num_classes is 11; expected 2 to 10"),
        ({"losses": ("scl",)}, r"\['scl'\]; expected two"),
        ({"losses": ("scl", "bce")}, r"losses are \['scl', 'bce'\]"),
        ({"batch_size": 1}, "batch_size is 1; expected 2 to 2048, or 0"),
    ],
)
def test_a_setting_that_no_slider_has_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)
