"""Drift where somebody watches: quiet days say nothing, a feature that jumps is told in two, by name and in JSON."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from everloop import Model, canary, days, drifted
from everloop.cli import app
from everloop.clock import microseconds
from everloop.loop.answers import answer_due, answers_of
from everloop.loop.drifting import measure
from everloop.loop.look import status
from everloop.loop.profiles import profiles_of, rows_learnt
from everloop.loop.steps import watch_now
from everloop.loop.tell.elsewhere import tell_predictions
from everloop.loop.turn import turn
from everloop.monitor import ANSWERS
from tests.loop.houses import NOW, Mean, daily, day, demand, house_at, orders
from tests.ring.conftest import END
from tests.ring.shops import Says, Shop, usual
from tests.ring.test_learnt import named


def told(house, count, *, jump=10**9):
    """Answers of a service elsewhere, sixty products a day; from day ``jump`` on prices are twice what they were."""
    rng = np.random.default_rng(1)
    for n in range(1, count):
        rows = [
            {
                "model": "demand", "product_id": f"p{i}", "moment": day(count - n).isoformat(), "version": "v1",
                "value": float(rng.gamma(4, 2)),
                "features": {"price": float(rng.gamma(9, 1)) * (2 if n >= jump else 1), "kind": str(rng.choice(["a", "b"]))},
            }
            for i in range(60)
        ]  # fmt: skip
        tell_predictions(house, rows, NOW)


def test_what_moved_as_it_did_a_year_ago_is_the_season_and_no_drift(tmp_path, monkeypatch):
    house = house_at(tmp_path)
    told(house, 30, jump=28)
    assert measure(house, demand).drifted == ("price",)
    monkeypatch.setattr("everloop.loop.drifting.year_ago", lambda house, model, reference, windows, *_: windows[-1])
    found = measure(house, demand)
    assert found.drifted == ()
    assert str(found).splitlines()[1].startswith("  season   price: D 0.")
    assert found.as_plain()["features"][0]["as_a_year_ago"] is True


def test_quiet_days_are_quiet_and_what_they_cost_is_told(tmp_path):
    house = house_at(tmp_path)
    told(house, 40)
    found = measure(house, demand)
    assert [d.feature for d in found.found if d.drifted] == []
    assert {d.feature for d in found.found} == {"price", "kind", ANSWERS}
    assert found.quiet.windows >= 35
    assert "A quiet year costs" in str(found)
    assert "as ever  price: D" in str(found)


def test_a_jump_is_told_named_and_seen_by_the_classifier(tmp_path):
    house = house_at(tmp_path)
    told(house, 30, jump=28)
    found = measure(house, demand, classify=True)
    assert [d.feature for d in found.found if d.drifted] == ["price"]
    assert str(found).splitlines()[1].startswith("  DRIFTED  price: D 0.")
    assert found.apart.auc > 0.7  # against its first answers, for nobody here knows what it learnt from
    assert found.features[found.apart.weights.argmax()] == "price"
    assert json.loads(json.dumps(found.as_plain(), default=str))["features"][0]["drifted"] is True


@pytest.fixture
def learnt(opened):
    house, model = opened("shop", named)
    turn(house, model, END)
    for n in range(1, 4):
        answer_due(house, model, END + timedelta(days=n))
    return house, model


def test_what_a_champion_learnt_from_has_seasons_and_answers_it_had_not_learnt(learnt):
    house, model = learnt
    champion = house.champion(house.traffic(model))
    reference, windows, seasons = profiles_of(house, model, house.traffic(model), answers_of(house, model))
    assert {s.names[0]: s.windows for s in seasons}["Monday"] >= 6
    keys, rows = rows_learnt(house, model, champion)
    assert len(set(keys)) == len(rows)
    answered = int(reference.counts[ANSWERS].sum())
    assert len(rows) + answered == reference.rows == int(reference.counts["sold"].sum())
    assert 0 < answered < len(rows)  # those it was judged on
    assert sum(w.first_at > reference.last_at for w in windows) == 3
    said = str(measure(house, model, classify=True))  # forty products a day are too few
    assert "nothing to compare yet: low information: a window has about 40 answers, so 7 days are looked at together" in said
    assert json.loads(json.dumps(measure(house, model).as_plain(), default=str))["waiting"]["rows"] == 120
    again = profiles_of(house, model, house.traffic(model), answers_of(house, model))
    assert [w.to_plain() for w in again[1]] == [w.to_plain() for w in windows]


def test_drift_of_a_day_that_is_over_is_of_what_was_answered_by_then(learnt, tmp_path):
    house, model = learnt
    then = END + timedelta(days=2)
    assert measure(house, model).waiting.rows == 120
    house.store.close()
    at = ["drift", model.name, "-p", str(tmp_path / "shop"), "--json", "--now"]
    waiting = json.loads(CliRunner().invoke(app, [*at, then.isoformat()]).output)[0]["waiting"]
    assert (waiting["rows"], waiting["began"]) == (40, microseconds(then - timedelta(hours=1)))  # midnight there
    before = CliRunner().invoke(app, [*at, (END - timedelta(days=1)).isoformat()])
    assert "It began at" in str(before.exception)


def test_what_a_candidate_answers_is_not_held_against_what_the_champion_answers(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=[canary(0.5, every=days(9))], tell_when=drifted("answers")), Says(times=50.0))
    shop.day()
    given = answers_of(shop.house, shop.model, since=shop.now - days(1))
    own = [version for version, arm in zip(*(given.column(n).to_pylist() for n in ("version", "arm")), strict=True) if arm != "shadow"]
    assert 50 < own.count(shop.traffic.champion) < len(own) - 50
    _, windows, _ = profiles_of(shop.house, shop.model, shop.traffic, given)
    assert windows[-1].rows == len(own)
    counts = windows[-1].counts[ANSWERS]
    assert (counts.sum(), counts[0], counts[-1]) == (own.count(shop.traffic.champion), 0, 0)
    told_of = [signal.sentence for signal in watch_now(shop.house, shop.model, shop.now).fired("data")]
    assert not any("above anything seen" in sentence for sentence in told_of)


def test_status_says_what_could_not_be_judged_and_what_a_quiet_year_costs_without_working_it_out(tmp_path, monkeypatch):
    known = orders.total("quantity", last=days(7))
    watched = Model(
        "demand", predicts=orders.total("quantity", next=days(1)), per="product_id", asked=daily, knows=known, learner=Mean(),
        tell_when=drifted(),
    )  # fmt: skip
    house = house_at(tmp_path, models=(watched,))
    told(house, 40)
    few = [{"model": "demand", "product_id": f"p{i}", "moment": NOW.isoformat(), "version": "v1", "value": 8.0} for i in range(7)]
    tell_predictions(house, few, NOW)
    turn(house, watched, NOW + timedelta(minutes=1))
    monkeypatch.setattr("everloop.monitor.quiet.quiet_year", None)
    (line,) = status(house)
    assert "low information: the window of 2026-11-02 00:00 UTC has 7 answers, and it takes 50" in str(line)
    assert "\n  A quiet year costs " in str(line)
    found = measure(house, watched)
    assert "Not judged yet: low information: the window of 2026-11-02" in str(found)


def test_drift_of_every_model_names_those_that_have_not_begun(opened, tmp_path):
    house, model = opened("shop")
    house.store.close()
    done = CliRunner().invoke(app, ["drift", "-p", str(tmp_path / "shop")])
    assert (done.exit_code, done.output) == (0, f"{model.name}: has not begun. Next: everloop turn {model.name}\n")
