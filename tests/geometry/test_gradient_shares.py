import math

import pytest
import torch
from torch import Tensor

from bcl_edu import geometry, losses

CONTRASTIVE = [name for name, kind in geometry.LOSSES.items() if isinstance(kind, losses.Contrastive)]


def random_batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = torch.nn.functional.normalize(torch.randn(13, 5, generator=generator, dtype=torch.float64))
    return points[:9], torch.tensor([0, 0, 0, 0, 0, 1, 1, 2, 2]), points[9:]  # class 3 is not in the batch


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_shares_are_those_of_the_gradient(loss: str) -> None:
    """The gradient of L_0 with respect to the similarity to k, found by moving z_k along z_0 only."""
    z, y, prototypes = random_batch()
    kind = geometry.LOSSES[loss]
    assert isinstance(kind, losses.Contrastive)
    keys = torch.cat([z, prototypes]).requires_grad_()
    # every key's gradient from anchor 0's loss is p z_0 / tau for keys of other classes
    value = losses.anchor_losses(
        torch.cat([z[:1].detach(), keys[1:9]]),
        y,
        keys[9:] if kind.complement else None,
        averaging=kind.averaging,
        complement=kind.complement,
        temperature=0.3,
    ).value[0]
    (gradient,) = torch.autograd.grad(value, keys)
    weight = gradient @ z[0]
    force = torch.stack([weight[torch.cat([y, torch.arange(4)]) == k].sum() for k in range(4)])
    force[0] = 0
    shares = geometry.gradient_shares(
        z, y, prototypes if kind.complement else None, loss=loss, temperature=0.3
    )
    assert shares[0, : shares.shape[1]].tolist() == pytest.approx(
        (force / force.sum())[: shares.shape[1]].tolist()
    )


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_rows_sum_to_one_and_the_own_class_does_not_repel(loss: str) -> None:
    z, y, prototypes = random_batch()
    shares = geometry.gradient_shares(z, y, prototypes, loss=loss)
    assert torch.allclose(shares.sum(dim=1), torch.ones(9, dtype=torch.float64))
    assert not shares[torch.arange(9), y].any()


def test_orthogonal_classes_push_by_their_number_under_scl_and_alike_under_averaging() -> None:
    y = torch.repeat_interleave(torch.arange(4), torch.tensor([40, 8, 2, 2]))
    z = torch.eye(4, dtype=torch.float64)[y]
    assert geometry.gradient_shares(z, y, loss="scl")[-1].tolist() == pytest.approx([0.8, 0.16, 0.04, 0])
    assert geometry.gradient_shares(z, y, loss="scl-averaging")[-1].tolist() == pytest.approx(
        [1 / 3] * 3 + [0]
    )


def test_only_the_complement_lets_a_missing_class_push() -> None:
    y = torch.tensor([0, 0, 1, 1])
    corners = torch.eye(3, dtype=torch.float64)
    bcl = geometry.gradient_shares(corners[y], y, corners, loss="bcl")
    assert bcl[0].tolist() == pytest.approx([0, 0.5, 0.5])
    assert geometry.gradient_shares(corners[y], y, loss="scl-averaging").shape == (4, 2)


def test_anchors_without_loss_or_without_others_are_nan() -> None:
    corners = torch.eye(2, dtype=torch.float64)
    alone = geometry.gradient_shares(corners[[0, 0, 1]], torch.tensor([0, 0, 1]), loss="scl")
    assert alone[:2].tolist() == [[0, 1], [0, 1]]
    assert alone[2].isnan().all()
    assert geometry.gradient_shares(corners[[0, 0]], torch.tensor([0, 0]), loss="scl").isnan().all()


def test_low_temperature_does_not_overflow() -> None:
    z, y, prototypes = random_batch()
    shares = geometry.gradient_shares(z, y, prototypes, loss="bcl", temperature=1e-4)
    assert shares.isfinite().all()


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "bcl"}, "needs prototypes"),
        ({"loss": "ce"}, "'ce' is not contrastive"),
        ({"loss": "scl", "temperature": 0.0}, "temperature is 0"),
        ({"loss": "scl", "labels": torch.tensor([0])}, r"labels \(1,\)"),
        ({"loss": "scl", "labels": torch.tensor([0, -2])}, "from -2 to 0"),
    ],
)
def test_bad_input_is_named(arguments: dict, message: str) -> None:
    arguments = {"labels": torch.tensor([0, 1]), **arguments}
    with pytest.raises(ValueError, match=message):
        geometry.gradient_shares(torch.eye(2), **arguments)


def test_the_head_pushes_four_fifths_under_scl_when_it_is_four_fifths_of_the_others() -> None:
    y = torch.repeat_interleave(torch.arange(3), torch.tensor([8, 2, 2]))
    z = geometry.regular_simplex(3)[y]
    share = geometry.gradient_shares(z, y, loss="scl")[-1, 0].item()
    assert math.isclose(share, 0.8)
