"""Samplers are pure functions of a seed with the shares of classes that they promise."""

from __future__ import annotations

import pytest
import torch

from bcl_edu.methods import ByClass, ClassAware, Sampler, Shuffled

LABELS = torch.tensor([0] * 1000 + [1] * 100 + [2] * 10)[
    torch.randperm(1110, generator=torch.Generator().manual_seed(5))
]


def drawn(sampler: Sampler, number: int, seed: int = 1, labels: torch.Tensor = LABELS) -> torch.Tensor:
    return sampler.draw(labels, number, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sampler", [Shuffled(), ByClass(), ByClass(1.0), ClassAware()], ids=repr)
def test_the_same_seed_draws_the_same_and_another_seed_does_not(sampler: Sampler) -> None:
    assert torch.equal(drawn(sampler, 600), drawn(sampler, 600))
    assert not torch.equal(drawn(sampler, 600), drawn(sampler, 600, seed=2))


def test_shuffled_visits_every_image_once_and_refuses_more() -> None:
    assert torch.equal(drawn(Shuffled(), 1110).sort().values, torch.arange(1110))
    with pytest.raises(ValueError, match="1111"):
        drawn(Shuffled(), 1111)


@pytest.mark.parametrize(
    ("power", "shares"),
    [
        (0.0, [1 / 3, 1 / 3, 1 / 3]),
        (1.0, [0.0090090090, 0.0900900901, 0.9009009009]),  # BBN: (1/N_k) / sum(1/N)
        (-1.0, [1000 / 1110, 100 / 1110, 10 / 1110]),
    ],
)
def test_by_class_draws_classes_in_their_shares_and_images_of_a_class_alike(
    power: float, shares: list[float]
) -> None:
    number = 60_000
    indices = drawn(ByClass(power), number)
    found = torch.bincount(LABELS[indices], minlength=3) / number
    assert found.tolist() == pytest.approx(
        shares, abs=0.006
    )  # three standard deviations of a share of one half
    tail = torch.bincount(indices[LABELS[indices] == 2], minlength=1110)[LABELS == 2].double()
    expected = number * shares[2] / 10
    assert (tail - expected).abs().max() < 4 * expected**0.5


def test_class_aware_takes_classes_in_turn_and_some_images_of_each() -> None:
    labels = torch.tensor([0] * 5 + [1] * 3 + [2])
    indices = drawn(ClassAware(4), 60, labels=labels).view(-1, 4)
    classes = labels[indices]
    assert bool((classes == classes[:, :1]).all())  # every run of four has one class
    for turn in classes[:, 0].view(-1, 3):
        assert turn.sort().values.tolist() == [0, 1, 2]  # every three runs have every class once
    assert set(indices[classes[:, 0] == 2].flatten().tolist()) == {8}
    counts = torch.bincount(indices[classes[:, 0] == 0].flatten(), minlength=9)[:5]
    assert counts.min() == counts.max() == 4  # five turns of four over five images
