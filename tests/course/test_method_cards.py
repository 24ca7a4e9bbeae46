"""Every method of the series has a card, whose formula every page can draw."""

import re
from pathlib import Path

import pytest

from bcl_edu.course.method_cards import CARDS, method_card
from bcl_edu.course.method_parts import MethodParts
from bcl_edu.course.method_runs import read_method_runs
from bcl_edu.rows import METHODS
from tools.mathematics import mathml

RUNS = read_method_runs(Path(__file__).resolve().parents[2] / "results" / "digits-lt-methods")
NOTHING = MethodParts(False, (), 1, "same", (), False, ("main",), False)
SOME = MethodParts(
    True, ("classes in turn",), 1, "in prediction", ("prototype_head",), False, ("a", "b"), True
)


def test_every_method_of_the_series_has_a_card_and_every_card_is_of_a_method() -> None:
    assert set(RUNS) == set(CARDS)
    assert set(CARDS) <= set(METHODS)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_a_formula_that_pages_can_draw_and_an_idea_of_two_sentences(name: str) -> None:
    card = CARDS[name]
    assert "<math" in mathml(card.formula, block=True)
    assert len(re.findall(r"[.?!](?=\s|$)", card.idea)) == 2


def test_a_card_says_what_is_touched_and_what_the_runs_did() -> None:
    text = method_card("bcl", SOME, RUNS["bcl"], RUNS["ce"])
    assert text.startswith(f"### `bcl`: {METHODS['bcl'].title}\n")
    assert (
        "*Touches the loss, the sampler (classes in turn), the network in prediction (prototype head), "
        "the stages (a, b) and the prediction.*" in text
    )
    head, _, row = text.splitlines()[-3:]
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["few"] == "62 ± 5 (+26)"  # 62.5, and 36.0 for cross-entropy, in the table of the series
    assert cells["| many"] == "| 94 ± 3 (\N{MINUS SIGN}5)"
    assert cells["simplex deviation"] == "0.32 ± 0.01 (\N{MINUS SIGN}0.02)"


def test_the_yardstick_is_not_compared_with_itself() -> None:
    text = method_card("ce", NOTHING, RUNS["ce"], RUNS["ce"])
    assert "*Touches nothing.*" in text
    assert " | 36 ± 6 | " in text
