"""What contrastive_loss promises beside the mathematics: degenerate batches, precisions, devices, no waiting."""

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from bcl_edu.losses import contrastive_loss
from tests.losses.points import at, somewhere
from tests.losses.test_definition import all_forms, batch, prototypes_if_used
from tests.waiting import waiting_is_an_error

HALF_PRECISIONS = [torch.bfloat16, torch.float16]
# How far rounding a number to the nearest moves it at most, relative to its size.
ROUNDING = {torch.bfloat16: 2**-9, torch.float16: 2**-11, torch.float32: 2**-24}


def loss_of(z: Tensor, y: Tensor, c: Tensor, averaging: str, complement: bool, **arguments: object) -> Tensor:
    return contrastive_loss(
        z,
        y,
        prototypes_if_used(c, averaging, complement),
        averaging=averaging,
        complement=complement,
        **arguments,
    )


@pytest.mark.parametrize("class_balanced_anchors", [False, True], ids=["anchors", "class-averaged-anchors"])
@pytest.mark.parametrize("averaging", ["none", "outside", "inside"])
@pytest.mark.parametrize("n", [1, 3])
def test_zero_with_a_zero_gradient_where_no_anchor_has_a_positive(
    n: int, averaging: str, class_balanced_anchors: bool
) -> None:
    z, y, c = somewhere(n, 4, seed=0).requires_grad_(), torch.arange(n), somewhere(3, 4, seed=1)
    loss = loss_of(z, y, c, averaging, False, class_balanced_anchors=class_balanced_anchors)
    with torch.autograd.set_detect_anomaly(True):  # no NaN on the way either, masked later or not
        loss.backward()
    assert loss.item() == 0
    assert torch.equal(z.grad, torch.zeros_like(z))


@pytest.mark.parametrize("averaging", ["outside", "inside"])
def test_a_single_class_has_nothing_to_repel(averaging: str) -> None:
    z, y = at(0, 0, 0), torch.tensor([4, 4, 4])
    loss = contrastive_loss(z, y, averaging=averaging, complement=False)
    assert loss.item() == pytest.approx(0, abs=1e-12)  # log(1 class) - log(its mean over itself)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALF_PRECISIONS])
@all_forms
def test_value_and_gradient_are_finite_at_every_precision_and_temperature(
    averaging: str, complement: bool, dtype: torch.dtype, temperature: float
) -> None:
    z, y, c = batch(dim=8)
    z[1], z[2] = z[0], -z[0]  # the largest and the smallest logit there can be: 1/tau and -1/tau
    z, c = z.to(dtype).requires_grad_(), c.to(dtype).requires_grad_()
    loss = loss_of(z, y, c, averaging, complement, temperature=temperature)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.isfinite().all()
    assert z.grad.dtype == dtype


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float32, *HALF_PRECISIONS])
@all_forms
def test_close_to_float64_by_what_rounding_the_vectors_explains(
    averaging: str, complement: bool, dtype: torch.dtype, temperature: float
) -> None:
    """Rounding moves a unit vector by u at most, so a logit by 2u/tau and the loss by 4u/tau.

    On top of that comes the arithmetic in float32, of logits up to 1/tau and logarithms up to a few.
    """
    z, y, c = batch(dim=64)
    exact = loss_of(z, y, c, averaging, complement, temperature=temperature).item()
    rounded = loss_of(z.to(dtype), y, c.to(dtype), averaging, complement, temperature=temperature).item()
    arithmetic = 1e-6 * (1 / temperature + 3)
    assert abs(rounded - exact) <= 4 * ROUNDING[dtype] / temperature + arithmetic


@pytest.mark.parametrize("dtype", HALF_PRECISIONS)
@all_forms
def test_half_precision_is_computed_in_float32(averaging: str, complement: bool, dtype: torch.dtype) -> None:
    z, y, c = batch(dim=64)
    z, c = z.to(dtype), c.to(dtype)
    loss = loss_of(z, y, c, averaging, complement)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, loss_of(z.float(), y, c.float(), averaging, complement))


@all_forms
def test_autocast_changes_nothing(averaging: str, complement: bool) -> None:
    z, y, c = batch(dim=64)
    z, c = z.float(), c.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = loss_of(z, y, c, averaging, complement)
    assert torch.equal(under_autocast, loss_of(z, y, c, averaging, complement))


def test_mixed_precisions_meet_in_the_wider_one() -> None:
    z, y, c = batch(dim=8)
    loss = loss_of(z.bfloat16(), y, c, "outside", True)
    assert loss.dtype == torch.float64
    assert torch.equal(loss, loss_of(z.bfloat16().double(), y, c, "outside", True))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8], ids=str)
def test_any_integer_dtype_serves_for_labels(dtype: torch.dtype) -> None:
    z, y, c = batch()
    assert torch.equal(
        loss_of(z, y.to(dtype), c, "outside", True, class_balanced_anchors=True),
        loss_of(z, y, c, "outside", True, class_balanced_anchors=True),
    )


def test_labels_without_prototypes_may_be_any_numbers_from_zero_up() -> None:
    z, y, _ = batch()
    loss = contrastive_loss(z, y, averaging="inside", complement=False)
    assert torch.equal(contrastive_loss(z, y * 10**15, averaging="inside", complement=False), loss)


@pytest.mark.parametrize("class_balanced_anchors", [False, True], ids=["anchors", "class-averaged-anchors"])
@all_forms
def test_without_value_checks_no_value_is_read_on_the_host(
    averaging: str, complement: bool, class_balanced_anchors: bool
) -> None:
    """A fake tensor has a shape and no values: reading one raises, as waiting for a GPU would cost time."""
    with FakeTensorMode():
        z = torch.empty(6, 4, requires_grad=True)
        y = torch.empty(6, dtype=torch.int64)
        c = torch.empty(3, 4)
        loss = loss_of(
            z, y, c, averaging, complement, class_balanced_anchors=class_balanced_anchors, check=False
        )
        loss.backward()
        assert z.grad.shape == z.shape
        with pytest.raises(DataDependentOutputException):
            loss_of(z, y, c, averaging, complement, class_balanced_anchors=class_balanced_anchors)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@all_forms
def test_cuda_agrees_with_the_cpu_and_does_not_wait(averaging: str, complement: bool) -> None:
    z, y, c = batch(dim=64)
    of_cpu, of_cuda = ([x.detach().to(device).requires_grad_() for x in (z, c)] for device in ("cpu", "cuda"))
    expected = loss_of(of_cpu[0], y, of_cpu[1], averaging, complement)
    expected.backward()
    y = y.cuda()
    with waiting_is_an_error():
        loss = loss_of(of_cuda[0], y, of_cuda[1], averaging, complement, check=False)
        loss.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)
    for found, wanted in zip(of_cuda, of_cpu, strict=True):  # without complement, no prototype has a gradient
        assert (found.grad is None) == (wanted.grad is None)
        if wanted.grad is not None:
            torch.testing.assert_close(found.grad.cpu(), wanted.grad, rtol=0, atol=1e-10)


COMPILE = """
import torch
from bcl_edu.losses import contrastive_loss

y = torch.tensor([0, 0, 1, 2, 0, 0, 1, 2])
z = torch.nn.functional.normalize(torch.randn(8, 5, dtype=torch.float64), dim=1).requires_grad_()
c = torch.nn.functional.normalize(torch.randn(4, 5, dtype=torch.float64), dim=1)
options = dict(averaging="outside", complement=True, class_balanced_anchors=True, check=False)
compiled = torch.compile(contrastive_loss, fullgraph=True, backend="eager")
losses = [loss(z, y, c, **options) for loss in (compiled, contrastive_loss)]
gradients = [torch.autograd.grad(loss, z)[0] for loss in losses]
torch.testing.assert_close(*losses, rtol=0, atol=1e-12)
torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
"""


def test_compiles_into_a_single_graph() -> None:
    """In a process of its own: the compiler cannot see through the checks of shapes that stand in this one."""
    subprocess.run([sys.executable, "-c", COMPILE], check=True)


@pytest.mark.usefixtures("shapes_unchecked")
def test_unknown_averaging_is_refused() -> None:
    z, y, c = batch()
    with pytest.raises(ValueError, match="none, outside, inside, prototypes, got 'mean'"):
        contrastive_loss(z, y, c, averaging="mean", complement=True)


@pytest.mark.parametrize(("averaging", "complement"), [("none", True), ("prototypes", False)])
def test_missing_prototypes_are_refused(averaging: str, complement: bool) -> None:
    z, y, _ = batch()
    with pytest.raises(ValueError, match=r"prototypes .*got None"):
        contrastive_loss(z, y, averaging=averaging, complement=complement)


def test_prototypes_that_would_be_ignored_are_refused() -> None:
    z, y, c = batch()
    with pytest.raises(ValueError, match=r"prototypes; .*complement=True"):
        contrastive_loss(z, y, c, averaging="outside", complement=False)


def test_the_prototype_of_an_absent_class_repels_under_the_complement_only() -> None:
    z, y = at(0, 0), torch.tensor([0, 0])
    c = at(0, 180)
    with_complement = contrastive_loss(z, y, c, averaging="outside", complement=True, temperature=1.0)
    without = contrastive_loss(z, y, averaging="outside", complement=False, temperature=1.0)
    assert with_complement.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-12)
    assert without.item() == pytest.approx(0, abs=1e-12)
