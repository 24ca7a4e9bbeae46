from itertools import chain
from typing import Any

import pytest
import torch

from bcl_edu.augment.draws import derive_seed
from bcl_edu.methods import ByClass
from bcl_edu.training.batches import EpochBatches

LABELS = torch.arange(23) % 3


def new(number: int = 23, size: int = 5, seed: int = 1, **options: Any) -> EpochBatches:
    return EpochBatches(LABELS[:number], size, seed, **options)


def pairs(epoch: int = 0, start: int = 0, **options: Any) -> list[list[tuple[int, int]]]:
    sampler = new(**options)
    sampler.set_position(epoch, start)
    return list(sampler)


def batches(epoch: int = 0, start: int = 0, **options: Any) -> list[list[int]]:
    return [[index for index, _ in batch] for batch in pairs(epoch, start, **options)]


def test_an_epoch_visits_every_sample_once() -> None:
    visited = batches()
    assert [len(batch) for batch in visited] == [5, 5, 5, 5, 3]
    assert sorted(chain(*visited)) == list(range(23))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    assert batches(0) != batches(1)
    assert batches(1) == batches(1)
    assert batches(0) != batches(0, seed=2)


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
    sampler = new(rank=3, world_size=4)
    assert [sampler.share_size(step) for step in range(5)] == [1, 1, 1, 1, 0]
    assert list(sampler)[-1] == pairs()[-1][:1]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_share_sizes_are_those_of_the_shares(world_size: int) -> None:
    for rank in range(world_size):
        sampler = new(rank=rank, world_size=world_size)
        assert [sampler.share_size(step) for step in range(5)] == [len(share) for share in sampler]


def test_a_batch_smaller_than_the_number_of_processes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch of 5 .*6 processes"):
        new(world_size=6)


def test_an_epoch_without_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3 training images .*batches of 5"):
        new(3, drop_last=True)


def test_micro_batches_do_not_depend_on_the_number_of_processes() -> None:
    def pieces(rank: int, world_size: int) -> list[list[list[int]]]:
        options = {"size": 8, "micro_batches": 2, "rank": rank, "world_size": world_size}
        sizes = [[share[rank] for share in new(**options).shares(step)] for step in range(3)]
        return [
            [list(samples) for samples in torch.tensor(share).split(of_share)]
            for share, of_share in zip(batches(**options), sizes, strict=True)
        ]

    by_one = pieces(0, 1)
    by_two = zip(pieces(0, 2), pieces(1, 2), strict=True)
    assert [[a + b for a, b in zip(*step, strict=True)] for step in by_two] == by_one
    assert [len(piece) for step in by_one for piece in step] == [4, 4, 4, 4, 4, 3]


def test_a_small_last_batch_has_fewer_micro_batches() -> None:
    assert new(9, 8, micro_batches=2).shares(1) == [[1]]
    assert new(14, 8, micro_batches=4).shares(1) == [[2], [2], [1], [1]]


def test_views_of_a_shuffled_epoch_are_seeded_by_the_image() -> None:
    for index, seed in chain(*pairs(epoch=3)):
        assert seed == derive_seed("views", 1, 3, index)


def test_an_image_that_recurs_in_an_epoch_has_other_views_each_time() -> None:
    drawn = list(chain(*pairs(sampler=ByClass(), images=60)))
    assert len({index for index, _ in drawn}) < 24 < len({seed for _, seed in drawn}) == 60


def test_a_further_stream_has_an_order_and_views_of_its_own() -> None:
    assert batches(stream="meta") != batches()
    assert sorted(chain(*batches(stream="meta"))) == list(range(23))
    assert not {seed for _, seed in chain(*pairs(stream="meta"))} & {seed for _, seed in chain(*pairs())}


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_a_stream_with_replacement(world_size: int) -> None:
    options = {"sampler": ByClass(1.0), "images": 23}
    shares = [pairs(rank=rank, world_size=world_size, **options) for rank in range(world_size)]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == pairs(**options)
