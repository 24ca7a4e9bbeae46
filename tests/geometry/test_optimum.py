"""Certified optima against an independent solver, against the losses themselves, and against what is known of them."""

import math

import cvxpy
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bcl_edu import geometry, losses

CONTRASTIVE = ["scl", "scl-complement", "scl-averaging", "bcl", "bcl-class-anchors"]


def exponential(largest: float, num_classes: int, imbalance_factor: float) -> np.ndarray:
    """The long-tailed profile without its floor."""
    return largest * imbalance_factor ** (-np.arange(num_classes) / (num_classes - 1))


def random_gram(num_classes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(num_classes, num_classes, generator=generator, dtype=torch.float64)
    return geometry.cosine_matrix(points)


def loss_of_samples(name: str, embeddings: Tensor, labels: Tensor, prototypes: Tensor, tau: float) -> float:
    """The same loss, from bcl_edu.losses."""
    kind = geometry.LOSSES[name]
    assert isinstance(kind, losses.Contrastive)
    return losses.contrastive_loss(
        embeddings,
        labels,
        prototypes if kind.complement else None,
        averaging=kind.averaging,
        complement=kind.complement,
        class_balanced_anchors=kind.class_balanced_anchors,
        temperature=tau,
    ).item()


# ---- the program is the loss


@pytest.mark.parametrize("tau", [0.1, 1.0])
@pytest.mark.parametrize("loss", [*CONTRASTIVE, "bcl-inside", "bcl-prototypes"])
def test_collapsed_loss_is_the_loss_of_collapsed_samples(loss: str, tau: float) -> None:
    gram, counts = random_gram(4, seed=1), [7, 3, 2, 2]
    means = torch.linalg.cholesky(gram)
    labels = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
    expected = loss_of_samples(loss, means[labels], labels, means, tau)
    assert geometry.collapsed_loss(gram, counts, loss, temperature=tau) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_a_distribution_of_batches_averages_their_losses(loss: str) -> None:
    gram, tau = random_gram(3, seed=2), 0.5
    means = torch.linalg.cholesky(gram)
    batches = geometry.every_batch([4, 2, 1], 3, views=1)  # with classes missing, and classes alone
    expected = 0.0
    for counts, probability in zip(batches.counts, batches.probabilities, strict=True):
        labels = torch.repeat_interleave(torch.arange(3), torch.from_numpy(counts).long())
        expected += probability * loss_of_samples(loss, means[labels], labels, means, tau)
    assert geometry.collapsed_loss(gram, batches, loss, temperature=tau) == pytest.approx(expected, rel=1e-12)


def test_terms_are_what_the_docstring_says_for_scl() -> None:
    terms = geometry.collapsed_terms([5, 3, 2], "scl")
    assert terms.anchor.tolist() == [0, 1, 2]
    assert terms.weight == pytest.approx([0.5, 0.3, 0.2])
    assert terms.own == pytest.approx([4, 2, 1])
    assert terms.others == pytest.approx(np.array([[0, 3, 2], [5, 0, 2], [5, 3, 0]]))


def test_bcl_does_not_depend_on_how_batches_are_composed() -> None:
    whole, batches = (
        geometry.collapsed_terms(classes, "bcl")
        for classes in ([6, 3, 1], geometry.every_batch([6, 3, 1], 4))
    )
    assert batches.weight == pytest.approx(whole.weight)
    assert np.array_equal(batches.others, whole.others)


# ---- convexity, which everything rests on


@given(
    loss=st.sampled_from(CONTRASTIVE),
    tau=st.sampled_from([0.05, 0.1, 1.0, 10.0]),
    counts=st.lists(st.integers(2, 500), min_size=2, max_size=6),
    seed=st.integers(0, 2**31),
)
def test_losses_are_convex_along_segments_of_gram_matrices(
    loss: str, tau: float, counts: list[int], seed: int
) -> None:
    start, end = random_gram(len(counts), seed), random_gram(len(counts), seed + 1)
    value = [
        geometry.collapsed_loss(start + (end - start) * share, counts, loss, temperature=tau)
        for share in torch.linspace(0, 1, 9, dtype=torch.float64)
    ]
    second_difference = np.diff(value, 2)
    assert second_difference.min() > -1e-12 * max(1.0, max(np.abs(value)))


# ---- against an independent solver


def independent_minimum(terms: geometry.Terms) -> tuple[float, np.ndarray]:
    """The same convex program handed to cvxpy and Clarabel, term by term."""
    size = terms.others.shape[1]
    gram = cvxpy.Variable((size, size), PSD=True)
    value = 0
    for weight, anchor, own, others in zip(terms.weight, terms.anchor, terms.own, terms.others, strict=True):
        used = np.flatnonzero(others)
        logits = [math.log(own)] + [
            math.log(others[j]) + (gram[anchor, j] - 1) / terms.temperature for j in used
        ]
        value = value + weight * cvxpy.log_sum_exp(cvxpy.hstack(logits))
    problem = cvxpy.Problem(cvxpy.Minimize(value), [cvxpy.diag(gram) == 1])
    problem.solve(solver=cvxpy.CLARABEL)
    return float(problem.value), gram.value


@pytest.mark.parametrize("tau", [0.3, 1.0])
@pytest.mark.parametrize("loss", CONTRASTIVE)
@pytest.mark.parametrize("counts", [[200, 2, 2], [50, 20, 8, 3], [40, 40, 4, 4, 2]])
def test_optimum_agrees_with_cvxpy(counts: list[int], loss: str, tau: float) -> None:
    optimum = geometry.certified_optimum(counts, loss, temperature=tau)
    expected, gram = independent_minimum(geometry.collapsed_terms(counts, loss, temperature=tau))
    assert optimum.certified
    assert optimum.value == pytest.approx(expected, abs=1e-7)
    assert optimum.gram.numpy() == pytest.approx(gram, abs=3e-3)  # Clarabel's answer is that accurate
    assert optimum.lower_bound <= expected + 1e-7


def test_optimum_over_mini_batches_agrees_with_cvxpy() -> None:
    batches = geometry.every_batch([6, 2, 2], 3)
    optimum = geometry.certified_optimum(batches, "scl", temperature=0.5)
    expected, _ = independent_minimum(geometry.collapsed_terms(batches, "scl", temperature=0.5))
    assert optimum.certified
    assert optimum.value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("average_norms", [False, True])
@pytest.mark.parametrize("loss", ["ce", "lc"])
def test_cross_entropy_agrees_with_cvxpy(loss: str, average_norms: bool) -> None:
    counts, scale = np.array([20.0, 5.0, 5.0, 1.0]), 4.0
    prior = counts / counts.sum()
    delta = np.log(prior) if loss == "lc" else np.zeros(4)
    gram = cvxpy.Variable((8, 8), PSD=True)
    value = 0
    for y in range(4):
        logits = cvxpy.hstack([scale * gram[y, 4 + k] + delta[k] for k in range(4)])
        value = value + prior[y] * (cvxpy.log_sum_exp(logits) - scale * gram[y, 4 + y] - delta[y])
    norms = cvxpy.diag(gram)
    limits = [cvxpy.sum(norms[:4]) <= 4, cvxpy.sum(norms[4:]) <= 4] if average_norms else [norms <= 1]
    problem = cvxpy.Problem(cvxpy.Minimize(value), limits)
    problem.solve(solver=cvxpy.CLARABEL)

    optimum = geometry.certified_optimum(counts, loss, temperature=1 / scale, average_norms=average_norms)
    assert optimum.certified
    assert optimum.value == pytest.approx(float(problem.value), abs=1e-7)
    assert optimum.keys is not None
    products = (optimum.means @ optimum.keys.T).numpy()
    assert products == pytest.approx(gram.value[:4, 4:], abs=3e-3)


@pytest.mark.parametrize("loss", ["scl-complement", "bcl", "bcl-class-anchors"])
def test_free_prototypes_agree_with_cvxpy(loss: str) -> None:
    counts, tau = np.array([12.0, 3.0, 1.0]), 0.4
    gram = cvxpy.Variable((6, 6), PSD=True)
    value = 0
    for y, n in enumerate(counts):
        weight = 1 / 3 if loss == "bcl-class-anchors" else n / counts.sum()
        averaged = loss != "scl-complement"
        logits = []
        for j, m in enumerate(counts):
            samples, members = (n - 1, n) if j == y else (m, m + 1)
            divisor = members if averaged else 1.0
            similarity = 1.0 if j == y else gram[y, j]
            if samples:
                logits.append(math.log(samples / divisor) + similarity / tau)
            logits.append(math.log(1 / divisor) + gram[y, 3 + j] / tau)
        positive = ((n - 1) + gram[y, 3 + y]) / n / tau
        value = value + weight * (cvxpy.log_sum_exp(cvxpy.hstack(logits)) - positive)
    problem = cvxpy.Problem(cvxpy.Minimize(value), [cvxpy.diag(gram) == 1])
    problem.solve(solver=cvxpy.CLARABEL)

    optimum = geometry.certified_optimum(counts, loss, temperature=tau, prototypes="free")
    assert optimum.certified
    assert optimum.value == pytest.approx(float(problem.value), abs=1e-7)


@pytest.mark.parametrize("tau", [0.4, 1.0])
def test_l3_with_free_prototypes_agrees_with_cvxpy(tau: float) -> None:
    """Cross-entropy with class means and prototypes on the sphere, written down anew."""
    counts = np.array([12.0, 3.0, 1.0])
    gram = cvxpy.Variable((6, 6), PSD=True)
    value = 0
    for y, n in enumerate(counts):
        logits = cvxpy.hstack([gram[y, 3 + j] / tau for j in range(3)])
        value = value + n / 16 * (cvxpy.log_sum_exp(logits) - gram[y, 3 + y] / tau)
    problem = cvxpy.Problem(cvxpy.Minimize(value), [cvxpy.diag(gram) == 1])
    problem.solve(solver=cvxpy.CLARABEL)

    optimum = geometry.certified_optimum(counts, "bcl-prototypes", temperature=tau, prototypes="free")
    assert optimum.certified
    assert optimum.value == pytest.approx(float(problem.value), abs=1e-7)


# ---- what is known of the optima


@pytest.mark.parametrize("tau", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("imbalance_factor", [1.0, 10.0, 100.0, 1000.0])
def test_with_class_averaged_anchors_the_optimum_is_the_simplex(imbalance_factor: float, tau: float) -> None:
    optimum = geometry.certified_optimum(
        exponential(5000, 10, imbalance_factor), "bcl-class-anchors", temperature=tau
    )
    off_diagonal = optimum.gram[~torch.eye(10, dtype=torch.bool)]
    assert (off_diagonal + 1 / 9).abs().max().item() < 1e-9
    expected = math.log1p(9 * math.exp(-10 / (9 * tau)))
    assert optimum.value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("tau", [0.1, 1.0])
@pytest.mark.parametrize("counts", [[200, 2, 2], [40, 9, 4, 1], [500, 100, 20, 5, 5]])
def test_with_class_averaged_anchors_free_prototypes_end_at_the_simplex_too(
    counts: list[int], tau: float
) -> None:
    optimum = geometry.certified_optimum(counts, "bcl-class-anchors", temperature=tau, prototypes="free")
    assert optimum.certified
    assert optimum.deviation.rms < 1e-6
    assert optimum.keys is not None
    assert (optimum.keys - optimum.means).abs().max().item() < 1e-5


def test_free_prototypes_can_go_below_the_bound_of_tied_ones() -> None:
    tied, free = (
        geometry.certified_optimum([20, 2, 2], "bcl", temperature=1.0, prototypes=where)
        for where in ("tied", "free")
    )
    assert tied.certified
    assert free.certified
    assert free.value == pytest.approx(0.317772, abs=1e-6)
    assert free.value < tied.lower_bound - 0.001


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_equal_counts_give_the_simplex_under_every_loss(loss: str) -> None:
    optimum = geometry.certified_optimum([30] * 6, loss)
    assert geometry.check_regular_simplex(optimum.means, tolerance=1e-7).is_regular


@pytest.mark.parametrize("tau", [0.1, 1.0])
@pytest.mark.parametrize("prototypes", ["tied", "free"])
def test_equal_counts_give_the_simplex_under_l3(prototypes: str, tau: float) -> None:
    optimum = geometry.certified_optimum([30] * 6, "bcl-prototypes", temperature=tau, prototypes=prototypes)
    assert optimum.certified
    assert optimum.value == pytest.approx(geometry.simplex_value(6, tau).item(), rel=1e-9)
    assert geometry.check_regular_simplex(optimum.means, tolerance=1e-6).is_regular
    if optimum.keys is not None:
        assert optimum.keys.numpy() == pytest.approx(optimum.means.numpy(), abs=1e-6)


def test_descending_on_l3_with_free_samples_and_prototypes_ends_at_the_certified_optimum() -> None:
    counts, tau = [4, 2, 1], 0.5
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    optimum = geometry.certified_optimum(counts, "bcl-prototypes", temperature=tau, prototypes="free")
    generator = torch.Generator().manual_seed(0)
    free = torch.randn(10, 10, generator=generator, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([free], max_iter=2000, line_search_fn="strong_wolfe", tolerance_grad=1e-11)

    def closure() -> Tensor:
        solver.zero_grad()
        unit = torch.nn.functional.normalize(free)
        value = losses.class_averaged_loss(
            unit[:7], labels, unit[7:], averaging="prototypes", temperature=tau
        )
        value.backward()
        return value

    solver.step(closure)  # type: ignore[no-untyped-call]
    assert optimum.certified
    assert closure().item() == pytest.approx(optimum.value, abs=1e-7)


@pytest.mark.parametrize(
    ("tau", "loss", "smallest", "largest"),
    [
        (0.1, "scl", -0.2071, 0.0861),
        (0.1, "bcl", -0.1990, 0.0879),
        (1.0, "scl", -0.5562, 0.2785),
        (1.0, "bcl", -0.7192, 0.9999),
    ],
)
def test_bcl_is_no_closer_to_the_simplex_than_scl_on_full_data(
    tau: float, loss: str, smallest: float, largest: float
) -> None:
    """The table of the design guide: ten classes, 500 to 5 samples, profile without floor, one full batch."""
    optimum = geometry.certified_optimum(exponential(500, 10, 100), loss, temperature=tau)
    assert optimum.certified
    found = (optimum.deviation.smallest_cosine, optimum.deviation.largest_cosine)
    assert found == pytest.approx((smallest, largest), abs=6e-5)


def test_missing_classes_bend_scl_but_not_bcl() -> None:
    counts = [50, 29, 17, 10, 6, 3, 2, 1, 1, 1]
    whole, batches = geometry.full_batch(counts), geometry.sampled_batches(counts, 8, num_batches=500)
    rms = {
        (loss, name): geometry.certified_optimum(classes, loss).deviation.rms
        for loss in ("scl", "bcl")
        for name, classes in (("whole", whole), ("batches", batches))
    }
    assert rms["bcl", "batches"] < rms["scl", "batches"] - 0.02
    assert rms["bcl", "batches"] == pytest.approx(rms["bcl", "whole"], abs=0.01)


def test_in_small_batches_free_prototypes_take_the_distortion_that_class_means_have_under_scl() -> None:
    """Head anchors push what they see: under SCL the tail samples, under BCL mostly the prototypes."""
    batches = geometry.every_batch([50, 29, 17, 10, 6, 3, 2, 1, 1, 1], 2)
    scl = geometry.certified_optimum(batches, "scl", temperature=0.3)
    bcl = geometry.certified_optimum(batches, "bcl", temperature=0.3, prototypes="free")
    tied = geometry.certified_optimum(batches, "bcl", temperature=0.3)
    assert scl.certified
    assert bcl.certified
    assert tied.certified
    assert bcl.keys is not None
    assert bcl.deviation.rms < 0.05 < 0.15 < scl.deviation.rms
    assert geometry.simplex_deviation(bcl.keys).rms > 0.3
    assert tied.deviation.rms > 0.15  # prototypes that cannot leave their class means protect nobody


def test_minority_classes_merge_when_only_average_norms_are_bounded() -> None:
    def between_minorities(average_norms: bool) -> float:
        optimum = geometry.certified_optimum(
            [20, 20, 1, 1], "ce", temperature=1.0, average_norms=average_norms
        )
        assert optimum.certified
        assert optimum.keys is not None
        return (optimum.keys[2] - optimum.keys[3]).norm().item()

    assert between_minorities(average_norms=True) < 1e-6
    assert between_minorities(average_norms=False) > 0.1


def test_no_random_configuration_beats_the_lower_bound() -> None:
    counts = [40, 9, 3, 2]
    for loss in CONTRASTIVE:
        optimum = geometry.certified_optimum(counts, loss, temperature=0.5)
        for seed in range(50):
            value = geometry.collapsed_loss(random_gram(4, seed), counts, loss, temperature=0.5)
            assert value >= optimum.lower_bound


def test_samples_that_are_not_collapsed_do_no_better() -> None:
    """Descend from the optimum and from random samples, all samples free: nothing falls below the bound."""
    counts, tau = [4, 2, 2], 0.5
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    for loss in ("scl", "scl-averaging"):
        optimum = geometry.certified_optimum(counts, loss, temperature=tau)
        for seed in range(2):
            generator = torch.Generator().manual_seed(seed)
            free = torch.randn(8, 8, generator=generator, dtype=torch.float64, requires_grad=True)
            solver = torch.optim.LBFGS(
                [free], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-10
            )

            def closure(loss: str = loss, free: Tensor = free, solver: torch.optim.LBFGS = solver) -> Tensor:
                solver.zero_grad()
                kind = geometry.LOSSES[loss]
                assert isinstance(kind, losses.Contrastive)
                value = losses.contrastive_loss(
                    torch.nn.functional.normalize(free),
                    labels,
                    averaging=kind.averaging,
                    complement=False,
                    temperature=tau,
                )
                value.backward()
                return value

            solver.step(closure)  # type: ignore[no-untyped-call]
            assert closure().item() == pytest.approx(optimum.value, abs=1e-6)


@pytest.mark.parametrize("tau", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("counts", [[200, 2, 2], [5, 40, 3, 3]])
def test_with_free_prototypes_collapse_is_optimal_too(counts: list[int], tau: float) -> None:
    """BCL with the similarity a_y within each class left open: the independent solver chooses a_y = 1."""
    size, total = len(counts), sum(counts)
    gram = cvxpy.Variable(
        (2 * size, 2 * size), PSD=True
    )  # class means, shorter than 1 unless collapsed; prototypes
    within = cvxpy.Variable(size)
    limits = [within <= 1, cvxpy.diag(gram)[size:] == 1]
    limits += [gram[k, k] == (1 + (n - 1) * within[k]) / n for k, n in enumerate(counts)]
    value = 0
    for y, n in enumerate(counts):
        logits = []
        for j, m in enumerate(counts):
            samples, members = (n - 1, n) if j == y else (m, m + 1)
            logits.append(math.log(samples / members) + (within[y] if j == y else gram[y, j]) / tau)
            logits.append(math.log(1 / members) + gram[y, size + j] / tau)
        positive = ((n - 1) * within[y] + gram[y, size + y]) / n / tau
        value = value + n / total * (cvxpy.log_sum_exp(cvxpy.hstack(logits)) - positive)
    problem = cvxpy.Problem(cvxpy.Minimize(value), limits)
    problem.solve(solver=cvxpy.CLARABEL)

    optimum = geometry.certified_optimum(counts, "bcl", temperature=tau, prototypes="free")
    assert within.value.min() > 1 - 1e-3
    assert optimum.value == pytest.approx(float(problem.value), abs=1e-7)


def test_counts_may_be_a_tensor_of_whole_numbers() -> None:
    counts = torch.tensor([20, 9, 4])
    assert torch.equal(
        geometry.certified_optimum(counts).gram, geometry.certified_optimum([20.0, 9.0, 4.0]).gram
    )


# ---- the certificate of any Gram matrix


@pytest.mark.parametrize("loss", [*CONTRASTIVE, "bcl-prototypes"])
def test_optimality_confirms_what_the_solver_found(loss: str) -> None:
    optimum = geometry.certified_optimum([40, 9, 3, 3], loss, temperature=0.5)
    found = geometry.optimality(optimum.gram, [40, 9, 3, 3], loss, temperature=0.5)
    assert found.value == pytest.approx(optimum.value, rel=1e-12)
    assert found.relative_gap < 1e-7


def test_the_optimum_of_other_counts_is_not_certified_for_these() -> None:
    simplex = geometry.certified_optimum([5, 5, 5], "bcl", temperature=1.0)
    found = geometry.optimality(simplex.gram, [200, 2, 2], "bcl", temperature=1.0)
    best = geometry.certified_optimum([200, 2, 2], "bcl", temperature=1.0)
    assert found.gap >= found.value - best.value > 0.1


@given(seed=st.integers(0, 1000), loss=st.sampled_from(CONTRASTIVE))
def test_no_configuration_is_further_above_the_minimum_than_its_gap(seed: int, loss: str) -> None:
    counts = [40, 9, 3, 2]
    found = geometry.optimality(random_gram(4, seed), counts, loss, temperature=0.5)
    minimum = geometry.certified_optimum(counts, loss, temperature=0.5).lower_bound
    assert found.value - found.gap <= minimum + 1e-9


@pytest.mark.parametrize(
    ("gram", "loss"),
    [
        (torch.eye(2), "bcl"),  # three classes
        (2 * torch.eye(3), "bcl"),  # no unit vectors
        (torch.eye(3) - 0.9 * (1 - torch.eye(3)), "bcl"),  # no vectors at all
        (torch.eye(3), "ce"),
    ],
)
def test_what_is_no_gram_matrix_of_unit_vectors_is_refused(gram: Tensor, loss: str) -> None:
    with pytest.raises(ValueError, match=r"gram|classifier rows"):
        geometry.optimality(gram, [5, 3, 2], loss)


# ---- symmetry, starts, dimensions


@pytest.mark.parametrize("loss", [*CONTRASTIVE, "ce", "lc"])
def test_grouping_equal_classes_changes_nothing(loss: str) -> None:
    """Counts that differ by one part in 1e13 are not grouped: the general path must find the same optimum."""
    grouped = geometry.certified_optimum([30, 30, 8, 8, 8, 3], loss, temperature=0.3)
    apart = geometry.certified_optimum(
        np.array([30, 30, 8, 8, 8, 3]) * (1 + 1e-13 * np.arange(6)), loss, temperature=0.3
    )
    assert grouped.value == pytest.approx(apart.value, rel=1e-9, abs=1e-12)
    assert (grouped.gram - apart.gram).abs().max().item() < 1e-4


def test_a_thousand_classes_of_few_distinct_counts_are_certified() -> None:
    counts = np.repeat([500, 100, 20, 5], [10, 90, 400, 500])
    optimum = geometry.certified_optimum(counts, "bcl")
    assert optimum.certified
    assert optimum.means.shape == (1000, 999)
    assert geometry.collapsed_loss(optimum.gram, counts, "bcl") == pytest.approx(optimum.value, rel=1e-9)


def test_a_start_nearby_saves_steps_and_ends_at_the_same_optimum() -> None:
    near, here = exponential(500, 10, 90), exponential(500, 10, 100)
    cold = geometry.certified_optimum(here, "bcl")
    warm = geometry.certified_optimum(here, "bcl", start=geometry.certified_optimum(near, "bcl"))
    also = geometry.certified_optimum(here, "bcl", start=geometry.certified_optimum(near, "bcl").gram)
    assert warm.certified
    assert warm.newton_steps < cold.newton_steps
    assert (warm.gram - cold.gram).abs().max().item() < 1e-5
    assert torch.equal(warm.gram, also.gram) or (warm.gram - also.gram).abs().max().item() < 1e-9


def test_a_start_in_too_few_dimensions_does_not_trap_the_solver() -> None:
    flat = torch.ones(5, 5, dtype=torch.float64)  # all classes merged: a stationary point
    optimum = geometry.certified_optimum([50, 20, 9, 4, 2], "scl", start=flat)
    assert optimum.certified


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_means_have_the_gram_matrix_and_need_at_most_one_dimension_less_than_classes(loss: str) -> None:
    optimum = geometry.certified_optimum(exponential(500, 4, 50), loss)
    assert optimum.means.shape[1] <= 3
    assert torch.allclose(optimum.means @ optimum.means.T, optimum.gram, atol=1e-9)
    assert torch.allclose(optimum.gram.diagonal(), torch.ones(4, dtype=torch.float64), atol=1e-12)


def test_more_dimensions_than_needed_are_zero() -> None:
    optimum = geometry.certified_optimum([9, 4, 2], "bcl", dimension=5)
    assert optimum.means.shape == (3, 5)
    assert not optimum.means[:, 2:].any()


def test_in_too_few_dimensions_the_answer_is_marked_as_uncertified() -> None:
    counts = [9, 9, 4, 4, 2]
    plane = geometry.certified_optimum(counts, "bcl", dimension=2)
    space = geometry.certified_optimum(counts, "bcl")
    assert plane.means.shape == (5, 2)
    assert not plane.certified
    assert plane.lower_bound == space.lower_bound < space.value < plane.value
    assert torch.allclose(plane.means.norm(dim=1), torch.ones(5, dtype=torch.float64))
    # five equal classes on a circle: the pentagon
    pentagon = geometry.certified_optimum([5] * 5, "bcl", dimension=2, temperature=1.0)
    angles = torch.atan2(pentagon.means[:, 1], pentagon.means[:, 0]).sort().values
    assert torch.allclose(angles.diff(), torch.full((4,), 2 * math.pi / 5, dtype=torch.float64), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "triplet"}, "'triplet' is not known"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"dimension": 0}, "dimension is 0"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"start": torch.eye(4)}, r"start has shape \(4, 4\)"),
        ({"start": torch.full((3, 3), math.nan)}, "start is not finite"),
        ({"loss": "scl", "prototypes": "free"}, "has no prototypes"),
        ({"loss": "ce", "prototypes": "free"}, "has no prototypes"),
        ({"loss": "bcl-inside", "prototypes": "free"}, "'inside'"),
        ({"average_norms": True}, "average_norms is for cross-entropy"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        geometry.certified_optimum([5, 3, 2], **arguments)


def test_free_prototypes_need_whole_anchors() -> None:
    with pytest.raises(ValueError, match=r"0\.5 samples; with free prototypes"):
        geometry.certified_optimum([5, 0.5], "bcl", prototypes="free")


def test_batches_in_which_nobody_has_a_positive_are_refused() -> None:
    with pytest.raises(ValueError, match="no anchor"):
        geometry.certified_optimum([1, 1, 1], "scl")


def test_cross_entropy_is_no_list_of_terms() -> None:
    with pytest.raises(ValueError, match="depends on classifier rows"):
        geometry.collapsed_loss(torch.eye(2, dtype=torch.float64), [2, 1], "ce")
