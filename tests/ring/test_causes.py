"""A request that says square feet for square metres: the drift names the column and the unit, and why says so before anything else."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
from typer.testing import CliRunner

from everloop.cli import app
from everloop.loop.causes import spoken_because, why_now
from everloop.loop.hints import importance_of
from everloop.loop.look import why
from everloop.loop.turn import turn
from tests.ring.conftest import END
from tests.ring.test_doors import doors

__all__ = ["doors"]


def ask(house, model, door, day, *, times=1.0, count=400):
    """A day's questions, of houses such as it learnt from; ``times`` is what their area is said in."""
    rng = np.random.default_rng(day)
    rows = house.tables(model)["houses"].slice(0, 1000).select(["area", "rooms", "zip", "advert"]).to_pylist()
    some = [rows[i] for i in rng.integers(0, len(rows), count)]
    asked = [{"house_id": f"new{day}-{n}", **row, "area": row["area"] * times} for n, row in enumerate(some)]
    door.predict(model.name, asked, END + timedelta(days=day, hours=3))


def test_a_change_of_unit_is_told_by_name_in_the_signal_and_by_why(rolling, doors, tmp_path):
    house, model = rolling
    door = doors(house)
    for day in range(1, 4):
        ask(house, model, door, day, times=10.76391)
    now = END + timedelta(days=4)
    because = why_now(house, model, now)
    assert because.causes[0].kind == "unit"
    assert "area" in because.causes[0].about
    assert "square feet for square metres" in spoken_because(because)
    learnt = house.candidate(house.version(house.traffic(model).candidate).candidate)
    moved = importance_of(house, model, learnt)
    assert max(moved, key=moved.get) == because.causes[0].about
    assert importance_of(house, model, learnt) == moved
    assert importance_of(house, model, house.champion(house.traffic(model))) == {}  # a baseline learnt nothing
    decision = turn(house, model, now)
    signals = next(r for r in house.kept_in_turn(decision.id) if type(r).__name__ == "Signals")
    drift = next(s for s in signals.signals if s.kind == "drift" and s.fired)
    assert "square feet for square metres" in drift.causes[0]
    assert drift.causes[0] in "\n".join(why(house, signals.id)[0])
    house.store.close()
    done = CliRunner().invoke(app, ["why", model.name, "-p", str(tmp_path / "price"), "--now", now.isoformat(), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["causes"][0]["kind"] == "unit"
