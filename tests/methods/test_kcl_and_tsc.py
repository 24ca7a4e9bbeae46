"""KCL and TSC: losses on a circle to the digits, draws, targets and their assignment."""

from __future__ import annotations

import math
import os
import signal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods.kcl import KPositive, chosen_positives, k_positive_losses
from bcl_edu.methods.tsc import (
    assigned_targets,
    lowest_objective,
    moved_centroids,
    simplex,
    spread_targets,
    target_objective,
    targeted_losses,
)
from bcl_edu.models import parameter_count
from bcl_edu.models.heads import PlainHead
from bcl_edu.rows import RECIPES, ROWS
from bcl_edu.training import Interrupted, train
from tests.methods.harness import assert_same_run, built, digits, options


def at(*degrees: float) -> Tensor:
    """Unit vectors on the circle at these angles."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


QUERIES, KEYS = at(0, 100), at(10, 110)
QUEUE, QUEUE_LABELS = at(20, 40, -30, 120, 200, 230), torch.tensor([0, 0, 0, 1, 2, 2])
TARGETS = at(90, 210, 330)[[2, 0, 1]]  # by class: 330, 90, 210 degrees
SAME = torch.tensor([0, 1])[:, None] == QUEUE_LABELS


def by_pair() -> list[Tensor]:
    """The positives of every choice of two keys of class 0; class 1 has one key."""
    found = []
    for pair in combinations(range(3), 2):
        positives = torch.zeros(2, 6, dtype=torch.float64)
        positives[0, list(pair)] = 1
        positives[1, 3] = 1
        found.append(positives)
    return found


def kcl(positives: Tensor) -> Tensor:
    sums, number, _ = k_positive_losses(QUERIES, KEYS, QUEUE, positives, temperature=0.5)
    return sums / number


def tsc(positives: Tensor, counts: bool) -> Tensor:
    sums, number, log_p = k_positive_losses(QUERIES, KEYS, QUEUE, positives, temperature=0.5, targets=TARGETS)
    assert log_p is not None
    return targeted_losses(sums, number, log_p.diagonal(), weight=0.2, counts=counts)


def expected_choice() -> Tensor:
    return chosen_positives(SAME, 2, None).double()


# ---- KCL


def test_loss_by_drawn_pair() -> None:
    found = [kcl(positives)[0].item() for positives in by_pair()]
    assert found == pytest.approx([1.4169260969, 1.3502721231, 1.4660375749], abs=1e-9)
    assert kcl(by_pair()[0])[1].item() == pytest.approx(1.0257372346, abs=1e-9)


def test_loss_expected_over_the_draw() -> None:
    losses = kcl(expected_choice())
    assert losses[0].item() == pytest.approx(1.4110785983, abs=1e-9)
    assert losses.mean().item() == pytest.approx(1.2184079164, abs=1e-9)


def test_where_all_points_are_one_the_queues_size_decides() -> None:
    for k in (0, 1, 5):
        same = torch.ones(1, 6, dtype=torch.bool)
        positives = chosen_positives(same, k, None).double()
        sums, number, _ = k_positive_losses(at(0), at(0), at(*[0] * 6), positives, temperature=0.5)
        assert (sums / number).item() == pytest.approx(math.log(7), abs=1e-12)


def test_k_positives_are_drawn_without_replacement_and_uniformly() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([chosen_positives(SAME, 2, generator) for _ in range(3000)])
    assert draws.sum(dim=2).unique(dim=0).tolist() == [[2, 1]]
    assert bool((draws[:, ~SAME] == 0).all())
    share = draws.mean(dim=0)[0, :3]
    assert share.tolist() == pytest.approx([2 / 3] * 3, abs=0.04)


def test_no_key_of_the_class_leaves_the_own_key_alone() -> None:
    nothing = torch.zeros(2, 6, dtype=torch.bool)
    for generator in (None, torch.Generator().manual_seed(0)):
        assert chosen_positives(nothing, 3, generator).sum() == 0


def test_the_loss_is_that_of_loops() -> None:
    torch.manual_seed(0)
    q, k, queue = (functional.normalize(torch.randn(n, 5).double(), dim=1) for n in (3, 3, 7))
    positives = (torch.rand(3, 7) < 0.4).double()
    sums, number, _ = k_positive_losses(q, k, queue, positives, temperature=0.3)
    for i in range(3):
        terms = [math.exp(float(q[i] @ a) / 0.3) for a in [k[i], *queue]]
        chosen = [terms[0]] + [terms[1 + j] for j in range(7) if positives[i, j]]
        assert sums[i].item() == pytest.approx(-sum(math.log(t / sum(terms)) for t in chosen), abs=1e-12)
        assert number[i] == len(chosen)


def test_gradients_are_those_of_differences() -> None:
    def of(q: Tensor) -> Tensor:
        return k_positive_losses(q, KEYS, QUEUE, by_pair()[0], temperature=0.5)[0]

    assert torch.autograd.gradcheck(of, QUERIES.clone().requires_grad_())


# ---- TSC


def test_loss_with_targets_as_the_paper_writes_it() -> None:
    found = [tsc(positives, counts=False)[0].item() for positives in by_pair()]
    assert found == pytest.approx([2.0045805297, 1.9379265559, 2.0536920077], abs=1e-9)
    losses = tsc(expected_choice(), counts=False)
    assert losses.tolist() == pytest.approx([1.9987330311, 1.6392213979], abs=1e-9)
    assert losses.mean().item() == pytest.approx(1.8189772145, abs=1e-9)


def test_loss_with_targets_as_the_code_divides_it() -> None:
    found = [tsc(positives, counts=True)[0].item() for positives in by_pair()]
    assert found == pytest.approx([1.3312498750, 1.2812593947, 1.3680834835], abs=1e-9)
    losses = tsc(expected_choice(), counts=True)
    assert losses.tolist() == pytest.approx([1.3268642511, 1.0042528060], abs=1e-9)
    assert losses.mean().item() == pytest.approx(1.1655585286, abs=1e-9)


@pytest.mark.parametrize("counts", [False, True])
def test_the_loss_with_targets_is_that_of_loops_and_its_gradient_that_of_differences(counts: bool) -> None:
    positives = by_pair()[0]
    found = tsc(positives, counts)
    for i in range(2):
        contrast = [KEYS[i], *QUEUE, *TARGETS]
        total = math.log(sum(math.exp(float(QUERIES[i] @ a) / 0.5) for a in contrast))
        log_p = [float(QUERIES[i] @ a) / 0.5 - total for a in contrast]
        chosen = [log_p[0]] + [log_p[1 + j] for j in range(6) if positives[i, j]]
        pull = -0.2 * log_p[7 + i]  # of class i's target
        together = (-sum(chosen) + pull) / (len(chosen) + 1)
        expected = together if counts else -sum(chosen) / len(chosen) + pull
        assert found[i].item() == pytest.approx(expected, abs=1e-12)

    def of(queries: Tensor) -> Tensor:
        sums, number, log_p = k_positive_losses(
            queries, KEYS, QUEUE, positives, temperature=0.5, targets=TARGETS
        )
        assert log_p is not None
        return targeted_losses(sums, number, log_p.diagonal(), weight=0.2, counts=counts)

    assert torch.autograd.gradcheck(of, QUERIES.clone().requires_grad_())


@pytest.mark.parametrize(("number", "dim"), [(3, 2), (10, 128), (100, 128)])
def test_targets_are_a_regular_simplex_where_there_is_room(number: int, dim: int) -> None:
    targets = spread_targets(number, dim, torch.Generator())
    inner = targets @ targets.T
    torch.testing.assert_close(
        inner[~torch.eye(number, dtype=torch.bool)],
        inner.new_full((number * (number - 1),), -1 / (number - 1)),
    )
    assert target_objective(targets).item() == pytest.approx(lowest_objective(number), abs=1e-12)


def test_lowest_objective_of_a_thousand_targets() -> None:
    assert lowest_objective(1000) == pytest.approx(14.286329, abs=1e-6)


def test_more_classes_than_corners_are_spread_by_descent() -> None:
    # 24 on a circle, near enough to each other to repel strongly: 800 of the ten thousand steps suffice; six, 60
    # degrees apart, hardly feel each other, and are 11 degrees from their places after a thousand
    targets = spread_targets(24, 2, torch.Generator().manual_seed(0), steps=800)
    angles = torch.atan2(targets[:, 1], targets[:, 0]).sort().values.rad2deg()
    assert angles.diff().tolist() == pytest.approx([15] * 23, abs=1)
    best = target_objective(at(*range(0, 360, 15))).item()
    assert lowest_objective(24) < best
    assert target_objective(targets).item() == pytest.approx(best, abs=5e-4)
    once, again = (spread_targets(6, 2, torch.Generator().manual_seed(0), steps=20) for _ in range(2))
    assert torch.equal(once, again)


def test_each_class_gets_the_nearest_target_that_is_free() -> None:
    targets = at(90, 210, 330)
    assert assigned_targets(at(331, 91, 209), targets).tolist() == [2, 0, 1]
    # both near 90 degrees: the one that loses least gives way
    assert assigned_targets(at(95, 120, 330), targets).tolist() == [0, 1, 2]


def test_the_assignment_does_not_depend_on_the_numbers_of_classes() -> None:
    torch.manual_seed(0)
    centroids, order = functional.normalize(torch.randn(5, 4), dim=1), torch.randperm(5)
    targets = simplex(5, 4)
    assert torch.equal(
        assigned_targets(centroids[order], targets), assigned_targets(centroids, targets)[order]
    )


def test_centroids_of_classes_without_a_query_stay() -> None:
    before = at(0, 90, 180)
    after = moved_centroids(before, at(90, 90, 170), torch.tensor([0, 0, 2]))
    assert torch.equal(after[1], before[1])
    expected = functional.normalize(0.9 * at(0, 180) + 0.1 * at(90, 170), dim=1)
    torch.testing.assert_close(after[[0, 2]], expected)


# ---- networks, stages, rows


@pytest.mark.parametrize(
    ("hidden", "expected"), [(0, 2048 * 128 + 128), (2048, 2048 * 2049 + 2048 * 128 + 128)]
)
def test_sizes_of_the_heads(hidden: int, expected: int) -> None:
    assert parameter_count(PlainHead(2048, hidden, 128)) == expected


def test_stages_of_both() -> None:
    kcl, tsc = (
        built(RECIPES["digits-lt"][1].change(method=name, queue_size=64)).stages() for name in ("kcl", "tsc")
    )
    assert [(s.name, s.evaluated) for s in kcl] == [("contrast", False), ("linear", True)]
    assert [s.name for s in tsc] == ["contrast", "targets", "linear"]
    assert (kcl[1].schedule.rate(0, 1), kcl[1].schedule.rate(80, 1)) == (30, pytest.approx(0.3))
    assert (tsc[2].batch_size, tsc[2].weight_decay, tsc[2].frozen_batch_norm) == (2048, 0, "batch")


def test_a_finished_run_gets_a_linear_layer_alone() -> None:
    assert [stage.name for stage in built(digits("kcl")).stages_on("bcl")] == ["linear"]


def test_rows_train_for_200_epochs_whatever_the_tables_heading_says() -> None:
    recipe = ROWS["imagenet-lt-resnet50-kcl"].recipe
    assert (recipe.epochs, recipe.views, recipe.weight_decay) == (200, "resized", 5e-4)
    assert ROWS["inaturalist2018-resnet50-tsc"].recipe.method.linear_learning_rate == 30


def test_a_run_stopped_while_the_queue_is_filled_begins_anew_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = digits("kcl", epochs=1, linear_epochs=1)
    whole = train(recipe, options(tmp_path / "whole"))
    fill = KPositive.before_epoch

    def interrupted(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        fill(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(KPositive, "before_epoch", interrupted)
        with pytest.raises(Interrupted, match="before epoch 1; nothing"):
            train(recipe, options(tmp_path / "stopped"))
    assert_same_run(train(recipe, options(tmp_path / "stopped")), whole)
