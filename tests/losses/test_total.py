"""Eq. 11."""

import pytest
import torch

from bcl_edu.losses import weighted_total


def test_is_equation_11() -> None:
    lc, bcl = torch.tensor(1.5, requires_grad=True), torch.tensor(4.0, requires_grad=True)
    total = weighted_total(lc, bcl, lambda_=2.0, mu=0.6)
    total.backward()
    assert total.item() == pytest.approx(2.0 * 1.5 + 0.6 * 4.0)
    assert (lc.grad.item(), bcl.grad.item()) == pytest.approx((2.0, 0.6))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"lambda_": -1.0, "mu": 0.6}, "lambda_ .*0 or more, got -1.0"),
        ({"lambda_": 2.0, "mu": float("nan")}, "mu .*0 or more, got nan"),
    ],
)
def test_negative_weights_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighted_total(torch.tensor(1.0), torch.tensor(1.0), **weights)
