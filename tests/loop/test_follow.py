"""Following the routes: what is loaded and right serves, what is not never does, and the way back waits for nothing."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from everloop.errors import ArtefactBroken
from everloop.loop.serve.follow import Absent, Follow
from everloop.loop.serve.routes import Living, Named, Route, Routes, put_whole, workers
from everloop.records import Candidate, Shape, Traffic
from everloop.registry.written import as_data
from tests.waiting import until

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NUMBER = Shape(kind="number")


def candidate(name):
    return Candidate(
        id=f"c-{name}",
        made_at=NOW,
        model="demand",
        artefact=name,
        format="skops",
        columns=("x",),
        shape=NUMBER,
        learner="L",
        parameters="{}",
    )


def traffic(generation, champion, previous=None, candidate=None, stage="steady"):
    who = {"champion": champion, "previous": previous, "candidate": candidate}
    return Traffic(id=f"t{generation}", made_at=NOW, since=NOW, model="demand", generation=generation, stage=stage, **who)


def write(house, number, moved, whole=()):
    versions = {v: Named(f"demand@{v}", candidate(v), v in whole) for v in (moved.champion, moved.previous, moved.candidate) if v}
    routes = Routes(number, "salt", {"demand": Route(moved, versions)})
    put_whole(house / "routes.json", {"form": 1, **as_data(routes)})


class Present(Absent):
    """Answers one row at a time, always the same."""

    def one(self, row):
        return 1.0, ()


class Loads:
    """Loads whatever is asked for but what is broken; slow ones wait to be let go on."""

    def __init__(self, broken=(), slow=()):
        self.broken, self.slow, self.loaded, self.go_on = set(broken), set(slow), [], threading.Event()

    def __call__(self, candidate):
        self.loaded.append(candidate.artefact)
        if candidate.artefact in self.slow:
            self.go_on.wait(10)
        if candidate.artefact in self.broken:
            raise ArtefactBroken(f"{candidate.artefact} answers golden rows otherwise.")
        return Present(NUMBER, ("x",), candidate.artefact)


@pytest.fixture
def following(tmp_path):
    made = []

    def follow(loads, **words):
        one = Follow(tmp_path, ["demand"], loads, living=Living(tmp_path, 7), **words)
        made.append(one)
        one.begin()
        return one

    yield follow
    for one in made:
        one.close()


def generation(follow):
    return follow.table.seats["demand"].route.traffic.generation


def test_what_the_file_says_is_in_force_within_a_tenth_of_a_second(tmp_path, following):
    write(tmp_path, 1, traffic(1, "a"))
    follow = following(Loads())
    assert generation(follow) == 1
    assert workers(tmp_path)[7].generations == {"demand": 1}
    write(tmp_path, 2, traffic(2, "b", previous="a"))
    began = time.monotonic()
    until(lambda: generation(follow) == 2)
    assert time.monotonic() - began < 1.0
    until(lambda: workers(tmp_path)[7].generations == {"demand": 2})
    assert set(follow.table.seats["demand"].predictors) == {"a", "b"}
    assert follow.names == {"a": "demand@a", "b": "demand@b"}


class JustTooLate(threading.Event):
    """News that comes in the moment between a wait that ended without any and what is done next."""

    def wait(self, timeout=None):
        came = super().wait(timeout)
        if not came and not hasattr(self, "late"):
            self.late = True
            self.set()
        return came


def test_news_that_comes_when_a_wait_has_just_ended_is_not_lost(tmp_path):
    follow = Follow(tmp_path, ["demand"], Loads())
    write(tmp_path, 1, traffic(1, "a"))
    assert follow.look()
    assert follow._load_next()  # it is loaded, and nobody has said so yet
    follow._news = JustTooLate()
    watching = threading.Thread(target=follow._watch, daemon=True)
    watching.start()
    try:
        assert follow.begun.wait(5)
    finally:
        follow.close()
        watching.join(5)


def test_the_way_back_loads_nothing_and_waits_for_no_load(tmp_path, following):
    write(tmp_path, 1, traffic(1, "b", previous="a"))
    loads = Loads(slow=["huge"])
    follow = following(loads)
    write(tmp_path, 2, traffic(2, "b", previous="a", candidate="huge", stage="shadow"))
    until(lambda: "huge" in loads.loaded)
    write(tmp_path, 3, traffic(3, "a"))
    until(lambda: generation(follow) == 3)
    assert loads.loaded == ["b", "a", "huge"]
    loads.go_on.set()
    time.sleep(0.1)
    assert generation(follow) == 3


def test_a_version_that_cannot_be_loaded_never_serves_and_is_told_once(tmp_path, following):
    write(tmp_path, 1, traffic(1, "a"))
    said = []
    follow = following(Loads(broken=["bad"]), tell=lambda *news: said.append(news))
    for number in (2, 3, 4):
        write(tmp_path, number, traffic(number, "bad", previous="a"))
        until(lambda number=number: workers(tmp_path)[7].number == number and workers(tmp_path)[7].failed)
        assert generation(follow) == 1
        assert set(follow.table.seats["demand"].predictors) == {"a"}
    assert workers(tmp_path)[7].failed == {"bad": "bad answers golden rows otherwise."}
    assert said == [("demand", "demand@bad", "bad answers golden rows otherwise.")]
    write(tmp_path, 5, traffic(5, "a"))
    until(lambda: generation(follow) == 5)


def test_bytes_that_come_back_are_loaded_with_the_next_word(tmp_path, following):
    write(tmp_path, 1, traffic(1, "a"))
    loads = Loads(broken=["b"])
    follow = following(loads)
    write(tmp_path, 2, traffic(2, "b", previous="a"))
    until(lambda: workers(tmp_path)[7].failed)
    loads.broken.clear()
    assert generation(follow) == 1
    write(tmp_path, 3, traffic(3, "b", previous="a"))
    until(lambda: generation(follow) == 3)
    assert "b" in follow.table.seats["demand"].predictors


@pytest.mark.parametrize("body", [b"", b'{"form":1,', b"\xff" * 10])
def test_a_torn_file_leaves_in_force_what_was(tmp_path, following, body):
    write(tmp_path, 1, traffic(1, "a"))
    follow = following(Loads())
    (tmp_path / "routes.json").write_bytes(body)
    until(lambda: follow.wrong)
    assert generation(follow) == 1
    write(tmp_path, 2, traffic(2, "a"))
    until(lambda: generation(follow) == 2)
    assert not follow.wrong


def test_without_a_file_nobody_answers_until_there_is_one(tmp_path, following):
    follow = following(Loads())
    assert follow.table is None
    assert "nothing says who answers" in follow.wrong
    write(tmp_path, 1, traffic(1, "a"))
    until(lambda: follow.table is not None)


def test_nobody_is_answered_before_everybody_can_be(tmp_path, following):
    loads = Loads(slow=["a"])
    follow = following(loads)
    write(tmp_path, 1, traffic(1, "a"))
    until(lambda: loads.loaded == ["a"])
    assert follow.table is None
    assert "being loaded" in str(follow.without("demand"))
    loads.go_on.set()
    assert follow.begun.wait(10)
    assert generation(follow) == 1
    assert "has not begun" in str(follow.without("churn"))


def test_from_the_start_a_broken_champion_is_stood_in_for_by_the_one_before(tmp_path, following):
    write(tmp_path, 1, traffic(1, "bad", previous="a"))
    follow = following(Loads(broken=["bad"]))
    predictors = follow.table.seats["demand"].predictors
    with pytest.raises(ArtefactBroken, match="golden rows"):
        predictors["bad"].answer(pa.table({"x": [1.0]}))
    assert "a" in predictors


def test_from_the_start_a_broken_candidate_leaves_the_champion_alone(tmp_path, following):
    write(tmp_path, 1, traffic(1, "a", candidate="bad", stage="canary"))
    follow = following(Loads(broken=["bad"]))
    seat = follow.table.seats["demand"]
    assert set(seat.predictors) == {"a"}
    assert set(seat.rows) == {"a"}, "one question at a time is still answered without a table"


def test_what_is_no_longer_named_is_let_go_of(tmp_path, following):
    write(tmp_path, 1, traffic(1, "b", previous="a"))
    loads = Loads()
    follow = following(loads)
    write(tmp_path, 2, traffic(2, "c", previous="b"))
    until(lambda: generation(follow) == 2)
    until(lambda: set(follow._loaded) == {"c-b", "c-c"})
    assert loads.loaded == ["b", "a", "c"]


def test_a_table_is_never_half_of_the_old_and_half_of_the_new(tmp_path, following):
    """Requests read one value; a rival that changed predictors in place would be seen here."""
    write(tmp_path, 1, traffic(1, "a"))
    follow = following(Loads())
    torn, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            seat = follow.table.seats["demand"]
            if seat.route.traffic.champion not in seat.predictors:
                torn.append(seat)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2, 12):
        write(tmp_path, number, replace(traffic(number, "ab"[number % 2]), previous="ab"[1 - number % 2]))
        until(lambda number=number: generation(follow) == number)
    stop.set()
    reader.join()
    assert not torn


def test_a_version_whose_compiled_form_differs_is_loaded_anew_once_while_it_goes_on_answering(following, tmp_path):
    loads = Loads(slow={"v1"})
    loads.go_on.set()
    write(tmp_path, 1, traffic(1, "v1"))
    follow = following(loads)
    first = follow.table.seats["demand"].predictors["v1"]
    loads.go_on.clear()
    write(tmp_path, 2, traffic(1, "v1"), whole={"v1"})
    until(lambda: loads.loaded == ["v1", "v1"])
    assert follow.table.seats["demand"].predictors["v1"] is first
    loads.go_on.set()
    until(lambda: follow.table.seats["demand"].predictors["v1"] is not first)
    write(tmp_path, 3, traffic(2, "v1"), whole={"v1"})
    until(lambda: follow.table.number == 3)
    assert loads.loaded == ["v1", "v1"]
