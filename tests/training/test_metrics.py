import pytest
import torch

from bcl_edu.training.metrics import accuracy, expected_calibration_error, shot_confusion

# classes 0, 1 are many-shot, 2 medium, 3 few
COUNTS = torch.tensor([500, 101, 20, 19])


def test_groups_are_averaged_over_their_images() -> None:
    result = accuracy(torch.tensor([0, 0, 1, 2, 2, 0]), torch.tensor([0, 0, 1, 2, 2, 3]), COUNTS)
    assert (result.many, result.medium, result.few) == (100.0, 100.0, 0.0)
    assert result.top1 == pytest.approx(100 * 5 / 6)
    assert result.per_class == (100.0, 100.0, 100.0, 0.0)


def test_an_empty_group_has_no_accuracy() -> None:
    result = accuracy(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([500, 400, 300, 200]))
    assert (result.medium, result.few) == (None, None)
    assert result.per_class[2] is None


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([], [], "no label"),
        ([0, 1], [0], "2 predictions for 1 label"),
        ([4], [0], r"predictions from 4 to 4, .*\(expected 0\.\.3\)"),
    ],
)
def test_predictions_that_fit_no_labels_or_classes_are_refused(
    predictions: list[int], labels: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy(
            torch.tensor(predictions, dtype=torch.int64), torch.tensor(labels, dtype=torch.int64), COUNTS
        )


def test_a_confusion_says_what_each_group_was_taken_for() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    predictions = torch.tensor([0, 1, 1, 3, 2, 0, 0, 2])
    assert shot_confusion(predictions, labels, COUNTS) == {
        "many": {"right": 50.0, "many": 25.0, "medium": 0.0, "few": 25.0},
        "medium": {"right": 50.0, "many": 50.0, "medium": 0.0, "few": 0.0},
        "few": {"right": 0.0, "many": 50.0, "medium": 50.0, "few": 0.0},
    }


def test_a_confusion_has_the_accuracy_of_each_group_and_no_row_for_an_empty_one() -> None:
    labels, predictions = torch.tensor([0, 0, 1, 2, 2, 0]), torch.tensor([0, 3, 1, 2, 0, 0])
    shares = shot_confusion(predictions, labels, COUNTS)
    assert (shares["many"]["right"], shares["medium"]["right"]) == (
        75.0,
        accuracy(predictions, labels, COUNTS).medium,
    )
    assert "few" not in shares
    assert all(sum(parts.values()) == pytest.approx(100) for parts in shares.values())


@pytest.mark.parametrize(
    ("predictions", "message"), [([0, 1], "2 predictions for 1 label"), ([4], "predictions from 4 to 4")]
)
def test_a_confusion_of_something_else_is_refused(predictions: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shot_confusion(torch.tensor(predictions), torch.tensor([0]), COUNTS)


def test_the_mean_over_classes_counts_each_class_once() -> None:
    labels = torch.tensor([0] * 9 + [1])
    found = accuracy(torch.zeros(10, dtype=torch.int64), labels, torch.tensor([90, 10, 5]))
    assert (found.top1, found.class_average) == (90.0, 50.0)  # the third class has no test image


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    confidences = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    right = torch.tensor([True, True, True, False, True, False])
    expected = 100 * (4 / 6 * abs(0.75 - 0.9) + 2 / 6 * abs(0.5 - 0.5))
    assert expected_calibration_error(confidences, right) == pytest.approx(expected, abs=1e-5)
    assert expected_calibration_error(torch.tensor([1.0, 0.0]), torch.tensor([True, False])) == 0.0
