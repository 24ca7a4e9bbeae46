import pytest
import torch

from bcl_edu.data import exponential_profile, shot_groups


def test_both_limits_belong_to_medium() -> None:
    groups = shot_groups(torch.tensor([101, 100, 20, 19, 0]))
    assert {name: group.tolist() for name, group in groups.items()} == {
        "many": [0],
        "medium": [1, 2],
        "few": [3, 4],
    }


def test_the_groups_of_cifar100_lt_at_factor_100() -> None:
    groups = shot_groups(exponential_profile(500, 100, 100))
    assert [len(group) for group in groups.values()] == [35, 35, 30]  # as in the papers' tables
    assert torch.cat(list(groups.values())).tolist() == list(range(100))


def test_a_group_may_be_empty() -> None:
    groups = shot_groups(torch.tensor([500, 300]))
    assert list(groups) == ["many", "medium", "few"]
    assert len(groups["medium"]) == len(groups["few"]) == 0


def test_limits_can_be_chosen() -> None:
    groups = shot_groups(torch.tensor([50, 10, 4]), many_above=40, few_below=5)
    assert [group.tolist() for group in groups.values()] == [[0], [1], [2]]


def test_overlapping_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="a class of 11 images would be in both groups"):
        shot_groups(torch.tensor([1]), many_above=10, few_below=12)
