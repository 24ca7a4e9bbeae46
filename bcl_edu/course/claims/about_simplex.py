"""Claims about the regular simplex, and about who reaches it."""

from __future__ import annotations

import torch

from bcl_edu import data, geometry
from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence, evidence_under
from bcl_edu.course.claims.samples import proved_optimum, random_batches

AT_SIMPLEX = 1e-3
"""Largest rms deviation of what is called a regular simplex; optima are known to about 1e-5."""


def simplex_exists() -> Evidence:
    """The construction, by its definition, in the smallest dimension and in larger ones."""
    sizes = [(k, k - 1 + extra) for k in range(2, 13) for extra in (0, 1, 5)]
    holds = [geometry.check_regular_simplex(geometry.regular_simplex(k, h)).is_regular for k, h in sizes]
    return evidence(holds, f"{sum(holds)} of {len(sizes)} pairs (K, h) with K ≤ h + 1")


def simplex_needs_room() -> Evidence:
    """K vectors with the simplex's products span K - 1 dimensions, so they do not fit into fewer."""
    ranks = {k: int(torch.linalg.matrix_rank(_simplex_gram(k))) for k in range(2, 13)}
    return evidence([rank == k - 1 for k, rank in ranks.items()], f"rank K − 1 for K = 2 to {max(ranks)}")


def _simplex_gram(num_classes: int) -> torch.Tensor:
    """Products that the definition asks for."""
    k = num_classes
    return torch.full((k, k), -1 / (k - 1), dtype=torch.float64).fill_diagonal_(1)


def simplex_is_ideal() -> Evidence:
    """No arrangement of K unit vectors keeps its closest pair further apart than the regular simplex does."""
    holds = []
    for batch in random_batches("ideal"):
        k = len(batch.prototypes)
        apart = ~torch.eye(k, dtype=torch.bool)
        simplex = geometry.cosine_matrix(geometry.regular_simplex(k))[apart].max()
        holds.append(bool(geometry.cosine_matrix(batch.prototypes)[apart].max() >= simplex - 1e-9))
    return evidence(holds, f"the closest pair of {len(holds)} random arrangements was never further apart")


PROFILES = [(k, factor) for k in (3, 5, 10) for factor in (1, 2, 10, 100)]


def _deviation(loss: str, num_classes: int, factor: int, temperature: float) -> float:
    counts = data.exponential_profile(5000, num_classes, factor)
    return proved_optimum(counts, loss, temperature).deviation.rms


def _deviations(loss: str, factors: tuple[int, ...]) -> dict[tuple[int, int, float], float]:
    return {
        (k, factor, tau): _deviation(loss, k, factor, tau)
        for k, factor in PROFILES
        if factor in factors
        for tau in (0.1, 1.0)
    }


def scl_balanced() -> Evidence:
    """Equal classes under SCL."""
    found = _deviations("scl", (1,))
    return evidence(
        [rms < AT_SIMPLEX for rms in found.values()],
        f"certified optima deviate by at most {max(found.values()):.0e}",
    )


def scl_long_tailed() -> Evidence:
    """Unequal classes under SCL."""
    found = _deviations("scl", (2, 10, 100))
    return evidence(
        [rms > AT_SIMPLEX for rms in found.values()],
        f"certified optima deviate by {min(found.values()):.3f} to {max(found.values()):.3f} (rms)",
    )


def bcl_forms_a_simplex() -> Evidence:
    """BCL as printed, classes equal or not."""
    found = _deviations("bcl", (1, 2, 10, 100))
    worst = found[10, 100, 0.1]
    return evidence_under(
        "equal class counts",
        [rms < AT_SIMPLEX for rms in found.values()],
        [factor == 1 for _, factor, _ in found],
        f"ten classes, factor 100, τ = 0.1: the certified optimum deviates by {worst:.3f}, SCL's by "
        f"{_deviation('scl', 10, 100, 0.1):.3f}",
    )


def class_anchors_form_a_simplex() -> Evidence:
    """BCL with its anchors averaged per class, classes equal or not."""
    found = _deviations("bcl-class-anchors", (1, 2, 10, 100))
    return evidence(
        [rms < AT_SIMPLEX for rms in found.values()],
        f"certified optima deviate by at most {max(found.values()):.0e}",
    )


SIMPLEX_CLAIMS = {
    "simplex-exists": Claim(
        "section 3, definition",
        "A regular simplex of $K$ unit vectors (equal products, sum 0) exists in $h$ dimensions if $K ≤ h + 1$.",
        "constructed, and checked against the three conditions",
        simplex_exists,
        (Link("notebooks/03_regular_simplex.ipynb", "3. Building one"),),
    ),
    "simplex-room": Claim(
        "section 3, definition",
        "… and only if $K ≤ h + 1$.",
        "rank of the matrix of its products",
        simplex_needs_room,
        (Link("notebooks/03_regular_simplex.ipynb", "5. Room for K"),),
    ),
    "simplex-ideal": Claim(
        "section 3",
        "The regular simplex is an ideal geometry: its classes are equally far apart, and as far as they can be.",
        "largest cosine of random arrangements, compared with that of the simplex",
        simplex_is_ideal,
        (Link("notebooks/03_regular_simplex.ipynb", "4. Why it is ideal"),),
    ),
    "scl-balanced": Claim(
        "sections 1 and 3",
        "On balanced data SCL is minimised by classes collapsed to a regular simplex.",
        "certified optimum for equal counts",
        scl_balanced,
        (
            Link("notebooks/03_regular_simplex.ipynb", "4. Why it is ideal"),
            Link("tests/geometry/test_optimum.py", "test_equal_counts_give_the_simplex_under_every_loss"),
        ),
    ),
    "scl-long-tailed": Claim(
        "abstract, section 3",
        "On long-tailed data SCL does not form a regular simplex.",
        "certified optimum at factors 2, 10, 100",
        scl_long_tailed,
        (Link("notebooks/07_simplex_distortion.ipynb", "5. Is BCL nearer to the simplex than SCL?"),),
    ),
    "bcl-simplex": Claim(
        "abstract, section 3.3",
        "BCL satisfies the condition of forming a regular simplex.",
        "certified optimum of Eq. 9, classes equal or not",
        bcl_forms_a_simplex,
        (
            Link("notebooks/07_simplex_distortion.ipynb", "5. Is BCL nearer to the simplex than SCL?"),
            Link("notebooks/06_theorem_3_class_complement.ipynb", "6. The theorem that is true"),
        ),
    ),
    "class-anchors-simplex": Claim(
        "not in the paper: our correction",
        "BCL with its anchors averaged per class as well is minimised by a regular simplex, whatever the class counts.",
        "certified optimum, classes equal or not",
        class_anchors_form_a_simplex,
        (Link("notebooks/06_theorem_3_class_complement.ipynb", "6. The theorem that is true"),),
    ),
}
