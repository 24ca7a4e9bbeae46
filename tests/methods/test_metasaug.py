"""MetaSAug: the augmented loss and the meta step to the digits, the running covariances, the images set aside."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods import Batch, build_method
from bcl_edu.methods.metasaug import ClassCovariances, MetaSemanticAugmentation, augmented_logits
from bcl_edu.models import parameter_count
from bcl_edu.rows import ROWS
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from tests.methods.by_hand import batch, clock
from tests.methods.harness import digits


def rows(values: list[list[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


COUNTS = torch.tensor([100, 10, 1])
W, B = rows([[1, 0], [0, 1], [-1, -1]]), rows([[0.1, -0.2, 0.3]])[0]
F, Y = rows([[1, 2], [0.5, -1]]), torch.tensor([1, 2])
SIGMA = torch.stack([torch.eye(2).double(), rows([[0.5, 0.2], [0.2, 0.8]]), rows([[0.3, -0.1], [-0.1, 0.4]])])
MARGINS, WEIGHTS = ldam_margins(COUNTS), class_balanced_weights(COUNTS)
STRENGTH = 0.6


def loss(w: Tensor, b: Tensor, sigma: Tensor) -> Tensor:
    logits = augmented_logits(F @ w.T + b, Y, w, sigma, MARGINS, STRENGTH)
    return functional.cross_entropy(logits, Y, weight=WEIGHTS)


def test_margins_and_weights() -> None:
    assert MARGINS.tolist() == pytest.approx([0.1581138830, 0.2811706626, 0.5], abs=1e-9)
    assert WEIGHTS.tolist() == pytest.approx([0.0271587216, 0.2703688740, 2.7024724044], abs=1e-9)


def test_the_augmented_loss() -> None:
    logits = augmented_logits(F @ W.T + B, Y, W, SIGMA, MARGINS, STRENGTH)
    assert logits[0].tolist() == pytest.approx([1.37, 1.5188293374, -1.35], abs=1e-9)
    assert logits[1].tolist() == pytest.approx([0.96, -0.75, 0.3], abs=1e-9)
    each = functional.cross_entropy(logits, Y, reduction="none")
    assert each.tolist() == pytest.approx([0.6515339907, 1.1892844822], abs=1e-9)
    assert loss(W, B, SIGMA).item() == pytest.approx(1.1403780721, abs=1e-9)


def test_it_bounds_the_expected_loss_of_augmented_features() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(200_000, 2, generator=generator, dtype=torch.float64)
    root = torch.linalg.cholesky(STRENGTH * SIGMA[1])
    drawn = (F[0] + noise @ root.T) @ W.T + B
    expected = functional.cross_entropy(drawn, torch.ones(len(drawn), dtype=torch.int64))
    bound = functional.cross_entropy(
        augmented_logits(F[:1] @ W.T + B, Y[:1], W, SIGMA, 0 * MARGINS, STRENGTH), Y[:1]
    )
    assert float(expected) < float(bound)


POINTS = rows([[1, 0], [0, 1], [-1, -1]])  # set aside, one of each class


def method_of_points(covariance: Tensor = SIGMA) -> tuple[MetaSemanticAugmentation, Batch]:
    """The method with the points for features and these weights, and its batch; at λ = 0.75."""
    method = build_method(digits("metasaug", strength=0.75), COUNTS, (2, 1, 1))
    assert isinstance(method, MetaSemanticAugmentation)
    torch.testing.assert_close(method.margins, MARGINS.float())
    torch.testing.assert_close(method.weights, WEIGHTS.float())
    method.margins, method.weights, method.covariance = MARGINS, WEIGHTS, covariance.clone()
    method.mean, method.count = torch.zeros(3, 2).double(), torch.zeros(3).double()
    method.backbone, method.classifier = nn.Flatten(), nn.Linear(2, 3).double()
    with torch.no_grad():
        method.classifier.weight.copy_(W)
        method.classifier.bias.copy_(B)
    meta = batch(POINTS[None, :, :, None, None], torch.arange(3))
    return method, replace(batch(F[None, :, :, None, None], Y), streams={"meta": meta})


LATE = clock(learning_rate=0.5, epoch=8)  # of ten: λ 8/10 = STRENGTH


def test_covariances_move_against_the_gradient_of_the_meta_loss() -> None:
    method, seen = method_of_points()
    moved, meta = method._moved_covariances(seen, LATE)
    assert meta.item() == pytest.approx(0.4040644086, abs=1e-9)
    slope = (SIGMA - moved) / 0.1  # the rate
    assert slope[0].abs().max() == 0
    assert slope[1].flatten().tolist() == pytest.approx(
        [0.0026772299, -0.0028270169, -0.0028270169, 0.0023541976], abs=1e-9
    )
    assert slope[2].flatten().tolist() == pytest.approx(
        [0.1358818172, 0.0422949010, 0.0422949010, 0.0103305999], abs=1e-9
    )
    # no step of the network is left behind, nor a gradient, nor a covariance
    assert torch.equal(method.classifier.weight, W)
    assert method.classifier.weight.grad is None
    assert torch.equal(method.covariance, SIGMA)
    _, without = method_of_points(0 * SIGMA)[0]._moved_covariances(seen, LATE)
    assert without.item() == pytest.approx(0.3701411230, abs=1e-9)


def test_the_step_descends_the_loss_with_the_moved_covariances_and_keeps_none_of_them() -> None:
    method, seen = method_of_points()
    losses = method.own_gradients(seen, LATE, Tensor.backward)
    assert losses["loss"].item() == pytest.approx(1.1277875507, abs=1e-9)
    assert losses["meta"].item() == pytest.approx(0.4040644086, abs=1e-9)
    moved, _ = method._moved_covariances(seen, LATE)
    w, b = W.clone().requires_grad_(), B.clone().requires_grad_()
    loss(w, b, moved).backward()
    torch.testing.assert_close(method.classifier.weight.grad, w.grad)
    torch.testing.assert_close(method.classifier.bias.grad, b.grad)
    assert torch.equal(method.covariance, SIGMA)
    method.after_step(LATE)
    assert method.count.tolist() == [0, 1, 1]
    torch.testing.assert_close(method.mean[1:], F)


def test_until_features_are_augmented_it_is_plain_cross_entropy() -> None:
    method, seen = method_of_points()  # from half of the epochs on
    plain = functional.cross_entropy(F @ W.T + B, Y).item()
    for epoch, expected in ((0, plain), (4, plain), (8, 1.1277875507)):
        moment = replace(LATE, epoch=epoch)
        found = method.own_gradients(seen, moment, Tensor.backward)["loss"].item()
        assert found == pytest.approx(expected, abs=1e-9)
    assert method.own_gradients(seen, replace(LATE, epoch=5), Tensor.backward).keys() == {"loss", "meta"}


def test_the_loss_is_that_of_loops() -> None:
    torch.manual_seed(0)
    w, z, y = torch.randn(4, 3).double(), torch.randn(5, 4).double(), torch.tensor([3, 0, 1, 1, 2])
    root = torch.randn(4, 3, 3).double()
    sigma, margins = root @ root.mT, torch.rand(4).double()
    found = augmented_logits(z, y, w, sigma, margins, 0.3)
    for i in range(5):
        for j in range(4):
            d = w[j] - w[y[i]]
            expected = z[i, j] + 0.15 * d @ sigma[y[i]] @ d - (margins[j] if j == y[i] else 0)
            assert found[i, j].item() == pytest.approx(expected.item(), abs=1e-12)


def test_gradients_are_those_of_differences_twice() -> None:
    inputs = (W.clone().requires_grad_(), B.clone().requires_grad_(), SIGMA.clone().requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)


def nothing(classes: int, dim: int) -> ClassCovariances:
    return ClassCovariances(
        torch.zeros(classes, dim).double(),
        torch.zeros(classes, dim, dim).double(),
        torch.zeros(classes).double(),
    )


def test_running_covariances_are_those_of_all_features() -> None:
    kept = nothing(1, 2).with_more(rows([[1, 2], [3, 0]]), torch.tensor([0, 0]))
    kept = kept.with_more(rows([[5, 4]]), torch.tensor([0]))
    torch.testing.assert_close(kept.mean, rows([[3, 2]]))
    torch.testing.assert_close(kept.covariance[0], rows([[8 / 3, 4 / 3], [4 / 3, 8 / 3]]))

    torch.manual_seed(0)
    z, y = torch.randn(30, 4).double(), torch.randint(3, (30,))
    kept = nothing(4, 4)
    for part in range(0, 30, 7):
        kept = kept.with_more(z[part : part + 7], y[part : part + 7])
    for label in range(3):
        torch.testing.assert_close(kept.covariance[label], torch.cov(z[y == label].T, correction=0))
    assert kept.covariance[3].abs().max() == 0


# ---- images set aside


def test_images_are_set_aside_before_the_tail_is_cut() -> None:
    recipe = digits("metasaug")
    data = prepare_data(recipe, RunOptions())
    assert data.set_aside is not None
    assert data.set_aside.class_counts.tolist() == [5] * 10
    assert data.class_counts.tolist() == prepare_data(digits("ce"), RunOptions()).class_counts.tolist()
    seen = {image.numpy().tobytes() for image in data.train.images}
    assert not seen & {image.numpy().tobytes() for image in data.set_aside.images}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("cifar100-lt-if100", (10_626, 490, 4)),
        ("cifar100-lt-if50", (12_354, 490, 9)),
        ("cifar100-lt-if10", (19_183, 490, 49)),
        ("cifar10-lt-if100", (12_380, 4990, 49)),
        ("cifar10-lt-if50", (13_967, 4990, 99)),
        ("cifar10-lt-if10", (20_391, 4990, 499)),
    ],
)
def test_training_sets_of_the_rows(row: str, expected: tuple[int, int, int]) -> None:
    from bcl_edu.training.data import target_counts

    recipe = ROWS[f"{row}-metasaug"].recipe
    classes = 100 if "100-lt" in row else 10
    counts = target_counts(recipe, torch.full((classes,), 50_000 // classes - 10))
    assert (int(counts.sum()), int(counts.max()), int(counts.min())) == expected


def test_size_of_the_network() -> None:
    recipe = ROWS["cifar100-lt-if100-metasaug"].recipe
    method = build_method(recipe, torch.full((100,), 5), (3, 32, 32))
    assert parameter_count(method) == 470_004
    assert [stream.set_aside for stream in method.stages()[0].streams.values()] == [True]
