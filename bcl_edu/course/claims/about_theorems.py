"""Claims of the theorems: inequalities, and when they are equalities."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from bcl_edu import geometry, losses
from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence, evidence_under
from bcl_edu.course.claims.samples import ROUNDING, TEMPERATURES, Batch, proved_optimum, random_batches
from bcl_edu.course.untrained import FirstBatch, untrained_embeddings

UNEQUAL = [(2, 2), (300, 7), (3, 2, 2), (5, 5, 5), (101, 100, 100), (200, 2, 2), (8, 4, 2, 1), (9,) * 4]
"""Class counts for which the optimum is compared with Theorem 3."""


def _gaps(name: str, gap: Callable[[Batch], Tensor]) -> Tensor:
    """Loss minus bound, of all anchors or all batches."""
    return torch.cat([torch.atleast_1d(gap(batch)).flatten() for batch in random_batches(name)])


def _is_a_bound(name: str, gap: Callable[[Batch], Tensor], what: str) -> Evidence:
    gaps = _gaps(name, gap)
    below = int((gaps < -ROUNDING).sum())
    smallest = gaps.min().item()
    how_far = f"by up to {-smallest:,.2f}" if below else f"the nearest is {max(smallest, 0):.1g} above it"
    return evidence((gaps >= -ROUNDING).tolist(), f"{below:,} of {len(gaps):,} {what} below it, {how_far}")


def _collapsed_simplexes() -> list[tuple[Tensor, Tensor, float]]:
    """Classes of unequal size collapsed onto the vertices of a regular simplex."""
    batches = []
    for k in (2, 3, 5):
        labels = torch.arange(k).repeat_interleave(torch.tensor([7, 4, 3, 2, 2][:k]))
        batches += [(geometry.regular_simplex(k)[labels], labels, tau) for tau in TEMPERATURES]
    return batches


def theorem_1_as_printed() -> Evidence:
    """Eq. 3 with the logarithm closed where the paper closes it."""
    return _is_a_bound(
        "theorem 1",
        lambda b: geometry.theorem_1(b.embeddings, b.labels, temperature=b.temperature, as_printed=True).gap,
        "anchors of random batches have a loss",
    )


def theorem_1() -> Evidence:
    """Eq. 3 with the logarithm closed at the end, as its proof gives it."""
    return _is_a_bound(
        "theorem 1",
        lambda b: geometry.theorem_1(b.embeddings, b.labels, temperature=b.temperature).gap,
        "anchors of random batches have a loss",
    )


def theorem_1_equality() -> Evidence:
    """Attained at collapse onto a simplex, and not by scattered samples."""
    tight = [
        geometry.theorem_1(z, y, temperature=tau).gap.abs().max() for z, y, tau in _collapsed_simplexes()
    ]
    apart = [
        geometry.theorem_1(b.embeddings, b.labels, temperature=b.temperature).gap.max()
        for position, b in enumerate(random_batches("theorem 1"))
        if position % 3 == 2  # scattered
    ]
    return evidence(
        [bool(gap < ROUNDING) for gap in tight] + [bool(gap > ROUNDING) for gap in apart],
        f"difference at most {max(tight):.0e} at collapsed simplices; {min(apart):.1g} or more in scattered batches",
    )


def theorem_2() -> Evidence:
    """The bound after class-averaging."""
    return _is_a_bound(
        "theorem 2",
        lambda b: geometry.theorem_2(b.embeddings, b.labels, temperature=b.temperature).gap,
        "anchors of random batches have a loss",
    )


def l1_above_l2() -> Evidence:
    """Jensen's inequality inside the class-averaged denominators."""

    def difference(b: Batch) -> Tensor:
        outside, inside = (
            losses.anchor_losses(
                b.embeddings,
                b.labels,
                b.prototypes,
                averaging=place,
                complement=True,
                temperature=b.temperature,
            ).value
            for place in ("outside", "inside")
        )
        return outside - inside

    gaps = _gaps("averaging", difference)
    return evidence(
        (gaps >= -ROUNDING).tolist(), f"{len(gaps):,} anchors, the smallest $L_1 - L_2$ is {gaps.min():.1g}"
    )


def theorem_3_bound() -> Evidence:
    """The certified optimum against the claimed value, for equal and unequal counts."""
    holds, worst = [], (0.0, "")
    for counts in UNEQUAL:
        for tau in TEMPERATURES:
            best = proved_optimum(counts, "bcl", tau)
            claimed = geometry.simplex_value(len(counts), tau).item()
            holds.append(best.value >= claimed - ROUNDING * max(claimed, 1e-12))
            sizes = ", ".join(map(str, counts))
            words = f"{sizes} samples, τ = {tau}: the loss can be {best.value:.4f}, claimed at least {claimed:.4f}"
            worst = max(worst, (claimed - best.value, words))
    return evidence(
        holds, f"{sum(not one for one in holds)} of {len(holds)} certified optima are below it; {worst[1]}"
    )


def theorem_3_only_at_the_simplex() -> Evidence:
    """Verdict on Theorem 3 from the place of the certified optimum."""
    found = {
        (counts, tau): proved_optimum(counts, "bcl", tau).deviation.rms
        for counts in UNEQUAL
        for tau in TEMPERATURES
    }
    return evidence_under(
        "equal class counts, or two classes",
        [rms < 1e-3 for rms in found.values()],
        [len(counts) == 2 or len(set(counts)) == 1 for counts, _ in found],
        f"simplex deviation of the optimum for 200, 2, 2 samples at τ = 1: {found[(200, 2, 2), 1.0]:.2f}; for 5, 5, 5: "
        f"{found[(5, 5, 5), 1.0]:.0e}",
    )


def merged_tails() -> list[tuple[Tensor, Tensor, float]]:
    """Collapsed classes whose small ones share a point opposite the large one: what undercuts the printed theorem."""
    batches = []
    for counts in ((200, 2, 2), (30, 2, 2), (300, 5, 3, 2)):
        labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        means = torch.tensor([[1.0, 0.0]] + [[-1.0, 0.0]] * (len(counts) - 1), dtype=torch.float64)
        batches += [(means[labels], labels, tau) for tau in TEMPERATURES]
    return batches


def theorem_3_corrected() -> Evidence:
    """With anchors averaged per class: random batches, prototypes anywhere, and the counter-examples."""
    gaps = [
        geometry.theorem_3_corrected(b.embeddings, b.labels, c, temperature=b.temperature).gap
        for b in random_batches("theorem 3")
        for c in (None, b.prototypes)
    ]
    gaps += [geometry.theorem_3_corrected(z, y, temperature=tau).gap for z, y, tau in merged_tails()]
    below = sum(bool(gap < -ROUNDING) for gap in gaps)
    return evidence(
        [bool(gap >= -ROUNDING) for gap in gaps],
        f"{below} of {len(gaps)} losses are below it, among them the counter-examples to the printed theorem; the "
        f"nearest is {max(min(map(float, gaps)), 0):.1g} above it",
    )


@cache
def _before_the_first_step(seed: int) -> FirstBatch:
    return untrained_embeddings(seed=seed)


def head_dominates() -> Evidence:
    """Share of the three largest classes in the gradient of SCL on the smallest one, before the first step."""
    shares = []
    for seed in range(5):
        z, labels, counts = _before_the_first_step(seed)
        share = geometry.gradient_shares(z, labels, loss="scl", temperature=0.1)[labels == 9].mean(dim=0)
        shares.append(float(share[:3].sum()))
    of_samples = float(counts[:3].sum() / counts[:9].sum())
    return evidence(
        [share > 0.5 for share in shares],
        f"long-tailed digits in {len(shares)} untrained networks: three of the nine other classes have "
        f"{of_samples:.0%} of the samples, and {min(shares):.0%} to {max(shares):.0%} of the gradient on the smallest",
    )


def averaging_balances() -> Evidence:
    """Share of each class in the class-averaged gradient where Theorem 2 is an equality, and elsewhere."""
    holds, elsewhere = [], []
    for num_classes in (3, 5, 8):
        sizes = torch.tensor([40, 20, 9, 4, 2, 2, 2, 2][:num_classes])
        labels = torch.arange(num_classes).repeat_interleave(sizes)
        for tau in TEMPERATURES:
            for means in (geometry.regular_simplex(num_classes), torch.eye(num_classes).double()):
                bound = geometry.theorem_2(means[labels], labels, temperature=tau)
                attained = bool(bound.gap.abs().max() < ROUNDING)
                holds.append(attained and _largest_share(means, labels, tau) < 1 / (num_classes - 1) + 1e-9)
        generator = torch.Generator().manual_seed(num_classes)
        anywhere = torch.randn(num_classes, 16, generator=generator, dtype=torch.float64)
        elsewhere.append(_largest_share(torch.nn.functional.normalize(anywhere), labels, 0.5))
    return evidence(
        holds,
        "at equidistant collapsed classes, where the bound is attained, each other class has the same share of every "
        f"anchor's gradient; elsewhere the nearest class has up to {max(elsewhere):.0%}, large or not",
    )


def _largest_share(means: Tensor, labels: Tensor, temperature: float) -> float:
    """Largest share of one class in the gradient of an anchor of the last class, under class-averaging."""
    shares = geometry.gradient_shares(means[labels], labels, loss="scl-averaging", temperature=temperature)
    return float(shares[labels == labels.max()].max())


_04 = "notebooks/04_theorem_1_attraction_and_repulsion.ipynb"
_05 = "notebooks/05_theorem_2_class_averaging.ipynb"
_06 = "notebooks/06_theorem_3_class_complement.ipynb"

THEOREM_CLAIMS = {
    "theorem-1-printed": Claim(
        "Theorem 1, Eq. 3",
        "$L_i ≥ \\log(|B_y|-1) + |B_y^C| \\exp(\\ldots)$, with the logarithm closed where it is printed.",
        "loss and right side of every anchor of random batches",
        theorem_1_as_printed,
        (Link(_04, "7. A misprint that you can refute"),),
    ),
    "theorem-1": Claim(
        "Theorem 1, as its proof ends",
        "$L_i ≥ \\log\\bigl(|B_y|-1 + |B_y^C| \\exp((r_i - a_i)/τ)\\bigr)$.",
        "loss and bound of every anchor of random batches",
        theorem_1,
        (
            Link(_04, "4. The proof, line by line"),
            Link("tests/geometry/test_bounds.py", "test_theorem_1_holds_for_every_configuration"),
        ),
    ),
    "theorem-1-equality": Claim(
        "Theorem 1, equality",
        "The bound is attained where classes have collapsed and are equally far apart.",
        "difference at collapsed simplices, and for scattered samples",
        theorem_1_equality,
        (Link(_04, "6. When is the bound attained?"),),
    ),
    "head-dominates": Claim(
        "section 3, on Theorem 1",
        "Under SCL the head classes dominate the repulsion of an anchor.",
        "gradient on the smallest class, embeddings as the loss first meets them",
        head_dominates,
        (Link(_04, "8. Who decides?"),),
    ),
    "theorem-2": Claim(
        "Theorem 2, Eq. 4",
        "After class-averaging $L_i ≥ \\log\\bigl(1 + (Q-1) \\exp((r_i - a_i)/τ)\\bigr)$, $Q$ classes in the batch.",
        "loss and bound of every anchor of random batches",
        theorem_2,
        (
            Link(_05, "3. The bound after averaging"),
            Link("tests/geometry/test_bounds.py", "test_theorem_2_holds_for_every_configuration"),
        ),
    ),
    "averaging-balances": Claim(
        "section 3, class-averaging",
        "Where the class-averaged loss attains its bound, every negative class contributes equally to the gradient.",
        "gradient of each class's samples at equidistant collapsed classes of unequal size",
        averaging_balances,
        (Link(_05, "2. Who pushes, before and after"),),
    ),
    "l1-l2": Claim(
        "Eq. 6 and Eq. 7",
        "$L_1 ≥ L_2$.",
        "both losses of every anchor of random batches",
        l1_above_l2,
        (
            Link(_05, "4. Three ways to average"),
            Link("tests/losses/test_class_averaging.py", "test_outside_is_at_least_inside_for_every_anchor"),
        ),
    ),
    "theorem-3": Claim(
        "Theorem 3",
        "With every class in the batch, $\\sum_i L_i ≥ |D| \\log\\bigl(1 + (K-1) \\exp(-\\frac{K}{K-1})\\bigr)$, "
        "whatever the class counts.",
        "certified optimum against the right side, equal and unequal counts",
        theorem_3_bound,
        (
            Link(_06, "4. A counter-example to hold in your hands"),
            Link(_06, "5. How unequal is too unequal?"),
        ),
    ),
    "theorem-3-equality": Claim(
        "Theorem 3, equality",
        "The minimum is attained only at the regular simplex.",
        "simplex deviation of the certified optimum",
        theorem_3_only_at_the_simplex,
        (Link(_06, "3. The line that needs equal counts"),),
    ),
    "theorem-3-corrected": Claim(
        "not in the paper: our correction",
        "With the anchors averaged per class, $\\frac1K \\sum_y \\frac1{|B_y|} \\sum_{i∈B_y} L_i ≥ \\log\\bigl(1 + "
        "(K-1) \\exp(-\\frac{K}{(K-1)τ})\\bigr)$, whatever the class counts and prototypes.",
        "loss and bound of random batches, without and with prototypes, and of the counter-examples",
        theorem_3_corrected,
        (Link(_06, "6. The theorem that is true"), Link(_06, "7. The same with prototypes")),
    ),
}
