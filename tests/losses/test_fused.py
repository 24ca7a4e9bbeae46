"""The kernel against the definition: value, first and second derivative, in blocks and at once."""

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.autograd import grad, gradgradcheck

from bcl_edu.losses import balanced_contrastive_loss, fused
from bcl_edu.losses.definition import anchor_losses, mean_over_anchors
from bcl_edu.losses.fused import Form, fused_contrastive_loss
from tests.losses.points import somewhere
from tests.losses.test_definition import all_forms, batch, configurations, prototypes_if_used


def by_definition(z: Tensor, y: Tensor, c: Tensor | None, form: Form) -> Tensor:
    losses = anchor_losses(
        z, y, c, averaging=form.averaging, complement=form.complement, temperature=form.temperature
    )
    return mean_over_anchors(losses, y, class_balanced_anchors=form.class_balanced_anchors)


def assert_same_value_and_gradient(z: Tensor, y: Tensor, c: Tensor | None, form: Form) -> None:
    inputs = [tensor.requires_grad_() for tensor in (z, c) if tensor is not None]
    fast, slow = fused_contrastive_loss(z, y, c, form), by_definition(z, y, c, form)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    for fast_gradient, slow_gradient in zip(grad(fast, inputs), grad(slow, inputs), strict=True):
        torch.testing.assert_close(fast_gradient, slow_gradient, rtol=1e-10, atol=1e-10)


@given(configurations())
def test_equals_the_definition_for_any_batch(configuration: dict) -> None:
    tensors = [configuration.pop(name) for name in ("embeddings", "labels", "prototypes")]
    assert_same_value_and_gradient(*tensors, Form(**configuration))


@pytest.mark.parametrize("block_rows", [1, 4, 9])
@all_forms
def test_equals_the_definition_in_blocks_of_any_size(
    averaging: str, complement: bool, block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "CPU_BLOCK_ROWS", block_rows)
    z, y, c = batch()  # of nine samples: the last block is full or not
    form = Form(averaging, complement, class_balanced_anchors=True, temperature=0.1)
    assert_same_value_and_gradient(z, y, prototypes_if_used(c, averaging, complement), form)


@pytest.mark.parametrize("num_classes", [5, 9, 50])
@all_forms
def test_equals_the_definition_with_fewer_and_more_classes_than_samples(
    averaging: str, complement: bool, num_classes: int
) -> None:
    z, y, _ = batch()
    c = prototypes_if_used(somewhere(num_classes, 4, seed=5), averaging, complement)
    assert_same_value_and_gradient(z, y, c, Form(averaging, complement, False, 0.1))


@all_forms
def test_second_derivative_equals_finite_differences(averaging: str, complement: bool) -> None:
    z, y, c = batch(dim=2)
    form = Form(averaging, complement, class_balanced_anchors=False, temperature=1.0)

    def loss(z: Tensor, c: Tensor) -> Tensor:
        return fused_contrastive_loss(z, y, prototypes_if_used(c, averaging, complement), form) + 0 * c.sum()

    assert gradgradcheck(loss, (z.requires_grad_(), c.requires_grad_()))


@pytest.mark.parametrize("learner", ["embeddings", "prototypes"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_one_of_the_two_may_learn_alone(learner: str, create_graph: bool) -> None:
    z, y, c = batch()
    learns = (z if learner == "embeddings" else c).requires_grad_()
    form = Form("outside", True, class_balanced_anchors=False, temperature=0.1)
    (fast,) = grad(fused_contrastive_loss(z, y, c, form), learns, create_graph=create_graph)
    (slow,) = grad(by_definition(z, y, c, form), learns)
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-10)


def test_the_upstream_gradient_scales_and_backward_can_run_again() -> None:
    z, y, c = batch()
    loss = balanced_contrastive_loss(z.requires_grad_(), y, c)
    (once,) = grad(loss, z, retain_graph=True)
    (tripled,) = grad(3 * loss, z)
    torch.testing.assert_close(tripled, 3 * once, rtol=1e-12, atol=0)


def test_without_gradient_no_graph_and_the_same_value() -> None:
    z, y, c = batch()
    with_graph = balanced_contrastive_loss(z.requires_grad_(), y, c)
    with torch.no_grad():
        without = balanced_contrastive_loss(z, y, c)
    assert not without.requires_grad
    assert torch.equal(without, with_graph)


def test_inputs_are_left_as_they_were() -> None:
    z, y, c = batch()
    before = [tensor.clone() for tensor in (z, y, c)]
    balanced_contrastive_loss(z.requires_grad_(), y, c.requires_grad_()).backward()
    assert all(torch.equal(tensor, copy) for tensor, copy in zip((z, y, c), before, strict=True))
