"""What chances meant, window by window as truths come late: in the signals, in status, and in what drift tells of kept profiles alone."""

from __future__ import annotations

import json

import pytest

from everloop.loop.drifting import measure
from everloop.loop.look import status
from everloop.loop.steps import watch_now
from everloop.loop.turn import turn
from tests.loop.houses import house_at
from tests.ring.test_late_truth import World, returns, signal


@pytest.fixture
def world(tmp_path):
    return lambda **words: World(house_at(tmp_path, models=(returns,)), **words)


def test_honest_chances_pass_and_those_the_world_left_behind_fail(world, tmp_path):
    made = world()
    now = made.until(20)
    turn(made.house, returns, now)
    found = signal(made.house.journal.read(kind="Signals", newest_first=True)[0].record, "calibration")
    assert (found.fired, found.outcome, found.as_of) == (False, "passed", now)
    assert "its chances said 3" in found.sentence
    assert 0.5 < found.coverage < 0.95  # of immature windows no truth counts, though some is there
    (line,) = status(made.house)
    assert found.sentence in str(line)
    flipped = World(house_at(tmp_path / "other", models=(returns,)), flips_from=5)
    found = signal(watch_now(flipped.house, returns, flipped.until(14)), "calibration")
    assert found.outcome == "failed"
    assert ": they say too little (when promoted 3" in found.sentence


def test_drift_tells_it_from_the_kept_tables_and_late_truths_move_counts(world):
    made = world()
    watch_now(made.house, returns, made.until(20))
    before = measure(made.house, returns).meant
    now = made.until(21)
    still = measure(made.house, returns).meant
    assert (still.judged, still.rows) == (before.judged, before.rows)  # it reads no truth itself: what came since is not in it
    found = signal(watch_now(made.house, returns, now), "calibration")
    told = measure(made.house, returns)
    assert (told.meant.judged, told.meant.came) == (found.rows, found.value)
    assert told.meant.judged > before.judged
    assert told.meant.rows == before.rows + 100
    text = str(told)
    assert "Its chances said" in text
    assert "wait for their truth." in text
    assert "yes above 0.5: " in text
    assert text.count(") came true of ") >= 5
    plain = json.loads(json.dumps(told.as_plain(), default=str))["chances"]
    assert plain["mature"] == told.meant.judged
    assert sum(group["rows"] for group in plain["calibration"]) == told.meant.judged
