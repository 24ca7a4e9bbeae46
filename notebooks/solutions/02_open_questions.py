"""Exercises 3 and 4 of notebook 02, which no check decides: one way to answer them, computed.

python notebooks/solutions/02_open_questions.py     # the second trains six small networks
"""

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist, mean

from bcl_edu.training import RECIPES, Recipe, RunOptions, train


def better_features(imbalance_factor: float = 100.0) -> float:
    """Exercise 3: the distance at which the rare class is right as often as at distance 2 with equal frequencies.

    The boundary is at log(IF) / d and the rare class's mean at d / 2, so its accuracy is that of distance 2
    where d / 2 - log(IF) / d = 1. That is d^2 - 2 d - 2 log(IF) = 0, with one positive root. At IF = 100 the
    classes must be 4.2 standard deviations apart instead of 2. Subtracting the log-prior has the same effect
    on the rare class, and the frequent class pays for it: it falls from nearly 100 % to 84 % as well.
    """
    distance = 1 + math.sqrt(1 + 2 * math.log(imbalance_factor))
    boundary = math.log(imbalance_factor) / distance
    rare = NormalDist(distance / 2, 1.0)
    assert math.isclose(1 - rare.cdf(boundary), NormalDist().cdf(1.0))  # 84 %
    return distance


def another_shape(seeds: tuple[int, ...] = (0, 1, 2)) -> tuple[float, float]:
    """Exercise 4: accuracy on digits 5 to 9 with the step profile, as trained and with compensation, in percent.

    Each of them has two training images, each of the others 134. Plain cross-entropy hardly ever names one of
    the five. Compensation gives most of their accuracy back, so here habit is the larger part; with the
    exponential profile it was the smaller one. How a loss of accuracy divides into habit and scarcity is a
    property of the whole profile, not of the imbalance factor.
    """
    step = replace(RECIPES["digits-lt"][1], profile="step")
    plain, compensated = (
        mean(_rare(step.change(method=loss, seed=seed)) for seed in seeds) for loss in ("ce", "lc")
    )
    assert plain < 20
    assert compensated > 50
    return plain, compensated


def _rare(recipe: Recipe) -> float:
    """Mean test accuracy of the five rarest digits after training, in percent."""
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(output=Path(folder) / "run", workers=0, tensorboard=False, progress=False)
        return mean(train(recipe, options).evaluation.accuracy.per_class[5:])


if __name__ == "__main__":
    print(f"3. the classes must be {better_features():.2f} standard deviations apart")
    print(
        "4. digits 5-9 with the step profile: {:.0f} % as trained, {:.0f} % compensated".format(
            *another_shape()
        )
    )
