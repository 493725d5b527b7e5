"""What is published: only what changed, by compare-and-set, remembered, and removed without a trace."""

from __future__ import annotations

import gc
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from everloop_shops import FakeShop, UserErrors
from hypothesis import example, given
from hypothesis import strategies as st

from everloop.connect.shopify.admin import UserErrors as RealUserErrors
from everloop.connect.shopify.arms import tell_arms
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.leave import leave
from everloop.connect.shopify.metafields import AT_ONCE, Entry, Metafields, Published, paged
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.publish import Stocked, answers, forecast_entries, list_entries, lists, stocked
from everloop.connect.shopify.tags import Tags, tags_of
from everloop.errors import EverloopError
from everloop.stats.stock import Supply, lasts, mean_of, over

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def shop():
    return FakeShop()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "shopify.db")


@pytest.fixture
def fields(shop, place):
    return Metafields(shop, place)


def entries(number, value="1", key="forecast"):
    return [Entry(f"gid://shopify/Product/{n}", key, "json", value) for n in range(number)]


def written(shop):
    return [said["metafields"] for document, said in shop.asked if document == "metafields_set"]


@pytest.mark.parametrize("number", [1, 24, 25, 26, 60])
def test_they_are_written_25_a_call_and_again_not_at_all(shop, fields, number):
    assert fields.put(entries(number)) == Published(written=number)
    assert [len(lot) for lot in written(shop)] == [25] * (number // 25) + [number % 25] * (number % 25 > 0)
    before = len(written(shop))
    assert fields.put(entries(number)) == Published(same=number)
    assert len(written(shop)) == before
    changed = [*entries(number - 1), Entry(f"gid://shopify/Product/{number - 1}", "forecast", "json", "2")]
    assert fields.put(changed) == Published(written=1, same=number - 1)


def test_whoever_wrote_meanwhile_is_seen_before_it_is_written_over(shop, fields):
    fields.put(entries(3))
    shop.race = [lambda: shop.write("gid://shopify/Product/1", "$app", "forecast", "9")] * 2
    assert fields.put(entries(3, "2")).written == 3
    assert len(written(shop)) == 1 + 3
    assert all(one["value"] == "2" for one in shop.metafields.values())


def test_whoever_is_always_faster_is_said(shop, fields):
    shop.race = [lambda: shop.write("gid://shopify/Product/1", "$app", "forecast", str(len(shop.asked)))] * 99
    found = fields.put(entries(1) + entries(2)[1:])
    assert found.written == 1
    assert "changed since" in found.refused[0]


def test_one_that_the_shop_refuses_spoils_no_other(shop, fields):
    set_ = shop._metafields_set

    def picky(metafields):
        if any(one["ownerId"].endswith("/7") for one in metafields):
            raise UserErrors("metafields_set", [{"field": ["7"], "message": "Owner does not exist.", "code": "INVALID"}])
        return set_(metafields)

    shop._metafields_set = picky
    found = fields.put(entries(25))
    assert (found.written, len(found.refused)) == (24, 1)
    assert "forecast of gid://shopify/Product/7" in found.refused[0]
    assert fields.remove() == 24, "what was refused is not remembered"


def test_many_go_in_bulk_and_only_what_changed(shop, fields):
    lines = []

    def in_bulk(said):
        lines.extend(said)
        for line in said[1:]:
            shop._metafields_set(**line)
        return [0]

    shop.write("gid://shopify/Product/3", "$app", "forecast", "1")
    shop.write("gid://shopify/Product/40", "$app", "forecast", "1")
    assert fields.put(entries(300), in_bulk) == Published(298, 2)
    assert sum(len(line["metafields"]) for line in lines) == 298
    assert len(written(shop)) == 1, "the lot that was refused goes by itself"
    shop.asked.clear()
    assert all(len(line["metafields"]) <= AT_ONCE and "compareDigest" in line["metafields"][0] for line in lines)
    assert not written(shop)
    assert fields.put(entries(30, "2"), in_bulk).written == 30, "few do not"
    assert len(written(shop)) == 2


def test_a_shop_that_is_down_is_said_and_what_may_be_there_is_remembered(shop, fields):
    set_ = shop._metafields_set

    def lost(metafields):
        set_(metafields)
        raise Unreachable("The reply was lost.")

    shop._metafields_set = lost
    with pytest.raises(Unreachable):
        fields.put(entries(5))
    shop._metafields_set = set_
    assert fields.remove() == 5
    assert not shop.metafields


def test_pages_are_read_to_the_last(shop):
    shop.products = [{"id": f"gid://shopify/Product/{n}", "totalInventory": n} for n in range(7)]
    assert [stocked(node) for node in paged(shop, "product_page", "products")] == [Stocked(str(n), n) for n in range(7)]
    assert stocked({"id": "gid://shopify/ProductVariant/9", "inventoryQuantity": None}) == Stocked("9", None)


# -- what is said ------------------------------------------------------------------------------------------------------------------------


@dataclass
class Forecaster:
    """A house that knows some products."""

    known: set
    asked: list = field(default_factory=list)

    def answer(self, model, request):
        ids = [one["product_id"] for one in request["requests"]]
        self.asked.append(len(ids))
        if set(ids) - self.known:
            raise Refused(404, "unknown", "nobody knows one of them")
        return {"answers": [{"id": f"a{id}", "version": "demand@3", "arm": "champion", "value": float(id)} for id in ids]}

    def operate(self, path, said):
        (item,) = said["items"]
        if item not in self.known:
            raise Refused(404, "unknown", "nobody knows it")
        return {"version": "recs@4", "items": [{"item": item, "score": 9.0}, {"item": f"{item}0", "score": 1.0}]}


@given(known=st.sets(st.integers(1, 40).map(str)))
def test_one_that_nobody_has_heard_of_keeps_no_other_from_its_forecast(known):
    ids = [str(n) for n in range(1, 41)]
    found = dict(answers(Forecaster(known), "demand", "product_id", ids))
    assert set(found) == known
    assert all(said["value"] == float(id) for id, said in found.items())


def test_a_list_is_of_others_and_of_whom_the_model_can_say_something():
    assert list(lists(Forecaster({"7"}), "recs", ["7", "8"])) == [("7", ("70",), "recs@4")]
    listed, experiment = list_entries("7", ["70"], "recs", "recs@4", AT)
    assert (listed.key, listed.type, json.loads(listed.value)) == (
        "recommendations",
        "list.product_reference",
        ["gid://shopify/Product/70"],
    )
    assert json.loads(experiment.value) == {"model": "recs", "version": "recs@4", "arm": "champion", "scored_on": "2026-11-02"}


def quantiles(*values):
    return {"id": "a1", "version": "demand@3", "arm": "champion", "quantiles": [list(values)], "levels": [0.1, 0.5, 0.9]}


def test_a_forecast_says_when_to_order_and_when_nothing_is_left():
    found = {
        one.key: one.value for one in forecast_entries("ProductVariant", Stocked("9", 12), quantiles(4, 10, 22), 7, Supply(lead=7), AT)
    }
    assert found["reorder_point"] == "22"
    assert found["stock_out_on"] == "2026-11-09"
    said = json.loads(found["forecast"])
    assert (said["demand"], said["left"], said["prediction"]) == ([4.0, 10.0, 22.0], 12, "a1")
    assert said["lasts_at_least_days"] < said["lasts_days"]


@pytest.mark.parametrize(
    ("answer", "left", "keys"),
    [
        (quantiles(4, 10, 22), None, {"forecast", "reorder_point", "experiment"}),
        (quantiles(0, 0, 0), 5, {"forecast", "reorder_point", "experiment"}),
        ({"id": "a", "version": "v", "value": 3.2}, 5, {"forecast", "experiment"}),
        ({"id": "a", "version": "v", "value": None}, 5, {"forecast", "experiment"}),
    ],
)
def test_what_is_not_known_is_not_said(answer, left, keys):
    found = forecast_entries("Product", Stocked("7", left), answer, 7, Supply(lead=7), AT)
    assert {one.key for one in found} == keys
    for one in found:
        assert not {"NaN", "Infinity"} & set(one.value.replace(":", ",").split(","))


def test_a_service_beyond_what_is_known_is_refused():
    with pytest.raises(EverloopError, match="quantile"):
        forecast_entries("Product", Stocked("7", 5), quantiles(4, 10, 22), 7, Supply(lead=7, service=0.99), AT)


rising = st.lists(st.floats(0, 1e4), min_size=3, max_size=3).map(sorted)


@example(demand=[0.0, 0.0, 2.225073858507e-311], left=1.0, days=1.0, level=None)  # next to nothing is asked of it
@example(demand=[0.0, 0.0, 2.225073858507e-311], left=1.0, days=1.0, level=0.9)
@given(demand=rising, left=st.floats(0.01, 1e5), days=st.floats(0.5, 60), level=st.sampled_from([None, 0.5, 0.9]))
def test_what_lasts_so_long_is_used_up_then(demand, left, days, level):
    levels = (0.1, 0.5, 0.9)
    span = lasts(levels, demand, days, left, level)
    assert span >= 0
    usual = mean_of(levels, demand)
    if span and span < 1e12:
        high = usual if level is None else dict(zip(levels, demand, strict=True))[level]
        assert over(usual, high, span / days) == pytest.approx(left, rel=1e-6, abs=1e-6)


# -- tags, arms, and leaving -------------------------------------------------------------------------------------------------------------


def order(*carried, id="gid://shopify/Order/1"):
    return {"admin_graphql_api_id": id, "line_items": [{"properties": [{"name": "_everloop", "value": value}]} for value in carried]}


def test_an_order_is_tagged_once_by_each_arm_it_came_from(shop, place):
    tags = Tags(shop, place)
    assert tags.wish(order("a1/candidate", "a2/candidate", "precomputed/")) == ("everloop:candidate", "everloop:precomputed")
    assert [tags.give(), tags.give()] == [1, 0]
    assert tags.wish(order("a1/candidate")) == ()
    assert tags.wish(order("a3/champion")) == ("everloop:champion",)
    assert tags.give() == 1
    assert shop.tags == {"gid://shopify/Order/1": {"everloop:candidate", "everloop:precomputed", "everloop:champion"}}
    assert tags.wish(order()) == ()


def test_a_shop_that_is_down_is_tagged_later_and_an_order_that_is_gone_stops_no_other(place):
    class Moody:
        def __init__(self):
            self.down, self.asked = True, []

        def ask(self, document, /, id, tags):
            if self.down:
                raise Unreachable("no answer")
            self.asked.append(id)
            if id == "1" or document == "tags_remove":
                raise RealUserErrors(document, [{"message": "Order does not exist"}])
            return {}

    moody = Moody()
    tags = Tags(moody, place)
    for id in ("1", "2"):
        tags.wish(order("a1/candidate", id=id))
    with pytest.raises(Unreachable):
        tags.give()
    moody.down = False
    assert [tags.give(), tags.give()] == [1, 0]
    assert moody.asked == ["1", "2"]
    assert [tags.remove(), tags.remove()] == [1, 0], "who was never tagged is not asked about; an order that is gone holds up no leaving"


def test_a_door_that_is_being_closed_tags_no_more_orders_and_the_next_one_goes_on(place):
    stop = threading.Event()

    class Closing:
        def ask(self, document, /, id, tags):
            stop.set()
            return {}

    tags = Tags(Closing(), place)
    for id in ("1", "2", "3"):
        tags.wish(order("a1/candidate", id=id))
    assert tags.give(stop) == 1
    assert tags.give() == 2


@pytest.mark.parametrize("line", [{}, {"properties": None}, {"properties": [None, {"name": "_everloop", "value": 5}]}, None, "x"])
def test_lines_that_carry_nothing_of_ours_have_no_tag(line):
    assert tags_of({"line_items": [line]}) == ()


def test_arms_are_told_as_they_stand_and_those_that_ended_say_so(shop):
    stands = {"model": "recs", "champion": "recs@3", "candidate": "recs@4", "stage": "canary", "share": 0.1}
    assert tell_arms(shop, [stands]) == 2
    assert tell_arms(shop, [stands]) == 0
    assert shop.flags["recs-candidate"]["fields"] == {
        "model": "recs", "arm": "candidate", "version": "recs@4", "share_percent": "10", "tag": "everloop:candidate",
    }  # fmt: skip
    assert tell_arms(shop, [stands | {"stage": "steady", "candidate": None, "share": 0.0}]) == 2
    assert shop.flags["recs-candidate"]["fields"]["share_percent"] == "0"
    assert shop.flags["recs-champion"]["fields"]["share_percent"] == "100"


def test_leaving_removes_all_that_was_written_and_nothing_else(shop, fields, place):
    fields.put(entries(30))
    tags = Tags(shop, place)
    tags.wish(order("a1/candidate"))
    tags.give()
    tell_arms(shop, [{"model": "recs", "champion": "recs@3", "stage": "steady"}])
    shop.edit("prices", kill_switch="false")
    shop.write("app", "everloop", "serving", "{}")
    shop.write("gid://shopify/Product/1", "custom", "note", "theirs")
    shop.tags["gid://shopify/Order/1"].add("vip")
    shop.flags["theirs"] = {"id": "gid://shopify/Metaobject/theirs", "type": "lookbook", "fields": {}, "updated_at": ""}
    left = leave(shop, place)
    assert (left.metaobjects, left.metafields, left.orders) == (2, 31, 1)
    assert list(shop.metafields) == [("gid://shopify/Product/1", "custom", "note")]
    assert (shop.tags, list(shop.flags)) == ({"gid://shopify/Order/1": {"vip"}}, ["theirs"])
    assert leave(shop, place).metafields == 0


def test_leaving_that_was_interrupted_goes_on_where_it_ended(shop, fields, place):
    fields.put(entries(60))
    delete, calls = shop._metafields_delete, []

    def fails(metafields):
        calls.append(len(metafields))
        if len(calls) == 2:
            raise Unreachable("The shop does not answer.")
        return delete(metafields)

    shop._metafields_delete = fails
    with pytest.raises(Unreachable):
        leave(shop, place)
    leave(shop, place)
    assert not shop.metafields
    assert calls == [25, 25, 25, 10]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the command ends with its process, and its sockets too
def test_a_model_that_has_no_lists_yet_keeps_nothing_else_from_being_published(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from everloop.cli.shopify import shopify
    from everloop.connect.shopify.house import Asked
    from everloop.connect.shopify.sandbox import running

    def no_list(self, path, said):
        raise Refused(400, "invalid", "recommend is answered by recommend@1, which does not know what goes with what.")

    monkeypatch.setattr(Asked, "operate", no_list)
    monkeypatch.setattr(Asked, "standing", lambda self: [{"model": "recommend", "champion": "recommend@1"}])
    with running() as box:
        box.shop.add_product("Beans", "9.00")
        said = f'shop = "{box.shop.domain}"\nclient_id = "sandbox"\nsecret = "hush"\nadmin = "{box.url}"\nrecommends = "recommend"\n'
        (tmp_path / "everloop.toml").write_text(f"[shopify]\n{said}")
        found = CliRunner().invoke(shopify, ["publish", "--project", str(tmp_path)])
    gc.collect()
    assert found.exit_code == 0, found.exception
    assert "recommend: no list yet. recommend is answered by recommend@1" in found.output
    assert "1 arm told." in found.output
