"""Every figure that Tables 1 to 6 of the paper print.

Source: Zhu et al., CVPR 2022 (arXiv 2207.09052), Tables 1 to 6, read from a transcription of the paper.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PaperFigure:
    """Top-1 accuracy in percent as the paper prints it; a shot group is None where it prints none."""

    top1: float
    many: float | None = None
    medium: float | None = None
    few: float | None = None

    def __str__(self) -> str:
        groups = [self.many, self.medium, self.few]
        parts = " / ".join("n/a" if part is None else f"{part:.1f}" for part in groups)
        # with the paper's own decimals, one or two
        top1 = f"{self.top1:.2f}".removesuffix("0")
        return top1 if groups == [None] * 3 else f"{top1} ({parts})"


@dataclass(frozen=True)
class Printed:
    """One printed line of a table.

    Attributes:
        table: 1 to 6.
        data_set: "CIFAR-10-LT", "CIFAR-100-LT", "ImageNet-LT" or "iNaturalist 2018".
        imbalance_factor: of CIFAR; None for the others, which have their own class counts.
        backbone: as printed.
        epochs: that the table's heading says.
        method: as printed.
        figure: the accuracies.
        note: where the figure comes from, if not from the method's own paper.
    """

    table: int
    data_set: str
    imbalance_factor: int | None
    backbone: str
    epochs: int
    method: str
    figure: PaperFigure
    note: str


@cache
def printed_figures() -> tuple[Printed, ...]:
    """All printed lines, in the tables' order."""
    text = files("bcl_edu.rows").joinpath("paper_tables.tsv").read_text(encoding="utf-8")
    return tuple(_printed(line) for line in csv.DictReader(text.splitlines(), delimiter="\t"))


def _printed(line: dict[str, str]) -> Printed:
    def number(name: str) -> float | None:
        return float(line[name]) if line[name] else None

    return Printed(
        table=int(line["table"]),
        data_set=line["data_set"],
        imbalance_factor=int(line["imbalance_factor"]) if line["imbalance_factor"] else None,
        backbone=line["backbone"],
        epochs=int(line["epochs"].split()[0]),  # "90 ("up to 100")"
        method=line["method"],
        figure=PaperFigure(float(line["all"]), number("many"), number("medium"), number("few")),
        note=line["note"],
    )
