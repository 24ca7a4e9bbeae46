"""The definition against loops, against finite differences, and against what the sphere's symmetries demand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from bcl_edu.losses import anchor_losses, contrastive_loss
from bcl_edu.losses.definition import class_mean_logits, class_sizes, compact_labels
from tests.losses.loops import loss_by_loops
from tests.losses.points import at, somewhere

# Every combination that the paper's tables use, and those between them.
FORMS = [
    pytest.param(averaging, complement, id=f"{averaging}{'-complement' if complement else ''}")
    for averaging in ("none", "outside", "inside", "prototypes")
    for complement in (False, True)
]
all_forms = pytest.mark.parametrize(("averaging", "complement"), FORMS)

# Two views of four samples, out of 5 classes: 0 has two samples (four views), 1 and 2 one; 3 and 4 are absent.
# Then one more sample of class 3 in a single view: alone in its class.
LABELS = torch.tensor([0, 0, 1, 2, 0, 0, 1, 2, 3])
NUM_CLASSES = 5


def batch(seed: int = 0, dim: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    return somewhere(len(LABELS), dim, seed), LABELS, somewhere(NUM_CLASSES, dim, seed + 1000)


def prototypes_if_used(prototypes: Tensor, averaging: str, complement: bool) -> Tensor | None:
    return prototypes if complement or averaging == "prototypes" else None


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("class_balanced_anchors", [False, True], ids=["anchors", "class-averaged-anchors"])
@all_forms
def test_equals_the_loops(
    averaging: str, complement: bool, class_balanced_anchors: bool, temperature: float
) -> None:
    z, y, c = batch()
    c = prototypes_if_used(c, averaging, complement)
    arguments = {
        "averaging": averaging,
        "complement": complement,
        "class_balanced_anchors": class_balanced_anchors,
        "temperature": temperature,
    }
    assert contrastive_loss(z, y, c, **arguments).item() == pytest.approx(
        loss_by_loops(z, y, c, **arguments), abs=1e-10
    )


@st.composite
def configurations(draw: st.DrawFn) -> dict:
    """Any small batch: one class or many, classes absent or alone, one dimension or several, any length."""
    num_classes = draw(st.integers(1, 5))
    labels = draw(st.lists(st.integers(0, num_classes - 1), min_size=1, max_size=10))
    dim = draw(st.integers(1, 6))
    scale = draw(st.floats(0.1, 2.5))  # logits up to 2.5^2 / 0.01 = 625; the loops overflow above 709
    averaging = draw(st.sampled_from(["none", "outside", "inside", "prototypes"]))
    complement = draw(st.booleans())
    prototypes = scale * somewhere(num_classes, dim, draw(st.integers(0, 9)))
    return {
        "embeddings": scale * somewhere(len(labels), dim, draw(st.integers(10, 19))),
        "labels": torch.tensor(labels),
        "prototypes": prototypes_if_used(prototypes, averaging, complement),
        "averaging": averaging,
        "complement": complement,
        "class_balanced_anchors": draw(st.booleans()),
        "temperature": 10 ** draw(st.floats(-2, 1)),
    }


@given(configurations())
def test_equals_the_loops_for_any_batch_and_its_gradient_is_finite(configuration: dict) -> None:
    configuration["embeddings"].requires_grad_()
    loss = contrastive_loss(**configuration, check=False)
    loss.backward()
    assert loss.item() == pytest.approx(loss_by_loops(**configuration), abs=1e-10)
    assert configuration["embeddings"].grad.isfinite().all()


@given(configurations())
def test_is_never_negative(configuration: dict) -> None:
    """Each denominator holds the mean of its anchor's positives."""
    assert contrastive_loss(**configuration, check=False).item() >= -1e-10


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("class_balanced_anchors", [False, True], ids=["anchors", "class-averaged-anchors"])
@all_forms
def test_gradient_equals_finite_differences(
    averaging: str, complement: bool, class_balanced_anchors: bool, temperature: float
) -> None:
    z, y, c = batch(dim=3)

    def loss(z: Tensor, c: Tensor) -> Tensor:
        return contrastive_loss(
            z,
            y,
            prototypes_if_used(c, averaging, complement),
            averaging=averaging,
            complement=complement,
            class_balanced_anchors=class_balanced_anchors,
            temperature=temperature,
        )

    assert gradcheck(loss, (z.requires_grad_(), c.requires_grad_()))


@all_forms
def test_second_derivative_equals_finite_differences(averaging: str, complement: bool) -> None:
    z, y, c = batch(dim=2)

    def losses(z: Tensor, c: Tensor) -> Tensor:
        return anchor_losses(z, y, c, averaging=averaging, complement=complement, temperature=1.0).value

    assert gradgradcheck(losses, (z.requires_grad_(), c.requires_grad_()))


@all_forms
def test_order_of_samples_does_not_matter(averaging: str, complement: bool) -> None:
    z, y, c = batch()
    order = torch.tensor([8, 2, 5, 0, 7, 1, 3, 6, 4])
    loss = anchor_losses(z, y, c, averaging=averaging, complement=complement)
    reordered = anchor_losses(z[order], y[order], c, averaging=averaging, complement=complement)
    torch.testing.assert_close(reordered.value, loss.value[order], rtol=0, atol=1e-12)
    assert torch.equal(reordered.has_positive, loss.has_positive[order])


@all_forms
def test_names_of_classes_do_not_matter(averaging: str, complement: bool) -> None:
    z, y, c = batch()
    new_name = torch.tensor([3, 0, 4, 1, 2])
    renamed_prototypes = torch.empty_like(c).index_copy(0, new_name, c)
    loss = anchor_losses(z, y, c, averaging=averaging, complement=complement)
    renamed = anchor_losses(z, new_name[y], renamed_prototypes, averaging=averaging, complement=complement)
    torch.testing.assert_close(renamed.value, loss.value, rtol=0, atol=1e-12)


@all_forms
def test_turning_the_sphere_does_not_matter(averaging: str, complement: bool) -> None:
    z, y, c = batch(dim=6)
    rotation, _ = torch.linalg.qr(somewhere(6, 6, seed=7))
    loss = anchor_losses(z, y, c, averaging=averaging, complement=complement)
    turned = anchor_losses(z @ rotation, y, c @ rotation, averaging=averaging, complement=complement)
    torch.testing.assert_close(turned.value, loss.value, rtol=0, atol=1e-12)


@all_forms
def test_an_anchor_alone_in_its_class_counts_only_with_its_prototype(
    averaging: str, complement: bool
) -> None:
    z, y, c = batch()
    loss = anchor_losses(z, y, c, averaging=averaging, complement=complement)
    has_prototype = complement or averaging == "prototypes"
    assert loss.has_positive.tolist() == [True] * 8 + [has_prototype]
    assert (loss.value[8] != 0).item() == has_prototype


def test_an_anchor_not_counted_still_repels_the_others() -> None:
    z, y = at(0, 10, 90), torch.tensor([0, 0, 1])
    value, counted = anchor_losses(z.requires_grad_(), y, averaging="outside", temperature=1.0)
    value.sum().backward()
    assert counted.tolist() == [True, True, False]
    assert z.grad[2].norm() > 0.1


def test_compact_labels_are_the_positions_of_first_samples() -> None:
    assert compact_labels(torch.tensor([7, 3, 7, 10**12, 3])).tolist() == [0, 1, 0, 3, 1]


def test_class_sizes_count_each_samples_class() -> None:
    assert class_sizes(torch.tensor([7, 3, 7, 10**12, 7])).tolist() == [3, 1, 3, 1, 3]


def test_class_mean_leaves_the_anchor_out() -> None:
    logits = torch.tensor([[0.0, 2.0, 4.0, 6.0]])  # anchor 0 of class 5; keys of classes 5, 5, 9, 9
    means = class_mean_logits(logits, torch.tensor([5]), torch.tensor([5, 5, 9, 9]))
    assert means.tolist() == [[2.0, -torch.inf, 5.0, -torch.inf]]
