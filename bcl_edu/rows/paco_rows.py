"""PaCo: options, and its rows of Tables 4 and 6.

Source of the recipes: Cui et al. (ICCV 2021), their scripts, folder PaCo/LT of
https://github.com/dvlab-research/Parametric-Contrastive-Learning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bcl_edu.recipe import MethodOptions, above, at_least, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row


@dataclass(frozen=True, kw_only=True)
class PaCo(MethodOptions):
    """Options of parametric contrastive learning.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.paco:ParametricContrastive"
    name = "paco"
    title = "PaCo: class centres in a contrastive loss with a queue (Cui et al. 2021)"

    alpha: float = 0.01
    """Weight α of a sample of the anchor's class, where the class's centre has weight 1."""
    temperature: float = 0.05
    """Temperature T of similarities between samples; class logits have none."""
    divide: bool = True
    """Divide an anchor's loss by the sum 1 + α |A_i| of its weights, as the authors' code does; A_i are the samples
    of its class."""
    queue_size: int = 1024
    """Keys in the queue, a multiple of the batch size."""
    key_momentum: float = 0.999
    """Momentum of the key encoder."""
    head_hidden: int | None = None
    """Width of the projection head's hidden layer; by default that of the features."""
    head_dim: int = 32
    """Dimension of the embeddings."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "alpha")
        above(0, self, "temperature")
        require(0 <= self.key_momentum <= 1, "key_momentum", self.key_momentum, "from 0 to 1")
        at_least(1, self, "queue_size", "head_dim")
        at_least(1, self, "head_hidden")

    def unused(self) -> frozenset[str]:
        """The last batch of an epoch is always left out if it is smaller: the queue takes whole batches."""
        return frozenset({"drop_last"})


METHODS = (PaCo(),)

_NOTE = (
    " Values of the authors' published scripts. Their warm-up goes one epoch on above the full rate; here it ends "
    "at it."
)
_OF_PHOTOGRAPHS = (
    " The figure is Zhu et al.'s, who trained PaCo for 180 epochs; the authors' script says 400. The first view "
    "has RandAugment before its blur, theirs after it."
)
_STATED = (
    BENCHMARK
    | TRAINING
    | {
        "rate_per_epoch",
        "warmup_epochs",
        "alpha",
        "temperature",
        "divide",
        "queue_size",
        "key_momentum",
        "head_hidden",
        "head_dim",
    }
)


def _row(printed: Printed) -> Row:
    recipe = replace(benchmark(printed), rate_per_epoch=True)
    if printed.imbalance_factor is not None:
        recipe = replace(
            recipe, method=PaCo(), batch_size=128, learning_rate=0.05, milestones=(321, 361), warmup_epochs=10
        )
        return Row("", "PaCo", recipe, printed.figure, _STATED, _NOTE)
    recipe = replace(
        recipe,
        method=PaCo(alpha=0.05, temperature=0.07, queue_size=8192, head_dim=128),
        views="rand-grey",
        batch_size=128,
        learning_rate=0.02,
        schedule_epochs=400,
        warmup_epochs=10,
    )
    return Row("", "PaCo", recipe, printed.figure, _STATED, _NOTE + _OF_PHOTOGRAPHS)


PRINTED = {"PaCo": _row}
