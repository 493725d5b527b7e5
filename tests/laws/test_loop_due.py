"""Laws of what is due: never twice for one tick, never two ticks at once, never a tick that is no tick, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop import Model, Source, canary, days, every, hours, shadow
from everloop.features.moments import ticks
from everloop.loop.control import due as dues
from everloop.loop.control.due import due, step_ends
from everloop.records import Traffic

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
ORDERS = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))
clocks = st.one_of(
    st.sampled_from([timedelta(minutes=10), timedelta(hours=1), timedelta(hours=7), timedelta(days=1), timedelta(days=7)]).map(every),
    st.builds(
        lambda span, at, zone: every(days(span), at=at, zone=zone),
        st.sampled_from([1, 2, 7]),
        st.sampled_from(["00:00", "02:30", "23:59"]),
        st.sampled_from(ZONES),
    ),
)
traffics = st.one_of(
    st.none(),
    st.builds(
        lambda since, stage, step: Traffic(
            id="t", made_at=since, model="churn", generation=2, stage=stage, step=step, champion="v0", since=since, candidate="v1"
        ),
        instants,
        st.sampled_from(["steady", "shadow", "canary", "bake"]),
        st.integers(0, 5),
    ),
)


def model(asked):
    return Model(
        "churn",
        predicts=ORDERS.none(next=days(28)),
        per="customer_id",
        asked=asked,
        knows=ORDERS.count(last=days(28)),
        learner=print,
        roll_out=[shadow(hours(6)), canary(0.05, 0.25, every=hours(6))],
    )


def is_tick(asked, traffic, moment):
    return moment in ticks(asked, moment, moment) or moment == step_ends(model(asked), traffic)


@given(clocks, st.lists(instants, min_size=1, max_size=12).map(sorted), traffics)
def test_looked_at_whenever_no_tick_is_due_twice_and_each_is_a_tick(asked, looks, traffic):
    last, turned = None, []
    for now in looks:
        tick = due(model(asked), last, now, traffic=traffic)
        if tick is not None:
            assert tick <= now
            assert last is None or tick > last
            assert is_tick(asked, traffic, tick)
            assert due(model(asked), tick, now, traffic=traffic) is None  # never two at once: the newest is the only one
            turned.append(tick)
            last = tick
    assert len(turned) == len(set(turned))


@given(clocks, instants, traffics)
def test_after_looking_nothing_that_ticked_is_left(asked, now, traffic):
    tick = due(model(asked), None, now, traffic=traffic)
    later = ticks(asked, tick + timedelta(microseconds=1), now) if tick else []
    assert tick is not None
    assert later == []


@given(clocks, instants, st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), traffics)
def test_a_clock_set_back_makes_nothing_due(asked, last, back, traffic):
    assert due(model(asked), last, last - back, traffic=traffic) is None


@pytest.mark.parametrize("zone", ZONES)
def test_every_local_day_of_a_year_is_turned_once_whatever_the_clocks_do(zone):
    asked = every(days(1), at="02:30", zone=zone)
    last, turned, now, churn = BEGIN, [], BEGIN, model(asked)
    while now < BEGIN + timedelta(days=365):
        tick = due(churn, last, now)
        if tick is not None:
            turned.append(tick)
            last = tick
        now += timedelta(hours=2)
    assert turned == ticks(asked, BEGIN + timedelta(microseconds=1), now - timedelta(hours=2))
    assert len(turned) in (364, 365)


def test_a_rival_that_counts_spans_from_the_last_turn_is_found_by_the_law(monkeypatch):
    monkeypatch.setattr(dues, "_newest", lambda clock, now: now - timedelta(microseconds=1))
    now = BEGIN + timedelta(days=3, hours=5)
    tick = dues.due(model(every(days(1))), None, now)
    assert not is_tick(every(days(1)), None, tick)
    assert dues.due(model(every(days(1))), tick, now + timedelta(minutes=1)) is not None
