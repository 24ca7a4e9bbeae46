"""The data set of view triples: what an item depends on, workers, memory, what it refuses."""

import multiprocessing

import pytest
import torch
from torch.utils.data import DataLoader

from bcl_edu.augment import TrainingViews, three_views, view_policy
from bcl_edu.seeds import derive_seed

POLICY = view_policy("cifar", image_size=32)


def data_set(number: int = 24, seed: int = 0) -> TrainingViews:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return TrainingViews(images, torch.arange(number) % 5, POLICY, seed)


def epoch_of(views: TrainingViews, **options: object) -> dict[int, torch.Tensor]:
    """All view triples of an epoch by sample index."""
    loader = DataLoader(views, generator=torch.Generator().manual_seed(1), **options)  # type: ignore[arg-type]
    seen: dict[int, torch.Tensor] = {}
    for images, labels, indices in loader:
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert torch.equal(labels, indices % 5)
        seen |= dict(zip(indices.tolist(), images, strict=True))
    return seen


def test_an_item_is_the_three_views_from_the_seed_of_run_epoch_and_sample() -> None:
    views = data_set(seed=11)
    views.set_epoch(4)
    triple, label, index = views[7]
    expected = three_views(POLICY, views.images[7], derive_seed("views", 11, 4, 7))
    assert torch.equal(triple, expected)
    assert (label, index) == (2, 7)


def test_batches_of_any_size_and_order_give_the_same_views() -> None:
    views = data_set()
    one_by_one = epoch_of(views, batch_size=1)
    shuffled = epoch_of(views, batch_size=7, shuffle=True)
    assert sorted(shuffled) == list(range(24))
    assert all(torch.equal(shuffled[i], one_by_one[i]) for i in range(24))


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_give_the_same_views_and_follow_the_epoch(start: str) -> None:
    views = data_set()
    reference = epoch_of(views, batch_size=4)
    views.set_epoch(1)
    later = epoch_of(views, batch_size=4)
    loader = DataLoader(
        views,
        batch_size=4,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context=multiprocessing.get_context(start),
        generator=torch.Generator().manual_seed(1),
    )
    for epoch, expected in ((0, reference), (1, later)):
        views.set_epoch(epoch)  # reaches workers that are already running
        count = 0
        for images, _, indices in loader:
            for image, index in zip(images, indices.tolist(), strict=True):
                assert torch.equal(image, expected[index])
                count += 1
        assert count == 24


def test_epochs_and_seeds_give_other_views() -> None:
    views = data_set()
    first, _, _ = views[0]
    views.set_epoch(1)
    assert not torch.equal(views[0][0], first)
    assert not torch.equal(data_set(seed=1)[0][0], first)


def test_images_are_not_copied_here() -> None:
    images = torch.zeros(10, 3, 32, 32, dtype=torch.uint8)
    views = TrainingViews(images, torch.zeros(10, dtype=torch.int64), POLICY)
    assert views.images.data_ptr() == images.data_ptr()


def is_shared(views: TrainingViews, answers: "multiprocessing.Queue[tuple[bool, int]]") -> None:
    """In a spawned process: whether the images live in shared memory, and which epoch it sees."""
    answers.put((views.images.is_shared(), int(views._epoch)))


@pytest.mark.slow
def test_a_spawned_worker_reads_the_parents_images_and_epoch_without_a_copy() -> None:
    views = data_set()
    views.set_epoch(3)
    context = torch.multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=is_shared, args=(views, answers))
    process.start()
    shared, epoch = answers.get(timeout=120)
    process.join()
    assert shared
    assert views.images.is_shared()  # the same memory: torch moved the parent's tensor there
    assert epoch == 3


def test_the_global_generator_is_untouched() -> None:
    views = data_set()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    views.__getitems__([0, 1, 2])
    assert torch.equal(torch.get_rng_state(), before)


def test_bad_data_are_refused() -> None:
    labels = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"torch\.float32 and shape \(4, 3, 32, 32\)"):
        TrainingViews(torch.zeros(4, 3, 32, 32), labels, POLICY)
    with pytest.raises(ValueError, match=r"4 images, but labels of shape \(3,\)"):
        TrainingViews(torch.zeros(4, 3, 32, 32, dtype=torch.uint8), labels[:3], POLICY)
    with pytest.raises(ValueError, match=r"\(4, 2, 32, 32\)"):
        TrainingViews(torch.zeros(4, 2, 32, 32, dtype=torch.uint8), labels, POLICY)
