"""How a house stands, in figures for Prometheus: gathered from the house by the controller, told by any worker. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from everloop.loop.control.queue import queue_gauges
from everloop.loop.house import House
from everloop.loop.incidents import window_of
from everloop.loop.look import spent_until
from everloop.loop.month import Month, month_of
from everloop.project.model import Model
from everloop.records import Cost, Signals
from everloop.registry import history
from everloop.serving.gauges import write
from everloop.serving.metrics import series

Gauge = tuple[str, float]


@dataclass
class Gauges:
    """Writes the gauges of a house. What turns have cost is summed up again when another turn has ended."""

    house: House
    cost: dict[str, tuple[str, Cost | None, Month | None]] = field(default_factory=dict)

    def look(self, now: datetime) -> dict[str, float]:
        """Write how it stands at ``now`` (aware, wall time); returns what was written."""
        house = self.house
        found = dict(house_gauges(house, now))
        for model in house.project.models.values():
            found |= dict(model_gauges(house, model))
            found |= dict(self._cost(model))
        write(house.settings.house / "metrics", found)
        return found

    def _cost(self, model: Model) -> Iterator[Gauge]:
        last = self.house.turns.last(model.name)
        if last is None:
            return
        if self.cost.get(model.name, ("",))[0] != last.id:
            self.cost[model.name] = (last.id, spent_until(self.house, model.name, last.now), month_of(self.house, model.name, last.now))
        _, cost, month = self.cost[model.name]
        if month is not None:
            yield from _by_month(model, month)
        if cost is None:
            return
        yield series("everloop_cost_cpu_seconds", (model.name,)), cost.cpu_seconds
        for direction, count in (("read", cost.bytes_read), ("written", cost.bytes_written)):
            if count is not None:
                yield series("everloop_cost_bytes", (model.name, direction)), float(count)
        if cost.money is not None:
            yield series("everloop_cost_money", (model.name,)), cost.money


def _by_month(model: Model, month: Month) -> Iterator[Gauge]:
    yield series("everloop_month_money", (model.name,)), month.spent
    for bound in ("expected", "low", "high"):
        value = getattr(month, bound)
        if value is not None:
            yield series("everloop_month_end_money", (model.name, bound)), value


def house_gauges(house: House, now: datetime) -> Iterator[Gauge]:
    """Of the house as a whole."""
    yield series("everloop_controller_seen_seconds", ()), now.timestamp()
    yield series("everloop_alerts_waiting", ()), float(len(house.outbox.waiting()))
    counted = Counter((i.model, i.cause, i.severity, i.state) for i in house.incidents.open())
    for labels, count in counted.items():
        yield series("everloop_incidents", labels), float(count)
    yield from queue_gauges(house, now)


def model_gauges(house: House, model: Model) -> Iterator[Gauge]:
    """Of one model: who answers, what was last seen, and when it was last turned."""
    yield series("everloop_window_seconds", (model.name,)), window_of(model).total_seconds()
    traffic = house.pointers.current(model.name)
    if traffic is None:
        return
    name = history.names(house.journal)
    yield series("everloop_champion", (model.name, name(traffic.champion))), 1.0
    for version in traffic.candidates:
        yield series("everloop_rollout_share", (model.name, name(version))), traffic.share / len(traffic.arms or (version,))
    last = house.turns.last(model.name)
    if last is not None:
        yield series("everloop_last_turn_seconds", (model.name,)), (last.finished_at or last.started_at).timestamp()
    for entry in house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1):
        if isinstance(entry.record, Signals):
            yield from _seen(model, entry.record)


def _seen(model: Model, signals: Signals) -> Iterator[Gauge]:
    for signal in signals.signals:
        if signal.kind == "drift" and signal.value is not None:
            yield series("everloop_drift", (model.name, signal.about or "inputs", signal.measure or "")), signal.value
        if signal.kind == "slip" and signal.value is not None:
            yield series("everloop_error", (model.name, signal.measure or "")), signal.value
        if signal.coverage is not None:
            yield series("everloop_truth_coverage", (model.name,)), signal.coverage
