"""Claims with what came out of their checks, as a table that a notebook shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bcl_edu.course.claims.claim import Claim, Evidence, Link, Verdict
from bcl_edu.course.outline import number_of

SYMBOLS = {
    Verdict.TRUE: "✓",
    Verdict.CONDITION: "◐",
    Verdict.FALSE: "✗",
    Verdict.NOT_REPRODUCED: "≠",
    Verdict.OPEN: "○",
}
"""A symbol in front of the words, so that verdicts differ without colour."""


@dataclass(frozen=True)
class Checked:
    """A claim and its evidence."""

    claim: Claim
    evidence: Evidence

    @property
    def verdict(self) -> Verdict:
        """Verdict of the evidence."""
        return self.evidence.verdict

    @property
    def in_words(self) -> str:
        """The verdict with its condition, or with what is missing."""
        words = {
            Verdict.TRUE: "true",
            Verdict.CONDITION: f"true under a condition: {self.evidence.condition}",
            Verdict.FALSE: "false as printed",
            Verdict.NOT_REPRODUCED: "not reproduced here",
            Verdict.OPEN: f"needs {self.evidence.needs}",
        }
        return f"{SYMBOLS[self.verdict]} {words[self.verdict]}"


def check(claim: Claim) -> Checked:
    """Compute a claim's evidence."""
    return Checked(claim, claim.check())


def count_verdicts(checked: Mapping[str, Checked]) -> dict[str, int]:
    """Number of claims with each verdict, in the order of `Verdict`."""
    verdicts = [one.verdict for one in checked.values()]
    return {verdict.value: verdicts.count(verdict) for verdict in Verdict}


def as_markdown(checked: Mapping[str, Checked]) -> str:
    """One row a claim, for a notebook in `notebooks/`: links are relative to that folder."""
    head = "| in the paper | it says | verdict | how it was checked, and what came out | see |"
    lines = [head, "|:---|:---|:---|:---|:---|"]
    for one in checked.values():
        claim = one.claim
        see = "<br>".join(_link(link) for link in claim.links)
        outcome = f"{claim.method}: *{one.evidence.found}*"
        cells = (claim.where, claim.statement, f"**{one.in_words}**", outcome, see)
        lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _escaped(cell: str) -> str:
    """A bar would end the cell; inside a formula it is written \\vert."""
    parts = cell.split("$")
    return "$".join(
        part.replace("|", r"\vert ") if inside % 2 else part.replace("|", r"\|")
        for inside, part in enumerate(parts)
    )


def _link(link: Link) -> str:
    name = link.file.rsplit("/", 1)[-1]
    if name.endswith(".ipynb"):
        anchor = link.place.replace(" ", "-")
        return f"[{number_of(name)}, section {link.place.split('.')[0]}]({name}#{anchor})"
    return f'[{name}](../{link.file} "{link.place}")'
