"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from bcl_edu.counting import counted


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "image", "0 images"),
        (1, "training image", "1 training image"),
        (2, "class", "2 classes"),
        (1, "process", "1 process"),
        (3, "batch", "3 batches"),
        (4, "epoch", "4 epochs"),
        (12500, "step", "12,500 steps"),
    ],
)
def test_a_noun_is_in_the_plural_unless_there_is_one(number: int, noun: str, expected: str) -> None:
    assert counted(number, noun) == expected
