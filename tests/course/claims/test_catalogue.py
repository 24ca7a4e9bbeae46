"""Every claim: its verdict, its links, and that a broken function changes what is said."""

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bcl_edu import data, geometry, losses
from bcl_edu.course.claims import CLAIMS, Claim, Verdict, as_markdown, check, count_verdicts
from bcl_edu.course.claims.all_claims import SECTIONS
from tools.notebooks import twin_of

ROOT = Path(__file__).parents[3]

FALSE = {"theorem-1-printed", "theorem-3", "shot-groups"}
UNDER_A_CONDITION = {"bcl-simplex", "averaging-balances", "theorem-3-equality"}
NEEDS_DATA_OR_A_RUN = {"imagenet-lt", "inaturalist", *SECTIONS["the tables"]} - {"consistent-tables"}


@pytest.mark.parametrize("name", sorted(set(CLAIMS) - FALSE - UNDER_A_CONDITION - NEEDS_DATA_OR_A_RUN))
def test_it_is_true(name: str) -> None:
    assert check(CLAIMS[name]).verdict is Verdict.TRUE


@pytest.mark.parametrize("name", sorted(FALSE))
def test_it_is_false_as_printed(name: str) -> None:
    assert check(CLAIMS[name]).verdict is Verdict.FALSE


@pytest.mark.parametrize("name", sorted(UNDER_A_CONDITION))
def test_it_is_true_under_a_condition(name: str) -> None:
    assert check(CLAIMS[name]).verdict is Verdict.CONDITION


# ---- a verdict follows the function that it is about


def raised(function: Callable[..., Any]) -> Callable[..., Any]:
    """A lower bound that claims a little more than there is."""

    def wrong(*arguments: Any, **options: Any) -> Any:
        bound = function(*arguments, **options)
        return dataclasses.replace(bound, bound=bound.bound + 0.01)

    return wrong


def one_more(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Class counts that are one too many."""
    return lambda *arguments, **options: function(*arguments, **options) + 1


def simplex_for_everyone(*arguments: Any, **options: Any) -> Any:
    """A solver that knows the optimum of equal classes only, and no value."""
    best = geometry.optimum.certified_optimum(torch.ones(len(arguments[0])), "bcl", temperature=0.5)
    return dataclasses.replace(best, value=math.inf)


@pytest.mark.parametrize(
    ("room", "function", "broken", "name", "verdict"),
    [
        (geometry, "theorem_1", raised(geometry.theorem_1), "theorem-1", Verdict.FALSE),
        (geometry, "theorem_2", raised(geometry.theorem_2), "theorem-2", Verdict.FALSE),
        (geometry, "theorem_3_corrected", raised(geometry.theorem_3_corrected), "theorem-3-corrected", Verdict.FALSE),
        (data, "exponential_profile", one_more(data.exponential_profile), "cifar100-lt", Verdict.FALSE),
        (data, "exponential_profile", one_more(data.exponential_profile), "cifar10-lt", Verdict.FALSE),
        (geometry, "certified_optimum", simplex_for_everyone, "theorem-3", Verdict.TRUE),
        (geometry, "certified_optimum", simplex_for_everyone, "theorem-3-equality", Verdict.TRUE),
        (geometry, "certified_optimum", simplex_for_everyone, "scl-long-tailed", Verdict.FALSE),
        (losses, "balanced_contrastive_loss", lambda z, *_, **__: z.sum() + 1, "eq-9", Verdict.FALSE),
        (losses, "logit_compensated_cross_entropy", lambda x, *_: x.logsumexp(1).mean(), "eq-10", Verdict.FALSE),
        (losses, "weighted_total", lambda a, b, **_: a + b, "eq-11", Verdict.FALSE),
    ],
)  # fmt: skip
def test_a_broken_function_changes_the_verdict(
    monkeypatch: pytest.MonkeyPatch, room: Any, function: str, broken: Any, name: str, verdict: Verdict
) -> None:
    before = check(CLAIMS[name]).verdict
    monkeypatch.setattr(room, function, broken)
    assert check(CLAIMS[name]).verdict is verdict
    assert verdict is not before


def test_an_optimum_without_a_certificate_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def uncertified(*arguments: Any, **options: Any) -> Any:
        best = geometry.optimum.certified_optimum(*arguments, **options)
        return dataclasses.replace(best, certified=False)

    monkeypatch.setattr(geometry, "certified_optimum", uncertified)
    for name in ("scl-balanced", "theorem-3", "theorem-3-equality"):
        with pytest.raises(ArithmeticError, match="not certified"):
            check(CLAIMS[name])


# ---- what a reader sees


@pytest.mark.parametrize("claim", [pytest.param(claim, id=name) for name, claim in CLAIMS.items()])
def test_links_lead_to_a_heading_or_a_test_that_exists(claim: Claim) -> None:
    assert claim.links
    for link in claim.links:
        if link.file.endswith(".ipynb"):
            assert (ROOT / link.file).is_file()
            twin = twin_of(ROOT / link.file).read_text("utf-8")
            assert f"# ## {link.place}\n" in twin
        else:
            assert f"def {link.place}(" in (ROOT / link.file).read_text("utf-8")


def test_names_are_unique_over_the_sections() -> None:
    assert len(CLAIMS) == sum(map(len, SECTIONS.values()))


def test_the_table_has_a_row_a_claim_and_its_bars_do_not_split_cells() -> None:
    checked = {name: check(CLAIMS[name]) for name in ("theorem-1-printed", "theorem-3", "cifar10-lt")}
    head, line, *rows = as_markdown(checked).splitlines()
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in (head, line, *rows))
    assert r"\vert B_y\vert" in rows[0]
    assert "✗ false as printed" in rows[0]
    assert "(06_theorem_3_class_complement.ipynb#4.-A-counter-example-to-hold-in-your-hands)" in rows[1]
    assert "12,406 images" in rows[2]
    assert count_verdicts(checked) == {
        "true": 1,
        "true under a condition": 0,
        "false as printed": 2,
        "open": 0,
    }
