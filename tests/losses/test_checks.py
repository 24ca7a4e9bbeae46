"""Bad input gets one sentence that names it, and good input none."""

import pytest
import torch

from bcl_edu.losses import balanced_contrastive_loss, supervised_contrastive_loss
from tests.losses.points import somewhere

Z, Y, C = somewhere(4, 8, seed=0), torch.tensor([0, 1, 0, 1]), somewhere(3, 8, seed=1)


def with_row(row: int, value: float) -> torch.Tensor:
    changed = Z.clone()
    changed[row] = value
    return changed


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"embeddings": Z.reshape(2, 2, 8)}, r"embeddings .*\(n, dim\), got \(2, 2, 8\)"),
        ({"embeddings": Z[:0], "labels": Y[:0]}, r"embeddings .*\(0, 8\)"),
        ({"embeddings": Y[:, None]}, "embeddings .*got torch.int64"),
        ({"embeddings": with_row(2, torch.nan)}, r"embeddings\[2\] is not finite"),
        ({"embeddings": with_row(3, torch.inf)}, r"embeddings\[3\] is not finite"),
        ({"embeddings": with_row(1, 0.0)}, r"embeddings\[1\] has norm 0, expected 1"),
        ({"embeddings": 3 * Z}, r"embeddings\[0\] has norm 3, expected 1 .*normalize"),
        ({"prototypes": 1.02 * C}, r"prototypes\[0\] has norm 1.02, expected 1"),
        ({"prototypes": C[0]}, r"prototypes .*\(n, dim\), got \(8,\)"),
        ({"prototypes": somewhere(3, 6, seed=1)}, "prototypes have dimension 6, embeddings 8"),
        (
            {"prototypes": C[:1]},
            r"label 1 at position 1, .*1 class .*0..0",
        ),
        ({"labels": torch.tensor([0, 1, -1, 0])}, "label -1 at position 2, .*3 classes"),
        ({"labels": torch.tensor([0, 1, 0, 100])}, "label 100 at position 3"),
        ({"labels": Y[:2]}, r"labels .*\(4,\), .*embeddings, got \(2,\)"),
        ({"labels": Y[:, None]}, r"labels must have shape \(4,\).*got \(4, 1\)"),
        ({"labels": Y.double()}, "labels .*got torch.float64"),
        ({"labels": Y.bool()}, "labels .*got torch.bool"),
        ({"labels": Y.to("meta")}, "labels on meta"),
        (
            {"prototypes": C.to("meta")},
            "prototypes on meta",
        ),
        ({"temperature": 0.0}, "temperature .*above 0, got 0.0"),
        ({"temperature": -0.1}, "temperature .*above 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature .*above 0, got nan"),
        ({"temperature": float("inf")}, "temperature .*above 0, got inf"),
    ],
)
def test_bad_input_is_named(changed: dict, message: str) -> None:
    good = {"embeddings": Z, "labels": Y, "prototypes": C}
    with pytest.raises(ValueError, match=message):
        balanced_contrastive_loss(**(good | changed))


def test_a_negative_label_is_refused_without_prototypes_too() -> None:
    with pytest.raises(ValueError, match="label -7 at position 0"):
        supervised_contrastive_loss(Z, torch.tensor([-7, 1, 0, 1]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_unit_vector_passes_in_every_precision(dtype: torch.dtype) -> None:
    z = somewhere(500, 128, seed=2).to(dtype)
    y = torch.arange(500) % 7
    assert balanced_contrastive_loss(z, y, z[:7]).isfinite()


def test_value_checks_can_be_turned_off() -> None:
    assert supervised_contrastive_loss(with_row(0, torch.nan), Y, check=False).isnan()


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    "changed",
    [
        {"labels": Y[:2]},
        {"prototypes": somewhere(3, 6, seed=1)},
        {"temperature": 0.0},
        {"labels": Y.double()},
    ],
)
def test_what_costs_nothing_is_checked_all_the_same(changed: dict) -> None:
    good = {"embeddings": Z, "labels": Y, "prototypes": C}
    with pytest.raises(ValueError, match=r"prototypes|labels|temperature"):
        balanced_contrastive_loss(**(good | changed), check=False)
