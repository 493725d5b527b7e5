"""Cancelling: a person ends a turn and its training child at once, from any process; what answers stays as it was."""

from __future__ import annotations

import threading
import time

import psutil
import pytest

from everloop.errors import EverloopError
from everloop.loop.control.cancel import cancel
from everloop.loop.control.errands import ask, awaited, came_of
from everloop.loop.house import open_house, with_pause
from everloop.loop.keep import Cancelled, turn_id
from everloop.loop.resume import go_round
from everloop.loop.turn import turn
from everloop.registry.errands import Errands
from tests.ring.conftest import END
from tests.ring.test_controller import HOUR, controlled
from tests.waiting import until

SLOW = """
class Slow:
    def fit(self, X, y):
        import pathlib, time
        pathlib.Path(__file__).with_name("training").touch()
        time.sleep(60)

    def predict(self, X):
        return [0.0] * len(X)


orders = Source("""


def slow(text):
    return text.replace("orders = Source(", SLOW.strip("\n"), 1).replace(
        'learner=HistGradientBoostingRegressor(loss="absolute_error", max_iter=60)', "learner=Slow()"
    )


@pytest.fixture
def slow_house(opened):
    """A house whose learner sleeps for a minute in a child process; and the file that says that it has begun to."""
    house, _ = opened("shop", slow)
    settings = house.project.path.with_name("everloop.toml")
    settings.write_text(settings.read_text().replace("child = false", "child = true"))
    house.store.close()
    house = open_house(house.project.path, turned=True)
    return house, house.project.model("demand"), house.project.path.with_name("training")


def test_cancel_ends_the_turn_and_its_child_within_seconds_and_nothing_of_it_is_kept(slow_house):
    house, model, training = slow_house
    with controlled(house):
        errand = ask(house, "turn", model.name, END)
        until(training.exists, 180)
        children = len(psutil.Process().children(recursive=True))
        other = open_house(house.project.path, turned=True)  # another shell
        began = time.monotonic()
        assert "ann ended the turn for 2026-11-01 00:00 UTC: the prices are wrong" in cancel(other, model, "ann", "the prices are wrong")
        ended = awaited(other, errand.id, 10)
        assert time.monotonic() - began < 5
        assert len(psutil.Process().children(recursive=True)) < children
        # The model is free again at once.
        assert came_of(awaited(other, ask(other, "score", model.name, END).id, 30)) == {"answers": 40}
        other.store.close()
    assert ended.state == "cancelled"
    with pytest.raises(EverloopError, match="ann ended the turn: the prices are wrong"):
        came_of(ended)
    id = turn_id(model, END, "demand")
    assert house.turns.find(id).state == "cancelled"
    kept = [(e.verb, e.kind) for e in house.journal.read(turn=id)]
    assert kept[-1] == ("cancel", "Decision")
    assert "Candidate" not in [kind for _, kind in kept]
    house.journal.verify()


def test_nobody_goes_on_with_a_cancelled_turn(opened):
    house, model = opened("shop")

    def pause(moment):
        if moment == "after train, not kept":
            cancel(open_house(house.project.path), model, "ann", "enough")

    with pytest.raises(Cancelled, match="ann ended the turn: enough"):
        turn(with_pause(house, pause), model, END)
    before = house.journal.head()
    with pytest.raises(Cancelled):
        go_round(house, model, END)
    assert house.journal.head() == before
    assert not house.journal.read(kind="Version") or all(e.record.number == 0 for e in house.journal.read(kind="Version"))
    assert go_round(house, model, END + HOUR).retrains  # the next one is another turn


def test_a_keep_that_does_not_ask_would_go_on(opened, monkeypatch):
    """The mutant: without the look in the transaction a candidate learnt in vain takes over."""
    from everloop.loop import keep

    house, model = opened("shop")
    monkeypatch.setattr(keep, "_not_cancelled", lambda house, turn, within: None)

    def pause(moment):
        if moment == "after train, not kept":
            cancel(open_house(house.project.path), model, "ann", "enough")

    turn(with_pause(house, pause), model, END)
    assert [e for e in house.journal.read(kind="Version") if e.record.number > 0]


def test_there_is_nothing_to_cancel_where_nothing_is_under_way(opened):
    house, model = opened("shop")
    with pytest.raises(EverloopError, match="No turn of demand is under way"):
        cancel(house, model, "ann", "enough")
    for by, reason in (("", "enough"), ("ann", " ")):
        with pytest.raises(EverloopError, match="needs a name and a reason"):
            cancel(house, model, by, reason)


def test_a_controller_that_is_told_to_stop_ends_the_child_after_its_grace_and_leaves_the_turn_open(slow_house):
    house, model, training = slow_house
    with controlled(house, grace=0.1):
        errand = ask(house, "turn", model.name, END)
        until(training.exists, 180)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert house.turns.opened(model.name).id == turn_id(model, END, "demand")
    left = Errands(house.store).find(errand.id)
    assert (left.state, left.taken) == ("waiting", 0)
    assert not [t for t in threading.enumerate() if t.name.startswith("everloop")]
