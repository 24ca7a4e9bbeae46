"""cRT, LWS and tau-normalisation: options and rows.

Source: Kang et al. (ICLR 2020) and https://github.com/facebookresearch/classifier-balancing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from bcl_edu.recipe import ONE_VIEW, MethodOptions, Recipe, at_least
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.ldam_rows import OF_CIFAR
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row
from bcl_edu.rows.second_stage_options import SecondStage


@dataclass(frozen=True, kw_only=True)
class Decoupled(SecondStage):
    """Options of a classifier that is re-trained on balanced classes (cRT)."""

    implementation = "bcl_edu.methods.decoupling:ClassifierRetraining"
    name = "crt"
    title = "cross-entropy, then a new classifier on balanced classes (cRT, Kang et al. 2020)"
    idle = ONE_VIEW


@dataclass(frozen=True, kw_only=True)
class LWS(Decoupled):
    """Options of a learned factor for each class's logit."""

    implementation = "bcl_edu.methods.decoupling:LearnableWeightScaling"
    name = "lws"
    title = "cross-entropy, then a factor for each class on balanced classes (LWS, Kang et al. 2020)"

    second_epochs: int = field(default=5, metadata={"kept": False})
    """Epochs of the second stage; they do not scale with --epochs."""
    scale_bias: bool = True
    """Scale the bias with the weights, as the authors' code does; the paper scales the weights alone."""


@dataclass(frozen=True, kw_only=True)
class TauNorm(MethodOptions):
    """Options of weight rows that are normalised after training."""

    implementation = "bcl_edu.methods.tau_norm:TauNormalisation"
    name = "tau-norm"
    title = "cross-entropy, its weight rows divided by a power of their length (Kang et al. 2020)"
    idle = ONE_VIEW

    tau: float = 0.7
    """Exponent of a row's length; it does not change the training, and python -m bcl_edu.evaluate --tau-norm
    takes others."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "tau")


METHODS = (Decoupled(), LWS(), TauNorm())

SECOND_STAGE = frozenset(one.name for one in fields(SecondStage))
"""Names of the values of a second stage."""

STATED_OF_PHOTOGRAPHS = BENCHMARK | TRAINING | {"rate_per_epoch", "warmup_epochs", "nesterov"}
_NOTE = (
    " The values are those of Kang et al. and their code; that the rate changes between epochs, how images of a "
    "class follow each other, and that the frozen backbone's batch normalisation goes on is in the code only."
)
_RESNEXT = (
    " BCL's paper prints this figure under ResNet-50; it is the ResNeXt-50 figure of the authors' repository."
)
_TAU = (
    " The figure is that of a cross-entropy run whose classifier is normalised afterwards. Choose tau on images "
    "held out of the training: python -m bcl_edu.evaluate RUN --tau-norm choose."
)


def stage_one(printed: Printed, method: MethodOptions) -> Recipe:
    """The authors' cross-entropy on photographs, which every method of theirs starts from."""
    recipe = benchmark(printed)
    inaturalist = recipe.dataset == "inaturalist2018"
    return replace(
        recipe,
        method=method,
        views="resized" if inaturalist else "resized-jitter",
        epochs=90,
        schedule_epochs=90,
        batch_size=512,
        learning_rate=0.2,
        rate_per_epoch=True,
        weight_decay=1e-4 if inaturalist else 5e-4,
    )


def _crt(printed: Printed) -> Row:
    inaturalist = printed.data_set.startswith("iNat")
    recipe = stage_one(printed, Decoupled(second_epochs=30 if inaturalist else 10))
    note = _NOTE + ("" if inaturalist else _RESNEXT)
    return Row("", "cRT", recipe, None, STATED_OF_PHOTOGRAPHS | SECOND_STAGE, note)


def _lws(printed: Printed) -> Row:
    misplaced = printed.data_set == "ImageNet-LT" and printed.backbone == "ResNet-50"
    note = _NOTE + (_RESNEXT if misplaced else "")
    stated = STATED_OF_PHOTOGRAPHS | SECOND_STAGE | {"scale_bias"}
    return Row("", "LWS", stage_one(printed, LWS()), None, stated, note)


def _tau_norm(printed: Printed) -> Row:
    if printed.imbalance_factor is None:
        inaturalist = printed.data_set.startswith("iNat")
        # 0.3: what the authors of RIDE learned from training data on iNaturalist, in a comment of their code
        recipe = stage_one(printed, TauNorm(tau=0.3 if inaturalist else 0.7))
        note = " Training is as in Kang et al.'s code; they published no tau for this line."
        return Row("", "tau-norm", recipe, None, STATED_OF_PHOTOGRAPHS, note + _TAU)
    recipe = benchmark(printed).change(method=TauNorm(tau=1.0), **OF_CIFAR)
    stated = frozenset({"dataset", "profile", "imbalance_factor", "backbone", "method"})
    note = (
        " The figure is from DRO-LT's paper, which gives neither tau nor recipe; Kang et al. did not train CIFAR. "
        "Training is as in LDAM's code, the usual baseline."
    )
    return Row("", "tau-norm", recipe, None, stated, note + _TAU)


PRINTED = {"cRT": _crt, "LWS": _lws, "tau-norm": _tau_norm}
