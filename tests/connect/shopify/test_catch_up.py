"""A house catches up with its shop: all of it once, what was lost as often as one likes, and nothing between two times is missed."""

import contextlib
import json
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everloop.connect.shopify import about_people, book, history, privacy
from everloop.connect.shopify.catch_up import as_data, catch_up, spoken
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.sandbox import Bought, Shop, running
from everloop.connect.shopify.sandbox.made_up import stocked
from everloop.connect.shopify.scopes import OPTIONAL, SCOPES
from everloop.connect.shopify.shelf import Shelf

ALL = (*SCOPES, *OPTIONAL)
BEGAN = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Hand:
    """The shop's clock, in our hands."""

    def __init__(self):
        self.at = BEGAN

    def now(self):
        return self.at

    def on(self, **span):
        self.at += timedelta(**span)
        return self.at


class Forgets:
    def operate(self, path, said):
        return {"sentence": "", "record": {"rows": [], "versions": []}, "known": {"rows": {}, "answers": {}}}


class Told:
    """A house that keeps the newest version of each row; ``down`` says how many requests it does not answer."""

    def __init__(self):
        self.rows, self.down, self.requests, self.after = {}, 0, 0, None

    def receive(self, source, rows):
        self.requests += 1
        if self.after is not None and self.requests > self.after:
            raise Unreachable("the house is down")
        key = {"products": ["product_id"], "order_lines": ["line_id"], "inventory": ["inventory_item_id", "location_id", "updated_at"],
               "stockouts": ["stockout_id"]}[source]  # fmt: skip
        kept = 0
        for row in rows:
            id = (source, *(row[name] for name in key))
            kept += id not in self.rows or self.rows[id]["updated_at"] < row["updated_at"]
            if id not in self.rows or self.rows[id]["updated_at"] <= row["updated_at"]:
                self.rows[id] = dict(row)
        return {"kept": kept, "duplicates": len(rows) - kept, "refused": 0, "examples": []}

    def demand(self):
        """How many pieces of each product are still bought."""
        found = Counter()
        for (source, *_), row in self.rows.items():
            if source == "order_lines" and row.get("cancelled_at") is None:
                found[row["product_id"]] += row["quantity"]
        return +found

    def there(self):
        return {row["product_id"] for (source, *_), row in self.rows.items() if source == "products" and not row.get("deleted_at")}


def bought(shop):
    """What is bought of a shop, by whoever looks at the shop itself."""
    found = Counter()
    for order in shop.all("Order"):
        if not order["test"] and not order["cancelledAt"]:
            for line in order["lineItems"]:
                found[line["product"]["id"].rsplit("/", 1)[-1]] += line["currentQuantity"]
    return +found


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def shop(hand):
    return stocked(Shop(now=hand.now, scopes=ALL), products=6, days=3, orders_a_day=10)


@pytest.fixture
def box(shop):
    with running(shop) as sandbox:
        yield sandbox


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "shopify.db")


def quick(box):
    """A client that does not wait long for what takes no time here."""
    admin = box.admin()
    admin.sleep = lambda seconds: time.sleep(min(seconds, 0.005))
    return admin


def caught_up(box, place, house, **more):
    return catch_up(quick(box), place, house, now=box.shop.now, **more)


def test_all_of_a_shop_comes_into_the_house(box, place):
    house = Told()
    lines = []
    found = caught_up(box, place, house, whole=True, told=lines.append)
    assert next(line for line in lines if "lines came" in line) == "products: 12 lines came"
    assert house.demand() == bought(box.shop)
    assert house.there() == {p["id"].rsplit("/", 1)[-1] for p in box.shop.all("Product")}
    assert [one.kind for one in found.brought] == ["products", "inventory", "orders"]
    assert "6, 6 rows of products" in spoken(found)
    assert json.loads(json.dumps(as_data(found)))["brought"][2]["nodes"] == len(box.shop.all("Order"))


def test_a_list_has_names_for_links_as_soon_as_products_were_imported(box, place):
    caught_up(box, place, Told(), kinds=("products",), whole=True)
    named = {p["id"].rsplit("/", 1)[-1]: p["handle"] for p in box.shop.all("Product")}
    assert Shelf(place).handles(list(named)) == named


def test_an_export_that_broke_off_brings_nobody_back_who_is_to_be_forgotten(box, place):
    house = Told()
    house.after = 1  # products came; then the house is gone
    with pytest.raises(Unreachable):
        caught_up(box, place, house, kinds=("products", "orders"), whole=True)
    lines = list(place.file.parent.glob("*-bulk-*.db"))
    assert lines
    about_people.asked(place, "d1", "customers/redact", json.dumps({"customer": {"id": 12}}).encode(), BEGAN, secret="hush")
    with history.alone(place.file.with_suffix(".orders.lock"), "bringing the orders"):
        assert privacy.carry_out(place, Forgets(), BEGAN) == 0  # it goes on with what it holds; later, then
    assert privacy.carry_out(place, Forgets(), BEGAN) == 1
    assert not any(file.exists() for file in lines)
    house.after = None
    caught_up(box, place, house, whole=True)
    assert house.demand() == bought(box.shop)


def test_what_was_lost_since_is_brought_and_what_is_old_is_not_asked_for_again(box, place, hand):
    house = Told()
    caught_up(box, place, house, whole=True)
    hand.on(days=2)
    product = box.shop.all("Product")[0]
    box.shop.order([Bought(product["variants"][0]["id"], 3)])
    box.shop.cancel(box.shop.all("Order")[0]["id"])
    box.shop.change_product(product["id"], price="1.23")
    found = caught_up(box, place, house)
    assert house.demand() == bought(box.shop)
    assert {one.kind: one.nodes for one in found.brought} == {"products": 1, "inventory": 1, "orders": 2}


def test_a_product_that_was_deleted_meanwhile_is_taken_out(box, place, hand):
    house = Told()
    caught_up(box, place, house, whole=True)
    hand.on(days=1)
    gone = box.shop.all("Product")[2]["id"]
    box.shop.delete_product(gone)
    assert caught_up(box, place, house).deleted == 1
    assert gone.rsplit("/", 1)[-1] not in house.there()


def test_a_second_time_at_once_changes_nothing(box, place):
    house = Told()
    caught_up(box, place, house, whole=True)
    before = dict(house.rows)
    caught_up(box, place, house)
    assert house.rows == before


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["buy", "cancel", "refund", "price", "bring"]), st.integers(1, 7_000)), max_size=25),
    st.integers(0, 5),
)
def test_whatever_happens_between_and_during_exports_nothing_is_missed(tmp_path_factory, steps, seed):
    hand, house, chance = Hand(), Told(), random.Random(seed)
    shop = Shop(now=hand.now, scopes=ALL)
    shelf = [shop.add_product(f"Product {i}", "5.00") for i in range(3)]
    place = Place(tmp_path_factory.mktemp("shop") / "shopify.db")

    def happens(what):
        orders = shop.all("Order")
        if what == "buy" or not orders:
            shop.order([Bought(chance.choice(shelf)["variants"][0]["id"], chance.randint(1, 3))], stock=False)
        elif what == "cancel":
            shop.cancel(chance.choice(orders)["id"])
        elif what == "refund":
            shop.refund(chance.choice(orders)["id"])
        else:
            shop.change_product(chance.choice(shelf)["id"], price=f"{chance.randint(1, 9)}.00")

    with running(shop) as sandbox:
        for what, seconds in steps:
            hand.on(seconds=seconds)
            if what == "bring":
                # Something happens in the very second the export is asked for, after its lines were read.
                catch_up(quick(sandbox), place, house, now=hand.now)
                happens(chance.choice(["buy", "cancel", "refund"]))
            else:
                happens(what)
        catch_up(quick(sandbox), place, house, now=hand.now)
    assert house.demand() == bought(shop)
    # Mutant: with overlap=timedelta(0) and a watermark of when the export *ended*, what happened in that second is lost.


def test_what_a_delivery_named_and_did_not_tell_is_found_however_old_it_is(box, place, hand):
    house = Told()
    caught_up(box, place, house, whole=True)
    order = box.shop.all("Order")[0]
    order["lineItems"][0]["currentQuantity"] -= 1  # it changed before the watermark, by a clock that was behind
    hand.on(days=5)
    caught_up(box, place, house)
    assert house.demand() != bought(box.shop)
    book.open_book(place)
    since = datetime.fromisoformat(order["updatedAt"])
    with place.transaction() as t:
        t.execute("insert into wanted values ('Order', ?, ?, 'it was refunded')", (order["id"], int(since.timestamp() * 1_000_000)))
    found = caught_up(box, place, house)
    assert found.brought[2].since <= since
    assert not book.wanted(place)


# -- what goes wrong -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [("FAILED", 0.5), ("CANCELED", 0.5), ("EXPIRED", 0.0)])
def test_an_export_that_ends_badly_is_asked_for_again_and_what_came_is_kept(box, place, ending):
    house, said = Told(), []
    box.bulk.endings.append(ending)
    caught_up(box, place, house, whole=True, told=said.append)
    assert house.demand() == bought(box.shop)
    assert any(ending[0] in one for one in said)


def test_an_export_that_never_ends_well_leaves_the_watermark_where_it_was(box, place, hand):
    house = Told()
    caught_up(box, place, house, whole=True)
    mark = history.watermark(place, "products")
    hand.on(days=1)
    box.shop.change_product(box.shop.all("Product")[0]["id"], price="1.23")
    box.bulk.endings += [("FAILED", 0.0)] * 3
    with pytest.raises(history.NotWhole, match="3 exports of products"):
        caught_up(box, place, house)
    assert history.watermark(place, "products") == mark
    assert caught_up(box, place, house).brought[0].nodes == 1


def test_a_house_that_goes_down_in_the_middle_is_told_the_rest_later_and_the_export_is_not_asked_for_twice(box, place):
    house = Told()
    house.after = 2
    with pytest.raises(Unreachable):
        caught_up(box, place, house, whole=True)
    begun = len(box.bulk.told())
    house.after = None
    caught_up(box, place, house, whole=True)
    assert house.demand() == bought(box.shop)
    assert len(box.bulk.told()) <= begun + 2, "what was under way went on"


def test_a_result_cut_in_the_middle_of_a_line_comes_whole(box, place):
    house = Told()
    box.faults.cuts += [700, 700, 700]
    caught_up(box, place, house, whole=True)
    assert house.demand() == bought(box.shop)


def test_a_result_that_expired_before_it_was_fetched_is_asked_for_again(box, place):
    admin, forgotten = quick(box), []

    class Shelf(dict):
        def get(self, name, default=None):
            if not forgotten:
                forgotten.append(name)
                return None
            return super().get(name, default)

    box.bulk.files = Shelf(box.bulk.files)
    house = Told()
    catch_up(admin, place, house, now=box.shop.now, whole=True)
    assert forgotten
    assert house.demand() == bought(box.shop)


def test_a_filter_the_shop_ignores_is_noticed_and_nothing_is_missed(box, place, hand):
    house = Told()
    caught_up(box, place, house, whole=True)
    hand.on(days=1)
    box.shop.order([Bought(box.shop.all("ProductVariant")[0]["id"])])
    box.faults.ignores_filters = True
    found = caught_up(box, place, house)
    assert found.brought[2].filter_ignored
    assert "The shop ignored the filter and gave everything." in spoken(found)
    assert house.demand() == bought(box.shop)


def test_sixty_days_of_history_are_said_to_be_sixty_days(tmp_path):
    hand = Hand()
    shop = stocked(Shop(now=hand.now, scopes=SCOPES), products=3, days=90, orders_a_day=2)
    house, said = Told(), []
    with running(shop) as sandbox:
        found = catch_up(quick(sandbox), Place(tmp_path / "shopify.db"), house, whole=True, now=hand.now, told=said.append)
    assert any("60 days of orders: read_all_orders was not granted" in one for one in said)
    assert "ask Shopify for read_all_orders" in spoken(found)
    assert found.brought[2].oldest >= hand.at - timedelta(days=60)


def test_a_shop_that_does_not_let_us_read_is_said_at_once(tmp_path):
    with running(Shop(scopes=("read_products",))) as sandbox, pytest.raises(Refused, match="Install it again"):
        catch_up(quick(sandbox), Place(tmp_path / "shopify.db"), Told(), ("orders",), whole=True)


def test_two_at_once_do_not_bring_the_same(box, place):
    from everloop.errors import HouseBusy
    from everloop.lake.alone import alone

    with (
        alone(place.file.with_suffix(".products.lock"), "x"),
        pytest.raises(HouseBusy, match="bringing the products"),
        contextlib.suppress(OSError),
    ):
        caught_up(box, place, Told())


def test_what_comes_the_first_time_is_history_and_what_comes_later_is_known_now(box, place, hand):
    now, past = Told(), Told()
    caught_up(box, place, now, past=past)
    assert past.demand() == bought(box.shop)
    assert not now.rows
    hand.on(days=1)
    box.shop.order([Bought(box.shop.all("ProductVariant")[0]["id"])])
    caught_up(box, place, now, past=past)
    assert sum(now.demand().values()) == 1


def test_history_is_told_over_http_as_known_when_it_happened():
    import httpx

    from everloop.connect.shopify.past import Past

    asked = []

    def reply(request):
        asked.append(str(request.url))
        return httpx.Response(200, json={"kept": 1, "duplicates": 0, "refused": 0, "examples": []})

    house = Past("http://127.0.0.1:8321", client=httpx.Client(transport=httpx.MockTransport(reply)))
    house.receive("order_lines", [{}])
    assert asked == ["http://127.0.0.1:8321/v1/events/order_lines?known_after=0"]
