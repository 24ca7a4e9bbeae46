"""Exercises 2 to 4 of notebook 05, which no check decides: one way to answer them, computed.

python notebooks/solutions/05_open_questions.py
"""

import math

import torch
from torch import Tensor

from bcl_edu.data import exponential_profile
from bcl_edu.geometry import gradient_shares, regular_simplex, simplex_value, theorem_2
from bcl_edu.losses import anchor_losses


def near_or_many(temperature: float = 0.1) -> float:
    """Exercise 2: cosine of class 0 to the anchors of class 9 at which it has half of the averaged push.

    A class has a push of exp(cosine / tau) under the averaged loss, times its size under SCL. Against eight classes at
    right angles, half of the push is exp(cosine / tau) = 8: at tau = 0.1 a cosine of 0.21 is enough. Under SCL class 0
    has 36 % of the push at right angles, for its 268 embeddings; it need not be near.
    """
    counts = 2 * exponential_profile(134, 10, imbalance_factor=50)
    y = torch.arange(10).repeat_interleave(counts)
    corners = torch.eye(10, dtype=torch.float64)
    half = temperature * math.log(8)
    corners[0] = half * corners[9] + math.sqrt(1 - half**2) * corners[0]
    share = gradient_shares(corners[y], y, loss="scl-averaging", temperature=temperature)[-1, 0].item()
    assert math.isclose(share, 0.5)
    corners[0] = torch.eye(10)[0]
    assert gradient_shares(corners[y], y, loss="scl", temperature=temperature)[-1, 0] > 0.36
    return half


def only_the_second_step(temperature: float = 0.1) -> tuple[float, float]:
    """Exercise 3: lines 2 and 3 of the proof for an anchor of class 0, where line 1 and line 2 agree.

    Within classes nothing is lost where the classes have collapsed. Across them nearly everything is lost where they are
    unequally far away: one other class beside the anchor's, one opposite of it. The near one makes the loss, the bound
    sees the mean of both. With two classes there is one other class only, and the mean of one number is that number.
    """
    degrees = torch.tensor([0, 0, 20, 20, 180, 180], dtype=torch.float64).deg2rad()
    z = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    y = torch.tensor([0, 0, 1, 1, 2, 2])
    first, second, third = _lines(z, y, temperature)
    assert math.isclose(first, second)
    assert second > 1000 * third
    assert math.isclose(*_lines(z[:4], y[:4], temperature)[1:])  # two classes
    return second, third


def how_bad_is_the_mistake(temperature: float = 1.0) -> dict[int, tuple[float, float]]:
    """Exercise 4: loss of an anchor of a class of two without the reduced mask, and the bound, for K classes.

    At the collapsed simplex the own class adds half of exp(1 / tau) instead of all of it, so the loss is
    log(1/2 + (K - 1) exp(-K / ((K - 1) tau))). That is below Theorem 2, log(1 + ...), for every K: by nearly log 2 where
    the own class is most of the denominator, and by less the more classes there are. So it is no longer bounded by it, and
    for three classes not even by 0.
    """
    result = {}
    for classes in (3, 10, 100):
        y = torch.arange(classes).repeat_interleave(2)
        z = regular_simplex(classes)[y]
        logits = z @ z.T / temperature - math.log(2)  # every class divided by |B_j|, its own too
        mistaken = (logits.fill_diagonal_(-torch.inf).logsumexp(dim=1) - 1 / temperature)[0].item()
        formula = math.log(0.5 + (classes - 1) * math.exp(-classes / ((classes - 1) * temperature)))
        bound = simplex_value(classes, temperature).item()
        assert math.isclose(mistaken, formula)
        assert mistaken < bound
        result[classes] = (mistaken, bound)
    return result


def _lines(z: Tensor, y: Tensor, temperature: float) -> tuple[float, float, float]:
    """L1, L2 and Theorem 2 of the first anchor."""
    outside, inside = (
        anchor_losses(z, y, averaging=place, temperature=temperature).value[0].item()
        for place in ("outside", "inside")
    )
    return outside, inside, theorem_2(z, y, temperature=temperature).bound[0].item()


if __name__ == "__main__":
    print(f"2. half of the push from a cosine of {near_or_many():.2f}")
    print("3. lines 1 and 2: {:.5f}, line 3: {:.5f}".format(*only_the_second_step()))
    for classes, (mistaken, bound) in how_bad_is_the_mistake().items():
        print(f"4. K = {classes:3}: {mistaken:.3f} without the reduced mask, Theorem 2 says {bound:.3f}")
