import ipywidgets

from bcl_edu.course.widgets.reaction import on_change


def test_a_failure_is_shown_until_a_change_succeeds() -> None:
    slider = ipywidgets.IntSlider(1, 0, 3)
    drawn: list[int] = []

    def redraw() -> None:
        if slider.value == 2:
            raise ValueError("two is <not> a number")
        drawn.append(slider.value)

    place = on_change([slider], redraw)
    assert place.layout.display == "none"
    slider.value = 2
    assert "ValueError: two is &lt;not&gt; a number" in place.value
    assert "test_reaction.py" in place.value
    assert place.layout.display == ""
    slider.value = 3
    assert (place.value, place.layout.display) == ("", "none")
    assert drawn == [3]


def test_every_source_is_heard() -> None:
    sliders = [ipywidgets.IntSlider(0, 0, 3), ipywidgets.IntSlider(0, 0, 3)]
    drawn: list[tuple[int, int]] = []
    on_change(sliders, lambda: drawn.append((sliders[0].value, sliders[1].value)))
    sliders[0].value = 1
    sliders[1].value = 2
    assert drawn == [(1, 0), (1, 2)]
