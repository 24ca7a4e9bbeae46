"""ResLT: options, and its rows of Table 3.

Source of the recipe: Cui et al., "ResLT", their code, https://github.com/jiequancui/ResLT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bcl_edu.recipe import ONE_VIEW, MethodOptions, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.ldam_rows import STATED_OF_CIFAR
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class ResLT(MethodOptions):
    """Options of three branches whose logits add up.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.reslt:ResidualBranches"
    name = "reslt"
    title = "ResLT: branches for all, rarer and the rarest classes, their logits added (Cui et al.)"
    idle = ONE_VIEW

    branch_weight: float = 0.995
    """Weight of the branches' own losses; the loss of their summed logits has the rest of 1."""
    groups: Literal["shares", "shots"] = "shares"
    """Classes of the second and third branches: shares of all classes, as in the authors' code, or classes of at most
    100 and of fewer than 20 training images."""
    second_share: float = 0.65
    """Share of the classes, the rarest ones, that the second branch learns."""
    third_share: float = 0.3
    """Share of the classes, the rarest ones, that the third branch learns."""
    convolutions: bool = False
    """Give each branch a 1 x 1 convolution, batch normalisation and ReLU, as the authors' code does on photographs;
    on CIFAR it has batch normalisation alone."""
    epsilon: float = 1e-7
    """Number added to a branch's probability before its logarithm, so that its loss is at most -log(epsilon); 0 for
    plain cross-entropy."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        require(0 <= self.branch_weight <= 1, "branch_weight", self.branch_weight, "from 0 to 1")
        require(self.groups in ("shares", "shots"), "groups", self.groups, "shares or shots")
        require(0 <= self.second_share <= 1, "second_share", self.second_share, "from 0 to 1")
        expected = f"from 0 to second_share, {self.second_share:g}"
        require(0 <= self.third_share <= self.second_share, "third_share", self.third_share, expected)
        require(0 <= self.epsilon < 1, "epsilon", self.epsilon, "at least 0 and below 1")

    def unused(self) -> frozenset[str]:
        """Groups by numbers of images need no shares."""
        return self.idle | ({"second_share", "third_share"} if self.groups == "shots" else frozenset())


METHODS = (ResLT(),)

_BRANCH_WEIGHTS = {
    ("CIFAR-100-LT", 100): 0.995,
    ("CIFAR-100-LT", 50): 0.99,
    ("CIFAR-100-LT", 10): 0.72,
    ("CIFAR-10-LT", 100): 0.998,
    ("CIFAR-10-LT", 50): 0.998,
    ("CIFAR-10-LT", 10): 0.96,
}
_STATED = STATED_OF_CIFAR | {
    "warmup_from",
    "drop_last",
    "branch_weight",
    "groups",
    "second_share",
    "third_share",
    "convolutions",
    "epsilon",
}
_NOTE = (
    " What is called stated was read in the authors' published code, not in their paper. Its README says that on CIFAR "
    "results vary much with the environment, and advises to tune the branch weight slightly. The code keeps the epoch "
    "that is best on the test set, we the last one."
)


def _row(printed: Printed) -> Row:
    assert printed.imbalance_factor is not None, "the tables print ResLT for CIFAR only"
    of_ten = printed.data_set == "CIFAR-10-LT"
    options = ResLT(
        branch_weight=_BRANCH_WEIGHTS[printed.data_set, printed.imbalance_factor],
        second_share=0.8 if of_ten else 0.65,
        third_share=0.6 if of_ten else 0.3,
    )
    recipe = benchmark(printed).change(
        method=options,
        views="plain",
        batch_size=128,
        drop_last=True,
        learning_rate=0.1,
        warmup_from=1 / 3,
        rate_per_epoch=True,
        nesterov=True,
    )
    return Row("", "ResLT", recipe, printed.figure, _STATED, _NOTE)


PRINTED = {"ResLT": _row}
