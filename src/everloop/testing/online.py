"""What every online store must do. Inherit ``OnlineContract`` in a test class and say how your store is made.

class TestTiles(OnlineContract):
    def store(self):
        return Tiles(sqlite3.connect(":memory:"))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from everloop.errors import Unknown
from everloop.features.compile import features
from everloop.features.online import Mark, OnlineStore, catch_up, now, states_of
from everloop.project.conditions import at_least, one_of
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, calendar
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

    def same_as_training(self, store: OnlineStore, log: Sequence[Said], moment: int, told: bool = True) -> None:
        """What is read now is what training reads at this moment, to the last digit; ``told``: without asking the tables."""
        table = event_table(ORDERS, log)
        requests = pa.table({"product_id": ["a", "b", "c", "nobody", None], "gift": pa.array([True, False, None, True, False])})
        tileable = [r for r in READINGS if not (isinstance(r, Reading) and r.verb == "distinct")]
        readings = tileable if told else list(READINGS)
        tables = {"orders": table}

        def ask() -> dict[str, pa.Table]:
            assert not told, "the tables were asked"
            return tables

        found = now(DEMAND, requests, store=store, moment=moment, tables=ask, readings=readings)
        questions = requests.append_column("moment", pa.array([moment] * requests.num_rows, pa.int64()))
        expected = features(readings, questions, tables, model=DEMAND)
        for name in expected.column_names:
            assert found.columns[name].to_pylist() == expected[name].to_pylist(), name
            assert found.present(name) == expected[name].combine_chunks().is_valid().to_pylist(), name

    def test_read_now_is_what_training_reads(self) -> None:
        store, log, states = self.store(), log_of(400), states_of(DEMAND, READINGS)
        store.keep(states)
        done = 0
        for until in (1, 58, 200, 400):
            store.fold("orders", event_table(ORDERS, log[:until]).slice(done))
            done = until
            for later in (1, HOUR, 15 * 24 * HOUR):
                self.same_as_training(store, log[:until], log[until - 1].known_at + later)

    def test_built_in_bulk_is_what_one_row_at_a_time_makes(self) -> None:
        log, states = log_of(120), states_of(DEMAND, READINGS)
        table = event_table(ORDERS, log)
        bulk, single = self.store(), self.store()
        for store in (bulk, single):
            store.keep(states)
        catch_up(bulk, states, {"orders": table})
        for i in range(table.num_rows):
            single.fold("orders", table.slice(i, 1))
        for state in states:
            assert bulk.mark(state) == single.mark(state) == Mark(120, log[-1].known_at)
            for key in ("a", "b", "a\x1f1", "", "nobody"):
                assert bulk.read(state, [key], None, None) == single.read(state, [key], None, None), (state, key)

    def test_catching_up_goes_on_where_it_stopped_and_twice_is_once(self) -> None:
        store, log, states = self.store(), log_of(90), states_of(DEMAND, READINGS)
        store.keep(states)
        for until in (30, 31, 90, 90):
            catch_up(store, states, {"orders": event_table(ORDERS, log[:until])})
            store.fold("orders", event_table(ORDERS, log[:until]))
            self.same_as_training(store, log[:until], log[until - 1].known_at + 1)

    def test_late_corrected_and_deleted_rows_never_make_a_wrong_value(self) -> None:
        store, log, states = self.store(), log_of(60), states_of(DEMAND, READINGS)
        store.keep(states)
        newest = log[-1].known_at
        more = [
            replace(log[50], version=1, known_at=newest + 1, values={**log[50].values, "quantity": 9, "product_id": "b"}),
            replace(log[52], version=2, known_at=newest + 2, deleted=True),
            replace(log[51], id="late", known_at=newest + 3),
            replace(log[52], version=1, known_at=newest + 4),
            replace(log[59], version=1, known_at=newest + 5, values={**log[59].values, "weight": 8.5}),
        ]
        for i in range(1, len(more) + 1):
            catch_up(store, states, {"orders": event_table(ORDERS, log + more[:i])})
            self.same_as_training(store, log + more[:i], newest + 5 + HOUR, told=False)

    def test_a_moment_in_the_past_is_read_from_the_tables(self) -> None:
        store, log, states = self.store(), log_of(60), states_of(DEMAND, READINGS)
        store.keep(states)
        catch_up(store, states, {"orders": event_table(ORDERS, log)})
        self.same_as_training(store, log, log[30].known_at, told=False)

    def test_a_state_nobody_keeps_is_unknown_and_forgetting_leaves_the_others(self) -> None:
        store, states = self.store(), states_of(DEMAND, READINGS)
        store.keep(states)
        catch_up(store, states, {"orders": event_table(ORDERS, log_of(9))})
        store.forget(states[:1])
        assert store.mark(states[1]).seq == 9
        assert store.holds("orders", "o1")
        assert not store.holds("orders", "o9")
        try:
            store.mark(states[0])
        except Unknown:
            pass
        else:
            raise AssertionError("a forgotten state was still known")
        store.forget(states)
        assert not store.holds("orders", "o1")

    def test_nothing_to_fold_changes_nothing(self) -> None:
        store, states = self.store(), states_of(DEMAND, READINGS)
        store.keep(states)
        catch_up(store, states, {"orders": event_table(ORDERS, [])})
        store.fold("orders", event_table(ORDERS, []))
        self.same_as_training(store, [], 0)
