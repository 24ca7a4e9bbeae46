"""Exercises 3 and 4 of notebook 06, which no check decides: one way to answer them, computed.

python notebooks/solutions/06_open_questions.py
"""

import math

import torch

from bcl_edu.data import exponential_profile
from bcl_edu.geometry import certified_optimum, regular_simplex


def smallest_head_that_merges(tail_count: int = 2) -> tuple[int, float]:
    """Exercise 3: the smallest n for which counts (n, 2, 2) merge the tail at temperature 1; and the pencil's n.

    With the head at 0 degrees and the tail classes at 180 +- delta, cos(delta) = 1 - delta^2 / 2 turns the losses into

        L_head = log(1 + 2 e^-2) + delta^2 / 2 * 2 e^-2 / (1 + 2 e^-2)
        L_tail = log(2 + e^-2) + delta^2 * (e^-2 / 2 - 2) / (2 + e^-2)

    up to delta^4: opening the tail costs the head something and gives the tail something. Merged is best where the first
    outweighs the second, n times against 2 * 2 times: from n = 33.99 on, so from 34.
    """
    e = math.exp(-2)
    cost, gain = e / (1 + 2 * e), (2 - e / 2) / (2 + e)
    by_pencil = 2 * tail_count * gain / cost
    head = next(n for n in range(2, 200) if _angle_of_tail(n, tail_count) < 0.1)
    assert head == math.ceil(by_pencil)
    return head, by_pencil


def half_a_correction(power: float = 0.5, temperature: float = 0.1) -> tuple[float, float]:
    """Exercise 4: simplex deviation with weights n_y^power, and the push that is left there; CIFAR-10-LT.

    Section 5 holds for any weights w_y in place of p_y: at the simplex every class mean is pushed away from
    sum_y w_y zeta_y, and that is zero only for equal weights. With the square root of the class sizes the simplex is
    missed by less than half as much as with the sizes themselves.
    """
    weights = exponential_profile(5000, 10, imbalance_factor=100).double() ** power
    optimum = certified_optimum(weights, "bcl", temperature=temperature)
    assert optimum.certified
    push = (weights / weights.sum()) @ regular_simplex(10)
    return optimum.deviation.rms, float(torch.linalg.vector_norm(push))


def _angle_of_tail(head: int, tail_count: int) -> float:
    """Degrees between the two tail classes at the certified optimum of BCL."""
    gram = certified_optimum([head, tail_count, tail_count], "bcl", temperature=1.0).gram
    return math.degrees(math.acos(min(1.0, gram[1, 2].item())))


if __name__ == "__main__":
    head, by_pencil = smallest_head_that_merges()
    print(f"3. merged from n = {head} on; the pencil says {by_pencil:.2f}")
    for power in (0.0, 0.5, 1.0):
        deviation, push = half_a_correction(power)
        print(f"4. weights n_y^{power}: deviation {deviation:.4f}, mean of the weighted vertices {push:.3f}")
