"""Rules: what a contract asks of rows, counted in the same statement as ``must=``. In: rules and event tables. Out: findings.

No clock, no disk. A rule is a test of every row and how many rows may break it; or, without a test, how many rows there are to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb
import pyarrow as pa

from everloop.checks.clauses import Count, RowTest, count
from everloop.checks.fresh import fresh_finding
from everloop.checks.judged import example
from everloop.clock import microseconds
from everloop.project.conditions import fresh
from everloop.project.source import Source
from everloop.project.spoken_values import spoken_count
from everloop.records import Finding, Outcome
from everloop.stats.rounded import figure, percent


@dataclass(frozen=True)
class Within:
    """Where a number is to lie: from ``low`` to ``high``, an end that is ``open`` not included; ``outside`` turns it round."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    outside: bool = False

    def has(self, value: float) -> bool:
        """Whether a number lies there.

        >>> Within(high=5, high_open=True).has(5), Within(low=1, high=3, outside=True).has(7), Within(0, 0).has(0)
        (False, True, True)
        """
        above = self.low is None or value > self.low or (value == self.low and not self.low_open)
        below = self.high is None or value < self.high or (value == self.high and not self.high_open)
        return (above and below) != self.outside

    def __str__(self) -> str:
        if self.low is not None and self.low == self.high:
            return f"{'anything but' if self.outside else 'exactly'} {figure(self.low)}"
        parts = [] if self.low is None else [f"{'more than' if self.low_open else 'at least'} {figure(self.low)}"]
        parts += [] if self.high is None else [f"{'less than' if self.high_open else 'at most'} {figure(self.high)}"]
        return ("not " if self.outside else "") + " and ".join(parts)


NONE = Within(0, 0)
"""No row may break it."""


@dataclass(frozen=True)
class Rule:
    """``clause``: how the contract says it; ``says``: what a row that meets it is like; ``of``: whether ``broken`` is about rows or about
    their share in percent. Without a ``test`` it is about how many rows there are.
    """

    source: str
    clause: str
    says: str
    test: RowTest | None = None
    broken: Within = NONE
    of: Literal["rows", "percent"] = "rows"


def follow(
    rules: Sequence[Rule | tuple[str, fresh]], sources: Mapping[str, Source], tables: Mapping[str, pa.Table], *, now: datetime,
    arrived: Mapping[str, datetime] | None = None,
) -> list[Finding]:  # fmt: skip
    """One finding for each rule, in order; a pair is how fresh a source is to be. ``tables`` as ``check`` takes them, ``arrived`` when the
    newest delivery of a source came.

    >>> orders = Source("orders", id="line_id", columns={"price": int})
    >>> rows = {"seq": [1, 2], "id": ["a", "b"], "version": [0, 0], "event_at": [1, 2], "known_at": [1, 2], "deleted": [False, False],
    ...         "line_id": ["a", "b"], "price": [5, 5]}
    >>> alike = Rule("orders", "price.unique", "price is unlike every other", RowTest("price", apart=("price",)))
    >>> from datetime import UTC
    >>> [found] = follow([alike], {"orders": orders}, {"orders": pa.table(rows)}, now=datetime(2026, 11, 2, tzinfo=UTC))
    >>> found.sentence, found.examples
    ('In orders, price is unlike every other in 0 % of 2 rows; 2 break it, and exactly 0 may.', ('b: 5', 'a: 5'))
    """
    found: dict[int, Finding] = {}
    with duckdb.connect(":memory:", config={"threads": 2, "enable_external_access": False}) as engine:
        for name, table in tables.items():
            engine.register(f"events_{name}", table)
        for name in dict.fromkeys(_source(rule) for rule in rules):
            mine = [(place, rule) for place, rule in enumerate(rules) if _source(rule) == name]
            tests = [rule.test for _, rule in mine if isinstance(rule, Rule) and rule.test is not None]
            counted = count(engine, sources[name], tables, since=None, until=microseconds(now), tests=tests)
            counts = iter(counted.clauses)
            for place, rule in mine:
                if isinstance(rule, tuple):
                    found[place] = fresh_finding(rule[1], sources[name], counted, (arrived or {}).get(name), now)
                elif rule.test is None:
                    found[place] = _rows(rule, counted.all_rows)
                else:
                    found[place] = _finding(rule, sources[name], next(counts))
    return [found[place] for place in range(len(rules))]


def _source(rule: Rule | tuple[str, fresh]) -> str:
    return rule[0] if isinstance(rule, tuple) else rule.source


def _rows(rule: Rule, rows: int) -> Finding:
    outcome: Outcome = "passed" if rule.broken.has(rows) else "failed"
    return Finding(
        source=rule.source, clause=rule.clause, outcome=outcome, rows=rows, broken=0, met=None, share=1.0,
        sentence=f"{rule.source} has {spoken_count(rows, 'row')} in force; {rule.broken} are asked for.",
    )  # fmt: skip


def _finding(rule: Rule, source: Source, counted: Count) -> Finding:
    assert rule.test is not None
    rows, broken = counted.rows, counted.broken
    measured = broken if rule.of == "rows" else 100 * broken / rows if rows else 0.0
    outcome: Outcome = "not enough evidence" if rows == 0 else "passed" if rule.broken.has(measured) else "failed"
    met = (rows - broken) / rows if rows else None
    if met is None:
        sentence = f"In {source.name}, no row says {rule.test.column}, so nothing can be said of it."
    else:
        sentence = f"In {source.name}, {rule.says} in {percent(met)} of {spoken_count(rows, 'row')}"
        may = f"{rule.broken}{' %' if rule.of == 'percent' else ''}"
        sentence += f"; {broken:,} break it, and {may} may." if broken else "."
    return Finding(
        source=source.name, clause=rule.clause, outcome=outcome, rows=rows, broken=broken, met=met, share=1.0, sentence=sentence,
        examples=tuple(example(rule.test.column, source, *one) for one in counted.examples) if outcome == "failed" else (),
    )  # fmt: skip
