"""What waits in the outbox goes out, to whom it is for, once; whoever cannot be reached holds up nobody else."""

import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from everloop.errors import EverloopError, SettingsError, Unknown
from everloop.loop.house import open_house, with_pause
from everloop.loop.news import deliver as delivering
from everloop.loop.news.alerts import taken_over
from everloop.loop.news.deliver import _look, _nothing_to_do, deliver, spoken_outbox, try_out
from everloop.loop.news.put import put_news as tell
from everloop.loop.news.recipients import check_people
from everloop.records import Alert, Decision, Incident, Symptom
from everloop.registry.letters import Letters
from everloop.settings import Address
from everloop.testing.registry import decision

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PROJECT = """
from sklearn.dummy import DummyRegressor
from everloop import Model, Source, days, every
orders = Source("orders", id="order_id", time="at", columns={"item": str})
Model("demand", predicts=orders.count(next=days(7)), per="item", asked=every(days(7)), knows=[orders.count(last=days(7))],
      learner=DummyRegressor(), owner="ada")
"""


class Mouth:
    """A line that goes nowhere: remembers what it was told, and says why not."""

    def __init__(self):
        self.told, self.why, self.opened = [], {}, []

    def __call__(self, url):
        self.opened.append(url)
        mouth = self

        class Line:
            def send(self, message):
                why = mouth.why.get(url)
                why = why(message) if callable(why) else why
                mouth.told.append((url, message, why))
                return why

        return Line()

    def got(self, url):
        return [m for to, m, why in self.told if to == url and why is None]

    def alerts(self, url):
        return [key for m in self.got(url) for key in m.facts["alerts"]]


@pytest.fixture
def mouth():
    return Mouth()


@pytest.fixture
def house(tmp_path):
    (tmp_path / "project.py").write_text(PROJECT)
    made = open_house(tmp_path / "project.py")
    yield made
    made.store.close()


def with_people(house, **people):
    found = {name: tuple(a if isinstance(a, Address) else Address(a) for a in ([said] if not isinstance(said, list) else said))
             for name, said in people.items()}  # fmt: skip
    return replace(house, settings=replace(house.settings, people=found))


def raised(house, key="a1", *, at=NOON, severity="warning", owner="ada", model="demand", sentence=None):
    alert = Alert(model=model, severity=severity, sentence=sentence or f"{model}: {key} happened.", owner=owner, key=key)
    assert tell(house, alert, at)


def waiting(house):
    return [kept.alert.key for kept in house.outbox.waiting()]


# -- who -------------------------------------------------------------------------------------------------------------------------------


def test_an_alert_goes_to_its_owner_once(house, mouth):
    house = with_people(house, ada="json://ada", bob="json://bob")
    raised(house)
    assert deliver(house, NOON, opens=mouth) == 1
    assert deliver(house, NOON + DAY, opens=mouth) == 0
    assert mouth.alerts("json://ada") == ["a1"]
    assert mouth.alerts("json://bob") == []
    assert waiting(house) == []
    assert house.outbox.all()[0].delivered_at is not None


def test_all_addresses_of_a_person_are_told_each_once(house, mouth):
    house = with_people(house, ada=["json://a", "json://b", "json://a"])
    raised(house)
    assert deliver(house, NOON, opens=mouth) == 2
    assert sorted(mouth.opened) == ["json://a", "json://b"]


@pytest.mark.parametrize("owner", [None, "nobody"])
def test_what_has_no_owner_among_the_people_goes_to_everybody(house, mouth, owner):
    house = with_people(house, ada="json://ada", everybody="json://all")
    raised(house, owner=owner)
    deliver(house, NOON, opens=mouth)
    assert mouth.alerts("json://all") == ["a1"]
    assert mouth.alerts("json://ada") == []


def test_what_is_for_nobody_waits_until_there_is_somebody(house, mouth):
    told = with_people(house, bob="json://bob")
    raised(house)
    assert deliver(told, NOON, opens=mouth) == 0
    assert waiting(house) == ["a1"]
    assert spoken_outbox(told, NOON) == [
        "1 alert reaches nobody: no owner (ada) is in [people] of everloop.toml. Name them there, or somebody as everybody."
    ]
    assert deliver(house, NOON, opens=mouth) == 0, "no people at all"
    assert deliver(with_people(house, ada="json://ada"), NOON + 9 * DAY, opens=mouth) == 1


def test_who_wants_only_urgent_news_is_told_only_that(house, mouth):
    house = with_people(house, ada=[Address("json://pager", "critical"), Address("json://mail", "warning")])
    raised(house, "quiet", severity="info")
    raised(house, "loud", severity="critical", at=NOON + MINUTE)
    raised(house, "middle", at=NOON + 2 * MINUTE)
    assert deliver(house, NOON, opens=mouth) == 3
    assert mouth.alerts("json://pager") == ["loud"]
    assert mouth.alerts("json://mail") == ["loud", "middle"]
    assert waiting(house) == [], "what nobody wants waits no more"
    assert {kept.alert.key: kept.ended for kept in house.outbox.all()} == {"quiet": "unwanted", "loud": None, "middle": None}


def test_who_was_taken_out_of_the_table_is_told_no_more(house, mouth):
    before = with_people(house, ada=["json://a", "json://b"])
    mouth.why["json://b"] = "gone"
    raised(house)
    deliver(before, NOON, opens=mouth)
    assert waiting(house) == ["a1"]
    deliver(with_people(house, ada="json://a"), NOON + DAY, opens=mouth)
    assert waiting(house) == []
    assert mouth.alerts("json://a") == ["a1"]


def test_what_nobody_wants_any_more_does_not_wait_for_ever(house, mouth):
    mouth.why["json://a"] = "gone"
    raised(house)
    deliver(with_people(house, ada="json://a"), NOON, opens=mouth)
    only_urgent = with_people(house, ada=[Address("json://a", "critical")])
    for _ in range(2):  # the letter is withdrawn, and nobody is there to write another to
        assert deliver(only_urgent, NOON + DAY, opens=mouth) == 0
    assert waiting(house) == []
    assert [kept.ended for kept in house.outbox.all()] == ["unwanted"]


def test_what_has_lost_its_only_reader_waits_for_another_without_being_looked_at_again_and_again(house, mouth):
    mouth.why["json://a"] = "gone"
    raised(house)
    deliver(with_people(house, ada="json://a"), NOON, opens=mouth)
    strangers = with_people(house, bob="json://bob")
    deliver(strangers, NOON + DAY, opens=mouth)
    assert waiting(house) == ["a1"]
    assert _nothing_to_do(_look(strangers, NOON + DAY))
    assert deliver(with_people(house, ada="json://new"), NOON + DAY, opens=mouth) == 1


def test_a_mended_address_is_tried_at_once(house, mouth):
    mouth.why["json://old"] = "gone"
    raised(house)
    deliver(with_people(house, ada="json://old"), NOON, opens=mouth)
    assert deliver(with_people(house, ada="json://new"), NOON, opens=mouth) == 1
    assert spoken_outbox(with_people(house, ada="json://new"), NOON) == []


def test_an_address_that_comes_back_is_written_to_again(house, mouth):
    mouth.why["json://a"] = "gone"
    raised(house)
    deliver(with_people(house, ada="json://a"), NOON, opens=mouth)
    deliver(with_people(house, bob="json://b"), NOON, opens=mouth)
    mouth.why.clear()
    assert deliver(with_people(house, ada="json://a"), NOON + HOUR, opens=mouth) == 1


def test_nothing_kept_says_an_address(house, mouth, tmp_path):
    house = with_people(house, ada="json://pager/hushhush?+token=xyzzyxyzzy")
    mouth.why["json://pager/hushhush?+token=xyzzyxyzzy"] = "it was refused"
    raised(house)
    deliver(house, NOON, opens=mouth)
    house.store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("house.db*"))
    assert b"it was refused" in kept
    assert b"hushhush" not in kept
    assert b"xyzzy" not in kept
    assert "hushhush" not in " ".join(spoken_outbox(house, NOON)) + repr(house.settings)


# -- what ------------------------------------------------------------------------------------------------------------------------------


def test_a_message_says_what_happened_what_to_type_and_where_the_journal_ended(house, mouth):
    house = with_people(house, ada="json://ada")
    with house.store.transaction() as t:
        house.journal.append(t, decision(1))
    raised(house, "decision-1", at=NOON, severity="critical", sentence="demand: went back to 3.")
    deliver(house, NOON, opens=mouth)
    (message,) = mouth.got("json://ada")
    head = house.journal.head()
    assert message.title == "demand: critical"
    assert message.body == f"demand: went back to 3.\nNext: everloop why decision-1\nJournal: {head}"
    assert message.facts == {"model": "demand", "alerts": ["decision-1"], "head": str(head), "raised_at": NOON.isoformat()}


def test_a_question_says_how_to_answer_it(house, mouth):
    house = with_people(house, ada="json://ada")
    asked = Decision(id="d1", made_at=NOON, model="demand", action="ask", asks="promote", because=("it won",), cause="schedule")
    with house.store.transaction() as t:
        house.journal.append(t, asked)
    raised(house, "d1")
    deliver(house, NOON, opens=mouth)
    assert "everloop why d1, then everloop approve demand or everloop reject demand" in mouth.got("json://ada")[0].body


def test_news_of_an_incident_says_how_to_take_it_on_and_its_facts_name_it(house, mouth):
    house = with_people(house, ada="json://ada")
    shown = (Symptom(clause="drifted()", kind="drift", about="price", sentence="price drifted"),)
    incident = Incident(
        id="i1", made_at=NOON, model="demand", incident="41c9a0d2", change=1, cause="change", state="firing", severity="warning",
        symptoms=shown, opened_at=NOON, fired_at=NOON,
    )  # fmt: skip
    with house.store.transaction() as t:
        house.journal.append(t, incident)
    raised(house, "i1")
    deliver(house, NOON, opens=mouth)
    (message,) = mouth.got("json://ada")
    assert "Next: everloop why i1, then everloop acknowledge 41c9a0d2" in message.body
    assert {"incident": "41c9a0d2", "cause": "change", "state": "firing", "urgency": "warning"}.items() <= message.facts.items()


def test_news_of_the_house_itself_goes_to_everybody(house, mouth):
    house = with_people(house, ada="json://ada", everybody="json://all")
    assert tell(house, taken_over("one", "two", ["the turn of demand"], "one:7"), NOON)
    assert not tell(house, taken_over("one", "two", ["the turn of demand"], "one:7"), NOON), "the same news once"
    deliver(house, NOON, opens=mouth)
    (message,) = mouth.got("json://all")
    assert message.title == "everloop: warning"
    assert "Next: everloop status" in message.body


def test_a_sentence_without_end_is_cut(house, mouth):
    house = with_people(house, ada="json://ada")
    raised(house, sentence="x" * 100_000)
    deliver(house, NOON, opens=mouth)
    assert len(mouth.got("json://ada")[0].body) < 2_200


def test_news_is_told_in_the_order_it_came(house, mouth):
    house = with_people(house, ada="json://ada")
    for n in (3, 1, 2):
        raised(house, f"a{n}", at=NOON + n * MINUTE)
    deliver(house, NOON, opens=mouth)
    assert mouth.alerts("json://ada") == ["a1", "a2", "a3"]


# -- storms ----------------------------------------------------------------------------------------------------------------------------


def test_a_storm_is_summed_up(house, mouth):
    house = with_people(house, ada="json://ada")
    for n in range(23):
        raised(house, f"a{n:02}", at=NOON + n * timedelta(seconds=1), severity="critical" if n >= 20 else "warning")
    assert deliver(house, NOON + MINUTE, opens=mouth) == 23
    got = mouth.got("json://ada")
    assert len(got) == 10
    assert mouth.alerts("json://ada")[:9] == ["a00", "a01", "a02", "a03", "a04", "a05", "a20", "a21", "a22"], (
        "the urgent ones by themselves"
    )
    assert got[-1].title == "14 more: warning"
    assert got[-1].body.startswith("14 more since 2026-11-02 12:00 UTC, too many to tell one by one: 14 warning. Of demand 14.\n")
    assert "everloop status" in got[-1].body
    assert sorted(mouth.alerts("json://ada")) == [f"a{n:02}" for n in range(23)]
    assert waiting(house) == []


def test_nobody_gets_more_than_so_many_messages_a_minute(house, mouth):
    house = with_people(house, ada="json://ada", bob="json://bob")
    at, n = NOON, 0
    for _ in range(30):  # half a minute, one round a second, 20 alerts each
        for _ in range(20):
            raised(house, f"a{n:04}", at=at)
            n += 1
        deliver(house, at, opens=mouth)
        at += timedelta(seconds=1)
    assert len(mouth.got("json://ada")) == 10
    raised(house, "b", owner="bob")
    deliver(house, at, opens=mouth)
    assert mouth.alerts("json://bob") == ["b"], "another's storm is not mine"
    deliver(house, at + MINUTE, opens=mouth)
    assert sorted(mouth.alerts("json://ada")) == [f"a{i:04}" for i in range(600)]
    assert len(mouth.got("json://ada")) <= 20


# -- who cannot be reached -------------------------------------------------------------------------------------------------------------


def test_who_cannot_be_reached_is_tried_again_and_again_but_ever_more_seldom(house, mouth):
    house = with_people(house, ada="json://ada")
    mouth.why["json://ada"] = "no route"
    raised(house)
    tried, at = [], NOON
    while at < NOON + 7 * HOUR:
        before = len(mouth.told)
        deliver(house, at, opens=mouth)
        if len(mouth.told) > before:
            tried.append(at)
        at += timedelta(seconds=10)
    waits = [b - a for a, b in pairwise(tried)]
    assert timedelta(seconds=30) <= waits[0] <= timedelta(seconds=50)
    assert all(b > 1.5 * a for a, b in pairwise(waits[:6]))
    assert max(waits) <= HOUR + timedelta(seconds=10)
    assert len(set(waits[7:])) > 1, "by chance, not all at the same time"
    (said,) = [line for line in spoken_outbox(house, at) if "cannot" in line]
    assert said.startswith("ada (json://ada/…) cannot be reached since 2026-11-02 12:00 UTC: no route. Next try 2026-11-02 ")
    mouth.why.clear()
    assert deliver(house, at + HOUR, opens=mouth) == 1
    assert spoken_outbox(house, at + HOUR) == []


def test_the_broken_address_of_one_holds_up_nobody_else(house, mouth):
    house = with_people(house, ada=["json://broken", "json://a"], bob="json://b")
    mouth.why["json://broken"] = "no route"
    raised(house)
    raised(house, "b1", owner="bob")
    assert deliver(house, NOON, opens=mouth) == 2
    assert waiting(house) == ["a1"], "until all of its people have it"
    for n in range(5):
        raised(house, f"c{n}")
    assert deliver(house, NOON + timedelta(seconds=5), opens=mouth) == 5
    assert len([1 for to, _, _ in mouth.told if to == "json://broken"]) == 1, "who is broken is left alone for a while"


def test_one_message_that_is_never_taken_does_not_hold_up_the_others(house, mouth):
    house = with_people(house, ada="json://ada")
    mouth.why["json://ada"] = lambda message: "too strange" if "poison" in message.facts["alerts"] else None
    raised(house, "poison", at=NOON)
    at = NOON
    for n in range(8):
        raised(house, f"a{n}", at=NOON + (n + 1) * MINUTE)
        at += HOUR
        deliver(house, at, opens=mouth)
        deliver(house, at + 2 * MINUTE, opens=mouth)
    assert mouth.alerts("json://ada") == [f"a{n}" for n in range(8)]
    for n in range(60):
        deliver(house, at + n * HOUR, opens=mouth)
    assert waiting(house) == []
    assert {k.alert.key: k.ended for k in house.outbox.all()}["poison"] == "given up"


@pytest.mark.parametrize(("severity", "days"), [("info", 1), ("warning", 1), ("critical", 7)])
def test_in_the_end_it_is_given_up_and_said(house, mouth, severity, days):
    house = with_people(house, ada="json://ada")
    mouth.why["json://ada"] = "no route"
    raised(house, severity=severity)
    deliver(house, NOON, opens=mouth)
    deliver(house, NOON + days * DAY - MINUTE, opens=mouth)
    assert waiting(house) == ["a1"]
    deliver(house, NOON + days * DAY + HOUR, opens=mouth)
    deliver(house, NOON + days * DAY + 2 * HOUR, opens=mouth)
    assert waiting(house) == []
    assert house.outbox.all()[0].ended == "given up"
    assert house.outbox.all()[0].delivered_at is None
    said = "1 alert for ada could not be delivered in time and was given up, the last one: everloop why a1"
    assert said in spoken_outbox(house, NOON + 8 * DAY)
    assert said not in spoken_outbox(house, NOON + 90 * DAY)


def test_what_nobody_tried_to_deliver_is_not_given_up(house, mouth):
    house = with_people(house, ada="json://ada")
    raised(house, at=NOON - 400 * DAY)
    assert deliver(house, NOON, opens=mouth) == 1, "its age by business time means nothing here"


def test_a_clock_set_back_holds_up_nothing_for_long(house, mouth):
    house = with_people(house, ada="json://ada")
    mouth.why["json://ada"] = "no route"
    raised(house)
    deliver(house, NOON + 300 * DAY, opens=mouth)
    mouth.why.clear()
    assert deliver(house, NOON, opens=mouth) == 1


def test_an_address_that_is_none_is_told_before_it_is_needed_and_breaks_nothing(house, mouth):
    house = with_people(house, ada="slak://hushhush/x", everybody="json://127.0.0.1:1/x")
    (said,) = check_people(house.settings)
    assert said == "everloop.toml: people.ada: slak://… is no address: nothing is called slak. Did you mean slack://?"
    raised(house)
    assert deliver(house, NOON) == 0
    assert "slak://… is no address" in " ".join(spoken_outbox(house, NOON))


def test_a_line_that_raises_breaks_nothing(house, mouth):
    house = with_people(house, ada="json://a", bob="json://b")

    def raises(message):
        raise RuntimeError("hushhush")

    mouth.why["json://a"] = raises
    raised(house)
    raised(house, "b1", owner="bob")
    assert deliver(house, NOON, opens=mouth) == 1
    assert "RuntimeError" in " ".join(spoken_outbox(house, NOON))
    assert "hushhush" not in " ".join(spoken_outbox(house, NOON))


def test_two_deliver_side_by_side_and_nobody_is_told_twice(house, mouth):
    house = with_people(house, ada="json://ada")
    for n in range(8):
        raised(house, f"a{n}", at=NOON + n * MINUTE)

    def meanwhile(message):
        if len(mouth.told) < 20:
            mouth.told.append(("other", message, "x"))
            deliver(house, NOON, opens=mouth)

    mouth.why["json://ada"] = meanwhile
    deliver(house, NOON, opens=mouth)
    assert sorted(mouth.alerts("json://ada")) == [f"a{n}" for n in range(8)]


# -- real receivers --------------------------------------------------------------------------------------------------------------------


def test_who_answers_badly_is_noted_and_the_rest_is_told(house, web):
    paths = {"fails": 500, "closes": "close", "hangs": "hang"}
    web.does |= paths
    house = with_people(house, ada=[web.url(path, query="?rto=0.3") for path in (*paths, "well")], everybody="json://127.0.0.1:1")
    raised(house)
    raised(house, "b", owner=None)
    begun = time.monotonic()
    assert deliver(house, NOON) == 1
    assert time.monotonic() - begun < 5
    assert web.alerts("well") == ["a1"]
    assert len(Letters(house.store).troubles()) == 4
    web.does.clear()
    assert deliver(house, NOON + MINUTE) == 3
    assert {path: len(set(web.keys(path))) for path in paths} == dict.fromkeys(paths, 1), "the same key both times"


def test_who_answers_a_byte_at_a_time_is_given_no_more_time_than_others(house, web, monkeypatch):
    monkeypatch.setattr(delivering, "SEND_SECONDS", 0.4)
    web.does["drips"] = "drip"
    house = with_people(house, ada=[web.url("drips"), web.url("well")])
    raised(house)
    begun = time.monotonic()
    assert deliver(house, NOON) == 1
    assert time.monotonic() - begun < 3
    assert deliver(house, NOON + MINUTE) == 0
    assert len(web.of("drips")) == 1, "while one thread hangs there is no second one"
    web.over.set()


def test_trying_out_writes_to_all_addresses_of_a_person(house, web):
    house = with_people(house, ada=[web.url(), web.url("other")], bob=[web.url("broken"), web.url()], eve="slak://hushhush")
    assert try_out(house, "ada").splitlines() == [f"ada (json://127.0.0.1:{web.port}/…): it was taken."] * 2
    assert [t.json["title"] for t in web.told] == ["everloop: a try"] * 2
    web.does["broken"] = 500
    with pytest.raises(EverloopError, match=r"not reached: .*500[\s\S]*was taken[\s\S]*Mend \[people\]"):
        try_out(house, "bob")
    with pytest.raises(SettingsError, match="Did you mean slack"):
        try_out(house, "eve")
    with pytest.raises(Unknown, match="ada, bob, eve"):
        try_out(house, "zoe")


def test_an_address_that_was_tried_out_well_is_written_to_at_once(house, web):
    house = with_people(house, ada=web.url())
    web.does["news"] = 500
    raised(house)
    for n in range(6):
        deliver(house, NOON + n * HOUR)
    web.does.clear()
    at = NOON + 5 * HOUR + MINUTE
    assert deliver(house, at) == 0, "it is left alone"
    try_out(house, "ada")
    assert deliver(house, at + 30 * MINUTE) == 1


# -- kills -----------------------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The end of a process, as far as its house can tell."""


@pytest.mark.parametrize(("moment", "times"), [("before a claim", 1), ("claimed", 1), ("sent, not noted", 2)])
def test_a_kill_between_any_two_commits_costs_at_most_a_second_message_of_the_same_key(house, mouth, moment, times):
    house = with_people(house, ada="json://ada")
    raised(house)

    def dies(where):
        if where == moment:
            raise Killed

    with pytest.raises(Killed):
        deliver(with_pause(house, dies), NOON, opens=mouth)
    if moment != "before a claim":
        assert deliver(house, NOON + timedelta(seconds=30), opens=mouth) == 0, "it may still be under way elsewhere"
    assert deliver(house, NOON + 2 * MINUTE, opens=mouth) == 1
    assert [m.facts["alerts"] for m in mouth.got("json://ada")] == [["a1"]] * times
    assert len({m.key for m in mouth.got("json://ada")}) == 1
    assert waiting(house) == []


CHILDREN = """
import os, signal, sys, time
from dataclasses import replace
from datetime import datetime, timedelta
import sklearn.dummy
import everloop.connect.apprise
from everloop.clock import instant
from everloop.loop.news.deliver import deliver
from everloop.loop.house import open_house, with_pause
from everloop.settings import Address

path, urls = sys.argv[1], sys.argv[2:]
print("ready", flush=True)
for line in sys.stdin:
    now, after, moment = line.split()
    child = os.fork()
    if not child:
        house, steps = open_house(path), 0
        def pause(_):
            global steps
            steps += 1
            if steps == int(after):
                os.kill(os.getpid(), signal.SIGKILL)
        settings = replace(house.settings, people={"ada": tuple(map(Address, urls))})
        deliver(with_pause(replace(house, settings=settings), pause), instant(now))
        os._exit(0)
    if float(moment):
        time.sleep(float(moment))
        os.kill(child, signal.SIGKILL)  # not waited for yet, so nobody else has its number
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.parametrize("many", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_a_delivering_process_that_is_killed_loses_nothing(house, tmp_path, web, many):
    urls = [web.url("one"), web.url("two")]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILDREN, str(tmp_path / "project.py"), *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    at, kills, rounds, raised_keys = NOON, 0, 0, []
    with process:
        process.stdout.readline()
        while rounds < many + 4 or waiting(house):
            assert rounds < many + 20, "it never ends"
            if rounds < many - 2:
                raised_keys.append(f"a{rounds:02}")
                raised(house, raised_keys[-1], at=at)
            # Killed at each of the steps in turn, or after a moment, or not at all.
            after = rounds % 13 + 1 if rounds < many else 0
            moment = 0.01 * (rounds % 11) if rounds % 5 == 4 else 0
            process.stdin.write(f"{at.isoformat()} {after} {moment}\n")
            process.stdin.flush()
            kills += int(process.stdout.readline()) == signal.SIGKILL
            at += timedelta(minutes=2)
            rounds += 1
        process.stdin.close()
    assert kills >= many * 0.7
    for path in ("one", "two"):
        assert sorted(set(web.alerts(path))) == raised_keys
        came = Counter(web.alerts(path))
        assert sum(came.values()) - len(raised_keys) <= kills, "at most one more for each kill"
        # Who drops what has a key they have seen is told everything once.
        first = {t.headers["idempotency-key"]: t.json["alerts"] for t in web.of(path)}
        assert sorted(key for alerts in first.values() for key in alerts) == raised_keys
