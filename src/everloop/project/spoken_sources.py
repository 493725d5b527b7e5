"""How sources are said: one line each. In: sources. Out: sentences. No model, no clock, no disk."""

from __future__ import annotations

from datetime import timedelta

from everloop.project.columns import money, unit
from everloop.project.source import Source
from everloop.project.spoken_rows import spoken_rows
from everloop.project.spoken_values import plural, spoken_column, spoken_every, spoken_list, spoken_name, spoken_span, spoken_zone


def spoken_source(source: Source) -> str:
    """What a source is, and when it is fit to learn from, in one line.

    >>> from everloop import at_least
    >>> spoken_source(Source("orders", id="order_id", time="at", columns={"amount": money("EUR")}, must=at_least("amount", 0)))
    'orders: one row per order; dated at; amount in EUR minor units. Fit to learn from only if amount is at least 0.00 EUR.'
    """
    parts = [_per(source), _apart(source), _dated(source), *_arriving(source), *_changes(source), *_kinds(source), _private(source)]
    must = f" Fit to learn from only if {spoken_rows(source.must, source)}." if source.must else ""
    return f"{source.name}: {'; '.join(part for part in parts if part)}.{must}"


def _per(source: Source) -> str:
    parents = spoken_list(f"one of the {spoken_name(parent.name)}" for parent in source.of)
    return f"one row per {spoken_list(map(spoken_column, source.id))}" + (f", each of {parents}" if parents else "")


def _apart(source: Source) -> str:
    return f"{plural(spoken_column(source.apart))} kept apart" if source.apart else ""


def _dated(source: Source) -> str:
    zone = f" in {source.zone}" if source.zone else ""
    if len(source.time) == 2:
        return f"in force from {source.time[0]} to {source.time[1]}{zone}"
    return f"dated {source.time[0]}{zone}" if source.time else "undated, so what it first says is taken as always true"


def _changes(source: Source) -> list[str]:
    found = [f"known from {source.known}"] if source.known else []
    if source.late > timedelta(0):
        found.append(f"up to {spoken_span(source.late)} late")
    if source.version:
        found.append(f"a higher {source.version} corrects")
    if source.deleted:
        found.append(f"a {'true' if source.columns.get(source.deleted) is bool else 'filled'} {source.deleted} takes the row out")
    return found


def _arriving(source: Source) -> list[str]:
    clock = source.arrives
    if clock is None:
        return []
    at = f" at {clock.at} {spoken_zone(clock.zone)}" if clock.at else ""
    return [f"expected {spoken_every(clock.span)}{at}, overdue {spoken_span(source.patience)} later"]


def _kinds(source: Source) -> list[str]:
    moneys: dict[str, list[str]] = {}
    units: dict[str, list[str]] = {}
    for column, kind in source.columns.items():
        if isinstance(kind, money):
            of = f"{kind.currency} minor units" if kind.currency else f"minor units of its {spoken_column(kind.column or '')}"
            moneys.setdefault(of, []).append(column)
        elif isinstance(kind, unit):
            units.setdefault(kind.symbol, []).append(column)
    return [f"{spoken_list(columns)} in {of}" for of, columns in (*moneys.items(), *units.items())]


def _private(source: Source) -> str:
    if not source.private:
        return ""
    one = len(source.private) == 1
    return f"{spoken_list(source.private)} {'is' if one else 'are'} hashed wherever {'it is' if one else 'they are'} logged"
