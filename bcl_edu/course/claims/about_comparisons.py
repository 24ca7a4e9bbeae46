"""Claims about the printed figures themselves: what the text says of Tables 3 to 6, and where their figures come from.

Nothing is trained for these: they hold or fail by the figures that the paper prints, and by the figures that the
compared methods' own publications print. Each figure carries its source.
"""

from __future__ import annotations

from typing import NamedTuple

from bcl_edu.course.claims.about_tables import printed_top1
from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence


class Comparison(NamedTuple):
    """One printed figure of BCL and the best one of the methods it is compared with, top-1 in percent."""

    where: str
    bcl: float
    other: float
    method: str


BEST_OF_THE_OTHERS = (
    Comparison("Table 3, CIFAR-100-LT, factor 100", 51.93, 48.21, "ResLT"),
    Comparison("Table 3, CIFAR-100-LT, factor 50", 56.59, 52.71, "ResLT"),
    Comparison("Table 3, CIFAR-100-LT, factor 10", 64.87, 63.05, "Hybrid-SC"),
    Comparison("Table 3, CIFAR-10-LT, factor 100", 84.32, 82.40, "ResLT"),
    Comparison("Table 3, CIFAR-10-LT, factor 50", 87.24, 85.36, "Hybrid-SC"),
    Comparison("Table 3, CIFAR-10-LT, factor 10", 91.12, 91.12, "Hybrid-SC"),
    Comparison("Table 4, CIFAR-100-LT, 200 epochs", 51.9, 48.0, "RIDE and MetaSAug"),
    Comparison("Table 4, CIFAR-100-LT, 400 epochs", 53.9, 52.0, "PaCo"),
    Comparison("Table 5, ImageNet-LT, ResNet-50", 56.0, 54.4, "RIDE"),
    Comparison("Table 5, iNaturalist 2018", 71.8, 71.4, "RIDE"),
    Comparison("Table 6, ImageNet-LT, ResNeXt-50, 90 epochs", 56.7, 55.9, "RIDE"),
    Comparison("Table 6, ImageNet-LT, ResNeXt-50, 180 epochs", 57.1, 56.0, "PaCo"),
)
"""Over all classes. Source: Zhu et al. (CVPR 2022), Tables 3 to 6."""

BEST_OF_THE_OTHERS_BY_GROUP = (
    Comparison("Table 4, 200 epochs, many", 67.2, 68.1, "RIDE"),
    Comparison("Table 4, 200 epochs, medium", 53.1, 50.0, "DRO-LT"),
    Comparison("Table 4, 200 epochs, few", 32.9, 23.9, "RIDE"),
    Comparison("Table 6, 90 epochs, many", 67.2, 64.3, "focal loss"),
    Comparison("Table 6, 90 epochs, medium", 53.9, 52.1, "DisAlign"),
    Comparison("Table 6, 90 epochs, few", 36.5, 31.6, "the causal model"),
    Comparison("Table 6, 180 epochs, many", 67.9, 65.8, "Balanced Softmax"),
    Comparison("Table 6, 180 epochs, medium", 54.2, 55.7, "PaCo"),
    Comparison("Table 6, 180 epochs, few", 36.6, 34.1, "Balanced Softmax"),
)
"""By shot group, where another method's is printed. Source: Zhu et al. (CVPR 2022), Tables 4 and 6."""


class Quoted(NamedTuple):
    """A figure of another method as the paper prints it, and as that method's publication does."""

    where: str
    printed: float
    original: float
    source: str


QUOTED = (
    Quoted("Table 3, BBN, CIFAR-10-LT, factor 100", 79.82, 79.82, "Zhou et al. (CVPR 2020)"),
    Quoted("Table 3, BBN, CIFAR-10-LT, factor 50", 81.18, 82.18, "Zhou et al. (CVPR 2020): error 17.82"),
    Quoted(
        "Table 5, cRT, ImageNet-LT, ResNet-50",
        49.6,
        47.3,
        "the table of Kang et al.'s code; 49.6 is ResNeXt-50's",
    ),
    Quoted(
        "Table 5, LWS, ImageNet-LT, ResNet-50",
        49.9,
        47.7,
        "the table of Kang et al.'s code; 49.9 is ResNeXt-50's",
    ),
)
"""Figures that could be held against their sources; the others were not checked."""

Groups = tuple[float, float, float, float]


class Rerun(NamedTuple):
    """A row that the paper marks as rerun with RandAugment, and an earlier table that was made without."""

    method: str
    printed: Groups
    earlier: Groups | None
    source: str


RERUN = (
    Rerun(
        "focal loss, 90 epochs",
        (64.3, 37.1, 8.2, 43.7),
        (64.3, 37.1, 8.2, 43.7),
        "Tang et al. (NeurIPS 2020)",
    ),
    Rerun(
        "Balanced Softmax, 90 epochs",
        (62.2, 48.8, 29.8, 51.4),
        (62.2, 48.8, 29.8, 51.4),
        "Hong et al. (CVPR 2021)",
    ),
    Rerun("Balanced Softmax, 180 epochs", (65.8, 53.2, 34.1, 55.4), None, ""),
)
"""Table 6: many, medium, few and all, top-1 in percent; None where no earlier table is known to have the figures."""

EPOCHS = {"BCL": 90, "SSP": 200 + 90 + 10, "KCL": 200}
"""Epochs on ImageNet-LT of three methods in Table 5, pretraining counted; from their papers and code."""

MOST_EPOCHS = 100
"""Epochs of the longest training, by the caption of Table 5."""


def _compared(comparisons: tuple[Comparison, ...]) -> Evidence:
    """True if BCL is strictly above the best of the others in every comparison."""
    failed = [one for one in comparisons if not one.bcl > one.other]
    exceptions = "; ".join(f"{one.where}: {one.method} {one.other:.2f}, BCL {one.bcl:.2f}" for one in failed)
    return evidence(
        [one.bcl > one.other for one in comparisons],
        f"above the best of the others in {len(comparisons) - len(failed)} of {len(comparisons)} comparisons"
        + (f"; not in {exceptions}" if exceptions else ""),
    )


def consistently_better() -> Evidence:
    """BCL's printed figures over all classes against the best of the others."""
    return _compared(BEST_OF_THE_OTHERS)


def better_in_every_group() -> Evidence:
    """The same for the three shot groups."""
    return _compared(BEST_OF_THE_OTHERS_BY_GROUP)


def gains_as_stated() -> Evidence:
    """Differences of printed figures against the gains that the text states."""
    by_place = {one.where: one for one in BEST_OF_THE_OTHERS}
    dro_lt = 47.3  # Table 4, 200 epochs
    paco = by_place["Table 4, CIFAR-100-LT, 400 epochs"].other
    short, long = 51.9 - dro_lt, 53.9 - paco
    nearest = by_place["Table 4, CIFAR-100-LT, 200 epochs"]
    return evidence(
        [abs(short - 4.6) < 0.05, abs(long - 1.9) < 0.05],
        f"51.9 − {dro_lt} = {short:.1f}; 53.9 − {paco} = {long:.1f}; over the best compared methods of 200 epochs "
        f"({nearest.method}, {nearest.other}) the gain is {nearest.bcl - nearest.other:.1f}",
    )


def quoted_rightly() -> Evidence:
    """Figures of compared methods against their own publications."""
    slips = [one for one in QUOTED if one.printed != one.original]
    words = "; ".join(f"{one.where}: {one.printed} printed, {one.original} in {one.source}" for one in slips)
    return evidence(
        [one.printed == one.original for one in QUOTED], f"{len(QUOTED)} looked up; {words or 'no slip'}"
    )


def rerun_as_marked() -> Evidence:
    """Rows marked as rerun against earlier tables: to be rerun and equal all four figures is not to be expected."""
    copied = [one for one in RERUN if one.printed == one.earlier]
    words = "; ".join(f"{one.method} has all four figures of {one.source}" for one in copied)
    return evidence(
        [one.printed != one.earlier for one in RERUN], words or "no row has the figures of an earlier table"
    )


def at_most_100_epochs() -> Evidence:
    """Epochs of the methods in Table 5, pretraining counted."""
    longer = {method: epochs for method, epochs in EPOCHS.items() if epochs > MOST_EPOCHS}
    words = ", ".join(f"{method} {epochs}" for method, epochs in longer.items())
    return evidence([epochs <= MOST_EPOCHS for epochs in EPOCHS.values()], f"longer: {words or 'none'}")


def same_figure() -> Evidence:
    """Rows that train the same recipe have the same printed figure."""
    pairs = [
        ("table1-l1", "cifar100-lt-if100-bcl"),
        ("table2-bcl", "cifar100-lt-if100-400-epochs-bcl"),
    ]
    differences = {pair: abs(printed_top1(pair[0]) - printed_top1(pair[1])) for pair in pairs}
    figures = "; ".join(f"{printed_top1(a):g} and {printed_top1(b):g}" for a, b in pairs)
    return evidence([difference <= 0.05 for difference in differences.values()], figures)


_TESTS = "tests/course/claims/test_comparisons.py"

COMPARISON_CLAIMS = {
    "consistently-better": Claim(
        "text on Tables 3 to 6",
        "BCL consistently outperforms the methods it is compared with.",
        "printed figure of BCL against the best of the others, table by table",
        consistently_better,
        (Link(_TESTS, "test_the_only_exception_over_all_classes_is_a_tie"),),
    ),
    "every-group": Claim(
        "text on Tables 4 and 6",
        "BCL improves every group of classes, including the head.",
        "printed figures of the shot groups against the best of the others",
        better_in_every_group,
        (Link(_TESTS, "test_two_groups_are_better_under_other_methods"),),
    ),
    "gains": Claim(
        "text on Table 4",
        "On CIFAR-100-LT BCL gains 4.6 points over DRO-LT (200 epochs) and 1.9 over PaCo (400 epochs).",
        "differences of the printed figures",
        gains_as_stated,
        (Link(_TESTS, "test_the_stated_gains_are_differences_of_printed_figures"),),
    ),
    "quoted": Claim(
        "Tables 3 and 5",
        "The figures of the compared methods are those of their publications.",
        "four that could be looked up",
        quoted_rightly,
        (Link(_TESTS, "test_three_of_the_figures_looked_up_are_not_those_of_their_source"),),
    ),
    "rerun": Claim(
        "Table 6, mark of rows",
        "Focal loss and Balanced Softmax were rerun with RandAugment.",
        "all four figures of each row against earlier tables, made without",
        rerun_as_marked,
        (Link(_TESTS, "test_two_rows_marked_as_rerun_have_the_figures_of_earlier_tables"),),
    ),
    "epochs": Claim(
        "Table 5, caption",
        "The compared methods train for up to 100 epochs.",
        "epochs of three methods in their papers and code, pretraining counted",
        at_most_100_epochs,
        (Link(_TESTS, "test_two_methods_of_table_5_train_longer"),),
    ),
    "consistent-tables": Claim(
        "Tables 1 and 2 against the comparison",
        "The same recipe has the same figure wherever it stands.",
        "the printed figures",
        same_figure,
        (Link(_TESTS, "test_the_paper_prints_one_figure_for_one_recipe"),),
    ),
}
