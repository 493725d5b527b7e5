"""What a person sees and does, in a real browser: signing in, times, light and dark, a phone, the keyboard, and pages that change by
themselves."""

from __future__ import annotations

import re

import pytest
from tests.console.conftest import END

from everloop.loop import let_in

PASSWORD = "seven purple lamps hum"


def test_somebody_sets_a_password_signs_out_and_signs_in_again(browser, house, site, shot):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.goto(let_in.set_up_link(house, "Petra", by="Ada", now=END))
    shot(page, "set_up")
    page.get_by_label("Password, 12 characters or more").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set it and sign in").click()
    page.wait_for_url("**/console/")
    page.goto("/console/people")
    assert "Petra, approver" in page.inner_text("header")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/console/sign-in")
    page.goto("/console/people")
    page.get_by_label("Name").fill("petra")
    page.get_by_label("Password").fill(PASSWORD)
    shot(page, "sign_in")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/people")
    assert page.inner_text("h1") == "People"
    context.close()


def test_an_instant_is_told_in_the_viewers_zone_and_in_utc_when_pointed_at(page_of):
    page = page_of("/console/people", locale="en-GB")
    time = page.locator("time").first
    utc = time.get_attribute("title")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", utc)
    hour = int(utc[11:13])
    assert f"{(hour + 1) % 24:02d}:" in time.inner_text() or f"{(hour + 2) % 24:02d}:" in time.inner_text()  # Berlin


def test_light_and_dark_follow_the_system_until_the_viewer_chooses_and_stay_chosen(page_of, shot):
    page = page_of("/console/people", color_scheme="dark")

    def paper():
        return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    dark = paper()
    shot(page, "people_dark")
    page.get_by_role("button", name="Light").click()
    light = paper()
    assert dark != light == "rgb(255, 255, 255)"
    page.reload()
    assert paper() == light


def test_it_fits_a_phone_and_is_used_by_keyboard_alone(page_of, shot):
    page = page_of("/console/people", viewport={"width": 360, "height": 740})
    shot(page, "people_phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
    assert "Let in" in seen


def test_a_page_changes_by_itself_and_keeps_focus_scroll_and_what_is_being_written(page_of, house):
    for n in range(40):
        let_in.add(house, f"Person {n:02d}", "viewer", by="Ada", now=END)
    page = page_of("/console/people", viewport={"width": 1000, "height": 500})
    button = page.get_by_role("button", name="Let Person 20 out")
    button.focus()
    before = page.evaluate("scrollY")
    assert before > 0
    let_in.add(house, "Aaron", "operator", by="Ada", now=END)
    page.get_by_role("rowheader", name="Aaron").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    assert abs(page.evaluate("scrollY") - before) < 5
    # What somebody is about to choose is not taken from under their hands.
    page.get_by_label("Role of Aaron").select_option("approver")
    let_in.add(house, "Zoe", "operator", by="Ada", now=END)
    page.get_by_text("it waits until what you are writing is sent").wait_for()
    assert page.get_by_label("Role of Aaron").input_value() == "approver"
    assert page.get_by_role("rowheader", name="Zoe").count() == 0


def test_what_is_kept_before_a_page_listens_appears_in_it(page_of, house):
    page = page_of(None)

    def held_back(route):
        let_in.add(house, "Aaron", "operator", by="Ada", now=END)
        route.continue_()

    page.route("**/console/live*", held_back, times=1)
    page.goto("/console/people")
    page.get_by_role("rowheader", name="Aaron").wait_for()


def test_a_page_whose_line_was_refused_comes_back_to_it(page_of, house):
    page = page_of(None, troubles=["503"])
    page.clock.install()
    page.route("**/console/live*", lambda route: route.fulfill(status=503, body="It is being started."), times=1)
    with page.expect_response("**/console/live*") as refused:
        page.goto("/console/people")
    assert refused.value.status == 503
    with page.expect_response("**/console/live*") as heard:
        page.clock.fast_forward(10_000)
    assert heard.value.status == 200
    let_in.add(house, "Aaron", "operator", by="Ada", now=END)
    page.get_by_role("rowheader", name="Aaron").wait_for()


def test_a_page_whose_session_ends_goes_to_the_sign_in(page_of, house):
    page = page_of(None, name="Otto")
    with page.expect_response("**/console/live*"):
        page.goto("/console/people")
    let_in.remove(house, "Otto", by="Ada", now=END)
    page.wait_for_url("**/console/sign-in?next=*")
    assert page.inner_text("h1") == "Sign in"


def test_an_admin_lets_somebody_in_and_out_and_a_viewer_is_shown_no_way_to(page_of):
    page = page_of("/console/people")
    page.get_by_label("Name", exact=True).fill("Noor")
    page.get_by_label("Role", exact=True).select_option("operator")
    page.get_by_role("button", name="Let in", exact=True).click()
    row = page.get_by_role("row", name=re.compile("^Noor"))
    assert "has not set a password yet" in row.inner_text()
    row.get_by_role("button", name="Let Noor out").click()
    page.get_by_role("rowheader", name="Noor").wait_for(state="detached")
    other = page_of("/console/people", name="Vera")
    assert other.get_by_role("button", name=re.compile("Let")).count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_paper_as_wcag_asks(page_of, scheme):
    page = page_of("/console/people", color_scheme=scheme)
    ratios = page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const canvas = document.createElement("canvas").getContext("2d");
          const light = (name) => {
            canvas.fillStyle = style.getPropertyValue(name).trim();
            const [r, g, b] = canvas.fillStyle.match(/[0-9a-f]{2}/gi).map((x) => parseInt(x, 16) / 255)
              .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
          return ["--ink", "--muted", "--accent", "--good", "--bad", "--warn"].flatMap((c) => [ratio(c, "--paper"), ratio(c, "--raised")])
            .concat([ratio("--on-accent", "--accent"), ratio("--paper", "--bad")]);
        }"""
    )
    assert min(ratios) >= 4.5, ratios
