import pytest
import torch

from bcl_edu import geometry


@pytest.mark.parametrize("loss", ["scl", "scl-averaging", "bcl", "bcl-class-anchors", "ce", "lc"])
def test_full_batches_reach_the_certified_optimum(loss: str) -> None:
    """Free samples and free prototypes, a random start: the convex program predicts where they end."""
    counts = [6, 3, 2]
    path = geometry.unconstrained_dynamics(
        counts, loss, temperature=1.0, steps=700, learning_rate=0.3, record_every=100
    )
    optimum = geometry.certified_optimum(
        [2 * n for n in counts],  # two views
        loss,
        temperature=1.0,
        prototypes="free" if loss.startswith("bcl") else "tied",
    )
    assert optimum.certified
    assert path.loss[-1].item() == pytest.approx(optimum.value, abs=1e-5)
    assert (path.gram[-1] - optimum.gram).abs().max().item() < 1e-3
    assert path.spread[-1].max().item() < 1e-6


def test_class_averaged_anchors_with_prototypes_at_the_means_reach_the_simplex() -> None:
    path = geometry.unconstrained_dynamics(
        [8, 3, 1], "bcl-class-anchors", temperature=1.0, steps=300, learning_rate=0.3, prototypes="means"
    )
    assert path.deviation[-1].item() < 1e-6
    assert path.keys is None


@pytest.mark.parametrize(("loss", "prototypes"), [("scl", "tied"), ("bcl", "free")])
def test_mini_batches_hover_about_the_optimum_of_their_distribution(loss: str, prototypes: str) -> None:
    counts, batch_size = [6, 3, 1], 4
    path = geometry.unconstrained_dynamics(
        counts, loss, temperature=1.0, batch_size=batch_size, steps=1000, learning_rate=0.04, record_every=50
    )
    optimum = geometry.certified_optimum(
        geometry.every_batch(counts, batch_size), loss, temperature=1.0, prototypes=prototypes
    )
    late = path.gram[-10:].mean(dim=0)
    assert (late - optimum.gram).abs().max().item() < 0.05
    # which full batches would not predict
    whole = geometry.certified_optimum([12, 6, 2], loss, temperature=1.0, prototypes=prototypes)
    assert (late - whole.gram).abs().max().item() > 0.05


def test_a_seed_repeats_the_path_and_another_does_not() -> None:
    first, again, other = (
        geometry.unconstrained_dynamics([4, 2], "bcl", batch_size=3, steps=5, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(first.embeddings, again.embeddings)
    assert torch.equal(first.gram, again.gram)
    assert not torch.equal(first.embeddings, other.embeddings)


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    geometry.unconstrained_dynamics([4, 2], "scl", batch_size=3, steps=2)
    assert torch.equal(state, torch.get_rng_state())


def test_what_is_recorded() -> None:
    path = geometry.unconstrained_dynamics([3, 2, 2], "bcl", steps=7, record_every=3, dimension=5)
    assert path.step.tolist() == [0, 3, 6, 7]
    assert path.gram.shape == (4, 3, 3)
    assert path.spread.shape == (4, 3)
    assert path.key_cosine is not None
    assert path.key_cosine.shape == (4, 3)
    assert path.embeddings.shape == (7, 5)
    assert torch.allclose(path.embeddings.norm(dim=1), torch.ones(7, dtype=torch.float64))
    means = geometry.class_means(path.embeddings, path.labels, 3)
    assert torch.allclose(path.gram[-1], geometry.cosine_matrix(means))
    last = geometry.simplex_deviation(means)
    assert (path.deviation[-1].item(), path.largest_cosine[-1].item()) == (last.rms, last.largest_cosine)


def test_a_loss_without_prototypes_has_no_keys() -> None:
    path = geometry.unconstrained_dynamics([3, 2], "scl", steps=2)
    assert path.keys is None
    assert path.key_cosine is None


def test_the_optimum_is_a_fixed_point() -> None:
    optimum = geometry.certified_optimum([8, 4, 4], "scl", temperature=0.5)
    start = optimum.means.repeat_interleave(torch.tensor([4, 2, 2]), dim=0)
    path = geometry.unconstrained_dynamics([4, 2, 2], "scl", temperature=0.5, steps=50, start=start)
    assert (path.embeddings - start).abs().max().item() < 1e-6


def test_samples_left_over_by_an_epoch_are_not_trained_in_a_batch_of_their_own() -> None:
    """Five samples in batches of four: after one step, exactly one sample has not moved."""
    start = torch.nn.functional.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    path = geometry.unconstrained_dynamics([3, 2], "bcl", batch_size=4, steps=1, start=start)
    moved = (path.embeddings - start.double()).norm(dim=1) > 1e-6
    assert moved.sum().item() == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_counts": [3]}, "two whole numbers"),
        ({"class_counts": [3, 0]}, "two whole numbers"),
        ({"class_counts": [3, 1.5]}, "two whole numbers"),
        ({"batch_size": 6}, "batch_size is 6; expected 1 to the 5"),
        ({"views": 0}, "views is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"record_every": 0}, "record_every is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"loss": "triplet"}, "'triplet' is not known"),
        ({"start": torch.zeros(4, 2)}, r"start .*\(4, 2\).*\(5, d\)"),
    ],
)
@pytest.mark.usefixtures("shapes_unchecked")
def test_arguments_out_of_range_are_named(arguments: dict, message: str) -> None:
    arguments = {"class_counts": [3, 2], **arguments}
    with pytest.raises(ValueError, match=message):
        geometry.unconstrained_dynamics(**arguments)


def test_embeddings_in_a_cone_are_unit_vectors_that_nearly_agree() -> None:
    cone = geometry.embeddings_in_a_cone(200, 10, width=0.3, seed=1)
    assert cone.shape == (200, 10)
    assert cone.norm(dim=1) == pytest.approx(torch.ones(200, dtype=torch.float64))
    cosines = cone[:100] @ cone[100:].T
    assert 0.88 < cosines.mean().item() < 0.95  # 1 / (1 + width^2) = 0.92
    assert torch.equal(cone, geometry.embeddings_in_a_cone(200, 10, width=0.3, seed=1))
    assert not torch.equal(cone, geometry.embeddings_in_a_cone(200, 10, width=0.3, seed=2))
    assert (geometry.embeddings_in_a_cone(3, 2, width=0.0) == torch.tensor([1.0, 0.0])).all()


@pytest.mark.parametrize(
    ("samples", "dimension", "width", "message"),
    [
        (0, 3, 0.3, "0 samples .*at least 1"),
        (3, 0, 0.3, "dimension 0; .*at least 1"),
        (3, 3, -0.1, "width is -0.1"),
        (3, 3, float("nan"), "width is nan"),
    ],
)
def test_a_cone_that_cannot_be_is_refused(samples: int, dimension: int, width: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        geometry.embeddings_in_a_cone(samples, dimension, width=width)


def test_prototypes_that_step_on_the_sum_do_not_stall() -> None:
    """Samples step on the sum of the batch's losses; prototypes on its mean are slow, and samples wait for them."""
    counts = [60, 30, 15, 8, 5, 2]
    common = {
        "steps": 400,
        "learning_rate": 0.01,
        "prototypes": "free",
        "temperature": 0.1,
        "record_every": 400,
    }
    on_mean = geometry.unconstrained_dynamics(counts, "bcl", **common)
    on_sum = geometry.unconstrained_dynamics(
        counts, "bcl", prototype_learning_rate=0.01 * sum(counts), **common
    )
    assert on_sum.deviation[-1] < on_mean.deviation[-1] - 0.02
    assert on_mean.key_cosine is not None
    assert on_sum.key_cosine is not None
    assert on_sum.key_cosine[-1].min() > on_mean.key_cosine[-1].min()


def test_without_a_rate_of_their_own_prototypes_have_that_of_the_samples() -> None:
    by_default, by_name = (
        geometry.unconstrained_dynamics([4, 2], "bcl", steps=5, learning_rate=0.02, **extra)
        for extra in ({}, {"prototype_learning_rate": 0.02})
    )
    assert torch.equal(by_default.embeddings, by_name.embeddings)
