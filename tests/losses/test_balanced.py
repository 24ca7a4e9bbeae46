"""Eq. 9: the authors' definition, loops, closed forms."""

import json
import math

import pytest
import torch
from torch import Tensor

from bcl_edu.losses import balanced_contrastive_loss, class_averaged_loss
from tests.losses.loops import loss_by_loops
from tests.losses.make_balsup_fixture import FIXTURE, compute
from tests.losses.points import at, simplex, somewhere
from tests.losses.test_definition import LABELS, NUM_CLASSES


def fixture_tensors(dtype: torch.dtype) -> dict[str, Tensor]:
    fixture = json.loads(FIXTURE.read_text())
    return {
        name: torch.tensor(fixture[name], dtype=torch.int64 if name == "labels" else dtype)
        for name in (
            "embeddings",
            "labels",
            "prototypes",
            "loss",
            "embeddings_gradient",
            "prototypes_gradient",
        )
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_value_and_gradient_are_those_of_the_authors_definition(dtype: torch.dtype, tolerance: float) -> None:
    fixture = fixture_tensors(dtype)
    z, c = fixture["embeddings"].requires_grad_(), fixture["prototypes"].requires_grad_()
    loss = balanced_contrastive_loss(z, fixture["labels"], c, temperature=0.1)
    loss.backward()
    close = {"rtol": 0, "atol": tolerance}
    torch.testing.assert_close(loss, fixture["loss"], **close)
    torch.testing.assert_close(z.grad, fixture["embeddings_gradient"], **close)
    torch.testing.assert_close(c.grad, fixture["prototypes_gradient"], **close)


def test_the_fixture_is_what_its_script_computes() -> None:
    stored, computed = json.loads(FIXTURE.read_text()), compute()
    assert stored.keys() == computed.keys()
    for name in ("loss", "embeddings", "prototypes", "embeddings_gradient", "prototypes_gradient"):
        torch.testing.assert_close(
            torch.tensor(stored[name]), torch.tensor(computed[name]), rtol=0, atol=1e-12
        )
    assert stored["labels"] == computed["labels"]


@pytest.mark.parametrize("class_balanced_anchors", [False, True])
def test_is_equation_9(class_balanced_anchors: bool) -> None:
    z, c = somewhere(len(LABELS), 5, seed=0), somewhere(NUM_CLASSES, 5, seed=1)
    arguments = {"class_balanced_anchors": class_balanced_anchors, "temperature": 0.3}
    expected = loss_by_loops(z, LABELS, c, averaging="outside", complement=True, **arguments)
    assert balanced_contrastive_loss(z, LABELS, c, **arguments).item() == pytest.approx(expected, abs=1e-10)


def test_is_row_l1_of_table_1() -> None:
    z, c = somewhere(len(LABELS), 5, seed=0), somewhere(NUM_CLASSES, 5, seed=1)
    assert torch.equal(
        balanced_contrastive_loss(z, LABELS, c), class_averaged_loss(z, LABELS, c, averaging="outside")
    )


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("present", [[0, 0, 1, 2, 3], [0, 0, 0, 0, 2], [3]])
def test_collapsed_onto_a_regular_simplex_whoever_is_in_the_batch(
    present: list[int], temperature: float
) -> None:
    """With its prototypes at the vertices every class counts as one, present or not."""
    k, y = 4, torch.tensor(present)
    loss = balanced_contrastive_loss(simplex(k)[y], y, simplex(k), temperature=temperature)
    expected = math.log(1 + (k - 1) * math.exp(-k / ((k - 1) * temperature)))
    assert loss.item() == pytest.approx(expected, abs=1e-10)


def test_all_equal_leaves_a_uniform_guess_among_all_classes() -> None:
    z, y, c = at(*[30] * 4), torch.tensor([0, 0, 0, 1]), at(*[30] * 6)
    assert balanced_contrastive_loss(z, y, c).item() == pytest.approx(math.log(6), abs=1e-12)


def test_one_sample_alone_is_cross_entropy_against_the_prototypes() -> None:
    z, y, c = somewhere(1, 4, seed=0), torch.tensor([2]), somewhere(5, 4, seed=1)
    expected = torch.nn.functional.cross_entropy(z @ c.T / 0.1, y)
    assert balanced_contrastive_loss(z, y, c).item() == pytest.approx(expected.item(), abs=1e-12)


def test_two_classes_by_hand() -> None:
    z, y = at(0, 90), torch.tensor([0, 1])
    c = at(0, 90)
    # each sees its prototype at cosine 1 (its only positive); the other class, twice at cosine 0, counts once
    expected = math.log(math.e + 1) - 1
    assert balanced_contrastive_loss(z, y, c, temperature=1.0).item() == pytest.approx(expected, abs=1e-12)


def test_class_averaged_anchors_give_a_tail_class_the_vote_of_a_head_class() -> None:
    z, y, c = at(*[0] * 9, 90), torch.tensor([0] * 9 + [1]), at(0, 90)
    head = math.log(1 + math.exp(-1))  # collapsed at its prototype: attraction 1, the other class at cosine 0
    tail = math.log(1 + math.exp(-1))
    z_moved = at(*[0] * 9, 0)  # the tail sample sits on the head's prototype
    head_moved = math.log(math.e + (math.e + 1) / 2) - 1
    tail_moved = math.log(1 + math.e)
    loss = balanced_contrastive_loss(z, y, c, temperature=1.0, class_balanced_anchors=True).item()
    moved = balanced_contrastive_loss(z_moved, y, c, temperature=1.0, class_balanced_anchors=True).item()
    outvoted = balanced_contrastive_loss(z_moved, y, c, temperature=1.0).item()
    assert loss == pytest.approx((head + tail) / 2, abs=1e-12)
    assert moved == pytest.approx((head_moved + tail_moved) / 2, abs=1e-12)
    assert outvoted == pytest.approx((9 * head_moved + tail_moved) / 10, abs=1e-12)
