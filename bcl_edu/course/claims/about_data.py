"""Claims about the data: sizes, factors, shot groups, and what a mini-batch has of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from bcl_edu import data, geometry
from bcl_edu.course.claims.claim import Claim, Evidence, Link, evidence
from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.photographs import find_list, read_any_list
from bcl_edu.rows import ROWS

ROOT = Path(__file__).parents[3]
"""Folder that relative folders of data start from: a notebook runs in a folder of its own."""

CIFAR_SIZES = {"CIFAR-10-LT": (5000, 10), "CIFAR-100-LT": (500, 100)}


def _size(images: int, classes: int, factor: int, claimed: int) -> Evidence:
    counts = data.exponential_profile(images, classes, factor)
    total = int(counts.sum())
    return evidence(
        [total == claimed], f"{total:,} images, {int(counts[0]):,} down to {int(counts[-1])} a class"
    )


def cifar100_size() -> Evidence:
    """Images of CIFAR-100-LT at factor 100."""
    return _size(500, 100, 100, 10_847)


def cifar10_size() -> Evidence:
    """Images of CIFAR-10-LT at factor 100."""
    return _size(5000, 10, 100, 12_406)


def imbalance_factors() -> Evidence:
    """Largest over smallest class, for all six profiles."""
    found = {}
    for name, (images, classes) in CIFAR_SIZES.items():
        for factor in (100, 50, 10):
            counts = data.exponential_profile(images, classes, factor)
            found[name, factor] = int(counts[0]) / int(counts[-1])
    return evidence([ratio == factor for (_, factor), ratio in found.items()], f"{len(found)} profiles")


def listed_counts(name: str) -> Int[np.ndarray, " k"] | None:
    """Training images of each class in a published list; None if the list is not on this machine."""
    try:
        source, folder = data.PHOTOGRAPH_SETS[name], ROOT / data.default_data_dir(name)
        path = find_list(source, "train", folder, default_cache_dir())
    except ValueError:
        return None
    return np.bincount(read_any_list(path).labels)


def _listed_size(name: str, thousands: float, classes: int) -> Evidence:
    """Images (in thousands, to the printed digit) and classes of a published list; nothing is fetched."""
    counts = listed_counts(name)
    if counts is None:
        listed = data.PHOTOGRAPH_SETS[name].splits["train"].list_name
        return Evidence(0, 0, f"{listed} is not on this machine", needs="the data set")
    total = int(counts.sum())
    return evidence(
        [round(total / 1000, 1) == thousands, len(counts) == classes],
        f"{total:,} images, {len(counts):,} classes, {counts.max():,} down to {counts.min()}",
    )


def imagenet_lt_size() -> Evidence:
    """Training images of ImageNet-LT, from its list."""
    return _listed_size("imagenet-lt", 115.8, 1000)


def inaturalist_size() -> Evidence:
    """Training images of iNaturalist 2018, from its list."""
    return _listed_size("inaturalist2018", 437.5, 8142)


MEDIUM_FROM = 2
"""Fewest images of a medium-shot class as printed."""


def shot_groups_as_printed() -> Evidence:
    """True if "more than 100", "2 to 100" and "fewer than 20" put every class into one group."""
    counts = data.exponential_profile(500, 100, 100)
    groups = torch.stack([counts > 100, (counts >= MEDIUM_FROM) & (counts <= 100), counts < 20]).sum(dim=0)
    twice = int((groups > 1).sum())
    return evidence((groups == 1).tolist(), f"{twice} of the 100 classes of CIFAR-100-LT are in two groups")


def shot_groups_as_meant() -> Evidence:
    """True if "20 to 100" in the middle does."""
    counts = data.exponential_profile(500, 100, 100)
    groups = data.shot_groups(counts)
    member = torch.cat(list(groups.values())).bincount(minlength=100)
    sizes = " / ".join(str(len(group)) for group in groups.values())
    return evidence((member == 1).tolist(), f"CIFAR-100-LT, factor 100: {sizes} classes")


def groups_make_the_whole() -> Evidence:
    """The three groups' accuracies of one row, weighted by their numbers of classes, against its accuracy on all."""
    row = ROWS["cifar100-lt-if100-400-epochs-bcl"]
    paper = row.paper
    if paper is None or paper.many is None or paper.medium is None or paper.few is None:
        raise LookupError(f"{row.title} has no figures of the three groups")
    counts = data.exponential_profile(500, 100, 100)
    sizes = [len(group) for group in data.shot_groups(counts).values()]
    parts = (paper.many, paper.medium, paper.few)
    whole = sum(n * part for n, part in zip(sizes, parts, strict=True)) / sum(sizes)
    return evidence(
        [abs(whole - paper.top1) <= 0.1],  # every printed figure is rounded to a tenth
        f"({sizes[0]} · {parts[0]} + {sizes[1]} · {parts[1]} + {sizes[2]} · {parts[2]}) / 100 = {whole:.2f}",
    )


def classes_are_missing() -> Evidence:
    """Classes without a sample in a mini-batch of 256 images."""
    counts = data.exponential_profile(500, 100, 100)
    batches = geometry.sampled_batches(counts, 256, num_batches=500)
    absent = (batches.counts == 0).sum(axis=1)
    return evidence(
        (absent > 0).tolist(),
        f"CIFAR-100-LT, factor 100: {absent.min()} to {absent.max()} of the 100 classes",
    )


_02 = "notebooks/02_long_tails.ipynb"

DATA_CLAIMS = {
    "cifar100-lt": Claim(
        "not in the paper: what its profile gives",
        "CIFAR-100-LT with imbalance factor 100 has 10,847 training images.",
        "sum of the exponential profile, 500 down to 5 images, rounded down",
        cifar100_size,
        (
            Link(_02, "1. A tail of a hundred classes"),
            Link(
                "tests/data/test_long_tail.py",
                "test_exponential_profile_has_the_published_number_of_images",
            ),
        ),
    ),
    "cifar10-lt": Claim(
        "not in the paper: what its profile gives",
        "CIFAR-10-LT with imbalance factor 100 has 12,406 training images.",
        "sum of the exponential profile, 5,000 down to 50 images, rounded down",
        cifar10_size,
        (
            Link(
                "tests/data/test_long_tail.py",
                "test_exponential_profile_has_the_published_number_of_images",
            ),
        ),
    ),
    "imbalance-factor": Claim(
        "section 4.1",
        "The imbalance factor, 100, 50 or 10, is the ratio of the largest to the smallest class.",
        "the six profiles of CIFAR",
        imbalance_factors,
        (Link(_02, "1. A tail of a hundred classes"),),
    ),
    "imagenet-lt": Claim(
        "section 4.1",
        "ImageNet-LT: 115.8K training images of 1,000 classes.",
        "counts of its published list, where it is",
        imagenet_lt_size,
        (Link(_02, "1. A tail of a hundred classes"),),
    ),
    "inaturalist": Claim(
        "section 4.1",
        "iNaturalist 2018: 437.5K training images of 8,142 classes.",
        "counts of its published list, where it is",
        inaturalist_size,
        (Link(_02, "1. A tail of a hundred classes"),),
    ),
    "shot-groups": Claim(
        "section 4.4",
        "Classes are many-shot (> 100 images), medium-shot (“2~100”) or few-shot (< 20).",
        "groups of each class",
        shot_groups_as_printed,
        (Link("tests/data/test_long_tail.py", "test_overlapping_limits_are_refused"),),
    ),
    "shot-groups-meant": Claim(
        "section 4.4, read as 20~100",
        "… every class is in one group.",
        "groups of each class",
        shot_groups_as_meant,
        (
            Link("tests/data/test_long_tail.py", "test_the_groups_of_cifar100_lt_at_factor_100"),
            Link(_02, "1. A tail of a hundred classes"),
        ),
    ),
    "absent-classes": Claim(
        "section 3.3",
        "Classes are missing from mini-batches of long-tailed data.",
        "500 sampled batches of 256 images",
        classes_are_missing,
        (Link("notebooks/05_theorem_2_class_averaging.ipynb", "5. What averaging does not repair"),),
    ),
    "groups-whole": Claim(
        "comparison on CIFAR-100-LT, 400 epochs",
        "69.7 / 53.8 / 35.5 % on the three groups is 53.9 % on all classes.",
        "mean weighted by the number of classes in each group",
        groups_make_the_whole,
        (Link("tests/data/test_long_tail.py", "test_the_groups_of_cifar100_lt_at_factor_100"),),
    ),
}
