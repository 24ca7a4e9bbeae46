"""Claims about the losses, Eq. 8 to Eq. 11, and about what class-complement does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from bcl_edu import data, geometry, losses
from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence, evidence_under
from bcl_edu.course.claims.samples import ROUNDING, Batch, random_batches
from bcl_edu.rows import ROWS
from bcl_edu.rows.bcl_rows import BCL


def equation_9(batch: Batch) -> float:
    """Eq. 9 written down once more, class by class, sharing nothing with `bcl_edu.losses`."""
    z, y, c, tau = batch
    losses_of_anchors = []
    for i in range(len(z)):
        not_itself = torch.arange(len(z)) != i
        denominator = torch.zeros((), dtype=z.dtype)
        for j in range(len(c)):
            members = torch.cat([z[(y == j) & not_itself], c[j : j + 1]])  # B_j without i, and c_j
            denominator += (members @ z[i] / tau).exp().mean()
        positives = torch.cat([z[(y == y[i]) & not_itself], c[y[i]][None]])
        losses_of_anchors.append(denominator.log() - (positives @ z[i] / tau).mean())
    return float(torch.stack(losses_of_anchors).mean())


def bcl_is_equation_9() -> Evidence:
    """The package's BCL against Eq. 9, embeddings and prototypes anywhere on the sphere."""
    differences = []
    for batch in random_batches("equation 9", 60):
        loss = losses.balanced_contrastive_loss(
            batch.embeddings, batch.labels, batch.prototypes, temperature=batch.temperature
        )
        differences.append(abs(float(loss) - equation_9(batch)))
    return evidence(
        [difference < ROUNDING for difference in differences],
        f"{len(differences)} batches, scattered and collapsed, largest difference {max(differences):.0e}",
    )


def l3_is_equation_8() -> Evidence:
    """The package's L3 against a softmax over the prototypes."""
    differences = []
    for batch in random_batches("equation 8", 60):
        loss = losses.class_averaged_loss(
            batch.embeddings,
            batch.labels,
            batch.prototypes,
            averaging="prototypes",
            temperature=batch.temperature,
        )
        logits = batch.embeddings @ batch.prototypes.T / batch.temperature
        differences.append(abs(float(loss - cross_entropy(logits, batch.labels))))
    return evidence(
        [difference < ROUNDING for difference in differences],
        f"{len(differences)} batches, largest difference {max(differences):.0e}",
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
    """Slope of Eq. 10 on unlimited long-tailed data, at the best classifier of balanced data.

    Eight places x on a line, four classes, known p(x | y). A table of logits can represent the posterior of balanced
    data; one straight line a class cannot.
    """
    slopes: dict[str, list[float]] = {"table": [], "lines": []}
    position = torch.linspace(-1, 1, 8, dtype=torch.float64)
    features = {
        "table": torch.eye(8, dtype=torch.float64),
        "lines": torch.stack([position, torch.ones(8, dtype=torch.float64)], dim=1),
    }
    places, labels = torch.arange(8).repeat_interleave(4), torch.arange(4).repeat(8)
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        likelihood = torch.rand(8, 4, generator=generator, dtype=torch.float64) + 0.05  # p(x | y)
        likelihood /= likelihood.sum(dim=0)
        counts = data.exponential_profile(1000, 4, 100)
        joint = likelihood * counts / counts.sum()  # p(x, y) of the long tail
        for name, of_place in features.items():
            weights = _best_on_balanced_data(of_place, likelihood).requires_grad_()
            logits = of_place @ weights
            each = [
                losses.logit_compensated_cross_entropy(logits[x][None], y[None], counts)
                for x, y in zip(places, labels, strict=True)
            ]
            (slope,) = torch.autograd.grad(joint.flatten() @ torch.stack(each), weights)
            slopes[name].append(float(slope.abs().max()))
    return evidence_under(
        "unlimited data, and a classifier that can represent the balanced posterior",
        [slope < 1e-6 for slope in slopes["table"] + slopes["lines"]],
        [True] * len(slopes["table"]) + [False] * len(slopes["lines"]),
        f"slope at the best classifier of balanced data: at most {max(slopes['table']):.0e} for a table of logits, "
        f"{min(slopes['lines']):.0e} to {max(slopes['lines']):.0e} for a straight line a class",
    )


def _best_on_balanced_data(features: Tensor, likelihood: Tensor) -> Tensor:
    """Weights of the linear classifier that minimises cross-entropy where all classes are equally frequent."""
    if features.shape[0] == features.shape[1]:
        return torch.linalg.solve(features, likelihood.log())  # the posterior itself, up to a constant a row
    weights = torch.zeros(features.shape[1], likelihood.shape[1], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weights], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = -(likelihood * log_softmax(features @ weights, dim=1)).mean()
        value.backward()
        return value

    solver.step(closure)
    return weights.detach()


def weighted_sum() -> Evidence:
    """Eq. 11, and the weights that the recipes of the paper's CIFAR rows have."""
    recipes = [row.recipe for name, row in ROWS.items() if name.startswith("cifar") and name.endswith("-bcl")]
    rows = [recipe.method for recipe in recipes if isinstance(recipe.method, BCL)]
    holds = []
    for options in rows:
        total = losses.weighted_total(
            torch.tensor(3.0), torch.tensor(5.0), lambda_=options.lambda_, mu=options.mu
        )
        holds.append(abs(float(total) - (2.0 * 3 + 0.6 * 5)) < 1e-5)
    return evidence(holds, f"{len(rows)} recipes of CIFAR, λ = 2.0 and μ = 0.6")


LOSS_CLAIMS = {
    "eq-8": Claim(
        "Eq. 8",
        "$L_3$ compares a sample with the prototypes alone: $-\\log \\exp(z_i·c_y/τ) / \\sum_j \\exp(z_i·c_j/τ)$.",
        "the package's $L_3$ against a softmax over the prototypes",
        l3_is_equation_8,
        (Link("tests/losses/test_class_averaging.py", "test_l3_is_cross_entropy_over_prototype_logits"),),
    ),
    "eq-9": Claim(
        "Eq. 9",
        "BCL: every class, with its prototype, is averaged in the denominator.",
        "the package's BCL against the equation written class by class, embeddings and prototypes anywhere",
        bcl_is_equation_9,
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
            Link("notebooks/05_theorem_2_class_averaging.ipynb", "5. What averaging does not repair"),
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
        "slope of Eq. 10 at the balanced classifier, for one that can represent the answer and one that cannot",
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
