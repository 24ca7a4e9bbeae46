"""Eq. 6-8: closed forms, Jensen's order, and the theorem that needs one more condition."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bcl_edu.losses import anchor_losses, class_averaged_loss
from tests.losses.loops import loss_by_loops
from tests.losses.points import at, simplex, somewhere
from tests.losses.test_definition import LABELS, NUM_CLASSES

SIMPLEX_OF_3 = math.log(1 + 2 * math.exp(-1.5))  # K = 3, tau = 1: log(1 + (K-1) exp(-K/(K-1)))


@pytest.mark.parametrize("with_prototypes", [False, True])
@pytest.mark.parametrize("averaging", ["outside", "inside", "prototypes"])
def test_is_equations_6_to_8(averaging: str, with_prototypes: bool) -> None:
    if averaging == "prototypes" and not with_prototypes:
        with pytest.raises(ValueError, match="needs prototypes"):
            class_averaged_loss(somewhere(len(LABELS), 5, seed=0), LABELS, averaging="prototypes")
        return
    z, c = somewhere(len(LABELS), 5, seed=0), somewhere(NUM_CLASSES, 5, seed=1) if with_prototypes else None
    expected = loss_by_loops(z, LABELS, c, averaging=averaging, complement=with_prototypes, temperature=0.3)
    loss = class_averaged_loss(z, LABELS, c, averaging=averaging, temperature=0.3)
    assert loss.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("counts", [(2, 2, 2), (5, 3, 2), (40, 2, 7, 3)])
@pytest.mark.parametrize("averaging", ["outside", "inside"])
def test_on_a_regular_simplex_class_sizes_do_not_matter(
    averaging: str, counts: tuple[int, ...], temperature: float
) -> None:
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    z = simplex(len(counts))[y]
    k = len(counts)
    expected = math.log(1 + (k - 1) * math.exp(-k / ((k - 1) * temperature)))
    loss = class_averaged_loss(z, y, averaging=averaging, temperature=temperature)
    assert loss.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("averaging", ["outside", "inside"])
def test_all_embeddings_equal_leaves_a_uniform_guess_among_classes(averaging: str) -> None:
    z, y = at(*[30] * 9), torch.tensor([0, 0, 0, 0, 1, 1, 1, 5, 5])
    assert class_averaged_loss(z, y, averaging=averaging).item() == pytest.approx(math.log(3), abs=1e-12)


@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=12),
    seed=st.integers(0, 1000),
    temperature=st.floats(-2, 1).map(lambda exponent: 10**exponent),
    complement=st.booleans(),
)
def test_outside_is_at_least_inside_for_every_anchor(
    labels: list[int], seed: int, temperature: float, complement: bool
) -> None:
    """Jensen: the mean of exponentials is at least the exponential of the mean."""
    z, y = somewhere(len(labels), 3, seed), torch.tensor(labels)
    c = somewhere(4, 3, seed + 5000) if complement else None
    outside = anchor_losses(z, y, c, averaging="outside", complement=complement, temperature=temperature)
    inside = anchor_losses(z, y, c, averaging="inside", complement=complement, temperature=temperature)
    assert (outside.value >= inside.value - 1e-12).all()


def test_three_collapsed_classes_at_120_degrees_attain_the_bound() -> None:
    z, y = at(0, 0, 120, 120, 240, 240), torch.tensor([0, 0, 1, 1, 2, 2])
    assert class_averaged_loss(z, y, temperature=1.0).item() == pytest.approx(SIMPLEX_OF_3, abs=1e-12)


def test_two_tail_classes_that_merge_beat_the_printed_theorem_3() -> None:
    z, y = at(*[0] * 200, *[180] * 4), torch.tensor([0] * 200 + [1] * 2 + [2] * 2)
    loss = class_averaged_loss(z, y, temperature=1.0).item()
    head, tail = math.log(1 + 2 * math.exp(-2)), math.log(2 + math.exp(-2))
    assert loss == pytest.approx((200 * head + 4 * tail) / 204, abs=1e-12)
    assert loss < SIMPLEX_OF_3 - 0.1


def test_class_averaged_anchors_restore_theorem_3_where_the_tail_classes_merge() -> None:
    z, y = at(*[0] * 200, *[180] * 4), torch.tensor([0] * 200 + [1] * 2 + [2] * 2)
    assert class_averaged_loss(z, y, temperature=1.0, class_balanced_anchors=True).item() > SIMPLEX_OF_3 + 0.1


@given(
    counts=st.lists(st.integers(2, 8), min_size=3, max_size=3),
    seed=st.integers(0, 1000),
    temperature=st.floats(-1, 1).map(lambda exponent: 10**exponent),
)
def test_class_averaged_anchors_never_fall_below_theorem_3(
    counts: list[int], seed: int, temperature: float
) -> None:
    y = torch.arange(3).repeat_interleave(torch.tensor(counts))
    bound = math.log(1 + 2 * math.exp(-1.5 / temperature))
    loss = class_averaged_loss(
        somewhere(len(y), 2, seed), y, temperature=temperature, class_balanced_anchors=True
    ).item()
    assert loss >= bound - 1e-12


@pytest.mark.parametrize("class_balanced_anchors", [False, True])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
def test_l3_is_cross_entropy_over_prototype_logits(temperature: float, class_balanced_anchors: bool) -> None:
    z, c = somewhere(len(LABELS), 5, seed=0), somewhere(NUM_CLASSES, 5, seed=1)
    each = torch.nn.functional.cross_entropy(z @ c.T / temperature, LABELS, reduction="none")
    of_class = [each[name == LABELS].mean() for name in LABELS.unique()]
    expected = torch.stack(of_class).mean() if class_balanced_anchors else each.mean()
    loss = class_averaged_loss(
        z,
        LABELS,
        c,
        averaging="prototypes",
        temperature=temperature,
        class_balanced_anchors=class_balanced_anchors,
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("complement", [False, True])
def test_the_complement_adds_nothing_to_l3(complement: bool) -> None:
    z, c = somewhere(len(LABELS), 5, seed=0), somewhere(NUM_CLASSES, 5, seed=1)
    losses = anchor_losses(z, LABELS, c, averaging="prototypes", complement=complement)
    each = torch.nn.functional.cross_entropy(z @ c.T / 0.1, LABELS, reduction="none")
    torch.testing.assert_close(losses.value, each, rtol=0, atol=1e-12)
    assert losses.has_positive.all()


def test_under_l3_no_sample_pushes_or_pulls_another() -> None:
    z, c = somewhere(len(LABELS), 5, seed=0).requires_grad_(), somewhere(NUM_CLASSES, 5, seed=1)
    losses = anchor_losses(z, LABELS, c, averaging="prototypes")
    for i in range(len(LABELS)):
        (gradient,) = torch.autograd.grad(losses.value[i], z, retain_graph=True)
        moved = gradient.norm(dim=1) > 0
        assert moved.tolist() == [k == i for k in range(len(LABELS))]


def test_l3_punishes_samples_that_meet_opposite_their_prototypes() -> None:
    """log k - 1/tau would be below zero: the loss of samples that attract samples, which Eq. 8 does not have."""
    labels = torch.arange(10).repeat_interleave(4)
    samples, opposite = at(0).expand(len(labels), -1), -at(0).expand(10, -1)
    loss = class_averaged_loss(samples, labels, opposite, averaging="prototypes")
    assert loss.item() == pytest.approx(math.log(10), abs=1e-12)
