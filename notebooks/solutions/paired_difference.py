"""Exercise `paired_difference` (notebook 13): two rows, the same seeds.

What the seeds do to both rows cancels in the differences; their scatter over the seeds, divided by the root of their
number, is the standard error of the mean difference.
"""

from collections.abc import Sequence
from statistics import mean, stdev


def paired_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Mean difference and its standard error."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    return mean(differences), stdev(differences) / len(differences) ** 0.5
