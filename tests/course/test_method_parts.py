"""What methods touch is found by asking them; here stands for some of them what the answer must be."""

import pytest
import torch

from bcl_edu.course.method_parts import YARDSTICK, method_parts


def test_cross_entropy_touches_nothing_though_it_weighs_twice() -> None:
    parts = method_parts(YARDSTICK)
    assert parts.touched == frozenset()
    assert (parts.samplers, parts.extra, parts.stages) == ((), (), ("main",))


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        ("lc", {"loss"}),
        ("tau-norm", {"prediction"}),
        ("crt", {"sampler", "stages"}),
        ("lws", {"sampler", "stages", "network", "prediction"}),
        ("bcl", {"loss", "views", "network"}),
        ("metasaug", {"loss", "sampler", "memory"}),
        ("tde", {"memory", "network", "prediction"}),
        ("reslt", {"loss", "network", "prediction"}),
    ],
)
def test_a_method_touches_what_its_paper_says(name: str, touched: set[str]) -> None:
    assert method_parts(name).touched == touched


@pytest.mark.parametrize(
    ("name", "network", "extra"),
    [
        ("bcl", "in training", ("projection", "prototype_head")),
        ("paco", "in training", ("projection", "key_backbone", "key_projection")),
        ("ldam", "in prediction", ("classifier",)),  # cosines, without a bias
        ("bbn", "in prediction", ("backbone", "classifier")),
    ],
)
def test_parts_that_predictions_need_are_told_from_those_of_training(
    name: str, network: str, extra: tuple[str, ...]
) -> None:
    parts = method_parts(name)
    assert (parts.network, parts.extra) == (network, extra)


def test_a_loss_that_changes_late_in_a_later_stage_is_noticed() -> None:
    assert "loss" in method_parts("disalign").touched  # weights of classes in the second stage alone


def test_a_second_batch_is_a_sampler() -> None:
    assert method_parts("bbn").samplers == ("rare classes more often in a second batch",)
    assert method_parts("metasaug").samplers == ("classes alike among images set aside",)


def test_asking_draws_nothing_from_the_readers_generator() -> None:
    method_parts.cache_clear()
    before = torch.random.get_rng_state()
    method_parts("lc")
    assert torch.equal(before, torch.random.get_rng_state())
