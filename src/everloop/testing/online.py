"""What every online store must do. Inherit ``OnlineContract`` in a test class and say how your store is made.

class TestTiles(OnlineContract):
    def store(self):
        return Tiles(sqlite3.connect(":memory:"))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from everloop.features.compile import features
from everloop.features.fold import Fold, fold
from everloop.features.online import Online, catch_up
from everloop.features.packed import trimmed
from everloop.features.states import State, states_of
from everloop.features.store import Changes, Mark, Members, OnlineStore, Packed, Seen
from everloop.project.conditions import at_least, one_of
from everloop.project.model import Model
from everloop.project.reading import AnyReading, calendar
from everloop.project.source import Source
from everloop.project.spans import days, every, hours, minutes
from everloop.testing.plain import Said, event_table

HOUR = 3_600_000_000


class _Learner:
    def fit(self, rows: object, truth: object) -> None: ...

    def predict(self, rows: object) -> object: ...


ORDERS = Source(
    "orders",
    id="line_id",
    time="at",
    columns={"product_id": str, "quantity": int, "weight": float, "buyer": str, "gift": bool, "due": datetime},
)
LARGE = ORDERS.where(at_least("quantity", 2), one_of("gift", False))
WEEK = ORDERS.total("quantity", last=days(7))
READINGS: tuple[AnyReading, ...] = (
    WEEK,
    ORDERS.total("quantity", last=days(14)),
    ORDERS.total("quantity", last=days(7), ago=days(7)),
    ORDERS.total("weight", last=hours(1)),
    ORDERS.mean("weight", last=days(7)),
    ORDERS.mean("quantity", last=minutes(10)),
    ORDERS.lowest("weight", last=days(7)),
    ORDERS.highest("quantity", last=hours(12)),
    ORDERS.highest("due", last=days(7)),
    ORDERS.count(last=days(7), per=()),
    ORDERS.count(last=hours(1), per=("product_id", "gift")),
    ORDERS.any(last=minutes(5)),
    ORDERS.none(last=days(1)),
    ORDERS.latest("quantity"),
    ORDERS.latest("weight", last=hours(2)),
    ORDERS.latest("buyer"),
    ORDERS.latest("at"),
    ORDERS.distinct("buyer", last=days(7)),
    ORDERS.distinct("weight", last=hours(12)),
    ORDERS.distinct("quantity"),
    ORDERS.which("buyer", last=days(7)),
    ORDERS.which("buyer", last=days(14), most=2, per=()),
    ORDERS.which("buyer"),
    ORDERS.lowest("quantity"),
    ORDERS.latest("buyer", last=minutes(5)),
    ORDERS.mean("weight"),
    LARGE.count(last=days(1)),
    calendar("hour", "weekday", zone="America/New_York"),
    (WEEK / ORDERS.count(last=days(7))).named("each"),
)
DEMAND = Model(
    "demand", predicts=ORDERS.total("quantity", next=days(7)), per="product_id", asked=every(days(1)), knows=[WEEK], learner=_Learner()
)


def log_of(length: int) -> list[Said]:
    """Orders as they come in, in order: every value an odd one now and then, several at one instant, windows of every size crossed."""
    made = []
    for i in range(length):
        at = i * 29 * 60_000_000 + (i % 3 == 0) - 40 * HOUR
        values = {
            "product_id": ("a", "b", "a", None, "c")[i % 5],
            "quantity": (0, 1, 3, None, 2**62, -(2**62), 7)[i % 7],
            "weight": (0.1, 0.2, float("nan"), -0.0, 1e-9, 3e12, None, float("inf"))[i % 8],
            "buyer": (None, "x", "y", "ü")[i % 4],
            "gift": (True, False, None)[i % 3],
            "due": (at + HOUR, None)[i % 2],
        }
        made.append(Said(f"o{i}", 0, at, at, values))
    return made


class OnlineContract:
    """The promises of an online store."""

    def store(self) -> OnlineStore:
        """An empty store."""
        raise TypeError(f"{type(self).__name__} does not say how its store is made.")

    def same_as_training(self, store: OnlineStore, log: Sequence[Said], moment: int) -> None:
        """What is read now is what training reads at this moment, to the last digit, without asking the tables."""
        requests = pa.table({"product_id": ["a", "b", "c", "nobody", None], "gift": pa.array([True, False, None, True, False])})
        questions = requests.append_column("moment", pa.array([moment] * requests.num_rows, pa.int64()))
        expected = features(list(READINGS), questions, {"orders": event_table(ORDERS, log)}, model=DEMAND)
        online = Online(DEMAND, READINGS)
        found, read = online.now(store, requests, moment), online.read(store, requests.to_pylist(), moment)
        for i, name in enumerate(expected.column_names):
            told = expected[name].to_pylist()
            assert list(map(repr, found.columns[name].to_pylist())) == list(map(repr, told)), name
            assert list(map(repr, (row[i] for row in read.values))) == list(map(repr, told)), name
            assert found.present(name) == [value is not None for value in told], name
            assert found.statuses[name] == [row[i] for row in read.statuses], name

    def same_as_built(self, store: OnlineStore, states: Sequence[State], log: Sequence[Said]) -> None:
        """What was folded is what is built in bulk, to the last byte of what any window reaches."""
        built = self.store()
        catch_up(built, states, {"orders": event_table(ORDERS, log)})
        for state in states:
            places = [(state.id, key) for key in ("a", "b", "c", "a\x1f1", "a\x1f0", "b\x1f1", "", "nobody")]
            one, other = (some.read([state.id], places) for some in (store, built))
            mark = one.marks[0]
            assert mark is not None
            assert mark == other.marks[0]
            for place, mine, theirs in zip(places, one.packed, other.packed, strict=True):
                sides = [trimmed(state, body, mark.known_at) if body is not None else [] for body in (mine, theirs)]
                sides = [blocks if any(block[0] or block[1] for block in blocks) else [] for blocks in sides]
                assert repr(sides[0]) == repr(sides[1]), (state, place)

    def test_read_now_is_what_training_reads(self) -> None:
        store, log, states = self.store(), log_of(400), states_of(DEMAND, READINGS)
        catch_up(store, states, {"orders": event_table(ORDERS, [])})
        done, fold = 0, Fold(states)
        for until in (1, 58, 200, 400):
            assert fold.take_in(store, event_table(ORDERS, log[:until]).slice(done)) == ()
            done = until
            for later in (1, HOUR, 15 * 24 * HOUR):
                self.same_as_training(store, log[:until], log[until - 1].known_at + later)
        self.same_as_built(store, states, log)

    def test_built_in_bulk_is_what_one_row_at_a_time_makes(self) -> None:
        log, states, single = log_of(120), states_of(DEMAND, READINGS), self.store()
        table, fold = event_table(ORDERS, log), Fold(states)
        catch_up(single, states, {"orders": table.slice(0, 0)})
        for i in range(table.num_rows):
            fold.take_in(single, table.slice(i, 1).to_pylist())
        self.same_as_built(single, states, log)
        assert single.marks()[states[0].id] == Mark(120, log[-1].known_at)

    def test_catching_up_goes_on_where_it_stopped_and_twice_is_once(self) -> None:
        store, log, states = self.store(), log_of(90), states_of(DEMAND, READINGS)
        for until in (30, 31, 90, 90):
            catch_up(store, states, {"orders": event_table(ORDERS, log[:until])})
            fold(store, states, event_table(ORDERS, log[:until]))
            self.same_as_training(store, log[:until], log[until - 1].known_at + 1)
        self.same_as_built(store, states, log)

    def test_late_corrected_and_deleted_rows_never_make_a_wrong_value(self) -> None:
        log, states, newest = log_of(60), states_of(DEMAND, READINGS), log_of(60)[-1].known_at
        store = self.store()
        catch_up(store, states, {"orders": event_table(ORDERS, log)})
        more = [
            replace(log[50], version=1, known_at=newest + 1, values={**log[50].values, "quantity": 9, "product_id": "b"}),
            replace(log[52], version=2, known_at=newest + 2, deleted=True),
            replace(log[51], id="late", known_at=newest + 3),
            replace(log[52], version=1, known_at=newest + 4),
            replace(log[59], version=1, known_at=newest + 5, values={**log[59].values, "weight": 8.5}),
            replace(log[59], version=2, known_at=newest + 6, deleted=True),
            replace(log[2], id="forty days", event_at=newest - 40 * 24 * HOUR, known_at=newest + 7),
            *(replace(said, version=3, known_at=newest + 8, deleted=True) for said in log[::3]),
        ]
        for i in range(1, len(more) + 1):
            fold(store, states, event_table(ORDERS, log + more[:i]).slice(60 + i - 1))
            self.same_as_training(store, log + more[:i], newest + 9)
        self.same_as_training(store, log + more, newest + 9 + HOUR)
        self.same_as_built(store, states, log + more)

    def test_rows_told_again_after_a_kill_change_nothing_wherever_it_came(self) -> None:
        """Half of what a fold puts is there, in the order a store without transactions keeps it; then the rows are told again."""
        log, states = log_of(60), states_of(DEMAND, READINGS)
        newest = log[-1].known_at
        more = [replace(said, version=1, known_at=newest + i, deleted=i % 2 == 0) for i, said in enumerate(log[40:], 1)]
        table = event_table(ORDERS, log + more)
        for kept in range(4):
            store = self.store()
            catch_up(store, states, {"orders": table.slice(0, 60)})
            for part in _until_the_kill(store, states, table.slice(60), kept):
                store.put(part)
            for start in range(60, 80, 3):
                fold(store, states, table.slice(start, 3))
            self.same_as_training(store, log + more, newest + 21)
            self.same_as_built(store, states, log + more)

    def test_rows_that_leave_a_gap_are_not_taken_in(self) -> None:
        store, states, table = self.store(), states_of(DEMAND, READINGS), event_table(ORDERS, log_of(9))
        assert fold(store, states, table) == states
        assert store.marks() == {}
        catch_up(store, states, {"orders": table.slice(0, 3)})
        assert fold(store, states, table.slice(4)) == states
        assert store.marks()[states[0].id].seq == 3

    def test_a_forgotten_state_is_unknown_and_the_others_stay(self) -> None:
        store, states = self.store(), states_of(DEMAND, READINGS)
        catch_up(store, states, {"orders": event_table(ORDERS, log_of(9))})
        store.forget([states[0].id])
        assert store.marks().keys() == {state.id for state in states[1:]}
        assert store.read([states[0].id], [(states[0].id, "a")]) == Seen([None], [None])
        assert store.rows(states[0].id, ["o1"]) == [None]
        assert store.members(states[0].id, "a", None, None) == []
        assert store.rows(states[1].id, ["o1"]) != [None]

    def test_nothing_to_fold_changes_nothing(self) -> None:
        store, states = self.store(), states_of(DEMAND, READINGS)
        catch_up(store, states, {"orders": event_table(ORDERS, [])})
        fold(store, states, event_table(ORDERS, []))
        self.same_as_training(store, [], 0)

    def test_older_never_takes_the_place_of_newer(self) -> None:
        store, place = self.store(), ("s", "ключ")
        store.put(Changes({place: Packed(2, b"two")}, {place: Members(gained=frozenset({(7, "b")}))}, {place: Packed(2, b"r")}))
        store.put(Changes(marks={"s": Mark(2, 9)}))
        store.put(Changes({place: Packed(2, b"no")}, {place: Members(gained=frozenset({(8, "c")}))}, {place: Packed(1, b"no")}))
        store.put(Changes(marks={"s": Mark(1, 5)}))
        assert store.read(["s", "t"], [place, ("s", "")]) == Seen([Mark(2, 9), None], [b"two", None])
        assert store.members(*place, None, None) == ["b"]
        assert store.rows("s", ["ключ", "x"]) == [b"r", None]
        store.put(Changes({place: Packed(3, b"three")}, {place: Members(frozenset({(7, "b")}), frozenset({(8, "c")}))}))
        assert store.read([], [place]).packed == [b"three"]
        assert store.members(*place, None, None) == ["c"]

    def test_members_are_in_order_of_time_then_id_between_their_edges(self) -> None:
        store, place = self.store(), ("s", "")
        members = frozenset({(-62_135_596_800_000_000, "z"), (-1, "b"), (-1, "a"), (0, "é"), (0, "z"), (9, ""), (2**62, "y")})
        store.put(Changes({place: Packed(1, b"")}, {place: Members(gained=members), ("s", "other"): Members(gained=frozenset({(1, "n")}))}))
        assert store.members(*place, None, None) == ["z", "a", "b", "z", "é", "", "y"]
        assert store.members(*place, -1, 9) == ["a", "b", "z", "é"]
        assert store.members(*place, None, 9, newest=1) == ["é"]
        store.put(Changes({place: Packed(2, b"")}, {place: Members(since=0)}))
        assert store.members(*place, None, None, newest=9) == ["z", "é", "", "y"]

    def test_a_state_made_anew_has_nothing_of_what_it_had(self) -> None:
        store, place = self.store(), ("s", "k")
        old = Changes({place: Packed(9, b"old")}, {place: Members(gained=frozenset({(1, "a")}))}, {("s", "a"): Packed(9, b"old")})
        store.put(replace(old, marks={"s": Mark(9, 9)}))
        new = Changes({("s", "l"): Packed(3, b"new")}, {("s", "l"): Members(gained=frozenset({(2, "b")}))}, {("s", "b"): Packed(3, b"new")})
        store.replace({"s": Mark(3, 3)}, iter([new]))
        assert store.read(["s"], [place, ("s", "l")]) == Seen([Mark(3, 3)], [None, b"new"])
        assert (store.members(*place, None, None), store.members("s", "l", None, None)) == ([], ["b"])
        assert store.rows("s", ["a", "b"]) == [None, b"new"]

    def test_many_places_are_read_in_the_order_asked_for(self) -> None:
        store, places = self.store(), [(f"s{i % 3}", f"k{i}") for i in range(100)]
        store.put(Changes({place: Packed(1, place[1].encode()) for place in places}, marks={f"s{i}": Mark(i, i) for i in range(3)}))
        seen = store.read(["s2", "s0"], [*places[::-1], *places[:2]])
        assert seen.marks == [Mark(2, 2), Mark(0, 0)]
        assert seen.packed == [key.encode() for _, key in [*places[::-1], *places[:2]]]


class _Noting:
    """A store that keeps nothing and notes what it was given."""

    def __init__(self, store: OnlineStore) -> None:
        self.read, self.rows, self.members = store.read, store.rows, store.members
        self.put_there: list[Changes] = []

    def put(self, changes: Changes) -> None:
        self.put_there.append(changes)


def _until_the_kill(store: OnlineStore, states: Sequence[State], rows: pa.Table, kept: int) -> list[Changes]:
    """The first ``kept`` thirds of what a fold of these rows puts: some keys, all keys, all keys and some rows."""
    noted = _Noting(store)
    fold(noted, states, rows)  # type: ignore[arg-type]
    (all_,) = noted.put_there
    keys, some = dict(all_.packed), dict([*all_.packed.items()][::2])
    half = dict([*all_.rows.items()][::2])
    parts = (Changes(), Changes(some, _of(all_, some)), Changes(keys, _of(all_, keys)), Changes(keys, _of(all_, keys), half))
    return [parts[kept]]


def _of(changes: Changes, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Members]:
    return {place: changes.members[place] for place in places if place in changes.members}
