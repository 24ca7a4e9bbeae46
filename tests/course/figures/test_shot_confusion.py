import pytest

from bcl_edu.course.figures import shot_confusion, text_alternative

SHARES = {
    "many": {"right": 80.0, "many": 15.0, "medium": 3.0, "few": 2.0},
    "few": {"right": 20.0, "many": 70.0, "medium": 10.0, "few": 0.0},
}


def test_bars_of_all_parts_stand_with_the_largest_group_on_top() -> None:
    figure = shot_confusion(SHARES)
    assert figure.layout.barmode == "stack"
    assert [(bar.name, bar.y, bar.x) for bar in figure.data] == [
        ("right", ("few-shot", "many-shot"), (20, 80)),
        ("taken for many-shot", ("few-shot", "many-shot"), (70, 15)),
        ("taken for medium-shot", ("few-shot", "many-shot"), (10, 3)),
        ("taken for few-shot", ("few-shot", "many-shot"), (0, 2)),
    ]


def test_numbers_stand_where_there_is_room() -> None:
    texts = [bar.text for bar in shot_confusion(SHARES).data]
    assert texts == [("<b>20</b>", "<b>80</b>"), ("<b>70</b>", "<b>15</b>"), ("<b>10</b>", ""), ("", "")]


def test_the_alternative_reads_from_head_to_tail() -> None:
    words = text_alternative(shot_confusion(SHARES))
    assert words.index("many-shot: right 80") < words.index("few-shot: right 20, taken for many-shot 70")


def test_parts_differ_by_hatching() -> None:
    assert len({bar.marker.pattern.shape for bar in shot_confusion(SHARES).data}) == 4


def test_a_group_without_classes_is_no_part() -> None:
    figure = shot_confusion({"few": {"right": 40.0, "many": 0.0, "medium": 0.0, "few": 60.0}})
    assert [bar.name for bar in figure.data] == ["right", "taken for few-shot"]
    assert "many" not in text_alternative(figure)


def test_parts_that_are_not_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="'few' sum to 99 percent"):
        shot_confusion({"few": {"right": 99.0}})
