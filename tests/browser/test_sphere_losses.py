"""What the training sphere computes in the browser is what the package computes: losses, gradients, pushes, steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page
from torch import Tensor

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.sphere import LOSSES
from bcl_edu.course.widgets.sphere.sphere_page import BROWSER
from bcl_edu.geometry.gradient_shares import gradient_shares
from bcl_edu.geometry.unconstrained_features import unconstrained_dynamics
from bcl_edu.losses import CONTRASTIVE_LOSSES, contrastive_loss, logit_compensated_cross_entropy

pytestmark = pytest.mark.browser

TOLERANCE = 1e-9
"""Far below the 1e-6 that is promised: both sides compute in float64."""

COUNTS = {"several of each": [5, 3, 2, 2], "one class missing, one alone": [6, 0, 3, 1]}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page that has the sphere's modules."""
    visit = browser.new_context(offline=True)
    page = visit.new_page()
    page.add_script_tag(content=bundle.module(BROWSER / "training_sphere.js") + "window.there = true;")
    page.evaluate(
        """() => {
            window.lossOf = ({ loss, points, labels, keys, temperature, ...sizes }) => {
                const batch = { points: Float64Array.from(points), labels: Int32Array.from(labels), ...sizes };
                const found = training_losses_module.lossAndGradients(
                    loss, batch, keys && Float64Array.from(keys), temperature);
                return { value: found.value, points: [...found.points], keys: found.keys && [...found.keys],
                    push: [...found.push].map((share) => (Number.isNaN(share) ? null : share)) };
            };
        }"""
    )
    yield page
    visit.close()


def scattered(rows: int, dimension: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(
        torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    )


def labels_of(counts: list[int]) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def in_browser(
    page: Page,
    loss: str,
    z: Tensor,
    y: Tensor,
    keys: Tensor | None,
    *,
    temperature: float,
    views: int,
    counts: list[int],
    **changes: Any,
) -> dict[str, Any]:
    """Value, gradients and pushes as the browser computes them."""
    return page.evaluate(
        "([name, changes, given]) => lossOf({"
        " ...given, loss: { ...training_losses_module.TRAINING_LOSSES[name], ...changes } })",
        [
            loss,
            changes,
            {
                "points": z.detach().flatten().tolist(),
                "labels": y.tolist(),
                "dimension": z.shape[1],
                "numClasses": len(counts),
                "views": views,
                "classCounts": counts,
                "keys": None if keys is None else keys.detach().flatten().tolist(),
                "temperature": temperature,
            },
        ],
    )


def same(found: list[float], expected: Tensor | None) -> None:
    assert expected is not None
    assert torch.tensor(found, dtype=torch.float64).numpy() == pytest.approx(
        expected.flatten().numpy(), abs=TOLERANCE, rel=TOLERANCE
    )


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("what", COUNTS)
@pytest.mark.parametrize("loss", CONTRASTIVE_LOSSES)
def test_contrastive_losses_and_gradients_are_those_of_the_package(
    page: Page, loss: str, what: str, views: int, dimension: int, temperature: float
) -> None:
    counts, form = COUNTS[what], CONTRASTIVE_LOSSES[loss]  # type: ignore[index]
    y = labels_of(counts)
    z = scattered(len(y), dimension, seed=1).requires_grad_()
    c = scattered(len(counts), dimension, seed=2).requires_grad_() if form.needs_prototypes else None
    value = contrastive_loss(
        z.repeat(views, 1),
        y.repeat(views),
        c,
        averaging=form.averaging,
        complement=form.complement,
        class_balanced_anchors=form.class_balanced_anchors,
        temperature=temperature,
    )
    value.backward()

    found = in_browser(page, loss, z, y, c, temperature=temperature, views=views, counts=counts)
    assert found["value"] == pytest.approx(value.item(), abs=TOLERANCE)
    same(found["points"], z.grad)
    if c is not None:
        same(found["keys"], c.grad)

    shares = gradient_shares(
        z.detach().repeat(views, 1),
        y.repeat(views),
        c if c is None else c.detach(),
        loss=loss,
        temperature=temperature,
    )
    for k, row in enumerate(torch.tensor(_numbers(found["push"]), dtype=torch.float64).view(len(counts), -1)):
        of_class = shares[y.repeat(views) == k]
        of_class = of_class[~of_class.isnan().any(dim=1)]
        if len(of_class) == 0:
            assert row.isnan().all()
        else:
            mean = torch.zeros(len(counts), dtype=torch.float64)
            mean[: shares.shape[1]] = of_class.mean(dim=0)
            same(row.tolist(), mean)


@pytest.mark.parametrize("loss", ["bcl", "bcl-inside", "bcl-class-anchors", "scl-complement"])
def test_without_prototypes_a_loss_is_the_one_without_its_complement(page: Page, loss: str) -> None:
    counts, form = [5, 3, 2], CONTRASTIVE_LOSSES[loss]  # type: ignore[index]
    y = labels_of(counts)
    z = scattered(len(y), 3, seed=4).requires_grad_()
    value = contrastive_loss(
        z.repeat(2, 1),
        y.repeat(2),
        averaging=form.averaging,
        complement=False,
        class_balanced_anchors=form.class_balanced_anchors,
        temperature=0.3,
    )
    value.backward()
    found = in_browser(page, loss, z, y, None, temperature=0.3, views=2, counts=counts, complement=False)
    assert found["value"] == pytest.approx(value.item(), abs=TOLERANCE)
    same(found["points"], z.grad)


@pytest.mark.parametrize("loss", ["ce", "lc"])
@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_cross_entropy_is_that_of_the_package(page: Page, loss: str, temperature: float) -> None:
    counts = [6, 0, 3, 1]
    y, in_training = labels_of(counts), torch.tensor([60, 20, 5, 1])
    z = scattered(len(y), 3, seed=5).requires_grad_()
    rows = scattered(len(counts), 3, seed=6).requires_grad_()
    prior = in_training if loss == "lc" else torch.ones_like(in_training)
    value = logit_compensated_cross_entropy(z @ rows.T / temperature, y, prior)
    value.backward()
    found = in_browser(page, loss, z, y, rows, temperature=temperature, views=2, counts=in_training.tolist())
    assert found["value"] == pytest.approx(value.item(), abs=TOLERANCE)
    same(found["points"], z.grad)
    same(found["keys"], rows.grad)


def test_at_collapse_low_temperatures_neither_overflow_nor_vanish(page: Page) -> None:
    y = labels_of([4, 2, 1])
    means = scattered(3, 3, seed=7)
    z = means[y].clone().requires_grad_()
    value = contrastive_loss(
        z.repeat(2, 1), y.repeat(2), means, averaging="outside", complement=True, temperature=0.05
    )
    value.backward()
    found = in_browser(page, "bcl", z, y, means, temperature=0.05, views=2, counts=[4, 2, 1])
    assert found["value"] == pytest.approx(value.item(), rel=1e-6, abs=1e-14)
    same(found["points"], z.grad)


@pytest.mark.parametrize("prototypes", ["means", "free"])
@pytest.mark.parametrize("loss", LOSSES)
def test_thirty_steps_end_where_the_geometrys_dynamics_end(page: Page, loss: str, prototypes: str) -> None:
    counts, seed = [9, 4, 2, 1], 3
    start = scattered(sum(counts), 3, seed=8)
    keys = torch.nn.functional.normalize(
        torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    )  # where the dynamics start free prototypes and classifier rows
    path = unconstrained_dynamics(
        counts,
        loss,
        temperature=0.5,
        steps=30,
        learning_rate=0.05,
        prototypes=prototypes,  # type: ignore[arg-type]
        start=start,
        seed=seed,
        record_every=30,
    )
    trained = page.evaluate(
        """([loss, counts, points, keys, settings]) => {
            const perClass = Math.max(...counts);
            const spread = new Float64Array(counts.length * perClass * 3);
            let from = 0;
            counts.forEach((n, k) => {
                spread.set(points.slice(from, from + 3 * n), 3 * k * perClass);
                from += 3 * n;
            });
            const { Descent, allRows } = descent_module;
            const begin = { points: spread, keys: Float64Array.from(keys), jitter: spread };
            const run = new Descent(begin, { numClasses: counts.length, dimension: 3 }, perClass, counts);
            const kind = training_losses_module.TRAINING_LOSSES[loss];
            for (let step = 0; step < 30; step++) run.step(kind, allRows(counts, perClass), settings);
            return { points: counts.flatMap((n, k) => [...run.points.slice(3 * k * perClass, 3 * (k * perClass + n))]),
                keys: [...run.keys] };
        }""",
        [
            loss,
            counts,
            start.flatten().tolist(),
            keys.flatten().tolist(),
            {"temperature": 0.5, "learningRate": 0.05, "prototypes": prototypes},
        ],
    )
    assert (torch.tensor(trained["points"]).view(-1, 3) - path.embeddings).abs().max() < 1e-6
    if path.keys is not None:
        assert (torch.tensor(trained["keys"]).view(-1, 3) - path.keys).abs().max() < 1e-6


def test_an_epoch_has_every_picture_once_and_the_same_seed_the_same_batches(page: Page) -> None:
    epochs = page.evaluate(
        """() => [1, 1, 2].map((seed) => {
            const batches = new descent_module.Batches(seed);
            return Array.from({ length: 4 }, () => [...batches.next([20, 8, 4], 20, 8)]);
        })"""
    )
    assert epochs[0] == epochs[1] != epochs[2]
    rows = [row for batch in epochs[0] for row in batch]
    assert sorted(rows) == [*range(20), *range(20, 28), *range(40, 44)]


def test_joining_pictures_appear_on_the_sphere_around_their_class(page: Page) -> None:
    cosines = page.evaluate(
        """() => {
            const settings = { numClasses: 3, dimension: 3, start: "random", seed: 1 };
            const start = descent_module.startingPoints(settings, 30);
            const run = new descent_module.Descent(start, settings, 30, [30, 1, 1]);
            const mean = run.means().slice(3, 6);
            run.resize([30, 30, 1]);
            return Array.from({ length: 30 }, (_, t) => {
                const point = run.points.slice(3 * (30 + t), 3 * (31 + t));
                return [Math.hypot(...point), point.reduce((sum, value, c) => sum + value * mean[c], 0)];
            });
        }"""
    )
    lengths, along = zip(*cosines, strict=True)
    assert lengths == pytest.approx([1] * 30)
    assert min(along) > 0.8
    assert len({round(value, 6) for value in along}) > 20


def _numbers(values: list[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
