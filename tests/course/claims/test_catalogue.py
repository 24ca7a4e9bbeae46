"""Every claim: its verdict, its links, and that a broken function changes what is said."""

import dataclasses
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bcl_edu import geometry
from bcl_edu.course.claims import (
    CLAIMS,
    WRONG_VARIANTS,
    Claim,
    Verdict,
    WrongVariant,
    as_markdown,
    check,
    count_verdicts,
    verdict_under,
)
from bcl_edu.course.claims.all_claims import SECTIONS
from bcl_edu.course.claims.wrong_variants import FLATTERING_SOLVER
from tools.notebooks import twin_of

ROOT = Path(__file__).parents[3]

FALSE = {
    "theorem-1-printed",
    "theorem-3",
    "shot-groups",
    "consistently-better",
    "every-group",
    "quoted",
    "rerun",
    "epochs",
}
UNDER_A_CONDITION = {"bcl-simplex", "theorem-3-equality", "eq-10-balanced"}
NEEDS_DATA_OR_A_RUN = {"imagenet-lt", "inaturalist", *SECTIONS["the tables"]}


@cache
def honest(name: str) -> Verdict:
    """Verdict of a claim with everything in its place, computed once."""
    return check(CLAIMS[name]).verdict


@pytest.mark.parametrize("name", sorted(set(CLAIMS) - FALSE - UNDER_A_CONDITION - NEEDS_DATA_OR_A_RUN))
def test_it_is_true(name: str) -> None:
    assert honest(name) is Verdict.TRUE


@pytest.mark.parametrize("name", sorted(FALSE))
def test_it_is_false_as_printed(name: str) -> None:
    assert honest(name) is Verdict.FALSE


@pytest.mark.parametrize("name", sorted(UNDER_A_CONDITION))
def test_it_is_true_under_a_condition(name: str) -> None:
    assert honest(name) is Verdict.CONDITION


# ---- every check can fail


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        pytest.param(name, wrong, id=f"{name}-{wrong.name}")
        for name in CLAIMS
        for wrong in WRONG_VARIANTS.get(name, ())
    ],
)
def test_a_wrong_variant_changes_the_verdict_or_is_refused(name: str, wrong: WrongVariant) -> None:
    originals = [getattr(place, attribute) for place, attribute, _ in wrong.patches]
    assert verdict_under(name, wrong) is not honest(name)
    for (place, attribute, _), original in zip(wrong.patches, originals, strict=True):
        assert getattr(place, attribute) is original  # everything is in its place again


def test_every_claim_has_a_wrong_variant() -> None:
    assert set(WRONG_VARIANTS) == set(CLAIMS)
    assert all(WRONG_VARIANTS.values())


def test_a_flattering_solver_is_refused_although_it_calls_its_optima_certified() -> None:
    """It returns optima of equal classes, with a true certificate for those; theirs is not the row's problem."""
    for name in ("theorem-3", "theorem-3-equality", "scl-long-tailed", "bcl-simplex"):
        assert verdict_under(name, FLATTERING_SOLVER) is None
        with FLATTERING_SOLVER.in_force(), pytest.raises(ArithmeticError, match="not an optimum of"):
            CLAIMS[name].check()


def test_a_solver_that_reports_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def flattering(*arguments: Any, **options: Any) -> Any:
        best = geometry.optimum.certified_optimum(*arguments, **options)
        return dataclasses.replace(best, value=best.value / 2)

    monkeypatch.setattr(geometry, "certified_optimum", flattering)
    with pytest.raises(ArithmeticError, match="but its answer has"):
        check(CLAIMS["theorem-3"])


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
        "not reproduced here": 0,
        "open": 0,
    }
