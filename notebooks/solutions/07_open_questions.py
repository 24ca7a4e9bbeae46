"""Exercises 3 and 4 of notebook 07, which no check decides: one way to answer them, computed.

python notebooks/solutions/07_open_questions.py
"""

import math

import torch
from torch import Tensor

from bcl_edu.data import exponential_profile
from bcl_edu.geometry import OptimalGeometry, certified_optimum


def first_lost_dimension(num_classes: int = 10, temperature: float = 1.0) -> tuple[int, float]:
    """Exercise 3: the smallest whole imbalance factor at which BCL's optimum uses fewer than K - 1 dimensions.

    Also returns the angle, in degrees, between the two smallest classes there. They close up as the factor grows; the
    dimension in which they differed from the others on the way is lost while they are still apart. The dimension only
    falls with the factor here, so halving the interval finds it.
    """
    below, above = 1, 1000
    while above - below > 1:
        middle = (below + above) // 2
        full = _optimum(middle, num_classes, temperature).means.shape[1] == num_classes - 1
        below, above = (middle, above) if full else (below, middle)
    gram = _optimum(above, num_classes, temperature).gram
    return above, math.degrees(math.acos(gram[-1, -2].clamp(max=1).item()))


def _optimum(imbalance_factor: int, num_classes: int, temperature: float) -> OptimalGeometry:
    counts = exponential_profile(5000, num_classes, imbalance_factor)
    return certified_optimum(counts, "bcl", temperature=temperature)


def a_weight_between(power: float, imbalance_factor: float = 100.0, temperature: float = 0.1) -> float:
    """Exercise 4: simplex deviation of BCL's optimum if a class weighs as n_y ** power among the anchors.

    Power 1 is Eq. 9, power 0 the class-averaged anchors. In between the weights are those of the imbalance factor
    IF ** power, and the deviation falls a little faster than the power: the square root leaves 43 % of it.
    """
    counts: Tensor = exponential_profile(5000, 10, imbalance_factor).double()
    return certified_optimum(counts**power, "bcl", temperature=temperature).deviation.rms


if __name__ == "__main__":
    torch.set_num_threads(1)
    factor, angle = first_lost_dimension()
    print(
        f"3. from imbalance factor {factor} on; the two smallest classes are {angle:.1f} degrees apart there"
    )
    for power in (1.0, 0.75, 0.5, 0.25, 0.0):
        print(f"4. weights n ** {power}: deviation {a_weight_between(power):.4f}")
