"""Columns: did what came have the columns that are declared? In: deliveries. Out: findings. No clock, no disk.

A column that is missing, new or of another type stops training until it is put right: never filled with zeros, never a crash. The newest
delivery decides (the newest file or table, and the newest day of single events, each for itself); the rows of earlier ones say nothing in
that column, which is for ``always`` to judge. A column that only an ``outcome`` reads may be missing: it is not known yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from everloop.clock import said
from everloop.project.source import Source
from everloop.project.spoken_values import spoken_count, spoken_list
from everloop.records import Finding


class Delivered(Protocol):
    """Rows that came together, and how their columns differed from what is declared."""

    @property
    def source(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def first_seq(self) -> int: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def missing(self) -> tuple[str, ...]: ...
    @property
    def new(self) -> tuple[str, ...]: ...
    @property
    def retyped(self) -> tuple[str, ...]: ...
    @property
    def withdrawn_at(self) -> datetime | None: ...
    @property
    def singles(self) -> bool: ...


def column_findings(source: Source, deliveries: Sequence[Delivered], awaited: Collection[str] = ()) -> list[Finding]:
    """One finding if the newest deliveries of a source came as declared, one for each that did not; none where nothing is said of them.

    ``awaited``: columns that may be missing, since they say how a row ends up.
    """
    newest: dict[bool, Delivered] = {}
    for delivery in sorted(deliveries, key=lambda d: d.number):
        if delivery.source == source.name and delivery.withdrawn_at is None and delivery.last_seq >= delivery.first_seq:
            newest[delivery.singles] = delivery
    found = [_finding(source, delivery, awaited) for delivery in newest.values()]
    return [f for f in found if f.outcome == "failed"] or found[:1]


def _finding(source: Source, delivery: Delivered, awaited: Collection[str]) -> Finding:
    missing = [name for name in delivery.missing if name not in awaited]
    wrong = [*_said(missing, "is", "are", "missing"), *_said(delivery.new, "is", "are", "new"), *delivery.retyped]
    came = f"the newest delivery (number {delivery.number}, {spoken_count(delivery.rows, 'row')}, {said(delivery.at)})"
    if wrong:
        sentence = f"In {source.name}, {came} did not come as declared: {spoken_list(wrong)}."
        sentence += f" Take it back with everloop withdraw {source.name} {delivery.number}, and send it as declared."
    else:
        sentence = f"In {source.name}, {came} came as declared."
    return Finding(
        source=source.name, clause="columns", outcome="failed" if wrong else "passed", rows=delivery.rows,
        broken=delivery.rows if wrong else 0, met=0.0 if wrong else 1.0, share=1.0, sentence=sentence,
    )  # fmt: skip


def _said(names: Iterable[str], one: str, many: str, what: str) -> list[str]:
    found = list(names)
    return [f"{spoken_list(found)} {one if len(found) == 1 else many} {what}"] if found else []
