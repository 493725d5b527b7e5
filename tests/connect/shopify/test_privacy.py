"""What Shopify asks about people is done once, however often it is asked, and nothing of them stays in the door's own book."""

from __future__ import annotations

import json
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest

from everloop.connect.shopify.about_people import TOPICS, asked, installed, installed_again, left, requests
from everloop.connect.shopify.heard import Heard
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.privacy import FOLDER, carry_out, does
from everloop.connect.shopify.staging import Staged
from everloop.connect.shopify.wired import Uninstalled, WhileInstalled
from everloop.errors import EverloopError
from everloop.lake.alone import alone

Delivered = namedtuple("Delivered", "id topic body triggered_at")
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECRET = "shpss_of_tests"
LATER = NOW + timedelta(hours=1)
ANA = 207119551000


class HouseInWords:
    """A house that remembers what it was told, knows ``columns`` and these order ``lines``; down while ``down``."""

    def __init__(self, columns=("customer_id", "order_id", "unit"), down=False, lines=()):
        self.columns, self.down, self.said, self.lines = columns, down, [], [dict(line) for line in lines]

    def forgotten(self):
        return [(said["column"], said["value"]) for path, said in self.said if path == "forget"]

    def operate(self, path, said):
        if self.down:
            raise Unreachable("The house does not answer.")
        self.said.append((path, dict(said)))
        if said.get("column") and said["column"] not in self.columns:
            raise Refused(404, "unknown", "There is no such column.")
        mine = [line for line in self.lines if line.get(said.get("column")) == said.get("value")]
        if path == "known":
            return {"known": {"column": said["column"], "value": said["value"], "rows": {"orders": [{"amount": 3}], "order_lines": mine}}}
        self.lines = [line for line in self.lines if line not in mine]
        return {"sentence": "", "record": {"rows": [["events/orders", 3]], "versions": ["recommend@2"]}}


def body(customer=ANA, **more):
    whom = {"email": "ana@shop.example", "phone": None} | ({} if customer is None else {"id": customer})
    return json.dumps({"shop_id": 1, "shop_domain": "beans.myshopify.com", "customer": whom} | more).encode()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "shopify.db")


def bytes_of(place, word):
    return [path.name for path in place.file.parent.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_a_redaction_is_asked_of_the_house_once_however_often_it_comes(place):
    house = HouseInWords()
    for id in ("w1", "w1", "w2"):
        asked(place, id, "customers/redact", body(orders_to_redact=[1, 2]), NOW, secret=SECRET)
    assert [carry_out(place, house, LATER) for _ in range(2)] == [1, 0]
    assert house.forgotten() == [("customer_id", str(ANA))]
    (one,) = requests(place)
    assert (one.state, one.done_at) == ("done", LATER)
    assert "3 of events/orders" in one.outcome
    assert "recommend@2" in one.outcome
    assert not bytes_of(place, str(ANA))
    assert not bytes_of(place, "ana@shop.example")


def test_who_is_only_an_address_is_found_by_their_orders(place):
    house = HouseInWords()
    asked(place, "w1", "customers/redact", body(None, orders_to_redact=[450789469000, 450789469001]), NOW, secret=SECRET)
    carry_out(place, house, LATER)
    assert house.forgotten() == [("order_id", "450789469000"), ("order_id", "450789469001")]


def test_who_is_only_an_address_and_never_ordered_is_nobody(place):
    house = HouseInWords()
    asked(place, "w1", "customers/redact", body(None), NOW, secret=SECRET)
    carry_out(place, house, LATER)
    assert house.said == []
    assert requests(place)[0].state == "nobody"


TOKEN, SHARED = "b7c1d2e3-0000", "c1d2e3f4-0000"
BOUGHT = (
    {"line_id": "1", "order_id": "9", "customer_id": str(ANA), "unit": TOKEN},
    {"line_id": "2", "order_id": "8", "unit": TOKEN},
    {"line_id": "3", "order_id": "7", "customer_id": str(ANA), "unit": SHARED},
    {"line_id": "4", "order_id": "6", "customer_id": "55501", "unit": SHARED},
    {"line_id": "5", "order_id": "5", "customer_id": str(ANA), "unit": "55501000"},
)
WITH_BROWSERS = {("customer_id", str(ANA)), ("customer_id", TOKEN), ("unit", TOKEN), ("customer_id", SHARED)}


def test_with_a_customer_go_the_browsers_they_bought_with_but_no_orders_of_others(place):
    house = HouseInWords(lines=BOUGHT)
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    assert carry_out(place, house, LATER) == 1
    assert set(house.forgotten()) == WITH_BROWSERS, "a number that a buyer sent as a token may be another customer's"
    assert [line["line_id"] for line in house.lines] == ["4"]
    assert not bytes_of(place, TOKEN)


def test_the_browsers_are_known_again_where_the_orders_they_were_found_by_went_and_then_the_door_died(place):
    class Dies(HouseInWords):
        def operate(self, path, said):
            told = super().operate(path, said)
            if path == "forget" and len(self.forgotten()) == 1:
                raise KeyboardInterrupt
            return told

    house = Dies(lines=BOUGHT)
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    with pytest.raises(KeyboardInterrupt):
        carry_out(place, house, LATER)
    assert all(line.get("customer_id") != str(ANA) for line in house.lines)
    again = HouseInWords(lines=house.lines)
    assert carry_out(place, again, LATER) == 1
    assert set(again.forgotten()) == WITH_BROWSERS


def test_what_is_known_of_a_customer_is_also_what_their_own_browsers_were_shown(place):
    house = HouseInWords(lines=BOUGHT)
    asked(place, "w1", "customers/data_request", body(data_request={"id": 9999}), NOW, secret=SECRET)
    carry_out(place, house, LATER)
    (file,) = (place.file.parent / FOLDER).glob("*.json")
    found = {(one["column"], one["value"]) for one in json.loads(file.read_text())["known"]}
    assert found == WITH_BROWSERS - {("customer_id", SHARED)}
    assert "55501" not in {line.get("customer_id") for one in json.loads(file.read_text())["known"] for line in one["rows"]["order_lines"]}


def test_what_a_browser_told_of_somebody_who_is_forgotten_reaches_nobody(place):
    heard = Heard(place)
    heard.keep([{"event_id": f"{unit}:click", "model": "recs", "unit": unit} for unit in (TOKEN, str(ANA), "d1e2f3a4-0000")])
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    carry_out(place, HouseInWords(lines=BOUGHT), LATER)
    with place.transaction(write=False) as t:
        assert [json.loads(row)["unit"] for (row,) in t.execute("select row from heard")] == ["d1e2f3a4-0000"]


@pytest.mark.parametrize(("topic", "said"), [("customers/redact", body()), ("shop/redact", b"{}")])
def test_what_an_import_brought_and_has_not_told_yet_goes_too_but_not_while_it_is_at_it(place, topic, said):
    staged = Staged(place.file.with_name("shopify-bulk-77.db"))
    staged.keep([(json.dumps({"id": "gid://shopify/Order/1", "customer": {"id": f"gid://shopify/Customer/{ANA}"}}).encode() + b"\n", 90)])
    asked(place, "w1", topic, said, NOW, secret=SECRET)
    with alone(place.file.with_suffix(".orders.lock"), "bringing the orders"):
        assert carry_out(place, HouseInWords(), LATER) == 0
    assert bytes_of(place, str(ANA))
    assert carry_out(place, HouseInWords(), LATER) == 1
    assert not bytes_of(place, str(ANA))


def test_who_is_nobody_here_takes_nobody_elses_file_along(place):
    house = HouseInWords()
    asked(place, "w1", "customers/data_request", body(data_request={"id": 1}), NOW, secret=SECRET)
    asked(place, "w2", "customers/data_request", body(None, orders_requested=[450789469000], data_request={"id": 2}), NOW, secret=SECRET)
    carry_out(place, house, LATER)
    asked(place, "w3", "customers/redact", body(None), LATER, secret=SECRET)
    carry_out(place, house, LATER)
    assert len(list((place.file.parent / FOLDER).glob("*.json"))) == 2
    asked(place, "w4", "customers/redact", body(None, orders_to_redact=[450789469000]), LATER, secret=SECRET)
    carry_out(place, house, LATER)
    (left,) = (place.file.parent / FOLDER).glob("*.json")
    assert not left.name.startswith("orders-")


def test_a_house_that_is_down_is_asked_again_and_the_deadline_is_watched(place):
    house = HouseInWords(down=True)
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    assert carry_out(place, house, LATER) == 0
    (one,) = requests(place)
    assert (one.state, one.attempts, one.late(NOW + timedelta(days=29)), one.late(NOW + timedelta(days=31))) == ("asked", 1, False, True)
    assert "OVERDUE" in one.said(NOW + timedelta(days=33))
    house.down = False
    assert carry_out(place, house, LATER + timedelta(hours=1)) == 1


def test_a_house_that_knows_no_customers_is_told_nothing_of_them(place):
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    carry_out(place, HouseInWords(columns=("product_id",)), LATER)
    assert (requests(place)[0].state, requests(place)[0].outcome) == ("nobody", "nothing was known of them")


def test_what_is_known_is_written_for_the_merchant_alone_and_goes_with_the_customer(place):
    house = HouseInWords()
    asked(place, "w1", "customers/data_request", body(data_request={"id": 9999}), NOW, secret=SECRET)
    carry_out(place, house, LATER)
    (file,) = (place.file.parent / FOLDER).glob("*.json")
    assert json.loads(file.read_text())["known"][0]["rows"]["orders"] == [{"amount": 3}]
    assert file.stat().st_mode & 0o077 == 0
    assert str(ANA) not in file.name
    asked(place, "w2", "customers/redact", body(), LATER, secret=SECRET)
    carry_out(place, house, LATER)
    assert not file.exists()
    assert not bytes_of(place, str(ANA))


def kept_by_the_door(place):
    with place.transaction() as t:
        t.execute(
            "create table inbox (seq integer primary key, topic text, triggered_at integer, body blob, state text not null, why text)"
        )
        t.execute("create table refused (source text, at integer, row text, why text)")
        t.execute("create table lines (line_id text, held text)")
        t.execute("create table tokens (said text)")
        at = int((NOW - timedelta(hours=1)).timestamp() * 1e6)
        for state in ("dead", "waiting"):
            t.execute("insert into inbox (topic, triggered_at, body, state) values ('orders/create', ?, ?, ?)", (at, body(), state))
        t.execute("insert into refused values ('order_lines', 0, ?, 'no')", (f'{{"customer_id": "{ANA}"}}',))
        t.execute("insert into lines values ('1', ?), ('2', 'x')", (f'{{"customer_id": "{ANA}"}}',))
        t.execute("insert into tokens values ('sealed')")


def test_what_was_delivered_before_is_told_before_and_then_nothing_is_left_at_the_door(place):
    kept_by_the_door(place)
    house = HouseInWords()
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    assert carry_out(place, house, LATER) == 0
    assert house.said == []
    with place.transaction() as t:
        t.execute("update inbox set state = 'done', body = null where state = 'waiting'")
    assert carry_out(place, house, LATER) == 1
    assert not bytes_of(place, str(ANA))
    with place.transaction(write=False) as t:
        assert t.execute("select line_id, held from lines order by 1").fetchall() == [("1", None), ("2", "x")]


def test_what_waits_for_days_keeps_nobody_from_being_forgotten_and_is_told_no_more(place):
    kept_by_the_door(place)
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    assert carry_out(place, HouseInWords(), NOW + timedelta(days=4)) == 1
    assert not bytes_of(place, str(ANA))


def test_the_four_topics_are_written_down_by_whoever_is_handed_them(place):
    handed = does(place, SECRET)
    assert set(handed) == set(TOPICS)
    for topic in TOPICS:
        handed[topic](Delivered("w1", topic, body(), NOW))
    assert {r.topic for r in requests(place)} == set(TOPICS)
    assert len(requests(place)) == 4


def test_a_shop_that_is_redacted_is_gone_but_for_what_was_done(place):
    kept_by_the_door(place)
    with place.transaction() as t:
        t.execute("update inbox set state = 'done'")
    house = HouseInWords()
    asked(place, "w1", "shop/redact", b'{"shop_id": 1, "shop_domain": "beans.myshopify.com"}', NOW, secret=SECRET)
    carry_out(place, house, LATER)
    ((path, said),) = house.said
    assert (path, said["everybody"], "column" in said) == ("forget", True, False)
    with place.transaction(write=False) as t:
        assert t.execute("select count(*) from tokens").fetchone() == (0,)
    assert [(r.topic, r.state) for r in requests(place)] == [("shop/redact", "done")]
    assert not bytes_of(place, str(ANA))


def test_after_an_uninstallation_nothing_is_written_until_the_app_is_back(place):
    taken_away = []
    assert installed(place)
    asked(place, "w1", "app/uninstalled", b'{"id": 1}', NOW, secret=SECRET)
    assert not installed(place)
    carry_out(place, HouseInWords(), LATER, uninstall=lambda: taken_away.append(1))
    assert taken_away == [1]
    assert not installed(place)
    installed_again(place, LATER)
    assert installed(place)


def test_after_leaving_a_door_that_is_open_writes_nothing_again(place):
    left(place, NOW)
    assert not installed(place)
    with pytest.raises(Uninstalled, match="has left the shop"):
        WhileInstalled(None, place).ask("shop")
    installed_again(place, LATER)
    assert installed(place)


def test_one_that_fails_stops_no_other(place):
    class Stubborn(HouseInWords):
        def operate(self, path, said):
            if said["value"] == str(ANA):
                raise Unreachable("not now")
            return super().operate(path, said)

    house = Stubborn()
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    asked(place, "w2", "customers/redact", body(ANA + 1), NOW, secret=SECRET)
    assert carry_out(place, house, LATER) == 1
    assert [r.state for r in requests(place)].count("asked") == 1


def test_what_cannot_be_read_is_refused(place):
    with pytest.raises(EverloopError, match="cannot be read"):
        asked(place, "w1", "customers/redact", b"{", NOW, secret=SECRET)


def test_whoever_looks_is_told_that_something_waits_to_be_read(tmp_path):
    from typer.testing import CliRunner

    from everloop.cli.shopify import shopify
    from everloop.connect.shopify import inbox

    (tmp_path / "everloop.toml").write_text('[shopify]\nshop = "beans.myshopify.com"\nclient_id = "x"\nsecret = "y"\n')
    (tmp_path / ".everloop").mkdir()
    place = Place(tmp_path / ".everloop" / "shopify.db")
    inbox.open_inbox(place)
    inbox.keep(place, [inbox.Delivery("d1", "customers/redact", "beans.myshopify.com", NOW, "2026-10", body())], NOW)
    said = CliRunner().invoke(shopify, ["requests", "--project", str(tmp_path)]).output
    assert "1 delivery waits to be read, and may ask for more" in said


def test_what_a_browser_told_of_an_answer_alone_goes_with_whoever_was_answered(place):
    class Answered(HouseInWords):
        def operate(self, path, said):
            told = super().operate(path, said)
            if path == "known" and said["value"] == TOKEN and ("customer_id", TOKEN) not in self.forgotten():
                told["known"]["answers"] = {"recs": [{"id": "9d00410c64e5744e"}]}
            return told

    heard = Heard(place)
    heard.keep([{"event_id": f"{id}:click", "prediction": id} for id in ("9d00410c64e5744e", "aaaa410c64e5744e")])
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    assert carry_out(place, Answered(lines=BOUGHT), LATER) == 1
    with place.transaction(write=False) as t:
        assert [json.loads(row)["prediction"] for (row,) in t.execute("select row from heard")] == ["aaaa410c64e5744e"]


def test_nobody_without_the_apps_secret_can_try_ids_until_one_has_the_hash_that_is_kept(place):
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    other = Place(place.file.with_name("other.db"))
    asked(other, "w1", "customers/redact", body(), NOW, secret="another")
    (one,), (two,) = requests(place), requests(other)
    assert one.customer != two.customer
    assert one.id != two.id


def test_a_file_that_is_torn_keeps_nobody_from_being_forgotten(place):
    (place.file.parent / FOLDER).mkdir()
    (place.file.parent / FOLDER / "x-torn.json").write_text('{"known": [')
    asked(place, "w1", "customers/redact", body(), NOW, secret=SECRET)
    assert carry_out(place, HouseInWords(), LATER) == 1


def test_a_redaction_that_lies_aside_unread_is_told_to_whoever_looks(tmp_path):
    from typer.testing import CliRunner

    from everloop.cli.shopify import shopify
    from everloop.connect.shopify import inbox

    (tmp_path / "everloop.toml").write_text('[shopify]\nshop = "beans.myshopify.com"\nclient_id = "x"\nsecret = "y"\n')
    (tmp_path / ".everloop").mkdir()
    place = Place(tmp_path / ".everloop" / "shopify.db")
    inbox.open_inbox(place)
    inbox.keep(place, [inbox.Delivery("d1", "customers/redact", "beans.myshopify.com", NOW, "2026-10", b"{")], NOW)
    with place.transaction() as t:
        inbox.dead(t, [(1, "no JSON")])
    said = CliRunner().invoke(shopify, ["requests", "--project", str(tmp_path)])
    assert said.exit_code == 1
    assert "1 delivery asks about people and could not be read" in said.output


def test_a_shop_that_has_the_app_again_since_it_was_to_be_redacted_is_not_emptied(place):
    house = HouseInWords(down=True)
    asked(place, "w1", "app/uninstalled", b'{"id": 1}', NOW - timedelta(days=2), secret=SECRET)
    asked(place, "w2", "shop/redact", b'{"shop_id": 1}', NOW, secret=SECRET)
    carry_out(place, house, NOW)
    installed_again(place, LATER)
    house.down = False
    carry_out(place, house, LATER + timedelta(minutes=1))
    assert house.said == []
    assert {r.topic: (r.state, r.outcome) for r in requests(place)}["shop/redact"] == ("done", "the app is in the shop again")


def test_a_shop_that_had_the_app_again_before_it_was_to_be_redacted_is_emptied(place):
    house = HouseInWords()
    left(place, NOW - timedelta(days=9))
    installed_again(place, NOW - timedelta(days=8))
    asked(place, "w2", "shop/redact", b'{"shop_id": 1}', NOW, secret=SECRET)
    carry_out(place, house, LATER)
    assert [said["everybody"] for _, said in house.said] == [True]
