"""How classes part from one point: the formulas against the gradient and against the dynamics."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu import geometry, losses

COUNTS = torch.tensor([134, 60, 20, 10, 3, 3])
TAU = 0.1


def displaced(size: float = 1e-5) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return size * torch.randn(len(COUNTS), 7, generator=generator, dtype=torch.float64)


def means_near_one_point(displacements: Tensor) -> Tensor:
    return normalize(torch.cat([torch.ones(len(displacements), 1), displacements], dim=1).double())


def descent(loss: str, views: int) -> tuple[Tensor, Tensor]:
    """Displacements, and minus the gradient of the summed loss at one sample of each class, in the tangent space."""
    displacements = displaced()
    means = means_near_one_point(displacements)
    labels = torch.repeat_interleave(torch.arange(len(COUNTS)), COUNTS)
    z = means[labels].clone().requires_grad_()
    kind = geometry.LOSSES[loss]
    assert isinstance(kind, losses.Contrastive)
    value = losses.contrastive_loss(
        z.repeat(views, 1),
        labels.repeat(views),
        means if kind.complement else None,
        averaging=kind.averaging,
        complement=kind.complement,
        temperature=TAU,
    )
    (gradient,) = torch.autograd.grad(value, z)
    velocity = -len(labels) * gradient
    velocity = velocity - (velocity * means[labels]).sum(dim=1, keepdim=True) * means[labels]
    first = torch.tensor([int((labels == k).nonzero()[0]) for k in range(len(COUNTS))])
    return displacements, velocity[first][:, 1:]


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("loss", ["scl", "scl-averaging", "bcl"])
def test_the_matrix_is_the_linear_part_of_the_gradient(loss: str, views: int) -> None:
    displacements, velocity = descent(loss, views)
    matrix = geometry.opening_matrix(COUNTS, loss, temperature=TAU, views=views)
    torch.testing.assert_close(matrix @ displacements, velocity, rtol=1e-5, atol=1e-7 * velocity.abs().max())


def test_under_scl_every_pair_opens_at_one_rate() -> None:
    rates = geometry.relative_opening_rates(displaced(), geometry.opening_matrix(COUNTS, "scl"))
    pairs = rates[~torch.eye(len(COUNTS), dtype=torch.bool)]
    embeddings = 2 * float(COUNTS.sum())
    assert pairs.numpy() == pytest.approx(2 / TAU * embeddings / (embeddings - 1), rel=1e-9)
    assert rates.diagonal().isnan().all()


def test_under_bcl_two_tail_classes_open_faster_than_two_head_classes() -> None:
    rates = geometry.relative_opening_rates(displaced(), geometry.opening_matrix(COUNTS, "bcl"))
    assert rates[4, 5] > 5 * rates[0, 1]
    # equal counts: the rate does not depend on where the others are
    contrast = 2 * float(COUNTS.sum()) / (6 * (2 * 3 + 1))
    assert rates[4, 5].item() == pytest.approx((1 + contrast) / TAU, rel=1e-9)


@pytest.mark.parametrize("loss", ["scl", "bcl"])
def test_the_dynamics_open_at_these_rates(loss: str) -> None:
    displacements = displaced(1e-3)
    means = means_near_one_point(displacements)
    labels = torch.repeat_interleave(torch.arange(len(COUNTS)), COUNTS)
    rate = 1e-5
    path = geometry.unconstrained_dynamics(
        COUNTS, loss, start=means[labels], steps=5, learning_rate=rate, prototypes="means", temperature=TAU
    )
    first = torch.tensor([int((labels == k).nonzero()[0]) for k in range(len(COUNTS))])
    before, after = (torch.cdist(z, z) for z in (means, path.embeddings[first]))
    opened = (after / before).log() / (5 * rate)
    expected = geometry.relative_opening_rates(
        displacements, geometry.opening_matrix(COUNTS, loss, temperature=TAU)
    )
    pairs = ~torch.eye(len(COUNTS), dtype=torch.bool)
    torch.testing.assert_close(opened[pairs], expected[pairs], rtol=0.02, atol=0)


@pytest.mark.parametrize(
    "arguments",
    [{"loss": "bcl-inside"}, {"loss": "ce"}, {"temperature": 0.0}, {"class_counts": [1, 2], "views": 1}],
)
def test_arguments_out_of_range_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"loss|temperature|class_counts"):
        geometry.opening_matrix(**{"class_counts": [3, 2], **arguments})
