"""Exercise `theorem_3_bound` (notebook 06): the class-averaged loss of a regular simplex.

At collapse the attraction is 1, and the repulsion is the simplex's cosine -1/(K - 1). Their difference, in the exponent
of Theorem 2 with all K classes, is -K/(K - 1).
"""

import math


def theorem_3_bound(num_classes: int, temperature: float) -> float:
    """log(1 + (K - 1) exp(-K / ((K - 1) tau)))."""
    repulsion_minus_attraction = -1 / (num_classes - 1) - 1
    return math.log1p((num_classes - 1) * math.exp(repulsion_minus_attraction / temperature))
