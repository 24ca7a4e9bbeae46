"""A batch in parts: what adds up to the whole batch's gradient, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bcl_edu.methods import OBJECTIVES, Method, build_method
from bcl_edu.methods.protocol import Gather
from bcl_edu.models import TwoBranchOutput
from bcl_edu.training import RECIPES
from bcl_edu.training.accumulation import accumulate_alone, accumulate_together

RECIPE = replace(RECIPES["digits-lt"][1], head_hidden=16, head_dim=8)
SIZES = [5, 4, 2]
WEIGHTS = [size / 11 for size in SIZES]

Gradients = dict[str, Tensor]


def alone(rows: Tensor) -> Tensor:
    return rows


class Batch:
    """Eleven samples of three classes, a method in float64, and its loss of each part."""

    def __init__(self, loss: str, *, batch_statistics: bool) -> None:
        torch.manual_seed(0)
        self.method: Method = build_method(
            replace(RECIPE, loss=loss),  # type: ignore[arg-type]
            torch.tensor([30, 10, 5]),
            (1, 8, 8),
        )
        self.model = self.method.model.double()
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.train(batch_statistics)
        generator = torch.Generator().manual_seed(1)
        views = torch.rand(len(self.method.view_policy.views), 11, 1, 8, 8, generator=generator).double()
        labels = torch.randint(3, (11,), generator=generator)
        self.views, self.labels = [views, *views.split(SIZES, dim=1)], [labels, *labels.split(SIZES)]

    def whole(self) -> Mapping[str, Tensor]:
        return self.method.loss(self.model(self.views[0]), self.labels[0], alone)

    def part(self, number: int, compared: Gather) -> Mapping[str, Tensor]:
        return self.method.loss(self.model(self.views[number + 1]), self.labels[number + 1], compared)

    def gradients(self) -> Gradients:
        return {name: p.grad.clone() for name, p in self.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_contrast_over_the_batch_has_the_loss_and_gradient_of_the_batch(loss: str) -> None:
    whole, parted = Batch(loss, batch_statistics=False), Batch(loss, batch_statistics=False)
    expected = dict(whole.whole())
    expected["loss"].backward()
    found = accumulate_together(parted.part, 3, Tensor.backward, parted.model, alone)
    torch.testing.assert_close(found, {name: value.detach() for name, value in expected.items()})
    torch.testing.assert_close(parted.gradients(), whole.gradients(), atol=1e-12, rtol=1e-9)


def test_with_batch_statistics_it_is_the_loss_of_all_that_the_parts_make() -> None:
    whole, parted = Batch("bcl", batch_statistics=True), Batch("bcl", batch_statistics=True)
    outputs: list[TwoBranchOutput] = [whole.model(views) for views in whole.views[1:]]
    v2, v3 = zip(*(output.embeddings.chunk(2) for output in outputs), strict=True)
    together = TwoBranchOutput(
        logits=torch.cat([output.logits for output in outputs]),
        embeddings=torch.cat([*v2, *v3]),
        prototypes=outputs[0].prototypes,
    )
    whole.method.loss(together, whole.labels[0], alone)["loss"].backward()
    accumulate_together(parted.part, 3, Tensor.backward, parted.model, alone)
    torch.testing.assert_close(parted.gradients(), whole.gradients(), atol=1e-12, rtol=1e-9)
    # running statistics moved once for each part, as in the three passes above
    torch.testing.assert_close(dict(parted.model.named_buffers()), dict(whole.model.named_buffers()))


@pytest.mark.parametrize("loss", ["ce", "lc"])
def test_a_mean_over_samples_needs_no_second_pass(loss: str) -> None:
    whole, parted = Batch(loss, batch_statistics=False), Batch(loss, batch_statistics=False)
    whole.whole()["loss"].backward()
    accumulate_alone(parted.part, WEIGHTS, Tensor.backward, parted.model, alone)
    torch.testing.assert_close(parted.gradients(), whole.gradients(), atol=1e-12, rtol=1e-9)


def test_contrast_over_parts_is_another_loss() -> None:
    whole, parted = Batch("bcl", batch_statistics=False), Batch("bcl", batch_statistics=False)
    expected = whole.whole()
    found = accumulate_alone(parted.part, WEIGHTS, Tensor.backward, parted.model, alone)
    assert found["classification"].item() == pytest.approx(expected["classification"].item(), rel=1e-12)
    assert found["contrastive"].item() != pytest.approx(expected["contrastive"].item(), rel=0.1)
    parts = [parted.part(number, alone)["contrastive"].item() for number in range(3)]
    assert found["contrastive"].item() == pytest.approx(
        sum(w * part for w, part in zip(WEIGHTS, parts, strict=True)), rel=1e-12
    )
