"""Claims about the losses, Eq. 8 to Eq. 11, and about what class-complement does."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from bcl_edu import data, geometry, losses
from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence
from bcl_edu.course.claims.samples import ROUNDING, random_batches
from bcl_edu.rows import ROWS


def bcl_at_collapse() -> Evidence:
    """Eq. 9 of collapsed classes against its closed form, in which each class is one term."""
    differences = []
    for batch in random_batches("collapse"):
        k = len(batch.prototypes)
        collapsed, labels = batch.prototypes[batch.labels], batch.labels
        loss = losses.balanced_contrastive_loss(
            collapsed, labels, batch.prototypes, temperature=batch.temperature
        )
        terms = ((geometry.cosine_matrix(batch.prototypes) - 1) / batch.temperature).exp()
        share = torch.bincount(labels, minlength=k).double() / len(labels)
        closed_form = share @ terms.fill_diagonal_(1).sum(dim=1).log()
        differences.append(abs(float(loss) - float(closed_form)))
    return evidence(
        [difference < ROUNDING for difference in differences],
        f"{len(differences)} collapsed batches, largest difference {max(differences):.0e}",
    )


def complement_reaches_absent_classes() -> Evidence:
    """Share of the gradient that comes from classes without a sample in the batch."""
    shares = []
    for batch in random_batches("complement", 60):
        absent = batch.labels.max()
        present = batch.labels < absent
        if absent < 2:
            continue
        z, y = batch.embeddings[present], batch.labels[present]
        with_prototypes = geometry.gradient_shares(z, y, batch.prototypes, loss="bcl", temperature=1.0)
        without = geometry.gradient_shares(z, y, batch.prototypes, loss="scl-averaging", temperature=1.0)
        shares.append((float(with_prototypes[:, absent].min()), float(without.nan_to_num()[:, absent].max())))
    least = min(share for share, _ in shares)
    return evidence(
        [share > 0 and without == 0 for share, without in shares],
        f"an absent class has at least {least:.1%} of every anchor's gradient with its prototype in the batch, none "
        "without",
    )


def logit_compensation() -> Evidence:
    """Eq. 10 against cross-entropy of logits to which the logarithm of the training prior was added."""
    differences = []
    for batch in random_batches("compensation", 60):
        k = len(batch.prototypes)
        counts = data.exponential_profile(500, k, 100)
        logits = 5 * batch.embeddings @ batch.prototypes.T
        ours = losses.logit_compensated_cross_entropy(logits, batch.labels, counts)
        prior = counts.double() / counts.sum()
        differences.append(abs(float(ours - cross_entropy(logits + prior.log(), batch.labels))))
    return evidence(
        [difference < 1e-6 for difference in differences],
        f"{len(differences)} batches, largest difference {max(differences):.0e}",
    )


def compensation_is_consistent() -> Evidence:
    """With the logits of the balanced posterior, Eq. 10 is stationary on long-tailed data."""
    slopes = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        likelihood = torch.rand(8, 4, generator=generator, dtype=torch.float64) + 0.05  # p(x | y), 8 places x
        likelihood /= likelihood.sum(dim=0)
        counts = data.exponential_profile(1000, 4, 100)
        joint = likelihood * counts / counts.sum()  # of the long-tailed data
        logits = likelihood.log().requires_grad_()  # of the balanced posterior, up to a constant a row
        places, labels = torch.arange(8).repeat_interleave(4), torch.arange(4).repeat(8)
        each = [
            losses.logit_compensated_cross_entropy(logits[x][None], y[None], counts)
            for x, y in zip(places, labels, strict=True)
        ]
        (slope,) = torch.autograd.grad(joint.flatten() @ torch.stack(each), logits)
        slopes.append(float(slope.abs().max()))
    return evidence(
        [slope < 1e-6 for slope in slopes],
        f"{len(slopes)} random problems, largest slope at the classifier of balanced data {max(slopes):.0e}",
    )


def weighted_sum() -> Evidence:
    """Eq. 11, and the weights that the recipes of the paper's CIFAR rows have."""
    rows = [row.recipe for name, row in ROWS.items() if name.startswith("cifar") and name.endswith("-bcl")]
    holds = []
    for recipe in rows:
        total = losses.weighted_total(
            torch.tensor(3.0), torch.tensor(5.0), lambda_=recipe.lambda_, mu=recipe.mu
        )
        holds.append(abs(float(total) - (2.0 * 3 + 0.6 * 5)) < 1e-5)
    return evidence(holds, f"{len(rows)} recipes of CIFAR, λ = 2.0 and μ = 0.6")


LOSS_CLAIMS = {
    "eq-9": Claim(
        "Eq. 9",
        "BCL: every class, with its prototype, is averaged in the denominator.",
        "collapsed batches against a closed form",
        bcl_at_collapse,
        (
            Link("notebooks/07_simplex_distortion.ipynb", "2. A valley without side valleys"),
            Link(
                "tests/losses/test_balanced.py", "test_value_and_gradient_are_those_of_the_authors_definition"
            ),
        ),
    ),
    "complement": Claim(
        "section 3.3, class-complement",
        "With the prototypes in the batch, all classes take part in every mini-batch.",
        "gradient of a class without samples in the batch",
        complement_reaches_absent_classes,
        (
            Link("notebooks/05_theorem_2_class_averaging.ipynb", "6. What one vote a class does not repair"),
            Link(
                "tests/geometry/test_gradient_shares.py", "test_only_the_complement_lets_a_missing_class_push"
            ),
        ),
    ),
    "eq-10": Claim(
        "Eq. 10",
        "Logit compensation with $δ_y = \\log P_y$ and $α_y = 1$ is cross-entropy of logits with the log prior added.",
        "both computed",
        logit_compensation,
        (Link("tests/losses/test_logit_compensation.py", "test_is_equation_10"),),
    ),
    "eq-10-balanced": Claim(
        "section 3, on Eq. 10",
        "Logit compensation corrects the bias of the prior: trained on the long tail, it gives the classifier of "
        "balanced data.",
        "slope of Eq. 10 at the balanced classifier, data distributions with known answer",
        compensation_is_consistent,
        (Link("notebooks/02_long_tails.ipynb", "2. What the frequency alone does"),),
    ),
    "eq-11": Claim(
        "Eq. 11, section 4.2",
        "$L = λ L_{LC} + μ L_{BCL}$, on CIFAR with λ = 2.0 and μ = 0.6.",
        "total loss of the rows' recipes",
        weighted_sum,
        (Link("tests/losses/test_total.py", "test_is_equation_11"),),
    ),
}
