"""Batches of views of images in memory: what they depend on, their layout, what is refused."""

import pytest
import torch

from bcl_edu.augment import BatchedTrainingViews, batched_views, view_policy, view_seeds
from bcl_edu.augment.draws import derive_seed
from tests.augment.images import pictures

POLICY = view_policy("cifar", image_size=32)


def data_set(number: int = 24) -> BatchedTrainingViews:
    return BatchedTrainingViews(pictures(number), torch.arange(number) % 5, POLICY)


def test_a_view_depends_on_the_image_and_its_seed_alone() -> None:
    data = data_set()
    views, labels, indices = data.views([7, 3, 7], [11, 5, 12])
    assert torch.equal(views, batched_views(POLICY, data.images[[7, 3, 7]], [11, 5, 12]))
    assert (labels.tolist(), indices.tolist()) == ([2, 3, 2], [7, 3, 7])
    assert not torch.equal(views[:, 0], views[:, 2])  # the same image, drawn twice


def test_a_loader_may_ask_with_pairs_of_index_and_seed() -> None:
    data = data_set()
    for one, other in zip(data.__getitems__([(7, 11), (3, 5)]), data.views([7, 3], [11, 5]), strict=True):
        assert torch.equal(one, other)


def test_seeds_of_a_shuffled_epoch_are_made_of_run_epoch_and_index() -> None:
    assert view_seeds(3, 5, [7, 1]) == [derive_seed("views", 3, 5, 7), derive_seed("views", 3, 5, 1)]
    assert len({*view_seeds(0, 0, range(9)), *view_seeds(0, 1, range(9)), *view_seeds(1, 0, range(9))}) == 27


def test_views_come_first_and_without_a_copy() -> None:
    views, _, _ = data_set(6).views([0, 2, 4], [1, 2, 3])
    assert views.shape == (3, 3, 3, 32, 32)
    assert views.is_contiguous()


def test_images_are_not_copied_on_their_own_device() -> None:
    images = torch.zeros(10, 3, 32, 32, dtype=torch.uint8)
    data = BatchedTrainingViews(images, torch.zeros(10, dtype=torch.int64), POLICY)
    assert data.images.data_ptr() == images.data_ptr()


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("images", "labels", "named"),
    [
        (torch.zeros(4, 3, 32, 32), torch.zeros(4, dtype=torch.int64), r"float32.*\(4, 3, 32, 32\)"),
        (torch.zeros(4, 3, 32, 32).byte(), torch.zeros(3, dtype=torch.int64), r"4 images.*\(3,\)"),
        (torch.zeros(4, 2, 32, 32).byte(), torch.zeros(4, dtype=torch.int64), r"\(4, 2, 32, 32\)"),
    ],
)
def test_bad_data_are_refused(images: torch.Tensor, labels: torch.Tensor, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        BatchedTrainingViews(images, labels, POLICY)
