"""Causal model (TDE): options and rows.

Source: Tang et al. (NeurIPS 2020), the corrected arXiv version, and
https://github.com/KaihuaTang/Long-Tailed-Recognition.pytorch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bcl_edu.recipe import ONE_VIEW, MethodOptions, above, at_least, require
from bcl_edu.rows.bbn_rows import RATE_OF_CIFAR
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.decoupling_rows import STATED_OF_PHOTOGRAPHS, stage_one
from bcl_edu.rows.ldam_rows import STATED_OF_CIFAR
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class TDE(MethodOptions):
    """Options of the causal model.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.tde:CausalModel"
    name = "tde"
    title = "causal model: features' part along their running mean is taken out (Tang et al. 2020)"
    idle = ONE_VIEW | {"drop_last"}

    effect: float = 1.0
    """Share alpha of a feature's part along the running mean that is subtracted at inference; training does not use
    it. The authors' rule: alpha times the cosine to the mean is about 1."""
    heads: int = 2
    """Parts into which features and weight rows are cut, each normalised by itself."""
    scale: float = 16.0
    """Scale tau of the logits."""
    gamma: float = 1 / 32
    """Added to the length of a weight row's part."""
    mean_momentum: float = 0.9
    """Share of the running mean of features that a step keeps."""
    slower_at_low_rates: bool = False
    """Keep more of it once the learning rate is below 0.02, as the authors' code does on photographs."""
    bilateral: bool = True
    """Twice the last block, and so twice the features, as the authors' code has on CIFAR, where it takes BBN's
    network."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "effect")
        at_least(1, self, "heads")
        above(0, self, "scale")
        at_least(0, self, "gamma")
        require(0 <= self.mean_momentum < 1, "mean_momentum", self.mean_momentum, "at least 0 and below 1")


METHODS = (TDE(),)

_OPTIONS = frozenset(
    {"effect", "heads", "scale", "gamma", "mean_momentum", "slower_at_low_rates", "bilateral"}
)
_NOTE = (
    " The values are those of Tang et al. and their code; batch size, the running mean's momentum and the network "
    "with twice the last block are in the code only. Their first figures on CIFAR started from trained weights; "
    "these are the corrected ones, from scratch, means of two runs."
)
_OF_PHOTOGRAPHS = (
    " The values are those of Tang et al. and their code, where alone it says that the running mean slows at low "
    "rates. Their cosine is one epoch ahead of ours, its last epoch at rate 0."
)


def _tde(printed: Printed) -> Row:
    if printed.imbalance_factor is not None:
        effect = 1.0 if printed.data_set == "CIFAR-10-LT" else 1.5
        recipe = benchmark(printed).change(
            method=TDE(effect=effect), views="plain", batch_size=256, learning_rate=0.2, **RATE_OF_CIFAR
        )
        return Row("", "TDE", recipe, None, STATED_OF_CIFAR | _OPTIONS | {"warmup_from"}, _NOTE)
    options = TDE(effect=3.0, slower_at_low_rates=True, bilateral=False)
    recipe = replace(stage_one(printed, options), views="resized-jitter")
    return Row("", "TDE", recipe, None, STATED_OF_PHOTOGRAPHS | _OPTIONS, _OF_PHOTOGRAPHS)


PRINTED = {"Causal model (TDE)": _tde}
