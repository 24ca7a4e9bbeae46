"""Exercise on a combination of two methods: LDAM's margins on BCL's classifier branch (notebook 14)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake

# ---- logit compensation with margins


def margin_loss_with(
    cosines: Tensor,
    labels: Tensor,
    class_counts: Tensor,
    scale: float,
    largest_margin: float,
    *,
    sign: int = 1,
    of: Literal["own class", "every class"] = "own class",
    scaled: bool = True,
    power: float = 0.25,
    rarest_has_largest: bool = True,
    compensation: Literal["added", "none", "subtracted", "counts"] = "added",
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Logit compensation of scaled cosines with a margin, or a wrong variant for each choice that is not the first."""
    counts = class_counts.to(cosines.dtype)
    reference = counts.min() if rarest_has_largest else counts.max()
    margins = largest_margin * (reference / counts if rarest_has_largest else counts / reference) ** power
    own = functional.one_hot(labels.long(), len(counts)).to(cosines.dtype)
    margin = sign * margins * (own if of == "own class" else 1)
    logits = scale * (cosines - margin) if scaled else scale * cosines - margin
    prior = counts / counts.sum()
    shift = {"added": prior.log(), "none": 0 * prior, "subtracted": -prior.log(), "counts": prior}[
        compensation
    ]
    return functional.cross_entropy(logits + shift, labels.long(), reduction=reduction)


def _cases() -> list[Case]:
    def drawn(seed: int, number: int, counts: list[int]) -> tuple[Any, ...]:
        generator = torch.Generator().manual_seed(seed)
        shape = (number, len(counts))
        cosines = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1
        labels = torch.randint(0, len(counts), (number,), generator=generator)
        return cosines, labels, torch.tensor(counts)

    return [
        Case("the training set is balanced", (*drawn(0, 6, [30, 30, 30]), 5.0, 0.5)),
        Case("there is a long tail of four classes", (*drawn(1, 8, [200, 40, 9, 2]), 5.0, 0.5)),
        Case("the largest margin is small", (*drawn(2, 8, [81, 16, 1]), 10.0, 0.1)),
        Case("the scale is 30 and all samples are of the smallest class",
             (drawn(3, 4, [134, 20, 2])[0], torch.full((4,), 2), torch.tensor([134, 20, 2]), 30.0, 0.5)),
    ]  # fmt: skip


def _mistake(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(margin_loss_with, **variant))


MARGIN_LOSS = Exercise(
    name="margin_loss",
    task="the mean loss of BCL's classifier branch with LDAM's margins: of the true class the margin is taken from the "
    "cosine, all cosines are multiplied by the scale, the logarithm of each class's share of the training set is "
    "added, and cross-entropy follows. The rarest class has the largest margin.",
    arguments=("cosines", "labels", "class_counts", "scale", "largest_margin"),
    returns="one number",
    reference=margin_loss_with,
    by_hand=Case(
        "both cosines of one sample of class 1 are 0, there are 16 and 1 training images, the scale is 2 and the "
        "largest margin 0.5",
        (torch.zeros(1, 2, dtype=torch.float64), torch.tensor([1]), torch.tensor([16, 1]), 2.0, 0.5),
    ),
    hidden=_cases,
    mistakes=(
        _mistake(
            "margin added",
            "Your margin makes the true class win more easily. Should a margin make the task easier or harder?",
            sign=-1,
        ),
        _mistake(
            "margin of every class",
            "Every class loses its margin in your answer. Which of a sample's logits has to lead by a margin?",
            of="every class",
        ),
        _mistake(
            "margin not scaled",
            "Your margin is taken after the multiplication by the scale. In which unit is a margin of 0.5 meant?",
            scaled=False,
        ),
        _mistake(
            "frequent classes have the largest margin",
            "Your margins grow with the class. Whose decision boundary needs more room, that of a class with many "
            "samples or with few?",
            rarest_has_largest=False,
        ),
        _mistake(
            "square root",
            "Your margins fall with the square root of the class size. Which power did LDAM's bound suggest?",
            power=0.5,
        ),
        _mistake(
            "inverse class size",
            "Your margins fall like the inverse of the class size. Which power did LDAM's bound suggest?",
            power=1.0,
        ),
        _mistake(
            "no compensation",
            "This is LDAM alone. What else does BCL's classifier branch do to its logits in training?",
            compensation="none",
        ),
        _mistake(
            "compensation subtracted",
            "The margins are right. You take the logarithm of the prior away, as one does after training. What happens "
            "to it inside the loss?",
            compensation="subtracted",
        ),
        _mistake(
            "prior without logarithm",
            "The margins are right. You add the shares themselves. On which scale are logits?",
            compensation="counts",
        ),
        _mistake(
            "sum over samples",
            "Your answer grows with the number of samples.",
            reduction="sum",
        ),
    ),
)
