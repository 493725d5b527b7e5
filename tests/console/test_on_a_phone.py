"""What is on a page can be read on a phone: words of plots, captions, and tables, whose rows stand there as lists."""

import pytest
from tests.console.conftest import END
from tests.console.test_records_browser import PHONE, answered
from tests.console.test_records_pages import broken, put_incident, second_run

from everloop.records import Opinion, Verdict

pytestmark = pytest.mark.slow

LEAST = 11
"""Pixels that letters of a plot have at least."""
WORDS = """() => [...document.querySelectorAll("svg.el-plot")].flatMap(svg => {
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width
  return [...svg.querySelectorAll("text")].map(text => scale * parseFloat(getComputedStyle(text).fontSize))
})"""
BEYOND = """() => [...document.querySelectorAll("main .scrolls, main caption, main td, main th")]
  .filter(one => !one.closest("thead") && one.getBoundingClientRect().width)
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.scrollWidth > one.clientWidth + 1)
  .map(one => `${one.tagName} ${one.textContent.trim().slice(0, 40)}`)"""
STACKED = (
    "runs", "delivery", "data", "data/houses", "features", "incidents", "cost?model=prices", "journal", "people", "pane", "models/prices",
    "models/prices/contests",
)  # fmt: skip
CLAUSE = "fair_across(houses.given('zip'), 'mean_absolute_error', within=0.25, least=200)"


@pytest.fixture
def lived(house):
    """The house with an answer, an incident, and a second run that was judged by a clause with a long name."""
    answered(house)
    put_incident(house, broken("prices", 1, state="resolved", resolved_at=END))
    _, other = second_run(house)
    said = Opinion(clause=CLAUSE, outcome="passed", sentence="s", candidate=0.2, champion=0.3, effect=0.1)
    verdict = Verdict(id="v-9", made_at=END, model="prices", candidate=other.id, champion="b", opinions=(said,), outcome="passed")
    with house.store.transaction() as t:
        house.runs.judged(t, verdict)
    return house


@pytest.mark.parametrize(("page", "least"), [("models/prices", 10), ("pane", 10), ("models/prices/rollout", 0)])
@pytest.mark.parametrize("wide", [390, 1280])
def test_the_words_of_a_plot_are_large_enough(lived, page_of, page, least, wide):
    opened = page_of(f"/console/{page}", viewport={"width": wide, "height": 844})
    sizes = opened.evaluate(WORDS)
    assert len(sizes) >= least
    assert all(size >= LEAST for size in sizes), min(sizes)


@pytest.mark.parametrize("page", STACKED)
def test_no_caption_and_no_cell_is_cut_off_on_a_phone(lived, page_of, page, shot):
    opened = page_of(f"/console/{page}", viewport=PHONE)
    assert opened.locator("main table").count()
    assert opened.evaluate(BEYOND) == []
    shot(opened, f"phone-{page.replace('/', '-').replace('?', '-')}")


def test_every_cell_that_stands_in_a_list_says_what_it_is(lived, page_of):
    page = page_of("/console/", viewport=PHONE)
    for name in ("runs", "delivery", "data", "features", "cost?model=prices", "journal", "models/prices"):
        page.goto(f"/console/{name}")
        unsaid = page.evaluate('[...document.querySelectorAll("table.stacks td:not([data-label]):not([colspan])")].map(td => td.outerHTML)')
        assert unsaid == [], name


def test_a_clause_is_no_wide_head_of_a_column_and_is_read_whole_when_pointed_at(lived, page_of):
    page = page_of("/console/runs")
    heads = page.locator("table.runs thead th")
    wide = heads.evaluate_all("heads => heads.map(one => one.getBoundingClientRect().width)")
    assert max(wide) < 260, "the learner's is the widest"
    head = page.locator(f'table.runs thead th[title="{CLAUSE}"]')
    assert head.bounding_box()["width"] < 170
    assert head.inner_text().replace("\n", "").endswith("…")
