"""For every claim, a world in which it should fail: a check that says the same there says nothing here.

A wrong variant replaces functions, figures or records by wrong ones while a check runs. The verdict must change, or the
check must refuse the evidence. The tests run every variant of every claim.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from bcl_edu import data, geometry, losses
from bcl_edu.course.claims import about_comparisons, about_data, about_simplex, about_tables
from bcl_edu.course.claims.all_claims import CLAIMS
from bcl_edu.course.claims.claim import Verdict
from bcl_edu.rows import ROWS, PaperFigure

Patch = tuple[object, str, object]
"""An object, the name of its attribute, and the value that replaces it."""


@dataclass(frozen=True)
class WrongVariant:
    """One way to be wrong.

    Attributes:
        name: what is wrong, in words.
        patches: what is replaced while the check runs.
    """

    name: str
    patches: tuple[Patch, ...]

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Within the block everything is replaced; afterwards it is as before."""
        with ExitStack() as stack:
            for place, attribute, replacement in self.patches:
                stack.enter_context(patch.object(place, attribute, replacement))
            yield


def verdict_under(name: str, wrong: WrongVariant) -> Verdict | None:
    """Verdict of a claim in the presence of a wrong variant; None if the check refuses the evidence."""
    with wrong.in_force():
        try:
            return CLAIMS[name].check().verdict
        except ArithmeticError:
            return None


# ---- the pieces that are replaced. The originals are bound here, before anything is.

_certified_optimum, _optimality = geometry.certified_optimum, geometry.optimality
_profile, _regular_simplex = data.exponential_profile, geometry.regular_simplex
_shares, _anchor_losses, _shot_groups = geometry.gradient_shares, losses.anchor_losses, data.shot_groups


def _wrong(name: str, place: object, attribute: str, replacement: object) -> WrongVariant:
    return WrongVariant(name, ((place, attribute, replacement),))


def _another_loss(name: str, asked: str, given: str) -> WrongVariant:
    """The solver and the certificate both take one loss for another."""

    def exchanged(function: Callable[..., Any], position: int) -> Callable[..., Any]:
        def wrong(*arguments: Any, **options: Any) -> Any:
            loss = given if arguments[position] == asked else arguments[position]
            return function(*arguments[:position], loss, *arguments[position + 1 :], **options)

        return wrong

    return WrongVariant(
        name,
        (
            (geometry, "certified_optimum", exchanged(_certified_optimum, 1)),
            (geometry, "optimality", exchanged(_optimality, 2)),
        ),
    )


def _of_equal_counts(counts: Any, *arguments: Any, **options: Any) -> Any:
    return _certified_optimum([2] * len(counts), *arguments, **options)


FLATTERING_SOLVER = _wrong(
    "a solver that returns the optimum of equal classes", geometry, "certified_optimum", _of_equal_counts
)
BALANCED_DATA = _wrong(
    "a profile without a tail", data, "exponential_profile", lambda n, k, _: torch.full((k,), int(n))
)


def _raised(theorem: str) -> WrongVariant:
    original = getattr(geometry, theorem)

    def promises_too_much(*arguments: Any, **options: Any) -> Any:
        honest = original(*arguments, **options)
        return dataclasses.replace(honest, bound=honest.bound + 0.01)

    return _wrong("a bound that is 0.01 too high", geometry, theorem, promises_too_much)


def _bracket(as_printed: bool) -> Callable[..., Any]:
    original = geometry.theorem_1

    def theorem_1(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **{**options, "as_printed": as_printed})

    return theorem_1


def _theorem_1_for_2(embeddings: Tensor, labels: Tensor, *, temperature: float) -> Any:
    """Bounds of SCL, compared with the class-averaged loss."""
    scl = geometry.theorem_1(embeddings, labels, temperature=temperature)
    averaged = _anchor_losses(embeddings, labels, averaging="outside", temperature=temperature)
    return dataclasses.replace(scl, loss=averaged.value)


def _swapped_averaging(*arguments: Any, averaging: Any = "none", **options: Any) -> Any:
    swapped = {"outside": "inside", "inside": "outside"}.get(averaging, averaging)
    return _anchor_losses(*arguments, averaging=swapped, **options)


def _shares_of(loss: str) -> Callable[..., Tensor]:
    def shares(*arguments: Any, **options: Any) -> Tensor:
        return _shares(*arguments, **{**options, "loss": loss})

    return shares


def _samples_in_the_numerator(
    z: Tensor, y: Tensor, c: Tensor, *, averaging: str, temperature: float
) -> Tensor:
    """L3 with the samples of the class among the positives, which Eq. 8 does not have."""
    of_prototypes = (z @ c.T / temperature).logsumexp(dim=1)
    both = _anchor_losses(z, y, c, averaging="none", complement=True, temperature=temperature)
    every = torch.cat([z, c])
    logits = (z @ every.T / temperature).masked_fill(torch.eye(len(z), len(every)).bool(), -torch.inf)
    attraction = logits.logsumexp(dim=1) - both.value
    return (of_prototypes - attraction).mean()


def _compensated(sign: float) -> Callable[..., Tensor]:
    def wrong(logits: Tensor, labels: Tensor, class_counts: Tensor, **_: Any) -> Tensor:
        prior = (class_counts.double() / class_counts.sum()).log()
        return torch.nn.functional.cross_entropy(logits + sign * prior, labels)

    return wrong


def _another_figure(name: str, top1: float) -> WrongVariant:
    changed = dataclasses.replace(ROWS[name], paper=PaperFigure(top1))
    return _wrong(f"{top1} % in {name}", about_tables, "ROWS", {**ROWS, name: changed})


def _runs(name: str, top1: dict[str, float]) -> WrongVariant:
    """Records of three seeds a row that come to these accuracies."""
    runs = {row: (value - 0.1, value, value + 0.1) for row, value in top1.items()}
    return _wrong(name, about_tables, "top1_by_row", lambda *_: runs)


def _far_from(*rows: str) -> WrongVariant:
    figures = {row: about_tables.printed_top1(row) - 5 for row in rows}
    return _runs("three seeds of each row, five points below the printed figure", figures)


def _photographs(dataset: str) -> tuple[str, ...]:
    return tuple(
        name for name, row in ROWS.items() if row.recipe.dataset == dataset and row.paper is not None
    )


WRONG_VARIANTS: dict[str, tuple[WrongVariant, ...]] = {
    # the regular simplex
    "simplex-exists": (
        _wrong(
            "coordinate axes, not centred",
            geometry,
            "regular_simplex",
            lambda k, h=None: torch.eye(k, max(h or 0, k), dtype=torch.float64),
        ),
    ),
    "simplex-room": (
        _wrong(
            "products of coordinate axes", about_simplex, "_simplex_gram", lambda k: torch.eye(k).double()
        ),
    ),
    "simplex-ideal": (
        _wrong(
            "coordinate axes, not centred",
            geometry,
            "regular_simplex",
            lambda k: torch.eye(k, dtype=torch.float64),
        ),
    ),
    "scl-balanced": (
        _wrong(
            "a profile with a tail at factor 1",
            data,
            "exponential_profile",
            lambda n, k, factor: _profile(n, k, 10 * factor),
        ),
    ),
    "scl-long-tailed": (BALANCED_DATA, FLATTERING_SOLVER),
    "bcl-simplex": (
        BALANCED_DATA,
        FLATTERING_SOLVER,
        _another_loss("anchors averaged per class", "bcl", "bcl-class-anchors"),
    ),
    "class-anchors-simplex": (_another_loss("anchors not averaged, as printed", "bcl-class-anchors", "bcl"),),
    # the theorems
    "theorem-1-printed": (
        _wrong("the logarithm closed at the end", geometry, "theorem_1", _bracket(as_printed=False)),
    ),
    "theorem-1": (
        _raised("theorem_1"),
        _wrong("the logarithm closed where it is printed", geometry, "theorem_1", _bracket(as_printed=True)),
    ),
    "theorem-1-equality": (_raised("theorem_1"),),
    "head-dominates": (
        _wrong("averaged denominators", geometry, "gradient_shares", _shares_of("scl-averaging")),
    ),
    "theorem-2": (
        _raised("theorem_2"),
        _wrong("the bound of Theorem 1", geometry, "theorem_2", _theorem_1_for_2),
    ),
    "averaging-balances": (
        _wrong("denominators that are not averaged", geometry, "gradient_shares", _shares_of("scl")),
    ),
    "l1-l2": (_wrong("L1 and L2 exchanged", losses, "anchor_losses", _swapped_averaging),),
    "theorem-3": (
        FLATTERING_SOLVER,
        _another_loss("anchors averaged per class", "bcl", "bcl-class-anchors"),
    ),
    "theorem-3-equality": (
        FLATTERING_SOLVER,
        _another_loss("anchors averaged per class", "bcl", "bcl-class-anchors"),
    ),
    "theorem-3-corrected": (
        _raised("theorem_3_corrected"),
        _wrong("anchors not averaged", geometry, "theorem_3_corrected", geometry.theorem_3_as_printed),
    ),
    # the losses
    "eq-8": (
        _wrong(
            "samples averaged into the numerator", losses, "class_averaged_loss", _samples_in_the_numerator
        ),
        _wrong(
            "L2",
            losses,
            "class_averaged_loss",
            lambda z, y, c, *, averaging, temperature: losses.contrastive_loss(
                z, y, c, averaging="inside", complement=True, temperature=temperature
            ),
        ),
    ),
    "eq-9": (
        _wrong(
            "the average inside the exponential (Eq. 7)",
            losses,
            "balanced_contrastive_loss",
            lambda z, y, c, *, temperature: losses.class_averaged_loss(
                z, y, c, averaging="inside", temperature=temperature
            ),
        ),
        _wrong(
            "no prototypes",
            losses,
            "balanced_contrastive_loss",
            lambda z, y, c, *, temperature: losses.class_averaged_loss(z, y, temperature=temperature),
        ),
        _wrong(
            "a softmax over the prototypes (Eq. 8)",
            losses,
            "balanced_contrastive_loss",
            lambda z, y, c, *, temperature: losses.class_averaged_loss(
                z, y, c, averaging="prototypes", temperature=temperature
            ),
        ),
        _wrong(
            "no average",
            losses,
            "balanced_contrastive_loss",
            lambda z, y, c, *, temperature: losses.class_complement_loss(z, y, c, temperature=temperature),
        ),
    ),
    "complement": (
        _wrong(
            "prototypes left out",
            geometry,
            "gradient_shares",
            lambda z, y, c, **_: torch.nan_to_num(
                torch.cat([_shares(z, y, loss="scl-averaging"), torch.zeros(len(z), 9)], dim=1)
            ),
        ),
    ),
    "eq-10": (
        _wrong("no prior", losses, "logit_compensated_cross_entropy", _compensated(0)),
        _wrong("the prior subtracted", losses, "logit_compensated_cross_entropy", _compensated(-1)),
    ),
    "eq-10-balanced": (
        _wrong("no prior", losses, "logit_compensated_cross_entropy", _compensated(0)),
        _wrong("the prior subtracted", losses, "logit_compensated_cross_entropy", _compensated(-1)),
    ),
    "eq-11": (
        _wrong(
            "λ and μ exchanged", losses, "weighted_total", lambda a, b, *, lambda_, mu: mu * a + lambda_ * b
        ),
    ),
    # the data
    "cifar100-lt": (_wrong("counts rounded up", data, "exponential_profile", lambda *a: _profile(*a) + 1),),
    "cifar10-lt": (_wrong("counts rounded up", data, "exponential_profile", lambda *a: _profile(*a) + 1),),
    "imbalance-factor": (BALANCED_DATA,),
    "imagenet-lt": (
        _wrong("a list of 115,700 images", about_data, "listed_counts", lambda _: np.full(1000, 115.7)),
    ),
    "inaturalist": (
        _wrong("a list of the validation images", about_data, "listed_counts", lambda _: np.full(8142, 3)),
    ),
    "shot-groups": (_wrong("20 in the place of 2", about_data, "MEDIUM_FROM", 20),),
    "shot-groups-meant": (
        _wrong(
            "medium-shot from 2 images",
            data,
            "shot_groups",
            lambda counts: {
                "many": torch.nonzero(counts > 100).flatten(),
                "medium": torch.nonzero((counts >= 2) & (counts <= 100)).flatten(),
                "few": torch.nonzero(counts < 20).flatten(),
            },
        ),
    ),
    "absent-classes": (
        _wrong(
            "batches in which all classes are",
            geometry,
            "sampled_batches",
            lambda counts, *_, **__: geometry.full_batch(counts),
        ),
    ),
    "groups-whole": (
        _wrong(
            "groups of the same size",
            data,
            "shot_groups",
            lambda counts: dict(zip(_shot_groups(counts), torch.arange(99).chunk(3), strict=True)),
        ),
    ),
    # the printed figures
    "consistently-better": (
        _wrong(
            "the tie left out",
            about_comparisons,
            "BEST_OF_THE_OTHERS",
            tuple(one for one in about_comparisons.BEST_OF_THE_OTHERS if one.bcl != one.other),
        ),
    ),
    "every-group": (
        _wrong(
            "the few-shot groups alone",
            about_comparisons,
            "BEST_OF_THE_OTHERS_BY_GROUP",
            tuple(one for one in about_comparisons.BEST_OF_THE_OTHERS_BY_GROUP if one.where.endswith("few")),
        ),
    ),
    "gains": (
        _wrong(
            "PaCo's figure one point higher",
            about_comparisons,
            "BEST_OF_THE_OTHERS",
            tuple(
                one._replace(other=one.other + (one.method == "PaCo"))
                for one in about_comparisons.BEST_OF_THE_OTHERS
            ),
        ),
    ),
    "quoted": (
        _wrong(
            "the sources agree",
            about_comparisons,
            "QUOTED",
            tuple(one._replace(original=one.printed) for one in about_comparisons.QUOTED),
        ),
    ),
    "rerun": (
        _wrong(
            "no earlier table",
            about_comparisons,
            "RERUN",
            tuple(one._replace(earlier=None) for one in about_comparisons.RERUN),
        ),
    ),
    "epochs": (_wrong("a limit of 300 epochs", about_comparisons, "MOST_EPOCHS", 300),),
    "consistent-tables": (_another_figure("table1-l1", 52.5),),
    # the tables
    "table-1": (_runs("L2 the best", {"table1-l1": 50.0, "table1-l3": 51.0, "table1-l2": 52.0}),),
    "table-2-sc": (_runs("SCL worse", {"table2-lc": 52.0, "table2-scl": 50.0}),),
    "table-2-complement": (
        _runs("the complement better", {"table2-scl": 50.0, "table2-scl-complement": 52.0}),
    ),
    "table-2-averaging": (_runs("averaging better", {"table2-scl": 50.0, "table2-scl-averaging": 52.0}),),
    "table-2-both": (
        _runs(
            "SCL the best",
            {
                "table2-bcl": 50.0,
                "table2-scl": 53.0,
                "table2-scl-complement": 51.0,
                "table2-scl-averaging": 51.0,
            },
        ),
    ),
    "cifar100-figures": (_far_from(*(f"cifar100-lt-if{factor}-bcl" for factor in (100, 50, 10))),),
    "cifar10-figures": (_far_from(*(f"cifar10-lt-if{factor}-bcl" for factor in (100, 50, 10))),),
    "cifar100-400": (_far_from("cifar100-lt-if100-400-epochs-bcl"),),
    "imagenet-figures": (_far_from(*_photographs("imagenet-lt")),),
    "inaturalist-figures": (_far_from(*_photographs("inaturalist2018")),),
}
"""Wrong variants by the name of the claim that they should overturn."""
