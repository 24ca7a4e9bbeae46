"""Exercise 4 of notebook 03, which no check decides: one way to answer it, computed.

python notebooks/solutions/03_open_questions.py
"""

import math

from bcl_edu.data import exponential_profile
from bcl_edu.geometry import certified_optimum


def how_it_bends(factors: tuple[float, ...] = (1.05, 1.25, 2, 5, 20, 100)) -> dict[float, float]:
    """Exercise 4: simplex deviation of SCL's optimum, four classes of at most 200 images, temperature 0.5.

    It bends from the very beginning: at IF = 1.05 already, and then nearly in proportion to log(IF), up to 100.
    There is no imbalance that is too small to matter, and no threshold after which everything breaks.
    """
    deviation = {}
    for factor in factors:
        optimum = certified_optimum(exponential_profile(200, 4, factor), "scl", temperature=0.5)
        assert optimum.certified
        deviation[factor] = optimum.deviation.rms
    slopes = [value / math.log(factor) for factor, value in deviation.items()]
    assert max(slopes) < 1.3 * min(slopes)
    return deviation


if __name__ == "__main__":
    for factor, value in how_it_bends().items():
        print(f"IF {factor:6}: deviation {value:.4f}, divided by log(IF) {value / math.log(factor):.4f}")
