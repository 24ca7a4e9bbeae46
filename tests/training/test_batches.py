from itertools import chain

import pytest
import torch

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


def test_the_parts_of_a_batch_do_not_depend_on_the_number_of_processes() -> None:
    def parts(rank: int, world_size: int) -> list[list[list[int]]]:
        sampler = EpochBatches(23, 8, seed=1, parts=2, rank=rank, world_size=world_size)
        sizes = [[part.size for part in sampler.parts_of(step)] for step in range(3)]
        return [
            [list(samples) for samples in torch.tensor(share).split(of_share)]
            for share, of_share in zip(sampler, sizes, strict=True)
        ]

    by_one = parts(0, 1)
    by_two = zip(parts(0, 2), parts(1, 2), strict=True)
    assert [[a + b for a, b in zip(*step, strict=True)] for step in by_two] == by_one
    assert [len(part) for step in by_one for part in step] == [4, 4, 4, 4, 4, 3]


def test_a_small_last_batch_has_fewer_parts() -> None:
    assert EpochBatches(9, 8, seed=1, parts=2).parts_of(1) == [(1, 1.0)]
    assert EpochBatches(14, 8, seed=1, parts=4).parts_of(1) == [
        (2, 2 / 6),
        (2, 2 / 6),
        (1, 1 / 6),
        (1, 1 / 6),
    ]
