"""Exercises 3 and 4 of notebook 04, which no check decides: one way to answer them, computed.

python notebooks/solutions/04_open_questions.py
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu.geometry import theorem_1

TEMPERATURES = (0.1, 0.5, 1.0)


def when_the_print_is_right(batches: int = 300) -> dict[float, float]:
    """Exercise 3: share of random anchors whose loss is at least Eq. 3 as printed, for each temperature.

    What they have in common is a low temperature, not a class size. With m = |B_y| - 1 the print is too large by
    log m + b - log(m + b), and the loss is above its true bound by the gap of Jensen's inequality. At temperature 1 all
    exponents lie within [-2, 2], that gap is small, and the print is refuted nearly always. At 0.1 the gap is several
    units. The print is then right by accident: it is the theorem that is far from the loss, and at the collapsed simplex,
    where the gap is zero, it is refuted at every temperature.
    """
    holds = {}
    for temperature in TEMPERATURES:
        gaps = [
            theorem_1(*_random_batch(seed), temperature=temperature, as_printed=True).gap
            for seed in range(batches)
        ]
        holds[temperature] = (torch.cat(gaps) >= 0).double().mean().item()
    assert holds[0.1] > 0.15 > 0.02 > holds[0.5] >= holds[1.0]
    return holds


def how_close_to_the_upper_bound(batches: int = 300) -> dict[float, float]:
    """Exercise 4: how near a loss comes to log(|B| - 1) + 2 / tau, as a share of it, for each temperature.

    Every similarity is at most 1 and at least -1, so each of the |B| - 1 terms of the denominator is at most
    exp(1 / tau), and the mean over the positives at least -1 / tau. To attain it an anchor would have to be opposite of
    its positives while everybody else is on top of it; the positives are in the denominator, too, so not all of it can be
    had at once. An unlucky anchor of a class of two comes near. But training goes down: a lower bound that can be attained
    says where it ends and what the loss is there, and this one says what never happens.
    """
    share = {}
    for temperature in TEMPERATURES:
        nearest = 0.0
        for seed in range(batches):
            z, y = _random_batch(seed)
            loss = theorem_1(z, y, temperature=temperature).loss
            upper = math.log(len(y) - 1) + 2 / temperature
            assert (loss <= upper).all()
            nearest = max(nearest, loss.max().item() / upper)
        share[temperature] = nearest
    assert max(share.values()) < 1
    return share


def _random_batch(seed: int) -> tuple[Tensor, Tensor]:
    """The batches of the notebook, section 5."""
    generator = torch.Generator().manual_seed(seed)
    num_classes, dimension = (int(torch.randint(2, top, (), generator=generator)) for top in (7, 17))
    sizes = torch.randint(2, 9, (num_classes,), generator=generator)
    labels = torch.arange(num_classes).repeat_interleave(sizes)
    points = torch.randn(len(labels), dimension, generator=generator, dtype=torch.float64)
    return normalize(points, dim=1), labels


if __name__ == "__main__":
    for temperature, share in when_the_print_is_right().items():
        print(f"3. temperature {temperature}: Eq. 3 as printed holds for {share:.1%} of the anchors")
    for temperature, share in how_close_to_the_upper_bound().items():
        print(f"4. temperature {temperature}: the largest loss is {share:.0%} of its upper bound")
