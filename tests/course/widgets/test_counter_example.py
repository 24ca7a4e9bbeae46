import pytest

from bcl_edu.course.figures import style
from bcl_edu.course.widgets import CounterExample, counter_example


def test_it_starts_at_a_regular_simplex_at_the_claimed_bound() -> None:
    position = counter_example().position
    assert position.angles == (0, 120, 240)
    assert position.over_samples == pytest.approx(position.claimed)


def test_its_position_follows_what_the_browser_sends() -> None:
    widget = counter_example()
    widget.set_state({"angles": [10, 190, 190], "class_counts": [50, 2, 2]})
    assert (widget.position.angles, widget.position.class_counts) == ((10, 190, 190), (50, 2, 2))
    assert widget.position.over_samples < widget.position.claimed


def test_the_browser_gets_the_colours_and_words_of_all_figures() -> None:
    state = counter_example((0, 90, 180), (20, 5, 5)).get_state()
    assert state["angles"] == [0, 90, 180]
    assert state["class_counts"] == [20, 5, 5]
    assert [look["colour"] for look in state["looks"]] == [style.HEAD, style.TAIL, style.TAIL]
    radii = [look["radius"] for look in state["looks"]]
    assert radii == sorted(set(radii), reverse=True)  # classes that meet are both seen
    assert set(state["names"]) == {"samples", "classes"}


def test_it_needs_nothing_from_the_network() -> None:
    source = f"{CounterExample._esm}{CounterExample._css}"
    assert "import " not in source
    assert "url(" not in source
    assert source.count("http") == 1  # the name of SVG


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 1), (200, 2, 2)), "2 angles"),
        (((0, 1, 2), (2, 3, 3)), r"\[2, 3, 3\]; expected a head"),
        (((0, 1, 2), (2000, 3, 3)), "at most 1000"),
        (((0, 1, 2), (20, 3, 4)), "two equal tail classes"),
    ],
)
def test_counts_that_its_slider_cannot_show_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        counter_example(*arguments)  # type: ignore[arg-type]
