"""Switches beyond the paper (L_in, training prior, anchors by training counts), and the losses as a library."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import grad, gradcheck, gradgradcheck

from bcl_edu.losses import (
    anchor_losses,
    balanced_contrastive_loss,
    class_balanced_focal_loss,
    contrastive_loss,
    fused,
    logit_compensated_cross_entropy,
)
from tests.losses.points import at, somewhere

LABELS = torch.tensor([0, 0, 1, 2, 0, 0, 1, 2, 3])  # class 3 is alone, class 4 absent
COUNTS = torch.tensor([500, 100, 20, 10, 5])
NUM_CLASSES = 5

SWITCHES = [
    pytest.param(
        averaging,
        complement,
        inside,
        prior,
        balanced,
        id=f"{averaging}-{complement}-{inside}-{prior}-{balanced}",
    )
    for averaging in ("none", "outside", "inside", "prototypes")
    for complement in (False, True)
    for inside in (False, True)
    for prior in (False, True)
    for balanced in (False, True)
    if not (prior and averaging == "none")
]
all_switches = pytest.mark.parametrize(("averaging", "complement", "inside", "prior", "balanced"), SWITCHES)


def batch(dim: int = 4) -> tuple[Tensor, Tensor]:
    return somewhere(len(LABELS), dim, seed=0), somewhere(NUM_CLASSES, dim, seed=1)


def by_loops(
    z: Tensor,
    c: Tensor,
    averaging: str,
    complement: bool,
    inside: bool,
    prior: bool,
    balanced: bool,
    tau: float,
) -> float:
    """Anchor by anchor in Python, sharing nothing with the package."""
    total, anchors = 0.0, 0
    n = COUNTS.tolist()
    for i, y in enumerate(LABELS.tolist()):
        groups: dict[int, list[float]] = {}
        if averaging != "prototypes":
            for k, j in enumerate(LABELS.tolist()):
                if k != i:
                    groups.setdefault(j, []).append(float(z[i] @ z[k]) / tau)
        if complement or averaging == "prototypes":
            for j in range(NUM_CLASSES):
                groups.setdefault(j, []).append(float(z[i] @ c[j]) / tau)
        if y not in groups:
            continue

        def mean_exp(logits: list[float]) -> float:
            return math.fsum(map(math.exp, logits)) / len(logits)

        denominator = 0.0
        for j, logits in groups.items():
            term = {
                "none": math.fsum(map(math.exp, logits)),
                "inside": math.exp(math.fsum(logits) / len(logits)),
            }.get(averaging, mean_exp(logits))
            denominator += term * (n[j] / n[y] if prior else 1)
        own = groups[y]
        attraction = math.log(mean_exp(own)) if inside else math.fsum(own) / len(own)
        weight = sum(n) / (NUM_CLASSES * n[y]) if balanced else 1
        total += weight * (math.log(denominator) - attraction)
        anchors += 1
    return total / anchors


def arguments(averaging: str, complement: bool, inside: bool, prior: bool, balanced: bool) -> dict:
    return {
        "averaging": averaging,
        "complement": complement,
        "positives_inside_log": inside,
        "training_prior": prior,
        "training_balanced_anchors": balanced,
        "class_counts": COUNTS if prior or balanced else None,
    }


def used(c: Tensor, averaging: str, complement: bool) -> Tensor | None:
    return c if complement or averaging == "prototypes" else None


@all_switches
def test_equals_the_loops(
    averaging: str, complement: bool, inside: bool, prior: bool, balanced: bool
) -> None:
    z, c = batch()
    for tau in (0.1, 1.0):
        loss = contrastive_loss(
            z,
            LABELS,
            used(c, averaging, complement),
            **arguments(averaging, complement, inside, prior, balanced),
            temperature=tau,
        )
        expected = by_loops(z, c, averaging, complement, inside, prior, balanced, tau)
        assert loss.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("block_rows", [4, 512])
@all_switches
def test_fused_equals_the_definition(
    averaging: str,
    complement: bool,
    inside: bool,
    prior: bool,
    balanced: bool,
    block_rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fused, "CPU_BLOCK_ROWS", block_rows)
    for num_classes in (5, 20):  # fewer and more than there are samples
        z, c = somewhere(9, 4, seed=0), somewhere(num_classes, 4, seed=1)
        share = torch.linspace(5, 1, num_classes, dtype=torch.float64).softmax(dim=0)
        form = fused.Form(
            averaging,
            complement,
            False,
            0.3,
            inside,
            share.log() if prior else None,
            1 / share if balanced else None,
        )
        c = used(c, averaging, complement)
        inputs = [tensor.requires_grad_() for tensor in (z, c) if tensor is not None]
        fast = fused.fused_contrastive_loss(z, LABELS, c, form)
        slow = fused.loss_by_definition(z, LABELS, c, form)
        torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(grad(fast, inputs), grad(slow, inputs), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("averaging", ["outside", "inside", "prototypes"])
def test_gradients_equal_finite_differences(averaging: str) -> None:
    z, c = batch(dim=2)

    def loss(z: Tensor, c: Tensor) -> Tensor:
        return contrastive_loss(
            z, LABELS, c, **arguments(averaging, True, True, True, True), temperature=1.0, check=False
        )

    inputs = (z.requires_grad_(), c.requires_grad_())
    assert gradcheck(loss, inputs)
    assert gradgradcheck(loss, inputs)


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    seed=st.integers(0, 1000),
    tau=st.floats(-2, 1).map(lambda exponent: 10**exponent),
    averaging=st.sampled_from(["none", "outside", "inside"]),
    complement=st.booleans(),
)
def test_the_mean_outside_the_logarithm_is_never_below_the_mean_inside(
    labels: list[int], seed: int, tau: float, averaging: str, complement: bool
) -> None:
    """Jensen: L_out >= L_in, for every anchor."""
    z, y = somewhere(len(labels), 3, seed), torch.tensor(labels)
    c = somewhere(4, 3, seed + 5000) if complement else None
    options = {"averaging": averaging, "complement": complement, "temperature": tau}
    outside, inside = (
        anchor_losses(z, y, c, **options, positives_inside_log=where).value for where in (False, True)
    )
    assert (outside >= inside - 1e-10).all()


def test_class_averages_of_a_queue_with_the_prior_have_the_published_values() -> None:
    """Two queries against a queue: Suh and Seo's loss, without its momentum encoder."""
    queries, classes = at(0, 100), [0, 1]
    queue = {
        "extra_embeddings": at(20, 40, -30, 120, 200, 230),
        "extra_labels": torch.tensor([0, 0, 0, 1, 2, 2]),
    }
    common = {"averaging": "outside", "complement": False, "temperature": 0.5, **queue}

    def losses(**options: object) -> list[float]:
        return [
            contrastive_loss(queries[i : i + 1], torch.tensor([k]), **common, **options).item()
            for i, k in enumerate(classes)
        ]

    prior = {"training_prior": True, "class_counts": [6, 3, 1]}
    with_prior = losses(positives_inside_log=True, **prior)
    assert with_prior == pytest.approx([0.0384165856, 0.3879178414], abs=1e-9)
    assert np.mean(with_prior) == pytest.approx(0.2131672135, abs=1e-9)
    assert np.mean(losses(positives_inside_log=True)) == pytest.approx(0.1803812196, abs=1e-9)
    assert np.mean(losses()) == pytest.approx(0.1853888970, abs=1e-9)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (0, [1.7245236665, -1.0, -1.5390366842]),
        (100, [0.3852645321, 1.8793852416, -0.7102044437]),
    ],
)
def test_class_averages_of_a_queue(query: float, expected: list[float]) -> None:
    """log S_c = log mean over class c of exp(q . k / tau), against that of a key at right angles, which is 0."""
    queue = at(20, 40, -30, 120, 200, 230, query + 90)
    losses = [
        contrastive_loss(
            at(query),
            torch.tensor([label]),
            averaging="outside",
            complement=False,
            positives_inside_log=True,
            extra_embeddings=queue,
            extra_labels=torch.tensor([0, 0, 0, 1, 2, 2, 3]),
            temperature=0.5,
        ).item()
        for label in range(4)
    ]
    assert [losses[3] - loss for loss in losses[:3]] == pytest.approx(expected, abs=1e-9)


def test_a_uniform_prior_changes_nothing() -> None:
    z, c = batch()
    plain = contrastive_loss(z, LABELS, c, averaging="outside", complement=True)
    uniform = contrastive_loss(
        z, LABELS, c, averaging="outside", complement=True, training_prior=True, class_counts=[7] * 5
    )
    assert uniform.item() == pytest.approx(plain.item(), abs=1e-12)


def test_training_balanced_anchors_are_class_balanced_anchors_on_the_whole_training_set() -> None:
    y = torch.repeat_interleave(torch.arange(3), torch.tensor([8, 3, 2]))
    z, c = somewhere(13, 4, seed=0), somewhere(3, 4, seed=1)
    common = {"averaging": "outside", "complement": True}
    by_batch = contrastive_loss(z, y, c, **common, class_balanced_anchors=True)
    by_training_set = contrastive_loss(
        z, y, c, **common, training_balanced_anchors=True, class_counts=np.array([8, 3, 2])
    )
    assert by_training_set.item() == pytest.approx(by_batch.item(), abs=1e-12)


def test_training_balanced_anchors_are_unbiased_in_mini_batches() -> None:
    """L3 of an anchor does not depend on its batch, so the mean over all batches is that of the whole set."""
    y = torch.tensor([0, 0, 0, 0, 1])
    z, c = somewhere(5, 3, seed=0), somewhere(2, 3, seed=1)
    common = {
        "averaging": "prototypes",
        "complement": True,
        "training_balanced_anchors": True,
        "class_counts": [4, 1],
    }
    pairs = torch.combinations(torch.arange(5), 2)
    mean = torch.stack([contrastive_loss(z[pair], y[pair], c, **common) for pair in pairs]).mean()
    whole = contrastive_loss(z, y, c, **common)
    assert mean.item() == pytest.approx(whole.item(), abs=1e-12)


# ---- the losses as a library


@pytest.mark.parametrize(
    ("averaging", "complement"), [("none", False), ("outside", True), ("prototypes", True)]
)
def test_a_temperature_that_is_a_parameter_gets_its_gradient(averaging: str, complement: bool) -> None:
    z, c = batch()

    def loss(tau: Tensor) -> Tensor:
        return contrastive_loss(
            z,
            LABELS,
            used(c, averaging, complement),
            averaging=averaging,
            complement=complement,
            temperature=tau,
        )

    tau = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(loss, (tau,))
    fixed = contrastive_loss(
        z, LABELS, used(c, averaging, complement), averaging=averaging, complement=complement, temperature=0.3
    )
    assert loss(tau).item() == pytest.approx(fixed.item(), abs=1e-12)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    "tau", [torch.tensor([0.1, 0.2]), torch.tensor(1), torch.tensor(-0.1), torch.tensor(math.nan)]
)
def test_a_tensor_that_is_no_temperature_is_refused(tau: Tensor) -> None:
    z, c = batch()
    with pytest.raises(ValueError, match="temperature"):
        balanced_contrastive_loss(z, LABELS, c, temperature=tau)


@pytest.mark.parametrize("averaging", ["none", "outside", "inside"])
def test_without_reduction_each_anchor_has_its_loss(averaging: str) -> None:
    z, _ = batch()
    each = contrastive_loss(z, LABELS, averaging=averaging, complement=False, reduction="none")
    mean = contrastive_loss(z, LABELS, averaging=averaging, complement=False)
    assert each.shape == (9,)
    assert each[8] == 0  # alone in its class
    assert each[:8].mean().item() == pytest.approx(mean.item(), abs=1e-12)


@pytest.mark.parametrize("averaging", ["none", "outside", "inside"])
@pytest.mark.parametrize("complement", [False, True])
def test_extra_keys_are_samples_that_are_never_anchors(averaging: str, complement: bool) -> None:
    z, c = batch()
    c = c if complement else None
    options = {"averaging": averaging, "complement": complement}
    together = contrastive_loss(z, LABELS, c, **options, reduction="none")
    apart = contrastive_loss(
        z[:6],
        LABELS[:6],
        c,
        **options,
        reduction="none",
        extra_embeddings=z[6:],
        extra_labels=LABELS[6:].to(torch.int16),
    )
    torch.testing.assert_close(apart, together[:6], rtol=0, atol=1e-12)
    mean = contrastive_loss(z[:6], LABELS[:6], c, **options, extra_embeddings=z[6:], extra_labels=LABELS[6:])
    assert mean.item() == pytest.approx(together[:6].mean().item(), abs=1e-12)


@pytest.mark.parametrize("classes", [128, 256, 300])  # the first two become -128 and 0 in 8 bits
@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32], ids=str
)
def test_small_label_types_hold_with_more_classes_than_they_can_count(
    dtype: torch.dtype, classes: int
) -> None:
    z, c = somewhere(9, 8, seed=0), somewhere(classes, 8, seed=1)
    small, counts = LABELS.to(dtype), [5] * classes
    assert torch.equal(balanced_contrastive_loss(z, small, c), balanced_contrastive_loss(z, LABELS, c))
    logits = somewhere(9, classes, seed=2)
    for loss in (logit_compensated_cross_entropy, class_balanced_focal_loss):
        assert torch.equal(loss(logits, small, counts), loss(logits, LABELS, counts))


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_counts_may_be_a_list_an_array_or_a_tensor(kind: type) -> None:
    logits, labels = somewhere(4, 3, seed=0), torch.tensor([0, 1, 2, 0])
    expected = logit_compensated_cross_entropy(logits, labels, torch.tensor([50, 10, 2]))
    assert torch.equal(logit_compensated_cross_entropy(logits, labels, kind([50, 10, 2])), expected)
    assert class_balanced_focal_loss(logits, labels, kind([50, 10, 2])).isfinite()


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"training_prior": True}, "class_counts is missing"),
        ({"class_counts": [1] * 5}, "class_counts is given"),
        ({"training_prior": True, "class_counts": [1] * 4}, r"class_counts must have shape \(5,\)"),
        ({"training_prior": True, "class_counts": [1, 1, 1, 1, 0]}, r"class_counts\[4\] is 0"),
        ({"training_prior": True, "class_counts": "many"}, "class_counts is 'many'"),
        ({"training_balanced_anchors": True, "class_balanced_anchors": True}, "choose one"),
        ({"class_balanced_anchors": True, "reduction": "none"}, "no weights of anchors"),
        ({"reduction": "sum"}, "got 'sum'"),
        ({"extra_labels": torch.tensor([0])}, "belong together"),
        ({"extra_embeddings": somewhere(1, 3, 0), "extra_labels": torch.tensor([0])}, "dimension 3"),
        (
            {"extra_embeddings": somewhere(1, 4, 0), "extra_labels": torch.tensor([5])},
            "label 5 at position 0",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(options: dict, message: str) -> None:
    z, c = batch()
    with pytest.raises(ValueError, match=message):
        contrastive_loss(z, LABELS, c, averaging="outside", complement=True, **options)


def test_a_prior_without_averaged_denominators_is_refused() -> None:
    z, _ = batch()
    with pytest.raises(ValueError, match="needs averaged denominators"):
        contrastive_loss(
            z, LABELS, averaging="none", complement=False, training_prior=True, class_counts=COUNTS
        )
