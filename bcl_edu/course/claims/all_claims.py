"""All claims by name, in the order of the paper."""

from __future__ import annotations

from bcl_edu.course.claims.about_comparisons import COMPARISON_CLAIMS
from bcl_edu.course.claims.about_data import DATA_CLAIMS
from bcl_edu.course.claims.about_losses import LOSS_CLAIMS
from bcl_edu.course.claims.about_simplex import SIMPLEX_CLAIMS
from bcl_edu.course.claims.about_tables import TABLE_CLAIMS
from bcl_edu.course.claims.about_theorems import THEOREM_CLAIMS
from bcl_edu.course.claims.claim import Claim

SECTIONS: dict[str, dict[str, Claim]] = {
    "the regular simplex": SIMPLEX_CLAIMS,
    "the theorems": THEOREM_CLAIMS,
    "the losses": LOSS_CLAIMS,
    "the data": DATA_CLAIMS,
    "the printed figures": COMPARISON_CLAIMS,
    "the tables": TABLE_CLAIMS,
}
"""Claims by subject."""

CLAIMS: dict[str, Claim] = {name: claim for claims in SECTIONS.values() for name, claim in claims.items()}
"""Every claim by its name."""
