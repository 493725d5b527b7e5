"""Everything behind the door is there: what the shop says reaches hand, privacy and tags, and nothing is written once the app is gone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.connect.shopify.forged import webhook
from tests.connect.shopify.houses import MadeUpHouse
from tests.waiting import until

from everloop.connect.shopify import about_people
from everloop.connect.shopify.place import Place

pytest.importorskip("starlette", reason="pip install 'everloop[shopify]'")
pytest.importorskip("shopify_app", reason="pip install 'everloop[shopify]'")
pytest.importorskip("graphql", reason="pip install 'everloop[shopify]'")


class House(MadeUpHouse):
    """A house of one model that remembers what it was told to do."""

    def __init__(self):
        super().__init__()
        self.operated, self.held = [], None

    def standing(self):
        return [
            {"model": "recs", "champion": "recs@3", "candidate": None, "stage": "steady", "share": 0.0, "held": self.held, "by_hand": None}
        ]

    def operate(self, path, said):
        self.operated.append((path, dict(said)))
        self.held = said["by"] if path.endswith("hold") else self.held
        return {"sentence": path, "record": {"rows": [["events/order_lines", 3]]}, "known": {"rows": {}, "answers": {}}}

    def since(self, after):
        return {"through": 0, "entries": []}

    def outcomes(self, rows):
        return {}


@pytest.fixture
def shop():
    from everloop.connect.shopify.sandbox import running

    with running() as sandbox:
        yield sandbox


@pytest.fixture
def door(shop, tmp_path):
    """An open door, its house, its place, and a way to say something through it as Shopify does."""
    import warnings

    from everloop.connect.shopify.door import app
    from everloop.connect.shopify.wired import wired

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient
    place, house = Place(tmp_path / "shopify.db"), House()
    said = replace(shop.settings, poll=shop.settings.poll * 10, recommends="recs")
    number = iter(range(100))

    with TestClient(app(wired(said, place, house, shop.admin()))) as client:

        def say(topic, payload):
            body = json.dumps(payload).encode()
            headers = webhook(body, topic, f"w-{next(number)}", secret=said.secret) | {"X-Shopify-Shop-Domain": said.shop}
            return client.post("/shopify/webhooks", content=body, headers=headers).status_code

        shop.shop.listeners.append(lambda topic, payload, at: say(topic, payload))
        yield place, house, say


def test_a_redaction_that_shopify_delivers_is_asked_of_the_house(door):
    place, house, say = door
    assert say("customers/redact", {"customer": {"id": 7}, "orders_to_redact": []}) == 200
    assert until(lambda: [one.state for one in about_people.requests(place)] == ["done"])
    assert ("forget", "7") in [(path, said.get("value")) for path, said in house.operated]


def test_the_merchants_kill_switch_holds_the_model(door, shop):
    _, house, _ = door
    assert until(lambda: shop.shop.all("Metaobject"))  # the door has made the flag
    shop.shop.edit("$app:model_flag", "recs", kill_switch=True)
    assert until(lambda: house.held)


def test_an_order_is_tagged_by_the_arm_its_list_came_from_and_by_no_other(door, shop):
    from everloop.connect.shopify.sandbox import Bought

    variant = shop.shop.add_product("Beans", "9.00")["variants"][0]["id"]
    plain = shop.shop.order([Bought(variant, 1)])
    bought = shop.shop.order([Bought(variant, 1, properties={"_everloop": "9d00410c64e5744e/candidate"})])
    assert until(lambda: bought["tags"] == ["everloop:candidate"])
    assert plain["tags"] == []


def test_nothing_is_written_to_a_shop_that_has_uninstalled_the_app_until_it_is_there_again(door, shop):
    from everloop.connect.shopify.wired import Uninstalled, WhileInstalled, looked_whether_installed

    place, _, say = door
    admin = WhileInstalled(shop.admin(), place)
    assert admin.ask("shop")
    assert say("app/uninstalled", {"id": 1}) == 200
    assert until(lambda: not about_people.installed(place))
    with pytest.raises(Uninstalled, match="Install it again"):
        admin.ask("shop")
    looked_whether_installed(place, shop.admin())
    assert admin.ask("shop")
