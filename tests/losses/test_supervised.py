"""Eq. 1-2 on batches whose loss is a formula."""

import math

import pytest
import torch

from bcl_edu.losses import supervised_contrastive_loss
from tests.losses.loops import loss_by_loops
from tests.losses.points import at, simplex, somewhere
from tests.losses.test_definition import LABELS


def test_is_equation_2() -> None:
    z = somewhere(len(LABELS), 5, seed=3)
    expected = loss_by_loops(z, LABELS, averaging="none", complement=False, temperature=0.2)
    assert supervised_contrastive_loss(z, LABELS, temperature=0.2).item() == pytest.approx(
        expected, abs=1e-10
    )


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_classes_collapsed_onto_a_regular_simplex(num_classes: int, temperature: float) -> None:
    m = 4  # samples a class; the anchor sees m - 1 at cosine 1 and m (K - 1) at cosine -1/(K - 1)
    z, y = simplex(num_classes).repeat(m, 1), torch.arange(num_classes).repeat(m)
    gap = -num_classes / (num_classes - 1) / temperature
    expected = math.log(m - 1 + m * (num_classes - 1) * math.exp(gap))
    assert supervised_contrastive_loss(z, y, temperature=temperature).item() == pytest.approx(
        expected, abs=1e-10
    )


def test_all_embeddings_equal_leaves_a_uniform_guess_among_the_others() -> None:
    z, y = at(*[30] * 7), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    assert supervised_contrastive_loss(z, y).item() == pytest.approx(math.log(6), abs=1e-12)


def test_three_points_by_hand() -> None:
    z, y = at(0, 90, 180), torch.tensor([0, 0, 1])  # the third is alone: not counted, but it repels
    first = -math.log(1 / (1 + math.exp(-1)))  # sees its positive at cosine 0, the other class at -1
    second = -math.log(1 / 2)  # both at cosine 0
    expected = (first + second) / 2
    assert supervised_contrastive_loss(z, y, temperature=1.0).item() == pytest.approx(expected, abs=1e-12)


def test_class_averaged_anchors_give_each_class_one_vote() -> None:
    z, y = somewhere(8, 3, seed=0), torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    expected = loss_by_loops(
        z, y, averaging="none", complement=False, class_balanced_anchors=True, temperature=0.1
    )
    averaged = supervised_contrastive_loss(z, y, class_balanced_anchors=True).item()
    assert averaged == pytest.approx(expected, abs=1e-10)
    assert averaged != pytest.approx(supervised_contrastive_loss(z, y).item(), abs=1e-3)
