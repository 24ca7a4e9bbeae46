import pytest
import torch

from bcl_edu.training.metrics import accuracy

# classes 0, 1 are many-shot, 2 medium, 3 few
COUNTS = torch.tensor([500, 101, 20, 19])


def scores(*predicted: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(predicted), 4).float()


def test_groups_are_averaged_over_their_images() -> None:
    result = accuracy(scores(0, 0, 1, 2, 2, 0), torch.tensor([0, 0, 1, 2, 2, 3]), COUNTS)
    assert (result.many, result.medium, result.few) == (100.0, 100.0, 0.0)
    assert result.top1 == pytest.approx(100 * 5 / 6)
    assert result.per_class == (100.0, 100.0, 100.0, 0.0)


def test_an_empty_group_has_no_accuracy() -> None:
    result = accuracy(scores(0, 1), torch.tensor([0, 1]), torch.tensor([500, 400, 300, 200]))
    assert (result.medium, result.few) == (None, None)
    assert result.per_class[2] is None


def test_class_counts_must_fit_the_logits() -> None:
    with pytest.raises(ValueError, match="3 class counts"):
        accuracy(scores(0), torch.tensor([0]), torch.tensor([1, 2, 3]))
