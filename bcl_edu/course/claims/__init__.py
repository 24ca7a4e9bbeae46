"""Every checkable statement of the paper, each with a computation that decides it.

    from bcl_edu.course.claims import CLAIMS, check
    check(CLAIMS["theorem-3"]).verdict

A claim has no verdict of its own: `check` computes the cases in which the statement was tried and those in which it
failed (`Evidence`), and the verdict follows from these numbers. Statements about trained networks are decided by run
records in `results/`; where no record is comparable with the paper's row, there are no cases, and that is what the
verdict says.

Each claim has at least one wrong variant (`WRONG_VARIANTS`) under which its verdict changes or its check refuses the
evidence: a check that cannot fail shows nothing.

The statements, equation numbers and figures were read from a transcription of the paper, not from its PDF. A misprint
reported here may be the transcriber's.
"""

from bcl_edu.course.claims.all_claims import CLAIMS
from bcl_edu.course.claims.claim import Claim, Evidence, Link, Verdict
from bcl_edu.course.claims.scoreboard import Checked, as_markdown, check, count_verdicts
from bcl_edu.course.claims.wrong_variants import WRONG_VARIANTS, WrongVariant, verdict_under

__all__ = [
    "CLAIMS",
    "WRONG_VARIANTS",
    "Checked",
    "Claim",
    "Evidence",
    "Link",
    "Verdict",
    "WrongVariant",
    "as_markdown",
    "check",
    "count_verdicts",
    "verdict_under",
]
