import pytest
import torch

from bcl_edu.training.metrics import accuracy, expected_calibration_error

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


@pytest.mark.usefixtures("shapes_unchecked")
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
