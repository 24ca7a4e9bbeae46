"""The claims of the paper in JupyterLab: a row each, readable in both themes, with links that lead on."""

import re

import pytest
from playwright.sync_api import expect

from bcl_edu.course.claims import CLAIMS, Verdict, check, count_verdicts
from bcl_edu.course.figures import style
from tests.browser.jupyterlab import DARK, LIGHT, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "09_claims_of_the_paper"


def colour(css: str) -> str:
    """The colour rgb(1, 2, 3) as #010203."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", css)[:3])


def test_its_tables_are_read_in_both_themes_and_followed(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)

    checked = {name: check(claim) for name, claim in CLAIMS.items()}
    tables = visit.page.locator(".jp-OutputArea-output table")
    expect(tables).to_have_count(7)
    rows = tables.locator("tbody tr")
    expect(rows).to_have_count(len(checked) + len(Verdict))  # also those that are simply true, folded
    verdicts = count_verdicts(checked)
    expect(rows.filter(has_text="✗ false as printed")).to_have_count(verdicts["false as printed"])
    expect(rows.filter(has_text="◐ true under a condition")).to_have_count(verdicts["true under a condition"])
    expect(rows.filter(has_text="$")).to_have_count(0)  # every formula is set
    assert rows.locator("td").evaluate_all("cells => cells.every(cell => cell.textContent.trim())")
    sums = [cell for pair in count_verdicts(checked).items() for cell in map(str, pair)]
    assert tables.last.locator("tbody td").all_inner_texts() == sums

    for theme in (LIGHT, DARK):
        visit.set_theme(theme)
        page = visit.page.locator(".jp-Notebook").evaluate("e => getComputedStyle(e).backgroundColor")
        for part in ("td", "th", "td strong", "td a"):
            ink = tables.nth(1).locator(part).first.evaluate("e => getComputedStyle(e).color")
            assert style.contrast(colour(ink), colour(page)) > 4.5, (theme, part)

    link = rows.filter(has_text="✗ false as printed").get_by_role("link", name="06, section 4")
    visit.scroll_to(link)
    link.click()
    expect(visit.page.locator(".lm-TabBar-tab.lm-mod-current").first).to_contain_text("06_theorem_3")
    visit.all_is_well()
