"""The causal model: heads, the running mean and what it takes out, against the values of the authors' code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from bcl_edu.methods import Prediction, build_method
from bcl_edu.methods.tde import CausalModel, MultiHeadClassifier, mean_momentum
from bcl_edu.models import parameter_count
from bcl_edu.rows import RECIPES, ROWS
from bcl_edu.rows.tde_rows import TDE
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, stage_batch

FEATURES = torch.tensor([[1, 2, 0.5, 1.5], [0.3, 0.1, 2, 0.4]], dtype=torch.float64)
WEIGHT = torch.tensor(
    [[0.5, 0.2, -0.1, 0.4], [-0.3, 0.8, 0.2, 0.1], [0.05, -0.02, 0.01, 0.03]], dtype=torch.float64
)
MEAN = torch.tensor([3, 1, 2, 2], dtype=torch.float64)


def classifier(weight: Tensor = WEIGHT) -> MultiHeadClassifier:
    made = MultiHeadClassifier(4, 3, 2, scale=16.0, gamma=1 / 32).double()
    made.weight = nn.Parameter(weight)
    return made


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        (0.0, [[11.9251157526, 10.2147549042, 4.4441204177], [7.1944634157, 6.4860865311, 5.8608406117]]),
        (1.0, [[3.1656839370, 4.4608695737, -1.5074796799], [-3.5371248337, 1.2312240403, -0.9981611539]]),
        (1.5, [[-1.2140319707, 1.5839269085, -4.4832797287], [-8.9029189585, -1.3962072051, -4.4276620368]]),
    ],
)
def test_logits_in_training_and_with_the_effect_taken_out(
    strength: float, expected: list[list[float]]
) -> None:
    expected_logits = torch.tensor(expected, dtype=torch.float64)
    found = classifier()(FEATURES, MEAN, strength)
    torch.testing.assert_close(found, expected_logits, atol=1e-9, rtol=0)
    if strength == 0:
        torch.testing.assert_close(classifier()(FEATURES), expected_logits, atol=1e-9, rtol=0)


def test_the_direction_is_of_length_one_in_each_head_as_in_the_code_and_not_in_all_as_in_eq_8() -> None:
    literal = torch.tensor(
        [[2.5356932957, 4.4847103154, -1.8300225561], [-4.4280661429, 1.2649399405, -1.4543056639]],
        dtype=torch.float64,
    )
    assert (classifier()(FEATURES, MEAN, 1.5) - literal).abs().min() > 0.1


def test_logits_are_the_loop_over_heads() -> None:
    found = classifier()(FEATURES, MEAN, 1.5).tolist()
    for x, logits in zip(FEATURES.tolist(), found, strict=True):
        for w, logit in zip(WEIGHT.tolist(), logits, strict=True):
            total = 0.0
            for head in (slice(0, 2), slice(2, 4)):
                x_h, w_h, m_h = x[head], w[head], MEAN.tolist()[head]
                direction = [m / math.hypot(*m_h) for m in m_h]
                unit = [v / math.hypot(*x_h) for v in x_h]
                cosine = sum(a * b for a, b in zip(unit, direction, strict=True))
                left = [a - 1.5 * cosine * b for a, b in zip(unit, direction, strict=True)]
                total += sum(a * b for a, b in zip(left, w_h, strict=True)) / (math.hypot(*w_h) + 1 / 32)
            assert logit == pytest.approx(16 / 2 * total, abs=1e-12)


def test_the_length_of_features_and_of_the_mean_changes_nothing() -> None:
    expected = classifier()(FEATURES, MEAN, 1.5)
    torch.testing.assert_close(classifier()(7 * FEATURES, MEAN, 1.5), expected)
    torch.testing.assert_close(classifier()(FEATURES, 7 * MEAN, 1.5), expected)


def test_features_along_the_mean_in_each_head_have_no_logits() -> None:
    along = MEAN * torch.tensor([2.0, 2.0, 0.3, 0.3], dtype=torch.float64)
    assert classifier()(along[None], MEAN, 1.0).abs().max() < 1e-12


def test_a_head_without_features_and_a_mean_that_has_not_begun_are_no_numbers_apart() -> None:
    empty = torch.tensor([[0.0, 0.0, 1.0, 2.0]], dtype=torch.float64)
    assert classifier()(empty, MEAN, 1.5).isfinite().all()
    torch.testing.assert_close(classifier()(FEATURES, torch.zeros(4), 1.5), classifier()(FEATURES))


def test_the_gradient_is_that_of_the_logits() -> None:
    one = classifier()
    inputs = (FEATURES.clone().requires_grad_(), WEIGHT.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda x, w: functional_call(one, {"weight": w}, x), inputs)


def test_the_running_mean_is_a_sum_that_forgets() -> None:
    method = built(digits("tde"))
    assert isinstance(method, CausalModel)
    clock = clock_of(method.stages()[0])
    for mean in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        method._fresh = torch.zeros(128).index_copy(0, torch.arange(2), torch.tensor(mean))
        method.after_step(clock)
    assert method.mean[:2].tolist() == pytest.approx([1.81, 1.90])
    method.after_step(clock)  # a step that no forward went before
    assert method.mean[:2].tolist() == pytest.approx([1.81, 1.90])


def test_the_mean_is_of_the_features_in_training_and_a_part_of_the_state() -> None:
    method = built(digits("tde"))
    assert isinstance(method, CausalModel)
    (stage,) = method.stages()
    batch = stage_batch(stage, 12, Rank(), torch.float32)
    method(batch, clock_of(stage))
    method.after_step(clock_of(stage))
    torch.testing.assert_close(method.mean, method.backbone(batch.views[0]).mean(dim=0))
    assert "mean" in method.state_dict()


def test_the_prior_lies_in_the_logits_of_the_whole_features() -> None:
    method = built(RECIPES["digits-lt"][1].change(method="tde")).eval()
    method.mean.fill_(0.5)
    features = torch.rand(3, method.mean.numel(), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = method.trained_logits(Prediction(features, method.logits(features)))
        torch.testing.assert_close(found, method.classifier(features))
        assert not torch.allclose(found, method.logits(features))


@pytest.mark.parametrize(("rate", "kept"), [(0.2, 0.9), (0.02, 0.9), (0.01, 0.95), (0.0, 1.0)])
def test_on_photographs_the_mean_slows_at_low_rates(rate: float, kept: float) -> None:
    assert mean_momentum(rate, TDE(slower_at_low_rates=True)) == pytest.approx(kept)
    assert mean_momentum(rate, TDE()) == 0.9


@pytest.mark.parametrize(("classes", "effect", "expected"), [(10, 1.0, 538_768), (100, 1.5, 550_288)])
def test_the_network_has_the_authors_number_of_parameters(classes: int, effect: float, expected: int) -> None:
    recipe = ROWS[f"cifar{classes}-lt-if100-tde"].recipe
    method = build_method(recipe, torch.ones(classes, dtype=torch.int64), (3, 32, 32))
    assert parameter_count(method) == expected
    assert isinstance(method, CausalModel)
    assert method.options.effect == effect
    schedule = method.stages()[0].schedule
    rates = [schedule.rate(epoch - 1, 1) for epoch in (5, 119, 120, 160)]
    assert rates == pytest.approx([0.2, 0.2, 0.002, 2e-5])


def test_heads_that_do_not_divide_the_features_are_refused() -> None:
    with pytest.raises(ValueError, match="heads is 3"):
        built(digits("tde", heads=3))


@pytest.mark.parametrize(
    ("name", "value"), [("effect", -1.0), ("heads", 0), ("mean_momentum", 1.0), ("scale", 0.0)]
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        digits("tde", **{name: value})
