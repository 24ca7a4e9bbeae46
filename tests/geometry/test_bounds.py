"""The theorems, over random configurations, where they are tight, and where the paper's print is wrong."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bcl_edu import geometry, losses

temperatures = st.sampled_from([0.05, 0.1, 0.5, 1.0, 5.0])
seeds = st.integers(0, 2**31)


def at(*degrees: float) -> Tensor:
    """Unit vectors on the circle at these angles."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def on_sphere(rows: int, dimension: int, seed: int, spread: float = 1.0) -> Tensor:
    """Random unit vectors, the closer to the first axis the smaller the spread."""
    generator = torch.Generator().manual_seed(seed)
    points = spread * torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    points[:, 0] += 1
    return torch.nn.functional.normalize(points)


def labels_of(*counts: int) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


# ---- the bounds hold


@given(
    counts=st.lists(st.integers(0, 6), min_size=2, max_size=6).filter(any),
    dimension=st.integers(2, 8),
    tau=temperatures,
    seed=seeds,
    spread=st.sampled_from([0.1, 1.0, 10.0]),
)
def test_theorem_1_holds_for_every_configuration(
    counts: list[int], dimension: int, tau: float, seed: int, spread: float
) -> None:
    y = labels_of(*counts)
    result = geometry.theorem_1(on_sphere(len(y), dimension, seed, spread), y, temperature=tau)
    has_positive = torch.tensor(counts)[y] > 1
    assert torch.equal(result.gap.isfinite(), has_positive)
    assert (result.gap[has_positive] >= -1e-9).all()


@given(
    counts=st.lists(st.integers(0, 6), min_size=2, max_size=6).filter(any),
    complement=st.booleans(),
    tau=temperatures,
    seed=seeds,
)
def test_theorem_2_holds_for_every_configuration(
    counts: list[int], complement: bool, tau: float, seed: int
) -> None:
    y = labels_of(*counts)
    points = on_sphere(len(y) + len(counts), 5, seed)
    prototypes = points[len(y) :] if complement else None
    result = geometry.theorem_2(points[: len(y)], y, prototypes, temperature=tau)
    has_positive = (torch.tensor(counts)[y] > 1) | complement
    assert torch.equal(result.gap.isfinite(), has_positive)
    assert (result.gap[has_positive] >= -1e-9).all()


@given(counts=st.lists(st.integers(2, 8), min_size=2, max_size=6), tau=temperatures, seed=seeds)
def test_corrected_theorem_3_holds_for_every_configuration(counts: list[int], tau: float, seed: int) -> None:
    y = labels_of(*counts)
    result = geometry.theorem_3_corrected(on_sphere(len(y), 6, seed), y, temperature=tau)
    assert result.gap.item() >= -1e-9


@given(
    counts=st.lists(st.integers(1, 8), min_size=2, max_size=6),
    tau=temperatures,
    seed=seeds,
    noise=st.sampled_from([0.0, 0.01, 0.3, 10.0]),
)
def test_corrected_theorem_3_holds_whatever_the_prototypes(
    counts: list[int], tau: float, seed: int, noise: float
) -> None:
    """From a collapsed simplex (where the bound is tight) to anything."""
    y = labels_of(*counts)
    generator = torch.Generator().manual_seed(seed)
    simplex = geometry.regular_simplex(len(counts), 6)
    every = torch.cat([simplex[y], simplex])
    every = every + noise * torch.randn(every.shape, generator=generator, dtype=torch.float64)
    every = torch.nn.functional.normalize(every)
    result = geometry.theorem_3_corrected(every[: len(y)], y, every[len(y) :], temperature=tau)
    assert result.gap.item() >= -1e-9


@given(
    counts=st.lists(st.integers(2, 5), min_size=2, max_size=5),
    complement=st.booleans(),
    tau=temperatures,
    seed=seeds,
)
def test_every_line_of_the_proof_is_below_the_one_before(
    counts: list[int], complement: bool, tau: float, seed: int
) -> None:
    y = labels_of(*counts)
    points = on_sphere(len(y) + len(counts), 4, seed)
    prototypes = points[len(y) :] if complement else None
    lines = list(geometry.theorem_3_steps(points[: len(y)], y, prototypes, temperature=tau).values())
    assert all(first >= second - 1e-9 for first, second in itertools.pairwise(lines))


@given(copies=st.integers(2, 5), num_classes=st.integers(2, 5), tau=temperatures, seed=seeds)
def test_theorem_3_as_printed_holds_when_counts_are_equal(
    copies: int, num_classes: int, tau: float, seed: int
) -> None:
    y = labels_of(*[copies] * num_classes)
    z = on_sphere(len(y), 4, seed)
    printed = geometry.theorem_3_as_printed(z, y, temperature=tau)
    assert printed.gap.item() >= -1e-9
    assert printed.loss.item() == pytest.approx(
        geometry.theorem_3_corrected(z, y, temperature=tau).loss.item()
    )


# ---- what they bound


def test_losses_are_those_of_the_losses_package() -> None:
    y, z = labels_of(4, 2, 3), on_sphere(9, 4, seed=0)
    prototypes = on_sphere(3, 4, seed=1)
    mean = {
        "scl": geometry.theorem_1(z, y, temperature=0.2).loss.mean().item(),
        "l1": geometry.theorem_2(z, y, temperature=0.2).loss.mean().item(),
        "bcl": geometry.theorem_2(z, y, prototypes, temperature=0.2).loss.mean().item(),
        "anchors": geometry.theorem_3_corrected(z, y, prototypes, temperature=0.2).loss.item(),
    }
    assert mean == pytest.approx(
        {
            "scl": losses.supervised_contrastive_loss(z, y, temperature=0.2).item(),
            "l1": losses.class_averaged_loss(z, y, temperature=0.2).item(),
            "bcl": losses.balanced_contrastive_loss(z, y, prototypes, temperature=0.2).item(),
            "anchors": losses.balanced_contrastive_loss(
                z, y, prototypes, temperature=0.2, class_balanced_anchors=True
            ).item(),
        }
    )


def test_attraction_and_repulsion_of_a_batch_on_the_axes() -> None:
    # class 0 at 0 and 90 degrees, class 1 at 180 (three samples), class 2 at 90
    result = geometry.theorem_1(at(0, 90, 180, 180, 180, 90), torch.tensor([0, 0, 1, 1, 1, 2]))
    assert result.attraction[0].item() == pytest.approx(0)
    assert result.repulsion[0].item() == pytest.approx(-3 / 4)  # four samples: -1 three times, 0 once
    averaged = geometry.theorem_2(at(0, 90, 180, 180, 180, 90), torch.tensor([0, 0, 1, 1, 1, 2]))
    assert averaged.repulsion[0].item() == pytest.approx(-1 / 2)  # two classes: -1 and 0


# ---- where they are tight


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_theorem_1_is_tight_at_a_collapsed_simplex(tau: float) -> None:
    y = labels_of(5, 2, 3)
    result = geometry.theorem_1(geometry.regular_simplex(3)[y], y, temperature=tau)
    assert result.gap.abs().max().item() < 1e-12
    expected = math.log(4 + 5 * math.exp(-1.5 / tau))
    assert result.bound[0].item() == pytest.approx(expected)


def test_theorem_2_is_tight_where_the_other_classes_look_alike() -> None:
    """Not only at the simplex: two other classes at the same angle from the anchors."""
    y = labels_of(2, 3, 2)
    result = geometry.theorem_2(at(0, 0, 140, 140, 140, -140, -140), y, temperature=0.5)
    assert result.gap[:2].abs().max().item() < 1e-12
    assert result.gap[2:].min().item() > 1e-3


@pytest.mark.parametrize("complement", [False, True])
def test_corrected_theorem_3_is_tight_at_a_collapsed_simplex_of_any_counts(complement: bool) -> None:
    y, simplex = labels_of(200, 2, 5), geometry.regular_simplex(3)
    result = geometry.theorem_3_corrected(simplex[y], y, simplex if complement else None)
    assert result.gap.item() == pytest.approx(0, abs=1e-12)
    assert result.bound.item() == pytest.approx(math.log(1 + 2 * math.exp(-1.5)))
    assert (result.attraction.item(), result.repulsion.item()) == pytest.approx((1, -0.5))


def test_corrected_theorem_3_is_not_tight_with_prototypes_elsewhere() -> None:
    y, simplex = labels_of(4, 2, 2), geometry.regular_simplex(3)
    turned = simplex @ torch.tensor([[0.96, 0.28], [-0.28, 0.96]], dtype=torch.float64)
    assert geometry.theorem_3_corrected(simplex[y], y, turned).gap.item() > 1e-3


# ---- where the print is wrong


def test_two_tail_classes_that_merge_beat_the_printed_theorem_3() -> None:
    z, y = at(*[0] * 200, *[180] * 4), labels_of(200, 2, 2)
    printed = geometry.theorem_3_as_printed(z, y)
    assert printed.bound.item() == pytest.approx(0.369, abs=5e-4)
    # head anchors see two classes opposite; tail anchors see the head opposite and the other tail class on top
    expected = (200 * math.log(1 + 2 * math.exp(-2)) + 4 * math.log(2 + math.exp(-2))) / 204
    assert printed.loss.item() == pytest.approx(expected)
    assert printed.gap.item() < -0.1
    assert geometry.theorem_3_corrected(z, y).gap.item() > 0.1


def test_prototypes_do_not_save_the_printed_theorem_3() -> None:
    y, merged = labels_of(200, 2, 2), at(0, 180, 180)
    assert geometry.theorem_3_as_printed(merged[y], y, merged).gap.item() < -0.1
    assert geometry.theorem_3_corrected(merged[y], y, merged).gap.item() > 0.1


def test_equation_3_as_printed_is_no_bound() -> None:
    """Orthogonal classes of ten and eighty: the printed expression exceeds the loss, the theorem does not."""
    y = labels_of(10, 80)
    z = at(0, 90)[y]
    printed = geometry.theorem_1(z, y, as_printed=True)
    assert printed.gap[0].item() < -1
    assert printed.bound[0].item() == pytest.approx(math.log(9) + 80 * math.exp(-1))
    assert geometry.theorem_1(z, y).gap.abs().max().item() < 1e-12


# ---- degenerate input


def test_a_batch_of_one_class_has_only_attraction() -> None:
    y = labels_of(3)
    result = geometry.theorem_1(at(0, 0, 0), y)
    assert result.bound.tolist() == pytest.approx([math.log(2)] * 3)
    assert result.repulsion.isnan().all()
    assert geometry.theorem_2(at(0, 10, 20), y).bound.tolist() == pytest.approx([0, 0, 0])


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("z", "y", "prototypes", "tau", "message"),
    [
        (at(0, 90), torch.tensor([0]), None, 1.0, r"\(2, 2\) and labels \(1,\)"),
        (2 * at(0, 90), torch.tensor([0, 1]), None, 1.0, "embedding 0 has norm 2"),
        (at(0, math.nan), torch.tensor([0, 1]), None, 1.0, "embedding 1 has norm nan"),
        (at(0, 90), torch.tensor([0, 1]), None, 0.0, "temperature is 0"),
        (at(0, 90), torch.tensor([0, -1]), None, 1.0, "from -1 to 0"),
        (at(0, 90), torch.tensor([0, 2]), at(0, 90), 1.0, "from 0 to 2; expected 0..1"),
        (at(0, 90), torch.tensor([0, 1]), 3 * at(0, 90), 1.0, "prototype 0 has norm 3"),
    ],
)
def test_bad_input_is_named(
    z: Tensor, y: Tensor, prototypes: Tensor | None, tau: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        geometry.theorem_2(z, y, prototypes, temperature=tau)


@pytest.mark.parametrize(
    ("counts", "prototypes"), [([3, 1], None), ([3, 0, 2], None), ([3], None), ([3, 2], at(0, 90, 180))]
)
def test_theorem_3_wants_every_class(counts: list[int], prototypes: Tensor | None) -> None:
    y = labels_of(*counts)
    with pytest.raises(ValueError, match="Theorem 3 assumes"):
        geometry.theorem_3_corrected(at(*[0] * len(y)), y, prototypes)
