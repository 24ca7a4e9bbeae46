"""PaCo: its loss to the digits of the authors' function, its queue and key encoder step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.losses import logit_compensated_cross_entropy
from bcl_edu.methods import build_method
from bcl_edu.methods.paco import paco_loss
from bcl_edu.models.momentum import LabelledQueue, follow, key_copy
from bcl_edu.rows import RECIPES, ROWS
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, stage_batch


def rows(*values: tuple[float, ...]) -> Tensor:
    return functional.normalize(torch.tensor(values, dtype=torch.float64), dim=1)


COUNTS = torch.tensor([100, 10, 1])
LOGITS = torch.tensor([[1, 0.5, -0.5], [0.2, 0.1, 0.4]], dtype=torch.float64)
QUERIES = rows((1, 0), (1, 1))
OTHERS = rows((3, 4), (0, 1), (-1, 0), (4, 3))  # two keys of the batch, two of the queue
LABELS, OTHER_LABELS = torch.tensor([0, 1]), torch.tensor([0, 1, 2, 0])


def loss(alpha: float, temperature: float, **values: Any) -> float:
    found = paco_loss(
        LOGITS, QUERIES, OTHERS, LABELS, OTHER_LABELS, COUNTS, alpha=alpha, temperature=temperature, **values
    )
    return found.item()


def test_the_loss_of_a_small_batch() -> None:
    assert loss(0.01, 0.05) == pytest.approx(18.8239048355, abs=1e-9)
    assert loss(0.05, 0.2) == pytest.approx(5.7421418152, abs=1e-9)


def test_without_division_by_the_weights() -> None:
    assert loss(0.01, 0.05, divide=False) == pytest.approx(19.0871843953, abs=1e-9)
    assert loss(0.05, 0.2, divide=False) == pytest.approx(6.1190364267, abs=1e-9)


def test_without_samples_it_is_logit_compensation() -> None:
    none, found = QUERIES[:0], 0.0
    for number in range(2):  # a single query has no other one to contrast with
        one = slice(number, number + 1)
        loss_of_one = paco_loss(
            LOGITS[one], QUERIES[one], none, LABELS[one], LABELS[:0], COUNTS, alpha=0.0, temperature=0.05
        )
        found += loss_of_one.item() / 2
    compensated = logit_compensated_cross_entropy(LOGITS, LABELS, COUNTS).item()
    assert compensated == pytest.approx(1.2806655511, abs=1e-10)
    assert found == pytest.approx(1.2806655475, abs=1e-10)  # 1e-9 is added to the prior


def test_the_loss_is_that_of_loops() -> None:
    torch.manual_seed(0)
    n, m, k, alpha, temperature = 5, 4, 3, 0.3, 0.7
    q, others = rows(*torch.randn(n, 6).tolist()), rows(*torch.randn(m, 6).tolist())
    z, y, y_others = (
        torch.randn(n, k, dtype=torch.float64),
        torch.tensor([0, 1, 2, 0, 0]),
        torch.tensor([0, 2, -1, 1]),
    )
    total = 0.0
    for i in range(n):
        terms = {("class", c): float(z[i, c]) + math.log(float(COUNTS[c]) / 111) for c in range(k)}
        samples = [(q[j], y[j]) for j in range(n) if j != i] + list(zip(others, y_others, strict=True))
        terms |= {("sample", j): float(q[i] @ a) / temperature for j, (a, _) in enumerate(samples)}
        normaliser = math.log(sum(math.exp(term) for term in terms.values()))
        value, weight = terms["class", int(y[i])] - normaliser, 1.0
        for j, (_, label) in enumerate(samples):
            if label == y[i]:
                value += alpha * (terms["sample", j] - normaliser)
                weight += alpha
        total -= value / weight / n
    found = paco_loss(z, q, others, y, y_others, COUNTS, alpha=alpha, temperature=temperature)
    assert found.item() == pytest.approx(total, abs=1e-7)  # 1e-9 is added to the prior


def test_gradients_are_those_of_differences() -> None:
    def of(z: Tensor, q: Tensor) -> Tensor:
        return paco_loss(z, q, OTHERS, LABELS, OTHER_LABELS, COUNTS, alpha=0.05, temperature=0.2)

    assert torch.autograd.gradcheck(of, (LOGITS.clone().requires_grad_(), QUERIES.clone().requires_grad_()))


def test_the_best_probabilities_of_a_centre_and_two_samples() -> None:
    # minimise over free logits: what is asked for is proportional to the weights 1, α, α
    free = torch.zeros(3, dtype=torch.float64)
    weights = torch.tensor([1, 0.05, 0.05], dtype=torch.float64)
    for _ in range(2000):
        free += weights / weights.sum() - free.softmax(0)
    assert free.softmax(0).tolist() == pytest.approx([0.9090909091, 0.0454545455, 0.0454545455], abs=1e-9)


def test_a_thousandth_of_a_change_reaches_the_key_encoder() -> None:
    query = torch.nn.Linear(3, 2).double()
    key = key_copy(query)
    before = key.weight.clone()
    with torch.no_grad():
        query.weight += 1.0
    follow(key, query, 0.999)
    torch.testing.assert_close(key.weight - before, torch.full((2, 3), 0.001, dtype=torch.float64))


def test_a_queue_forgets_its_oldest_keys() -> None:
    queue = LabelledQueue(4, 2)
    assert queue.labels.tolist() == [-1] * 4
    for label in range(5):
        queue.put(torch.full((2, 2), float(label)), torch.tensor([label, label]))
    assert queue.labels.tolist() == [4, 4, 3, 3]
    assert queue.keys[:, 0].tolist() == [4, 4, 3, 3]


def test_a_queue_that_is_no_multiple_of_the_batch_is_refused() -> None:
    recipe = RECIPES["digits-lt"][1].change(method="paco", queue_size=100)
    with pytest.raises(ValueError, match=r"queue_size is 100.*batch size 64.*--queue-size 128"):
        build_method(recipe, torch.tensor([5, 5]), (1, 8, 8))


def test_a_steps_keys_enter_the_queue_after_the_step() -> None:
    method = built(digits("paco"))
    stage = method.stages()[0]
    method.begin(stage)
    batch = stage_batch(stage, 6, Rank(), torch.float32)
    before = method.queue.keys.clone()
    method(batch, clock_of(stage))
    assert torch.equal(method.queue.keys, before)
    method.after_step(clock_of(stage))
    assert torch.equal(method.queue.labels[:6], batch.labels)
    assert torch.equal(method.queue.keys[6:], before[6:])


def test_sizes_are_the_authors() -> None:
    recipe = ROWS["cifar100-lt-if100-400-epochs-paco"].recipe
    method = build_method(recipe, torch.full((100,), 5), (3, 32, 32))
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == 476_372
    assert sum(p.numel() for p in method.parameters() if not p.requires_grad) == 469_872
    assert method.queue.keys.shape == (1024, 32)


def test_the_rate_falls_after_epochs_320_and_360() -> None:
    recipe = ROWS["cifar100-lt-if100-400-epochs-paco"].recipe
    schedule = build_method(recipe, torch.full((100,), 5), (3, 32, 32)).stages()[0].schedule
    rates = [schedule.rate(epoch, 1) for epoch in (0, 9, 320, 321, 360, 361)]
    assert rates == pytest.approx([0.005, 0.05, 0.05, 0.005, 0.005, 0.0005])
