"""An Alertmanager knows what is wrong, whatever happens to it or to us."""

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.connect.alertmanager import alert_of
from everloop.errors import EverloopError
from everloop.loop.adopt import adopt
from everloop.loop.incidents import acknowledge, snooze
from everloop.loop.keep import keep_record
from everloop.loop.news.again import tell_again
from everloop.loop.news.deliver import deliver
from everloop.records import Signal, Signals
from everloop.settings import Address
from tests.loop.houses import NOW, demand, house_at

DAY = timedelta(days=1)
SLIPPED, FAIL = map(repr, demand.tell_when)
SLIP = Signal(clause=SLIPPED, kind="slip", fired=True, outcome="passed", sentence="MAE 9 against 5")
FINE = Signal(clause=SLIPPED, kind="slip", fired=False, outcome="failed", sentence="MAE 5")
ERRORS = Signal(clause=FAIL, kind="errors", fired=True, outcome="passed", sentence="30 % of answers fail")


class Forgetful:
    """An Alertmanager as far as it matters: alerts by their labels, in memory alone; ``broken`` ones take nothing."""

    def __init__(self, *broken):
        self.alerts, self.broken, self.requests = {}, broken, 0

    def __call__(self, url):
        return _Line(self, url)

    def firing(self, now, url="alertmanager://am"):
        there = self.alerts.get(url, {}).values()
        return sorted(a["labels"]["cause"] for a in there if a["endsAt"] > now.isoformat() and "incident" in a["labels"])


class _Line:
    def __init__(self, am, url):
        self.am, self.url = am, url

    def send(self, message):
        return self.tell([message])

    def tell(self, messages):
        self.am.requests += 1
        if self.url in self.am.broken:
            return "no route"
        for alert in (alert_of(message, NOW) for message in messages):
            self.am.alerts.setdefault(self.url, {})[tuple(sorted(alert["labels"].items()))] = alert
        return None


@pytest.fixture
def house(tmp_path):
    opened = house_at(tmp_path, (demand,))
    adopt(opened, demand, NOW)
    return with_people(opened, everybody=["alertmanager://am"])


def with_people(house, **people):
    found = {name: tuple(a if isinstance(a, Address) else Address(a) for a in said) for name, said in people.items()}
    return replace(house, settings=replace(house.settings, people=found))


def look(house, day, *found):
    signals = Signals(id=f"look-{day}", made_at=NOW + day * DAY, model="demand", until=NOW + day * DAY, signals=found)
    with house.store.transaction() as t:
        keep_record(house, t, signals, model=demand, turn=f"turn-{day}", verb="watch")


def test_one_that_was_started_anew_is_told_what_is_still_so(house):
    before, after = Forgetful(), Forgetful()
    look(house, 0, SLIP, ERRORS)
    deliver(house, NOW, opens=before)
    assert before.firing(NOW) == ["change", "service"]
    assert deliver(house, NOW, opens=after) == 0, "the outbox tells nothing twice"
    assert tell_again(house, NOW, opens=after) == 2
    assert (after.firing(NOW), after.requests) == (["change", "service"], 1)
    assert {*after.alerts["alertmanager://am"]} == {*before.alerts["alertmanager://am"]}, "the same alerts, not others"


def test_a_process_that_was_started_anew_tells_it_from_what_is_kept(house, tmp_path):
    look(house, 0, SLIP)
    again = Forgetful()
    assert tell_again(with_people(house_at(tmp_path, (demand,)), everybody=["alertmanager://am"]), NOW, opens=again) == 1
    assert again.firing(NOW) == ["change"]


def test_what_is_over_is_told_for_a_day_though_its_end_was_no_news(house):
    look(house, 0, SLIP)
    am = Forgetful()
    tell_again(house, NOW, opens=am)
    id = house.incidents.open()[0].incident
    acknowledge(house, id, by="Ada", reason="mine", now=NOW)
    assert tell_again(house, NOW, opens=am) == 1, "somebody is at it; it fires all the same"
    snooze(house, id, "30d", by="Ada", reason="sale", now=NOW)
    for day in (1, 2, 3):
        look(house, day, FINE)
    over = house.incidents.all()[0]
    assert (over.state, over.news) == ("resolved", False)
    at = over.resolved_at + timedelta(minutes=5)
    assert tell_again(house, at, opens=am) == 1
    assert am.firing(at) == []
    assert tell_again(house, at + DAY, opens=am) == 0


def test_what_people_were_not_told_of_is_not_told_again_either(house):
    untold = Signal(clause=repr(demand.retrain_when[0]), kind="slip", fired=True, outcome="passed", sentence="MAE 6 against 5")
    look(house, 0, untold)
    assert [i.told_at for i in house.incidents.open()] == [None]
    assert tell_again(house, NOW, opens=Forgetful()) == 0


def test_each_address_hears_what_is_for_it_and_a_broken_one_holds_up_no_other(house):
    urgent = Address("alertmanager://urgent", "critical")
    house = with_people(
        house, shop=["alertmanager://broken", "alertmanager://shop", "json://shop", urgent], everybody=["alertmanager://am"]
    )
    look(house, 0, SLIP, ERRORS)
    am = Forgetful("alertmanager://broken")
    with pytest.raises(EverloopError, match=r"shop \(alertmanager://broken/…\): no route"):
        tell_again(house, NOW, opens=am)
    assert {url: am.firing(NOW, url) for url in am.alerts} == {
        "alertmanager://shop": ["change", "service"], "alertmanager://urgent": ["service"],
    }  # fmt: skip


def test_where_there_is_no_alertmanager_nothing_is_read(house, monkeypatch):
    look(house, 0, SLIP)
    elsewhere = with_people(house, everybody=["json://ops"])
    monkeypatch.setattr(type(house.incidents), "all", None)
    assert tell_again(elsewhere, NOW, opens=None) == 0
