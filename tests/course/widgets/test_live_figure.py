import json

import torch

from bcl_edu.course.figures import class_counts_bars, class_mean_sphere
from bcl_edu.course.widgets import LiveFigure

COUNTS = torch.tensor([9, 3])


def test_it_shows_the_newest_figure_of_whatever_kind() -> None:
    live = LiveFigure(class_mean_sphere(torch.eye(2), COUNTS, title="before"))
    bars = class_counts_bars(COUNTS, {"few": torch.tensor([0, 1])})
    live.show(bars)
    assert live.figure is bars
    assert [trace["type"] for trace in live.drawing["data"]] == ["bar"]
    assert live.drawing["layout"]["meta"]["alternative"] == bars.layout.meta["alternative"]


def test_what_is_sent_is_plain_json_of_the_figure_alone() -> None:
    live = LiveFigure(class_mean_sphere(torch.eye(2), COUNTS))
    assert len(json.dumps(live.drawing)) < 20_000
    assert len(live._esm) < 5_000


def test_all_figures_share_one_copy_of_plotly() -> None:
    first, second = (LiveFigure(class_mean_sphere(torch.eye(2), COUNTS)) for _ in range(2))
    assert first.library == second.library
