"""The storefront in a real browser, at the width of a desk and of a phone: what is shown, what is told, and that nothing moves."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager

import pytest
from bench.peers import apart
from tests.connect.shopify.fronts import SHOP
from tests.oracles.shopify.conftest import HERE

from everloop.connect.shopify.shelf import Named

pytestmark = pytest.mark.slow
STOREFRONT = "extensions/everloop-storefront"
BEFOREHAND = ["5", "6", "7", "9", "10"]
"""What the played shop has worked out beforehand beside product 1, without what is sold out."""


@contextmanager
def shop_of(modules, files, door_url):
    """The played shop; its address."""
    command = ["node", HERE / "storefront.mjs", modules, files / STOREFRONT, door_url, SHOP.secret]
    playing = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=apart())
    try:
        yield f"http://127.0.0.1:{int(playing.stdout.readline())}"
    finally:
        playing.kill()
        playing.wait()
        playing.stdout.close()


@pytest.fixture
def played(door, modules, files, chromium, tmp_path):
    """Play scenes; what came of each by its name, and the house behind."""
    house, before, client = door
    house.items = ["2", "3", "12", "11", "1", "4"]
    before.shelf.name([Named(str(n), f"p{n}", "2026-01-01") for n in range(1, 13)])
    pictures = os.environ.get("EVERLOOP_PICTURES", str(tmp_path))

    def scenes(*some):
        with shop_of(modules, files, str(client.base_url)) as address:
            done = subprocess.run(
                ["node", HERE / "browser.mjs", modules, chromium, address, pictures],
                input=json.dumps(some), capture_output=True, text=True, env=apart(), timeout=300, check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = {one["name"]: one for one in json.loads(done.stdout)}
        assert {name: one["errors"] for name, one in said.items()} == {name: [] for name in said}
        return said, house

    return scenes


def outcomes(said):
    return [row for one in said["told"] for row in one.get("outcomes", ())]


def test_the_list_of_the_moment_is_shown_seen_opened_and_carried_into_the_order(played):
    first = {"name": "desk", "path": "/products/p1", "open": 2}
    said, house = played(
        {"name": "phone", "path": "/products/p1", "width": 390}, first, {"name": "buys", "path": "/products/p3", "again": True, "buy": True}
    )
    assert said["phone"]["shown"] == ["2", "3", "12", "11", "4"]  # not the product itself
    assert all(one["shifts"] < 0.02 and len(one["heights"]) == 1 for one in said.values())
    assert said["desk"]["url"].endswith("/products/p3")
    rows = outcomes(said["desk"])
    assert [row["name"] for row in rows][:2] == ["impression", "click"]
    assert {row["prediction"] for row in rows} == {"9d00410c64e5744e"}
    (added,) = [one["add.js"] for one in said["buys"]["told"] if "add.js" in one]
    assert added["properties[_everloop]"] == "9d00410c64e5744e/champion"
    (known,) = [one["update.js"] for one in said["buys"]["told"] if "update.js" in one]
    units = {request["customer_id"] for _, request in house.asked}
    assert known["attributes"]["_everloop_unit"] in units
    assert len(units) == 2  # one browser, one token: the phone's and the desk's
    assert "cart" in [row["name"] for row in outcomes(said["buys"])]


def test_a_customer_who_is_logged_in_is_asked_about_by_their_number(played):
    _, house = played({"name": "customer", "path": "/products/p1", "set": {"customer": "42"}})
    assert {request["customer_id"] for _, request in house.asked} == {"42"}


def test_a_door_that_is_down_or_slow_leaves_what_was_worked_out_beforehand(played):
    slow = {"name": "slow", "path": "/products/p1", "set": {"slow": "4000"}}
    said, _ = played(slow)
    assert said["slow"]["shown"] == BEFOREHAND
    assert said["slow"]["shifts"] < 0.02


def test_a_house_that_is_down_and_nothing_beforehand_shows_shopifys_own(played, door):
    door[0].down = True
    said, _ = played({"name": "own", "path": "/products/p12"}, {"name": "beforehand", "path": "/products/p1"})
    assert said["own"]["shown"][:3] == ["1", "2", "3"]
    assert {"own": "related"} in said["own"]["told"]
    assert said["beforehand"]["shown"] == BEFOREHAND


def test_whoever_is_kept_back_sees_shopifys_own_and_it_is_told_so(played, door):
    door[0].arm = "control"
    said, _ = played({"name": "control", "path": "/products/p1", "open": 1}, {"name": "none", "path": "/products/p1", "set": {"own": "no"}})
    assert outcomes(said["control"])[0]["prediction"] == "9d00410c64e5744e"
    assert said["none"]["shown"] == []
    assert said["none"]["shifts"] < 0.02


def test_while_a_person_holds_the_model_nothing_is_asked(played):
    said, house = played({"name": "held", "path": "/products/p1", "set": {"serving": json.dumps({"on": False})}})
    assert said["held"]["shown"] == BEFOREHAND
    assert house.asked == []


def test_titles_of_script_and_liquid_are_letters(played, door):
    door[0].items = ["4", "5"]
    said, _ = played({"name": "letters", "path": "/products/p1"})
    assert said["letters"]["titles"] == ["Grinder {{ shop.email }}", "<script>window.hacked = 1</script> Filter"]
    door[0].down = True
    said, _ = played({"name": "letters_own", "path": "/products/p12"})
    assert "<script>window.hacked = 1</script> Filter" in said["letters_own"]["titles"]
    assert said["letters_own"]["hacked"] is None
