"""Units that keep the baseline for good, on a clock that is turned: who answers them, what is remembered of it, what the model brings."""

from __future__ import annotations

import pytest

from everloop import canary, days
from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of
from everloop.loop.look import status
from everloop.records import Signals
from everloop.rollout import arm_of, kept
from everloop.testing.registry import traffic
from tests.ring.shops import UNITS, Shop, usual
from tests.ring.test_split import TEST

HELD = 0.5
kept_usual = usual.but("offers", control=HELD, roll_out=canary(0.4, every=days(1)))


def held():
    here = traffic(1, model="offers", control=HELD, baseline="z")
    return {unit for unit in UNITS if kept(unit, here)}


def lifts(shop):
    found = [e.record for e in shop.house.journal.read(kind="Signals", model="offers") if isinstance(e.record, Signals)]
    return found[-1].lifts


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A shop in the second day of a canary, half of its customers kept on the baseline."""
    shop = Shop(tmp_path_factory.mktemp("begun"), kept_usual)
    shop.day()
    return shop


def test_control_units_keep_the_baseline_and_every_answer_says_the_chance_of_its_arm(begun):
    rows = answers_of(begun.house, begun.model).to_pylist()
    served = [r for r in rows if r["arm"] != "shadow"]
    assert {r["unit"] for r in served if r["arm"] == "control"} == held()
    versions = {r["version"] for r in served if r["arm"] == "control"}
    assert {begun.house.candidate(begun.house.version(v).candidate).format for v in versions} == {"baseline"}
    assert {r["unit"] for r in served if r["arm"] != "control"} == set(UNITS) - held()
    assert {round(r["propensity"], 6) for r in served if r["arm"] == "control"} == {HELD}
    assert {round(r["propensity"], 6) for r in served if r["arm"] == "candidate"} == {0.2}  # 0.4 of the other half
    assert {round(r["propensity"], 6) for r in served if r["arm"] == "champion"} == {0.5, 0.3}
    assert {r["propensity"] for r in rows if r["arm"] == "shadow"} == {None}


def test_the_control_is_no_part_of_a_roll_outs_comparison(begun):
    [epoch] = begun.trials()[-1].epochs
    assert 60 < epoch.candidate + epoch.champion <= len(UNITS) - len(held())


@pytest.mark.parametrize("share", [0.7, 0.0])
def test_another_control_in_the_project_file_moves_only_the_control(begun, share):
    before = begun.traffic
    adopt(begun.house, begun.model.but("offers", control=share), begun.now)
    after = begun.traffic
    assert (after.control, after.generation, after.since) == (share, before.generation + 1, before.since)
    assert (after.candidate, after.share, after.salt, after.step) == (before.candidate, before.share, before.salt, before.step)
    adopt(begun.house, begun.model.but("offers", control=share), begun.now)
    assert begun.traffic == after
    for unit in UNITS:
        if not kept(unit, before) and not kept(unit, after):
            assert arm_of(unit, after) == arm_of(unit, before)


def test_what_the_model_brings_over_the_baseline_is_told_with_its_interval(tmp_path, monkeypatch):
    # Whom the baseline is not kept for goes shopping three times a day.
    monkeypatch.setattr("tests.ring.shops.UNITS", [u for u in UNITS for _ in range(1 if u in held() else 3)])
    shop = Shop(tmp_path, kept_usual.but("offers", roll_out=TEST, roll_back_when=()))
    for _ in range(3):  # units count from the first step of the roll-out, once their day and its late rows are over
        shop.day()
    money = next(lift for lift in lifts(shop) if "amount" in lift.what and "loss" not in lift.what)
    assert len(held()) - 10 < money.kept <= len(held())
    assert money.low is not None
    assert 0 < money.low < money.model - money.control < money.high
    [standing] = status(shop.house)
    assert "that keep it); +" in str(standing)
    assert any("loss by WAPE" in lift.what for lift in lifts(shop))
