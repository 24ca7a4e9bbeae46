import pytest
import torch

from bcl_edu.training.metrics import accuracy, shot_confusion

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


def test_a_confusion_says_what_each_group_was_taken_for() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    predictions = torch.tensor([0, 1, 1, 3, 2, 0, 0, 2])
    assert shot_confusion(predictions, labels, COUNTS) == {
        "many": {"right": 50.0, "many": 25.0, "medium": 0.0, "few": 25.0},
        "medium": {"right": 50.0, "many": 50.0, "medium": 0.0, "few": 0.0},
        "few": {"right": 0.0, "many": 50.0, "medium": 50.0, "few": 0.0},
    }


def test_a_confusion_has_the_accuracy_of_each_group_and_no_row_for_an_empty_one() -> None:
    labels, logits = torch.tensor([0, 0, 1, 2, 2, 0]), scores(0, 3, 1, 2, 0, 0)
    shares = shot_confusion(logits.argmax(dim=1), labels, COUNTS)
    assert (shares["many"]["right"], shares["medium"]["right"]) == (
        75.0,
        accuracy(logits, labels, COUNTS).medium,
    )
    assert "few" not in shares
    assert all(sum(parts.values()) == pytest.approx(100) for parts in shares.values())


@pytest.mark.parametrize(
    ("predictions", "message"), [([0, 1], "2 predictions for 1 labels"), ([4], "predictions from 4 to 4")]
)
def test_a_confusion_of_something_else_is_refused(predictions: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shot_confusion(torch.tensor(predictions), torch.tensor([0]), COUNTS)
