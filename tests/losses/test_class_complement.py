"""Class-complement alone: prototypes join as contrast and as positives."""

import math

import pytest
import torch

from bcl_edu.losses import class_complement_loss
from tests.losses.loops import loss_by_loops
from tests.losses.points import at, simplex, somewhere
from tests.losses.test_definition import LABELS, NUM_CLASSES


@pytest.mark.parametrize("class_balanced_anchors", [False, True])
def test_is_equation_2_with_prototypes_as_samples(class_balanced_anchors: bool) -> None:
    z, c = somewhere(len(LABELS), 5, seed=0), somewhere(NUM_CLASSES, 5, seed=1)
    arguments = {"class_balanced_anchors": class_balanced_anchors, "temperature": 0.3}
    expected = loss_by_loops(z, LABELS, c, averaging="none", complement=True, **arguments)
    assert class_complement_loss(z, LABELS, c, **arguments).item() == pytest.approx(expected, abs=1e-10)


def test_collapsed_onto_a_regular_simplex_with_the_prototypes() -> None:
    k, m = (
        4,
        3,
    )  # an anchor sees m at cosine 1 (m - 1 samples, its prototype) and (m + 1)(K - 1) at -1/(K - 1)
    z, y, c = simplex(k).repeat(m, 1), torch.arange(k).repeat(m), simplex(k)
    expected = math.log(m + (m + 1) * (k - 1) * math.exp(-k / (k - 1) / 0.5))
    assert class_complement_loss(z, y, c, temperature=0.5).item() == pytest.approx(expected, abs=1e-12)


def test_all_equal_leaves_a_uniform_guess_among_all_others() -> None:
    z, y, c = at(*[30] * 4), torch.tensor([0, 0, 0, 1]), at(*[30] * 6)
    assert class_complement_loss(z, y, c).item() == pytest.approx(math.log(4 - 1 + 6), abs=1e-12)


def test_one_sample_alone_is_cross_entropy_against_the_prototypes() -> None:
    z, y, c = somewhere(1, 4, seed=0), torch.tensor([2]), somewhere(5, 4, seed=1)
    expected = torch.nn.functional.cross_entropy(z @ c.T / 0.1, y)
    assert class_complement_loss(z, y, c).item() == pytest.approx(expected.item(), abs=1e-12)
