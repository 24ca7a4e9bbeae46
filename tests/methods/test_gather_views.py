"""Gathering rows of several views over ranks."""

from __future__ import annotations

import torch

from tests.methods.by_hand import batch


def test_rows_come_view_after_view_and_ranks_are_joined_within_each_view() -> None:
    rows = torch.arange(6.0)[:, None]  # three samples: of the first view 0, 1, 2, of the second 3, 4, 5
    other_rank = -1 - rows.unflatten(0, (2, 3)).transpose(0, 1)
    mine = batch(torch.zeros(2, 3, 1, 8, 8), torch.arange(3), lambda own: torch.cat([own, other_rank]))
    found = mine.gather_views(rows, 2)[..., 0]
    assert found.tolist() == [[0, 1, 2, -1, -2, -3], [3, 4, 5, -4, -5, -6]]


def test_a_rank_may_have_no_sample() -> None:
    nothing = batch(torch.zeros(2, 0, 1, 8, 8), torch.zeros(0, dtype=torch.int64))
    assert nothing.gather_views(torch.zeros(0, 5), 2).shape == (2, 0, 5)
