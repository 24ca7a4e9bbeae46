"""The parabola by which two-branch methods move their weight from one branch to the other."""

from __future__ import annotations

from bcl_edu.methods.protocol import Clock


def parabolic(clock: Clock, *, epochs: int | None = None, from_one: bool = False) -> float:
    """alpha = 1 - (T / T_max)^2, constant within an epoch.

    Args:
        clock: tells the epoch.
        epochs: T_max; by default the stage's.
        from_one: count epochs from 1, so that alpha ends at 0; from 0, it begins at 1.

    Source: Zhou et al., "BBN" (CVPR 2020), Eq. 5, which counts from 1; their code from 0.
    """
    return 1 - ((clock.epoch + from_one) / (epochs or clock.epochs)) ** 2
