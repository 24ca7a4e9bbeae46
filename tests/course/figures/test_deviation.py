"""The figures of notebook 08: paths to the simplex, and the three effects that they are the sum of."""

import pytest
import torch

from bcl_edu.course.figures import caption, deviation_curves, text_alternative

PATHS = {
    "SCL": torch.tensor([[1.0, 0.5, 0.2], [0.8, 0.3, 0.1]]),
    "BCL": torch.tensor([[0.9, 0.4, 0.3], [0.9, 0.4, 0.3]]),
}
WORDS = {"title": "Paths", "look_at": "Which is lower?"}


def test_a_line_is_the_mean_of_the_seeds_and_its_band_goes_from_the_lowest_to_the_highest() -> None:
    figure = deviation_curves(PATHS, [1, 10, 100], moment="step", **WORDS)
    band, line, *_ = figure.data
    assert line.y == pytest.approx((0.9, 0.4, 0.15))
    assert line.x == (1, 10, 100)
    assert band.x == (1, 10, 100, 100, 10, 1)
    assert band.y == pytest.approx((0.8, 0.3, 0.1, 0.2, 0.5, 1.0))


def test_one_seed_has_no_band() -> None:
    figure = deviation_curves({"SCL": PATHS["SCL"][:1]}, [1, 10, 100], moment="step", **WORDS)
    assert [trace.name for trace in figure.data] == ["SCL"]
    assert "seeds" not in text_alternative(figure)


def test_the_words_say_how_many_seeds_there_are() -> None:
    figure = deviation_curves(PATHS | {"LC": PATHS["SCL"][:1]}, [1, 10, 100], moment="step", **WORDS)
    assert "mean of 1 to 2 seeds" in text_alternative(figure)


def test_losses_differ_by_colour_dash_and_symbol_and_are_named_in_the_legend() -> None:
    lines = [
        trace
        for trace in deviation_curves(PATHS, [1, 2, 3], moment="step", **WORDS).data
        if trace.showlegend is not False
    ]
    assert [line.name for line in lines] == ["SCL", "BCL"]
    assert len({(line.line.color, line.line.dash, line.marker.symbol) for line in lines}) == 2


def test_an_optimum_is_marked_right_of_the_path() -> None:
    figure = deviation_curves(
        PATHS, [1, 10, 100], moment="step", ends={"BCL": 0.07}, logarithmic=True, **WORDS
    )
    end = figure.data[-1]
    assert end.y == (0.07, 0.07)
    assert min(end.x) > 100
    assert figure.layout.xaxis.type == "log"
    assert "at 100, its optimum 0.070" in text_alternative(figure)
    assert "mean of 2 seeds" in text_alternative(figure)
    assert caption(figure) == "Which is lower?"


def test_a_few_moments_on_a_logarithmic_axis_have_a_tick_each() -> None:
    few = deviation_curves(PATHS, [8, 32, 120], moment="batch size", logarithmic=True, **WORDS)
    assert few.layout.xaxis.tickvals == (8, 32, 120)
    path = {"SCL": torch.rand(1, 9)}
    many = deviation_curves(path, [2**k for k in range(9)], moment="step", logarithmic=True, **WORDS)
    assert many.layout.xaxis.tickvals is None
    assert many.layout.xaxis.dtick == 1


@pytest.mark.parametrize(
    ("runs", "moments", "more", "message"),
    [
        ({}, [1], {}, "no runs"),
        (PATHS, [1, 2], {}, r"SCL .*\(2, 3\); expected \(seeds, 2\)"),
        ({"SCL": torch.tensor([[1.0, torch.nan]])}, [1, 2], {}, "SCL .*not finite"),
        (PATHS, [1, 3, 2], {}, "expected rising numbers"),
        (PATHS, [0, 1, 2], {"logarithmic": True}, "the first moment is 0"),
        (PATHS, [1, 2, 3], {"ends": {"LC": 0.1}}, "'LC'.*SCL, BCL"),
    ],
)
def test_what_cannot_be_drawn_is_named(
    runs: dict, moments: list[float], more: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        deviation_curves(runs, moments, moment="step", **WORDS, **more)  # type: ignore[arg-type]
