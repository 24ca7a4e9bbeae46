"""What the browser solves is what the geometry solves: value, Gram matrix, deviation, certificate, batches."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from torch import Tensor

from bcl_edu.course.widgets.explorer import LOSSES, Settings, explorer_html
from bcl_edu.geometry import cosine_matrix, simplex_deviation
from bcl_edu.geometry.compositions import BatchCompositions
from bcl_edu.geometry.optimum import certified_optimum
from tests.browser.explorer_page import ExplorerPage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def explorer(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExplorerPage]:
    """The page, opened from disk, with its modules within reach."""
    html = explorer_html()
    modules = ", ".join(re.findall(r"^const (\w+_module) = ", html, re.MULTILINE))
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(html.replace("</script>", f"Object.assign(window, {{ {modules} }});\n</script>"))
    page = browser.new_page()
    page.goto(path.as_uri())
    yield ExplorerPage(page)
    page.close()


def loss_at(gram: Tensor, loss: str, compositions: BatchCompositions, temperature: float) -> Tensor:
    """The loss of collapsed classes, term by term: the obvious version, of the products of all vectors."""
    num_classes = compositions.num_classes
    total = torch.zeros((), dtype=torch.float64)
    complement = loss in ("scl-complement", "bcl", "bcl-class-anchors")
    averaging = loss in ("scl-averaging", "bcl", "bcl-class-anchors")
    for n, probability in zip(compositions.counts, compositions.probabilities, strict=True):
        anchors = [y for y in range(num_classes) if n[y] > (0 if complement else 1)]
        for y in range(num_classes):
            share = float(n[y] / n.sum())
            if loss in ("ce", "lc"):
                logits = gram[y, num_classes:] / temperature
                if loss == "lc":
                    logits = (
                        logits
                        + torch.tensor(compositions.class_counts / compositions.class_counts.sum()).log()
                    )
                total = total - probability * share * torch.log_softmax(logits, dim=0)[y]
                continue
            if y not in anchors:
                continue
            weight = (
                1 / len(anchors) if loss == "bcl-class-anchors" else float(n[y]) / sum(n[a] for a in anchors)
            )
            denominator = []
            for j in range(num_classes):
                members = float(n[j]) - (j == y) + complement  # the anchor itself does not count
                if members > 0:
                    factor = 1.0 if averaging else members
                    denominator.append(gram[y, j] / temperature + np.log(factor))
            # all positives are at the anchor's own class mean
            total = total + probability * weight * (torch.stack(denominator).logsumexp(0) - 1 / temperature)
    return total


def duality_gap(vectors: Tensor, loss: str, settings: Settings) -> float:
    """The certificate of DESIGN section 4, by automatic differentiation and LAPACK."""
    gram = (vectors @ vectors.T).requires_grad_()
    loss_at(gram, loss, settings.compositions, settings.temperature).backward()
    gradient = (gram.grad + gram.grad.T) / 2
    gram = gram.detach()
    multiplier = -(gradient @ gram).diagonal()
    if loss in ("ce", "lc"):
        multiplier = multiplier.clamp(min=0)  # lengths are only bounded
    smallest = torch.linalg.eigvalsh(gradient + multiplier.diag())[0].item()
    return ((gradient * gram).sum() + multiplier.sum()).item() + len(gram) * max(0.0, -smallest)


def all_losses(**settings: float) -> list[Settings]:
    """Settings that together ask for every loss."""
    pairs = [*zip(LOSSES[::2], LOSSES[1::2], strict=False), (LOSSES[-1], LOSSES[0])]
    return [Settings(losses=pair, **settings) for pair in pairs]


FULL_DATA = [
    settings
    for num_classes, factor, temperature in itertools.product(
        (2, 3, 4, 7, 10), (1, 20, 1000), (0.05, 0.1, 1.0)
    )
    for settings in all_losses(num_classes=num_classes, imbalance_factor=factor, temperature=temperature)
]
MINI_BATCHES = [
    settings
    for num_classes, factor, temperature, size in [(3, 50, 0.1, 16), (6, 100, 1.0, 64), (10, 1000, 0.2, 256)]
    for settings in all_losses(
        num_classes=num_classes, imbalance_factor=factor, temperature=temperature, batch_size=size
    )
]


@pytest.mark.parametrize("cases", [FULL_DATA, MINI_BATCHES], ids=["full data", "mini-batches"])
def test_value_gram_matrix_and_deviation_are_those_of_the_certified_optimum(
    explorer: ExplorerPage, cases: list[Settings]
) -> None:
    for settings, optima in zip(cases, explorer.solve(cases), strict=True):
        for found in optima:
            expected = certified_optimum(
                settings.compositions, found["loss"], temperature=settings.temperature, tolerance=1e-10
            )
            where = f"{found['loss']} at {settings}"
            gram = torch.tensor(found["gram"], dtype=torch.float64).view_as(expected.gram)
            assert found["certified"], where
            # at tau = 0.05 the whole loss can be 1e-9, and its optimum is known to full relative precision
            assert found["value"] == pytest.approx(expected.value, rel=1e-9, abs=1e-24), where
            assert gram.numpy() == pytest.approx(cosine_matrix(expected.means).numpy(), abs=2e-4), where
            deviation = simplex_deviation(expected.means)
            for name in ("rms", "smallest", "largest"):
                assert found["deviation"][name] == pytest.approx(getattr(deviation, name), abs=2e-4), where


CERTIFICATES = [
    settings
    for num_classes, factor, temperature, size in [
        (3, 100, 1.0, 0),
        (6, 30, 0.3, 0),
        (10, 100, 1.0, 0),
        (4, 50, 0.5, 16),
    ]
    for settings in all_losses(
        num_classes=num_classes, imbalance_factor=factor, temperature=temperature, batch_size=size
    )
]


def test_the_gap_shown_is_the_duality_gap_of_the_vectors_shown(explorer: ExplorerPage) -> None:
    for settings, optima in zip(CERTIFICATES, explorer.solve(CERTIFICATES), strict=True):
        for found in optima:
            vectors = torch.tensor(found["vectors"], dtype=torch.float64).view(-1, found["dimension"])
            where = f"{found['loss']} at {settings}"
            gap = duality_gap(vectors, found["loss"], settings)
            value = loss_at(
                vectors @ vectors.T, found["loss"], settings.compositions, settings.temperature
            ).item()
            assert found["value"] == pytest.approx(value, rel=1e-12), where
            assert found["gap"] == pytest.approx(gap, rel=1e-3, abs=1e-13), where
            assert found["gap"] <= 1e-7 * value, where


def test_an_optimum_that_is_not_one_is_not_certified(explorer: ExplorerPage) -> None:
    # what the optimum of one temperature is worth at another: the certificate must notice
    gap = explorer.page.evaluate(
        """() => {
            const { makeObjective, evaluate } = objective_module;
            const batches = { counts: Float64Array.of(200, 20, 2), probabilities: Float64Array.of(1) };
            const terms = losses_module.lossTerms(losses_module.LOSSES.scl, batches, batches.counts);
            const [hot, cold] = [1, 0.1].map(tau => makeObjective(losses_module.LOSSES.scl, terms, tau));
            const { vectors, loss } = solver_module.minimise(hot);
            const elsewhere = solver_module.minimise(cold);
            const point = evaluate(hot, linear_algebra_module.gramMatrix(elsewhere.vectors, 3, 3));
            return { gap: solver_module.certify(hot, elsewhere.vectors, point).gap,
                     worse: terms.floor + point.excess - loss };
        }"""
    )
    assert gap["worse"] > 1e-3
    assert gap["gap"] >= gap["worse"]


@pytest.mark.parametrize("batch_size", [16, 256])
def test_browser_and_python_draw_the_same_batches(explorer: ExplorerPage, batch_size: int) -> None:
    for num_classes, factor in itertools.product((2, 5, 10), (1, 3.2, 100, 1000)):
        settings = Settings(imbalance_factor=factor, num_classes=num_classes, batch_size=batch_size)
        counts, probabilities, class_counts = explorer.page.evaluate(
            """([imbalanceFactor, numClasses, batchSize]) => {
                const { batches, classCounts } = explorer.optima.problemOf({ imbalanceFactor, numClasses, batchSize });
                return [[...batches.counts], [...batches.probabilities], [...classCounts]];
            }""",
            [factor, num_classes, batch_size],
        )
        expected = settings.compositions
        assert class_counts == settings.class_counts.tolist()
        assert np.array_equal(counts, expected.counts.ravel())
        assert probabilities == pytest.approx(expected.probabilities, rel=1e-12)


def test_whole_counts_agree_at_every_slider_position(explorer: ExplorerPage) -> None:
    factors = explorer.page.evaluate("controls_module.IMBALANCE_FACTORS")
    assert len(factors) == 61
    for num_classes in range(2, 11):
        counts = explorer.page.evaluate(
            "([factors, k]) => factors.map(factor => [...profile_module.wholeCounts(factor, k)])",
            [factors, num_classes],
        )
        expected = [
            Settings(imbalance_factor=factor, num_classes=num_classes, batch_size=2).class_counts.tolist()
            for factor in factors
        ]
        assert counts == expected


def test_tail_classes_merge_under_bcl_at_temperature_1_and_not_under_scl(explorer: ExplorerPage) -> None:
    settings = Settings(imbalance_factor=100, temperature=1.0, num_classes=10, losses=("scl", "bcl"))
    [[scl, bcl]] = explorer.solve([settings])
    assert np.reshape(bcl["gram"], (10, 10))[8, 9] == pytest.approx(1, abs=1e-4)
    assert np.reshape(scl["gram"], (10, 10))[8, 9] == pytest.approx(0.278, abs=1e-3)
    assert bcl["deviation"]["rms"] > scl["deviation"]["rms"]  # the paper's own loss, further from the simplex


def test_class_averaged_anchors_give_the_simplex_at_any_imbalance(explorer: ExplorerPage) -> None:
    losses = ("bcl-class-anchors", "bcl")
    cases = [Settings(factor, tau, 10, losses) for factor in (1, 1000) for tau in (0.05, 2.0)]
    for optima in explorer.solve(cases):
        assert optima[0]["deviation"]["rms"] < 1e-6


def test_solutions_do_not_depend_on_the_way_there(explorer: ExplorerPage) -> None:
    generator = random.Random(0)
    cases = [
        Settings(factor, temperature, 6, (loss, loss))
        for factor in (3.0, 40.0, 1000.0)
        for temperature in (0.05, 0.3, 2.0)
        for loss in LOSSES
    ]
    first = explorer.solve(cases)
    order = list(range(len(cases)))
    generator.shuffle(order)
    explorer.page.evaluate("() => explorer.optima.solved.clear()")
    again = dict(zip(order, explorer.solve([cases[i] for i in order]), strict=True))
    for i, settings in enumerate(cases):
        assert again[i][0]["positions"] == pytest.approx(first[i][0]["positions"], abs=2e-3), settings


def test_every_setting_reached_by_wild_jumps_is_certified(explorer: ExplorerPage) -> None:
    generator = random.Random(1)
    cases = [
        Settings(
            imbalance_factor=round(10 ** generator.uniform(0, 3), 2),
            temperature=round(10 ** generator.uniform(-1.3, 0.3), 4),
            num_classes=generator.randint(2, 10),
            losses=(generator.choice(LOSSES), generator.choice(LOSSES)),
            batch_size=generator.choice((0, 0, 0, 16, 128)),
        )
        for _ in range(400)
    ]
    uncertain = [
        (settings, found["loss"], found["relativeGap"])
        for settings, optima in zip(cases, explorer.solve(cases), strict=True)
        for found in optima
        if not found["relativeGap"] < 1e-7
    ]
    assert uncertain == []


def neighbours(explorer: ExplorerPage, slider: str, **settings: object) -> list[Settings]:
    """Settings at all positions of a slider."""
    values = explorer.page.evaluate(
        {
            "imbalance_factor": "controls_module.IMBALANCE_FACTORS",
            "temperature": "controls_module.TEMPERATURES",
        }[slider]
    )
    return [Settings(**{**settings, slider: value}) for value in values]


@pytest.mark.parametrize("slider", ["imbalance_factor", "temperature"])
@pytest.mark.parametrize("num_classes", [3, 4, 10])
def test_points_move_no_more_than_they_must(explorer: ExplorerPage, slider: str, num_classes: int) -> None:
    fixed = {"num_classes": num_classes, "temperature": 0.4, "losses": ("scl", "bcl")}
    solved = explorer.solve(neighbours(explorer, slider, **fixed))
    for before, after in itertools.pairwise(solved):
        for old, new in zip(before, after, strict=True):
            a, b = (np.reshape(optimum["positions"], (num_classes, -1)) for optimum in (old, new))
            # the least distance over all rotations: orthogonal Procrustes
            least = np.sqrt(max(0.0, (a**2).sum() + (b**2).sum() - 2 * np.linalg.svd(a.T @ b)[1].sum()))
            assert np.linalg.norm(a - b) <= 1.1 * least + 1e-3


def test_positions_have_the_angles_of_the_optimum(explorer: ExplorerPage) -> None:
    cases = [Settings(100, 0.3, k, ("lc", "bcl")) for k in range(2, 11)]
    for settings, optima in zip(cases, explorer.solve(cases), strict=True):
        for found in optima:
            positions = np.reshape(found["positions"], (settings.num_classes, settings.num_classes - 1))
            assert (positions @ positions.T).ravel() == pytest.approx(found["gram"], abs=1e-7)


def test_where_everything_is_balanced_the_picture_is_the_reference_simplex(explorer: ExplorerPage) -> None:
    for num_classes in range(2, 11):
        [[found, _]] = explorer.solve([Settings(1, 0.1, num_classes)])
        reference = explorer.page.evaluate("k => [...geometry_module.referenceSimplex(k)]", num_classes)
        assert found["positions"] == pytest.approx(reference, abs=1e-6)


def test_jacobi_finds_the_eigenvalues_of_lapack(explorer: ExplorerPage) -> None:
    generator = np.random.default_rng(0)
    for size in (1, 2, 9, 20):
        half = generator.standard_normal((size, size))
        matrix = half + half.T
        values, vectors = explorer.page.evaluate(
            """([matrix, n]) => {
                const { values, vectors } = linear_algebra_module.eigenSymmetric(Float64Array.from(matrix), n);
                return [[...values], [...vectors]];
            }""",
            [matrix.ravel().tolist(), size],
        )
        assert values == pytest.approx(np.linalg.eigvalsh(matrix), abs=1e-12)
        basis = np.reshape(vectors, (size, size))
        assert basis.T @ matrix @ basis == pytest.approx(np.diag(values), abs=1e-12)


def test_the_smallest_eigenvalue_is_that_of_lapack(explorer: ExplorerPage) -> None:
    generator = np.random.default_rng(1)
    for size in (1, 2, 3, 9, 20):
        half = generator.standard_normal((size, size))
        graded = np.diag(10.0 ** -np.arange(size))  # rows from head to tail, as a certificate's
        for matrix in (half + half.T, np.diag(np.arange(size) - 1.0), graded @ (half @ half.T) @ graded):
            found = explorer.page.evaluate(
                "([matrix, n]) => linear_algebra_module.smallestEigenvalue(Float64Array.from(matrix), n)",
                [matrix.ravel().tolist(), size],
            )
            assert found == pytest.approx(np.linalg.eigvalsh(matrix)[0], abs=1e-14 * np.abs(matrix).sum())
