"""Heads: what they are made of, and unit length in every precision."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from bcl_edu.models import ProjectionHead, PrototypeHead


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("head_class", [ProjectionHead, PrototypeHead])
def test_a_head_is_linear_batch_normalisation_relu_linear_and_then_unit_length(
    head_class: type[ProjectionHead],
) -> None:
    head = head_class(64)
    x = torch.randn(32, 64)
    first, norm, _, last = head.layers
    assert isinstance(norm, nn.BatchNorm1d)
    hidden = first(x)
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + norm.eps).sqrt()
    expected = last(hidden.clamp(min=0))
    expected = expected / expected.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(head(x), expected, rtol=1e-4, atol=1e-5)
    assert [first.in_features, first.out_features, last.out_features] == [64, 512, 128]


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_embeddings_under_autocast_have_unit_length_to_float32_precision(precision: torch.dtype) -> None:
    head = ProjectionHead(64)
    with torch.autocast("cpu", precision):
        embeddings = head(torch.randn(100, 64))
    assert embeddings.dtype == torch.float32
    assert (embeddings.norm(dim=1) - 1).abs().max().item() < 1e-6


def test_normalising_in_bfloat16_would_miss_unit_length() -> None:
    rows = torch.randn(100, 128, dtype=torch.bfloat16)
    assert (functional.normalize(rows, dim=1).float().norm(dim=1) - 1).abs().max().item() > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_head_converted_to_another_type_still_ends_on_the_sphere(dtype: torch.dtype) -> None:
    embeddings = ProjectionHead(16, 32, 8).to(dtype)(torch.randn(10, 16, dtype=dtype))
    assert embeddings.dtype == torch.promote_types(dtype, torch.float32)
    assert (embeddings.norm(dim=1) - 1).abs().max().item() < 1e-6


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden_dim = 0"):
        ProjectionHead(64, hidden_dim=0)
