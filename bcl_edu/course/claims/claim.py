"""A claim of the paper: a statement, its place, and a computation whose outcome is the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """Verdict of the cases on a statement."""

    TRUE = "true"
    CONDITION = "true under a condition"
    FALSE = "false as printed"
    NOT_REPRODUCED = "not reproduced here"
    OPEN = "open"


@dataclass(frozen=True)
class Evidence:
    """The cases in which a statement was tried.

    Attributes:
        cases: how many; 0 if it could not be tried here.
        failures: in how many of them it does not hold.
        found: what came out, in words and numbers.
        condition: a condition under which it might hold; "" if none is looked at.
        cases_within: how many of the cases meet the condition.
        failures_within: how many of those fail.
        needs: what is missing where there are no cases.
        from_runs: whether the cases are trained networks. Runs of ours that disagree with a printed figure do not make
            it false: they were made with choices that the paper leaves open.

    Raises:
        ValueError: the numbers contradict each other, or there are neither cases nor something that is missing.
    """

    cases: int
    failures: int
    found: str
    condition: str = ""
    cases_within: int = 0
    failures_within: int = 0
    needs: str = ""
    from_runs: bool = False

    def __post_init__(self) -> None:
        """Refuse counts that contradict each other, and evidence without cases or a reason."""
        if not (
            0 <= self.failures <= self.cases
            and 0 <= self.failures_within <= self.cases_within <= self.cases
            and self.failures_within <= self.failures
        ):
            raise ValueError(
                f"{self.failures} failures in {self.cases} cases, {self.failures_within} in {self.cases_within} under "
                "the condition: a part is larger than its whole"
            )
        if not self.cases and not self.needs:
            raise ValueError("there are no cases; say in `needs` what is missing")

    @property
    def verdict(self) -> Verdict:
        """TRUE without a failure; CONDITION if all failures are outside a condition that some cases meet.

        Where runs fail, a figure is NOT_REPRODUCED; where computed cases fail, the statement is FALSE.
        """
        if not self.cases:
            return Verdict.OPEN
        if not self.failures:
            return Verdict.TRUE
        if self.condition and self.cases_within and not self.failures_within:
            return Verdict.CONDITION
        return Verdict.NOT_REPRODUCED if self.from_runs else Verdict.FALSE


def evidence(holds: Sequence[bool], found: str, *, from_runs: bool = False) -> Evidence:
    """Evidence from one answer a case."""
    return Evidence(len(holds), sum(not one for one in holds), found, from_runs=from_runs)


def evidence_under(condition: str, holds: Sequence[bool], meets: Sequence[bool], found: str) -> Evidence:
    """Evidence from one answer a case, and whether the case meets a condition."""
    within = [one for one, met in zip(holds, meets, strict=True) if met]
    failed = sum(not one for one in holds)
    return Evidence(len(holds), failed, found, condition, len(within), sum(not one for one in within))


@dataclass(frozen=True)
class Link:
    """A place in this project where a reader can see it happen.

    Attributes:
        file: from the project's root: a notebook or a test.
        place: a heading of the notebook, as it is written there; or the name of the test function.
    """

    file: str
    place: str


@dataclass(frozen=True)
class Claim:
    """One checkable statement.

    Attributes:
        where: in the paper.
        statement: what it says, in Markdown, in our words.
        method: how it is checked here, in Markdown.
        check: does it.
        links: where a reader can follow it.
    """

    where: str
    statement: str
    method: str
    check: Callable[[], Evidence]
    links: tuple[Link, ...]
