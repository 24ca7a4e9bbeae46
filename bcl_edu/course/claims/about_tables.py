"""Claims of the tables: orderings and figures of trained networks, decided by run records alone.

Runs that disagree make a figure "not reproduced here", never false: the paper leaves choices open, and ours may differ.
Claims of the text about the printed figures themselves are in `about_comparisons`.

An ordering of two rows is decided by at least `SEEDS` runs of each, and only if their means differ by more than
`STANDARD_ERRORS` standard errors of the difference; else it stays open, whichever mean is the larger. The standard
error is that of two independent means, sqrt(s_a^2 / n_a + s_b^2 / n_b), with the standard deviations s over the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev, variance

from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence
from bcl_edu.report import build_report
from bcl_edu.rows import ROWS

RESULTS = Path(__file__).parents[3] / "results"
"""The records that come with the project."""

SEEDS = 3
"""Runs of a row that differ in the seed alone, at least: seeds move an accuracy by up to a point."""

STANDARD_ERRORS = 3.0
"""Standard errors of a difference of means that decide an ordering, at least.

Of three runs a row, the means of equal rows differ by more than that in about 4 of 100 comparisons (Student's t, 4
degrees of freedom); two standard errors would call 12 of 100 decided.
"""

CLOSE = 1.0
"""Points by which a mean over seeds may differ from a printed figure."""

FULL_RUN = "a full training run"


@cache
def top1_by_row(results: Path = RESULTS) -> dict[str, tuple[float, ...]]:
    """Last-epoch top-1 of each run that agrees with a row in all that the paper states, by the row's recipe.

    Of runs that differ in what the paper leaves open, those of the row's own recipe count, or else the first choice.
    """
    if not results.is_dir():
        return {}
    report = build_report([results])
    found: dict[str, tuple[float, ...]] = {}
    for lines in report.tables.values():
        for line in lines:
            if line.runs:
                values = tuple(float(run.record["last"]["top1"]) for run in line.runs)
                found.setdefault(line.row.recipe.name, values)
    return found


def printed_top1(name: str) -> float:
    """Top-1 accuracy that the paper prints for a row, in percent.

    Raises:
        LookupError: the row has no printed figure.
    """
    paper = ROWS[name].paper
    if paper is None:
        raise LookupError(f"{name} has no printed figure")
    return paper.top1


def ordered(*names: str) -> Evidence:
    """Check that each row is better than the next one, by the module's rule."""
    return _compared(names, list(pairwise(names)), " > ")


def best(first: str, *others: str) -> Evidence:
    """Check that a row is better than each of the others, by the module's rule."""
    return _compared((first, *others), [(first, other) for other in others], " > ")


def no_better(part: str, than: str) -> Evidence:
    """Check that a row is no better than another one: true if it is worse by the module's rule, false if better.

    That two rows are alike would need more runs than an ordering; as long as neither is seen to be better, it is open.
    """
    return _compared((part, than), [(than, part)], " ≤ ")


def _compared(names: Sequence[str], pairs: Sequence[tuple[str, str]], sign: str) -> Evidence:
    """Check that in each pair the first row is better; one pair that is decided the other way contradicts the claim.

    It is open as long as there are too few runs, or a pair is not decided and none contradicts.
    """
    printed = sign.join(f"{printed_top1(name):g}" for name in names)
    runs = {name: top1_by_row(RESULTS).get(name, ()) for name in names}
    counts = " / ".join(str(len(values)) for values in runs.values())
    if min(map(len, runs.values())) < SEEDS:
        return Evidence(0, 0, f"printed {printed}; comparable runs here: {counts}", needs=FULL_RUN)
    ours = " against ".join(f"{mean(values):.2f} ± {stdev(values):.2f}" for values in runs.values())
    found = f"printed {printed}; here {ours} ({counts} seeds)"
    decisions = {(better, worse): _better(runs[better], runs[worse]) for better, worse in pairs}
    decided = [one for one in decisions.values() if one is not None]
    if len(decided) == len(pairs) or False in decided:
        return evidence(decided, found, from_runs=True)
    undecided = []
    for (better, worse), decision in decisions.items():
        if decision is None:
            difference, error = _difference(runs[better], runs[worse])
            undecided.append(
                f"{better} less {worse} is {difference:+.2f} with a standard error of {error:.2f}"
            )
    return Evidence(0, 0, "; ".join([found, *undecided]), needs="more seeds")


def _difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Difference of two means over seeds, and its standard error."""
    error = math.sqrt(variance(first) / len(first) + variance(second) / len(second))
    return mean(first) - mean(second), error


def _better(first: Sequence[float], second: Sequence[float]) -> bool | None:
    """True if the first row is better than the second, False if worse; None if these runs do not decide it."""
    difference, error = _difference(first, second)
    return difference > 0 if abs(difference) > STANDARD_ERRORS * error else None


def reproduced(names: Sequence[str]) -> Evidence:
    """Check that the mean over seeds is within a point of the printed figure, for every row that has the runs."""
    runs = {name: top1_by_row(RESULTS).get(name, ()) for name in names}
    enough = {name: values for name, values in runs.items() if len(values) >= SEEDS}
    printed = ", ".join(f"{printed_top1(name):g}" for name in names)
    if not enough:
        number = sum(map(len, runs.values()))
        return Evidence(0, 0, f"printed {printed}; comparable runs here: {number}", needs=FULL_RUN)
    ours = ", ".join(f"{name} {mean(values):.2f}" for name, values in enough.items())
    holds = [abs(mean(values) - printed_top1(name)) <= CLOSE for name, values in enough.items()]
    return evidence(holds, f"printed {printed}; here {ours}", from_runs=True)


def reproduced_on(dataset: str, printed: str) -> Evidence:
    """The same for all rows of BCL on a data set, if there are any.

    Args:
        dataset: its name in the recipes.
        printed: the paper's figures, for when no row has them.
    """
    names = [
        name
        for name, row in ROWS.items()
        if row.recipe.dataset == dataset and row.recipe.method.name == "bcl" and row.paper is not None
    ]
    if names:
        return reproduced(names)
    return Evidence(0, 0, f"printed {printed}; no row trains it here", needs=FULL_RUN)


def _claim(where: str, statement: str, method: str, check: Callable[[], Evidence]) -> Claim:
    return Claim(where, statement, method, check, (Link("tests/course/claims/test_tables.py", _TEST),))


_TEST = "test_three_seeds_of_each_row_decide_an_ordering"
_COMPARISON = {
    "cifar100": tuple(f"cifar100-lt-if{factor}-bcl" for factor in (100, 50, 10)),
    "cifar10": tuple(f"cifar10-lt-if{factor}-bcl" for factor in (100, 50, 10)),
}
_SEEDS = (
    f"means of at least {SEEDS} seeds of each row, which must differ by more than {STANDARD_ERRORS:g} "
    "standard errors of their difference"
)
_NEAR = f"mean of at least {SEEDS} seeds, within {CLOSE:g} point"

TABLE_CLAIMS = {
    "table-1": _claim(
        "Table 1",
        "$L_1$ is the best way to average, then $L_3$, then $L_2$.",
        _SEEDS,
        partial(ordered, "table1-l1", "table1-l3", "table1-l2"),
    ),
    "table-2-sc": _claim(
        "Table 2",
        "Adding SCL to logit compensation helps.",
        _SEEDS,
        partial(ordered, "table2-scl", "table2-lc"),
    ),
    "table-2-complement": _claim(
        "Table 2",
        "Class-complement alone is no better than plain SCL.",
        _SEEDS,
        partial(no_better, "table2-scl-complement", "table2-scl"),
    ),
    "table-2-averaging": _claim(
        "Table 2",
        "Class-averaging alone is no better than plain SCL.",
        _SEEDS,
        partial(no_better, "table2-scl-averaging", "table2-scl"),
    ),
    "table-2-both": _claim(
        "Table 2",
        "Both together are better than plain SCL, and than each alone.",
        _SEEDS,
        partial(best, "table2-bcl", "table2-scl", "table2-scl-complement", "table2-scl-averaging"),
    ),
    "cifar100-figures": _claim(
        "Tables 3 to 6",
        "BCL on CIFAR-100-LT, 200 epochs, factors 100, 50, 10: 51.93, 56.59, 64.87 %.",
        _NEAR,
        partial(reproduced, _COMPARISON["cifar100"]),
    ),
    "cifar10-figures": _claim(
        "Tables 3 to 6",
        "BCL on CIFAR-10-LT, 200 epochs, factors 100, 50, 10: 84.32, 87.24, 91.12 %.",
        _NEAR,
        partial(reproduced, _COMPARISON["cifar10"]),
    ),
    "cifar100-400": _claim(
        "Tables 3 to 6",
        "BCL on CIFAR-100-LT, factor 100, 400 epochs: 53.9 %.",
        _NEAR,
        partial(reproduced, ("cifar100-lt-if100-400-epochs-bcl",)),
    ),
    "imagenet-figures": _claim(
        "Tables 3 to 6",
        "BCL on ImageNet-LT: 56.0 % (ResNet-50), 56.7 % (ResNeXt-50), 57.1 % (180 epochs).",
        _NEAR,
        partial(reproduced_on, "imagenet-lt", "56.0, 56.7, 57.1"),
    ),
    "inaturalist-figures": _claim(
        "Tables 3 to 6",
        "BCL on iNaturalist 2018: 71.8 %.",
        _NEAR,
        partial(reproduced_on, "inaturalist2018", "71.8"),
    ),
}
