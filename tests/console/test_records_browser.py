"""The pages of the records as a person meets them: read, clicked and typed into in a real Chromium, with a picture of each kept."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from tests.console.conftest import END
from tests.console.test_records_pages import PAGES, broken, put_incident, second_run

from everloop.loop import incidents as said_of
from everloop.loop.answers import answer_one

pytestmark = pytest.mark.slow

NOW = END + timedelta(hours=3)
PHONE = {"width": 390, "height": 844}


def answered(house):
    (model,) = house.project.models.values()
    row = {"house_id": "h-1", "area": "80", "rooms": "3", "zip": "10115", "advert": "bright"}
    return answer_one(house, model, [f"{name}={row.get(name, 1)}" for name in model.request], NOW)


def test_an_answer_is_followed_down_to_its_data_by_clicking(house, page_of, shot):
    given = answered(house)
    page = page_of("/console/why")
    page.get_by_label("An answer, a decision, a version or any record").fill(given.id)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="h-1")).to_be_visible()
    expect(page.get_by_role("region", name="What it knew")).to_contain_text("10115")
    expect(page.get_by_role("heading", name="What it comes down to")).to_be_visible()
    shot(page, "why")
    page.get_by_label("An answer, a decision, a version or any record").fill("prices@1")
    page.get_by_role("button", name="Why?").click()
    expect(page.locator("#chain")).to_contain_text("a snapshot of houses")
    page.wait_for_load_state()
    page.locator("#ground dd a.id").last.click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("snapshot of houses")


def test_two_runs_are_ticked_and_their_difference_read(house, page_of, shot):
    second_run(house)
    page = page_of("/console/runs")
    shot(page, "runs")
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    boxes.nth(1).check()
    boxes.nth(0).check()
    page.get_by_role("button", name="Hold those ticked beside one another").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Difference of two runs")
    expect(page.get_by_role("region", name="Measures")).to_contain_text("rows")
    shot(page, "runs-difference")
    page.go_back()
    page.get_by_label("Filter", exact=True).fill("max_iter=99")
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox")).to_have_count(1)


def test_one_pane_shows_what_was_answered_and_what_happened(house, page_of, shot):
    answered(house)
    page = page_of(f"/console/pane?span=1d&until={NOW + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    picture = page.get_by_role("img", name="prices, one pane")
    expect(picture).to_be_visible()
    for lane in ("Traffic", "Latency", "CPU of turns", "Drift", "Error", "Business"):
        expect(picture.locator("text", has_text=lane).first).to_be_visible()
    expect(page.get_by_role("region", name="What happened")).to_contain_text("prices@1 in canary")
    shot(page, "pane")


def test_from_a_source_to_the_features_that_read_it(page_of, shot):
    page = page_of("/console/data")
    shot(page, "data")
    page.get_by_role("link", name="houses").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("houses")
    expect(page.get_by_role("region", name="Conditions")).to_contain_text("area is at least 10")
    shot(page, "source")
    page.get_by_role("link", name="prices", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Features of prices")
    expect(page.get_by_role("region", name="Features")).to_contain_text("houses.given('zip')")
    shot(page, "features")


def test_an_incident_is_taken_on_by_name_and_what_changes_shows_by_itself(house, page_of, shot):
    put_incident(house, broken("prices", 1))
    page = page_of("/console/incidents", name="Otto")
    expect(page.get_by_text("area drifted: PSI 0.4")).to_be_visible()
    shot(page, "incidents")
    page.get_by_text("Acknowledge or snooze").click()
    page.get_by_label("Why").first.fill("I look at the delivery of this morning")
    page.get_by_role("button", name="I am at it").click()
    expect(page.get_by_text("✓ Otto is at it")).to_be_visible()
    said_of.snooze(house, "abcd1", "6h", by="Kim", reason="the supplier knows", now=NOW)
    expect(page.get_by_text("snoozed until")).to_be_visible()
    there = house.incidents.find("abcd1")
    put_incident(house, replace(there, id="over", change=there.change + 1, state="resolved", resolved_at=NOW, made_at=NOW))
    expect(page.get_by_text("Nothing is wrong now")).to_be_visible()


def test_the_journal_is_filtered_and_its_chain_verified(page_of, shot):
    page = page_of("/console/journal")
    page.get_by_label("Whose word").fill("Kim")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Records of the journal")).to_contain_text("Kim said yes: looks right")
    page.get_by_role("button", name="Verify the whole chain").click()
    for _ in range(40):
        if page.get_by_text("✓ holds").count():
            break
        page.wait_for_timeout(100)
        page.reload()
    expect(page.get_by_text("✓ holds")).to_be_visible()
    shot(page, "journal")


def test_every_page_fits_a_phone_and_is_read_in_the_dark(page_of, shot):
    page = page_of("/console/why", color_scheme="dark", viewport=PHONE)
    for name in PAGES:
        page.goto(f"/console/{name}")
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name} is {wide} px wider than a phone"
        shot(page, f"{name}-phone-dark")


def test_an_instant_is_told_in_the_viewers_zone_with_utc_beside_it(house, page_of):
    first = house.journal.read(newest_first=True, limit=1)[0].at
    page = page_of("/console/journal", timezone_id="Asia/Tokyo")
    time = page.locator("#kept time").first
    expect(time).to_have_attribute("title", f"{first:%Y-%m-%d %H:%M} UTC")
    assert time.inner_text() != f"{first:%Y-%m-%d %H:%M} UTC"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")


def test_cost_and_delivery_say_what_was_never_seen(page_of, shot):
    page = page_of("/console/delivery")
    expect(page.get_by_role("region", name="Delivery by model")).to_contain_text("not seen yet")
    shot(page, "delivery")
    page.goto("/console/cost?model=prices")
    expect(page.get_by_role("heading", name="Loop by loop")).to_be_visible()
    shot(page, "cost")
