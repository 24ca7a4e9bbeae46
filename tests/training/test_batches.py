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


def test_the_number_of_batches_does_not_depend_on_the_number_of_processes() -> None:
    # the last batch has 3 samples: the process without one loads the first of them and leaves it out
    sampler = EpochBatches(23, 5, seed=1, rank=3, world_size=4)
    assert [sampler.share_size(step) for step in range(5)] == [1, 1, 1, 1, 0]
    assert list(sampler)[-1] == batches()[-1][:1]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_share_sizes_are_those_of_the_shares(world_size: int) -> None:
    for rank in range(world_size):
        sampler = EpochBatches(23, 5, seed=1, rank=rank, world_size=world_size)
        assert [sampler.share_size(step) for step in range(5)] == [len(share) for share in sampler]


def test_a_batch_smaller_than_the_number_of_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch of 5 cannot be shared by 6 processes"):
        EpochBatches(23, 5, seed=0, world_size=6)


def test_an_epoch_without_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="3 training images in batches of 5"):
        EpochBatches(3, 5, seed=0, drop_last=True)
