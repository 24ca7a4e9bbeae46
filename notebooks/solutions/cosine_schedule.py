"""Exercise `cosine_schedule` (notebook 11): half a period of a cosine, from the peak to zero, flat at both ends."""

import math


def cosine_schedule(step: int, steps: int, peak: float) -> float:
    """Learning rate at a step."""
    return peak * (1 + math.cos(math.pi * step / steps)) / 2
