"""The explorer's Python side: traits are settings, settings out of range are refused."""

import pytest

from bcl_edu.course.widgets.explorer import Settings, SimplexExplorer
from bcl_edu.geometry.optimum import certified_optimum


def test_traits_are_settings() -> None:
    explorer = SimplexExplorer(imbalance_factor=20, num_classes=5, losses=["bcl", "bcl-class-anchors"])
    assert explorer.settings == Settings(20.0, 0.5, 5, ("bcl", "bcl-class-anchors"), 0)
    explorer.batch_size = 64
    assert explorer.settings.batch_size == 64
    assert explorer.state == {}


def test_the_settings_are_a_problem_for_the_geometry() -> None:
    explorer = SimplexExplorer(num_classes=3, losses=["scl", "bcl-class-anchors"])
    optimum = certified_optimum(
        explorer.settings.compositions, explorer.losses[1], temperature=explorer.temperature
    )
    assert optimum.deviation.rms == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("imbalance_factor", 2000.0, "imbalance factor is 2000"),
        ("temperature", 3.0, "temperature is 3"),
        ("num_classes", 1, "num_classes is 1"),
        ("losses", ["scl", "sncl"], "losses are"),
        ("batch_size", -8, "batch_size is -8"),
    ],
)
def test_a_trait_out_of_range_is_refused_and_stays_what_it_was(
    trait: str, value: object, message: str
) -> None:
    explorer = SimplexExplorer()
    before = getattr(explorer, trait)
    with pytest.raises(ValueError, match=message):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before
    with pytest.raises(ValueError, match=message):
        SimplexExplorer(**{trait: value})
