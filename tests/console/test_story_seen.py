"""The demo's story followed in the browser, from the first candidates to the button that takes a harmful one back."""

from __future__ import annotations

import pytest
from tests.console.conftest import cookie_of, listening

from everloop.console.app import console
from everloop.demo.shop import load, starts
from everloop.demo.year import FIRST, PROJECT, Plants, open_year
from everloop.loop import let_in
from everloop.loop.house import open_house
from everloop.settings import read_settings

pytestmark = pytest.mark.slow
CENTS, HARM = FIRST + 5, FIRST + 6


@pytest.fixture
def seen(browser, tmp_path):
    """The console of the year's house, opened anew for each chapter: a page of it."""
    pages = []

    def opened():
        house = open_house(PROJECT, settings=read_settings(tmp_path, house=tmp_path / "house"), turned=True)
        if not pages:
            let_in.add(house, "Ada", "admin", by="Ada", now=starts(FIRST))
        inside = listening(console(house))
        site = inside.__enter__()
        cookie, secret = cookie_of(house, "Ada")
        context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": cookie, "value": secret, "domain": "127.0.0.1", "path": "/console"}])
        pages.append((inside, context, house))
        page = context.new_page()
        page.goto("/console/")
        return page

    yield opened
    for inside, context, house in pages:
        context.close()
        inside.__exit__(None, None, None)
        house.store.close()


def line(page, model):
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=model)).inner_text()


def test_the_story_is_followed_from_the_first_candidates_to_undo(seen, shot, tmp_path):
    with open_year(tmp_path, load(), Plants(cents=CENTS, harm=HARM)) as year:
        year.begin()
        page = seen()
        assert "everloop turn demand" in line(page, "demand")
        shot(page, "story-0-nothing-yet")

        year.week(FIRST)
        page = seen()
        assert "demand@1 in shadow" in line(page, "demand")
        page.get_by_role("link", name="demand", exact=True).click()
        page.get_by_role("link", name="demand@1 against demand@0").first.click()
        page.get_by_text("The candidate may take the champion’s place.").wait_for()
        page.wait_for_load_state()
        assert "better" in page.locator("main").inner_text()
        shot(page, "story-1-first-contest")

        for week in range(FIRST + 1, CENTS + 1):
            year.week(week)
        page = seen()
        said = line(page, "demand")
        assert "demand@1" in said
        assert "WAPE" in said
        assert "in shadow" not in said
        page.get_by_role("link", name="demand", exact=True).click()
        assert "on mature truth" in page.locator("#error").inner_html()
        page.locator("#known").get_by_role("img").nth(2).wait_for()
        shot(page, "story-2-quiet-weeks-and-a-bad-delivery")

        year.week(HARM)
        page = seen()
        assert "demand@2" in line(page, "demand")
        page.goto("/console/models/demand/rollout")
        assert "let demand@2 in past the gate" in page.locator("#now").inner_text()
        shot(page, "story-3-a-harmful-model")
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("steady", exact=True).wait_for()
        assert "demand@1 answers everybody (Ada: undone on the console)" in page.locator("#now").inner_text()
        shot(page, "story-4-taken-back")
        page.goto("/console/")
        assert "demand@2" not in line(page, "demand")
        assert year.house.traffic(year.house.project.model("demand")).candidates == ()
        year.house.journal.verify()
