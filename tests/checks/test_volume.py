"""Did as many rows happen as usual: the same weekday, chance, the season, history that was brought in at once."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from everloop import Source, usual_volume
from everloop.checks.volume import DAY, volume, volume_finding
from everloop.clock import microseconds

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
ORDERS = Source("orders", id="line_id", time="at", columns={})


def usual(back):
    """Two and a half times as much on Sundays: the day before a Monday is one."""
    return 250 if back % 7 == 0 else 100


def events(newest, weeks=9, known=lambda at: at, seed=0, **more):
    """``newest`` rows on the last day; before that what is usual, by chance. ``more``: days back and their rows."""
    rng = np.random.default_rng(seed)
    counts = {back: int(rng.poisson(usual(back))) for back in range(1, weeks * 7)} | {0: newest} | more.get("days", {})
    at = np.concatenate([microseconds(MONDAY) - (back + 1) * DAY + np.arange(n) for back, n in counts.items()]).astype(np.int64)
    ids = [str(i) for i in range(len(at))]
    return pa.table(
        {"id": ids, "event_at": at, "known_at": np.asarray(known(at), dtype=np.int64), "version": np.zeros(len(at), dtype=np.int64)}
    )


@pytest.mark.parametrize(("rows", "unusual"), [(250, False), (200, False), (100, True), (500, True), (0, True)])
def test_a_day_is_held_against_its_own_weekday(rows, unusual):
    found = volume(events(rows), MONDAY)
    assert (found.rows, found.days, found.unusual) == (rows, 8, unusual)
    assert abs(found.usual - 250) < 20


def test_against_all_days_alike_a_sunday_would_always_be_unusual():
    """The rival: a mean over the last fortnight, whatever the weekday, stands in only where there are too few weeks."""
    assert volume(events(250, weeks=2), MONDAY).days == 13
    assert volume(events(250, weeks=4), MONDAY).days == 3


def test_small_counts_may_be_far_off_by_chance():
    few = {"days": dict.fromkeys(range(1, 63), 3)}
    assert not volume(events(7, **few), MONDAY).unusual
    assert volume(events(40, **few), MONDAY).unusual


def test_quiet_years_alarm_less_than_once_in_a_hundred_days():
    alarms = sum(volume(events(int(np.random.default_rng(900 + s).poisson(250)), seed=s), MONDAY).unusual for s in range(200))
    assert alarms <= 2


def test_what_is_delivered_twice_every_day_does_not_become_usual():
    """The rival, a mean of whatever came, is content after two weeks."""
    doubled = {"days": {back: 2 * usual(back) for back in range(28)}}
    assert volume(events(500, **doubled), MONDAY).unusual
    for_good = {"days": {back: 2 * usual(back) for back in range(56)}}
    assert not volume(events(500, **for_good), MONDAY).unusual


def test_a_day_as_unusual_as_a_year_ago_is_the_season():
    before = {"days": {364: 900} | {364 + 7 * k: 250 for k in range(1, 9)}}
    found = volume(events(900, weeks=63, **before), MONDAY)
    assert found.unusual
    assert found.season == pytest.approx(3.6, abs=0.3)
    finding = volume_finding(usual_volume(), ORDERS, found)
    assert (finding.outcome, finding.season) == ("passed", found.season)
    assert "the season, for a year ago it was 3.60 times the usual too" in finding.sentence
    assert volume_finding(usual_volume(), ORDERS, volume(events(900, weeks=63), MONDAY)).outcome == "failed"


def test_what_always_comes_late_is_no_gap():
    evening = 6 * 3_600_000_000
    late = events(250, known=lambda at: at + evening)
    whole = volume(late, MONDAY, late=timedelta(hours=7))
    assert (whole.unusual, whole.usual is None) == (False, False)


@pytest.mark.parametrize("rows", [0, 250])
def test_history_brought_in_at_once_says_nothing_of_what_is_usual(rows):
    brought = volume(events(rows, known=lambda at: np.full(len(at), microseconds(MONDAY))), MONDAY)
    finding = volume_finding(usual_volume(), ORDERS, brought)
    assert (finding.outcome, finding.met) == ("not enough evidence", None)
    assert finding.sentence.endswith("and there are too few days before to say what is usual.")


def test_a_correction_is_no_second_row():
    table = events(250)
    again = table.set_column(3, "version", pa.array(np.ones(len(table), dtype=np.int64)))
    assert volume(pa.concat_tables([table, again]), MONDAY).rows == 250


def test_an_empty_table_says_nothing():
    assert volume(events(0).slice(0, 0), MONDAY).usual is None


def test_by_is_a_share_within_which_all_is_usual():
    table = events(180)
    assert volume_finding(usual_volume(by=0.1), ORDERS, volume(table, MONDAY, by=0.1)).outcome == "failed"
    assert volume_finding(usual_volume(by=0.3), ORDERS, volume(table, MONDAY, by=0.3)).outcome == "passed"
