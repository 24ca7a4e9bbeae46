from itertools import chain

import pytest

from bcl_edu.training.batches import EpochBatches


def batches(epoch: int = 0, start: int = 0, **options: int) -> list[list[int]]:
    sampler = EpochBatches(23, 5, seed=1, **options)
    sampler.set_position(epoch, start)
    return list(sampler)


def test_an_epoch_visits_every_sample_once() -> None:
    visited = batches()
    assert [len(batch) for batch in visited] == [5, 5, 5, 5, 3]
    assert sorted(chain(*visited)) == list(range(23))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    assert batches(0) != batches(1)
    assert batches(1) == batches(1)
    assert batches(0) != list(EpochBatches(23, 5, seed=2))


def test_starting_in_the_middle_gives_the_rest_of_the_same_epoch() -> None:
    assert batches(3, start=2) == batches(3)[2:]


def test_drop_last_leaves_out_the_smaller_batch() -> None:
    assert [len(batch) for batch in batches(drop_last=True)] == [5, 5, 5, 5]


@pytest.mark.parametrize("world_size", [2, 3])
def test_the_shares_of_all_processes_are_the_global_batch(world_size: int) -> None:
    shares = [batches(rank=rank, world_size=world_size) for rank in range(world_size)]
    together = [list(chain(*parts)) for parts in zip(*shares, strict=True)]
    assert together == batches()


def test_a_last_batch_too_small_for_all_processes_is_left_out() -> None:
    assert [len(batch) for batch in batches(rank=3, world_size=4)] == [1, 1, 1, 1]


def test_an_epoch_without_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="3 training images in batches of 5"):
        EpochBatches(3, 5, seed=0, drop_last=True)
