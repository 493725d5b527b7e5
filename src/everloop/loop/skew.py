"""The skew meter: what answers were made from is read again, as far as each source was read then, and compared value by value.

In: a house and a span of time. Out: ``Measured``, one ``Skew`` for each feature. Reads answers and events; writes nothing, decides nothing.

A sample of the units is looked at, all answers of each. What counts as skew, and what does not: rows that arrived after an answer (late
ones, corrections, withdrawn deliveries) are beyond what it read, so they do not count. Features that a request brought itself, answers
told by another service, and answers of releases that did not note how far they read cannot be read again; they are counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from everloop.clock import microseconds, said
from everloop.errors import EverloopError
from everloop.features.served import definitions, told
from everloop.loop.answers import answers_of
from everloop.loop.first_event import first_event
from everloop.loop.house import House
from everloop.loop.reread import Again, Served, reread
from everloop.monitor.skew import Skew, one_feature, picked
from everloop.project.model import Model
from everloop.project.reading import AnyReading, column_names
from everloop.records import Candidate
from everloop.serving.answered import hashed, private_columns

A_DAY = timedelta(days=1)
NAMED = 5
"""For so many features the first event that differs is looked for."""


@dataclass(frozen=True)
class Measured:
    """What the meter found about one model. ``answers`` were compared; ``unread`` cannot be read again."""

    model: str
    since: datetime
    until: datetime
    share: float
    answers: int
    unread: int
    features: tuple[Skew, ...]

    @property
    def values(self) -> int:
        """Values compared."""
        return sum(skew.compared for skew in self.features)

    @property
    def skewed(self) -> tuple[Skew, ...]:
        """The features that differ, the most skewed first."""
        return tuple(sorted((skew for skew in self.features if not skew.clean), key=lambda skew: (-skew.rate, skew.feature)))

    @property
    def clean(self) -> bool:
        """Whether every value compared is as the log tells it."""
        return not self.skewed

    def __str__(self) -> str:
        looked = f"{self.values:,} values of {self.answers:,} answers since {said(self.since)}"
        beside = f" {self.unread:,} answers cannot be read again." if self.unread else ""
        if not self.answers:
            return f"{self.model}: no answer since {said(self.since)} to compare.{beside}"
        if self.clean:
            return f"{self.model}: no skew in {looked}.{beside}"
        return f"{self.model}: skew in {looked}.{beside}\n" + "\n".join(f"  {sentence(skew)}" for skew in self.skewed)


def sentence(skew: Skew) -> str:
    """One feature that differs, in words.

    >>> sentence(Skew("price", compared=200, mismatch=3, missing=1, largest=0.5, first="a1", event="orders row 7 was left out"))
    'price: 2 % differ (3 other values by up to 0.5, 1 missing, first in answer a1): orders row 7 was left out.'
    """
    several = [f"{skew.mismatch:,} other values" + (f" by up to {skew.largest:.3g}" if skew.largest is not None else "")] * bool(
        skew.mismatch
    )
    several += [f"{skew.missing:,} missing"] * bool(skew.missing) + [f"{skew.extra:,} that should be empty"] * bool(skew.extra)
    several += [f"{skew.other:,} by another definition than was learnt"] * bool(skew.other)
    because = f": {skew.event}." if skew.event else "."
    return f"{skew.feature}: {skew.rate * 100:.3g} % differ ({', '.join(several)}, first in answer {skew.first}){because}"


def as_plain(found: Measured) -> dict[str, object]:
    """What was found as plain data, one object for each feature."""
    features = [{**vars(skew), "rate": skew.rate} for skew in found.features]
    return {**vars(found), "values": found.values, "clean": found.clean, "features": features}


def measure(house: House, model: Model, *, now: datetime, since: datetime | None = None, share: float | None = None) -> Measured:
    """Compare what a model's answers were made from, from ``since`` (aware; default: a day before) until ``now``, with what the log tells.

    ``share`` of the units is looked at (default: what everloop.toml says, 0.01). Raises StoreError where answers or events cannot be
    read.
    """
    begin, part = since or now - A_DAY, house.settings.skew if share is None else share
    sample = _sampled(answers_of(house, model, since=begin), now, part)
    served = list(served_of(sample))
    tables = house.tables(model)
    meter = _Meter(house, model, _tellers(house, model), _learnt(house, model, {row.version for row in served}))
    for group in _alike(served):
        meter.add(group, tables)
    return Measured(model.name, begin, now, part, meter.answers, len(sample) - meter.answers, meter.features(tables))


@dataclass
class _Column:
    """What one feature was served as, what it is now, and in which answers, in order of time."""

    served: list[object]
    offline: list[object]
    rows: list[Served]
    other: list[Served]


class _Meter:
    """Gathers both sides of every feature."""

    def __init__(
        self,
        house: House,
        model: Model,
        tellers: Mapping[tuple[str, str], AnyReading | None],
        learnt: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.house, self.model, self.tellers, self.learnt = house, model, tellers, learnt
        self.private = private_columns(model)
        self.columns: dict[str, _Column] = {}
        self.answers = 0

    def add(self, group: Sequence[Served], tables: Mapping[str, pa.Table]) -> None:
        """Answers that were read by the same definitions and carry the same columns."""
        by = self._by(group[0])
        for name in group[0].features:
            self.columns.setdefault(name, _Column([], [], [], []))
        known = {name: self.tellers[name, letters] for name, letters in by.items() if (name, letters) in self.tellers}
        for name in (n for n in group[0].features if n not in known):
            self.columns[name].other += group
        if not known:
            self.answers += len(group)
            return
        again = reread(self.model, known, group, tables, salt=self.house.salt)
        for row in group:
            if row in again:
                self.answers += 1
                self._compare(row, again, known, by)

    def features(self, tables: Mapping[str, pa.Table]) -> tuple[Skew, ...]:
        """Every feature compared, the first event named for those that differ."""
        found, named = [], 0
        for name, column in self.columns.items():
            skew = one_feature(
                name, *_arrays(column.served, column.offline), [r.id for r in column.rows], other=[r.id for r in column.other]
            )
            if skew.differ and named < NAMED and self.model.steps == 1:
                named += 1
                skew = replace(skew, event=self._event(name, column, tables))
            elif skew.other:
                skew = replace(skew, event="it is read by another definition than the version that answers has learnt by")
            found.append(skew)
        return tuple(found)

    def _by(self, row: Served) -> dict[str, str]:
        """The definition of each column of an answer; what the project file did not say any more was heard from a version's record."""
        by = told(row.definition, list(row.features))
        mine = self.learnt.get(row.version, {})
        for name in row.features:
            if name not in by:
                heard = mine.get(name) or next((letters for column, letters in self.tellers if column == name), None)
                by |= {name: heard} if heard is not None else {}
        return by

    def _compare(self, row: Served, again: Again, known: Mapping[str, AnyReading | None], by: Mapping[str, str]) -> None:
        learnt = self.learnt.get(row.version, {})
        for name in known:
            column = self.columns[name]
            if learnt.get(name, by[name]) != by[name]:
                column.other.append(row)
                continue
            for served, offline in again.values(row, name):
                column.served.append(served)
                column.offline.append(hashed(offline, self.house.salt) if name in self.private else offline)
                column.rows.append(again.asked[row.id])

    def _event(self, name: str, column: _Column, tables: Mapping[str, pa.Table]) -> str | None:
        return first_event(self.model, name, self._reading(name, column), column.rows, *_arrays(column.served, column.offline), tables)

    def _reading(self, name: str, column: _Column) -> AnyReading | None:
        by = self._by(column.rows[-1])
        return self.tellers.get((name, by[name]))


def _sampled(given: pa.Table, now: datetime, share: float) -> pa.Table:
    """The answers of the units looked at, one for each question: what was given, before what nobody saw."""
    given = given.filter(pc.less_equal(given.column("answered_at"), microseconds(now)))
    given = given.filter(pa.array(picked(given.column("unit").to_pylist(), share), pa.bool_()))
    hidden = pc.equal(given.column("arm"), "shadow")
    given = given.append_column("hidden", hidden).sort_by([("hidden", "ascending"), ("answered_at", "ascending")])
    first: dict[tuple[int, str], int] = {}
    for at, key in enumerate(zip(given.column("moment").to_pylist(), given.column("unit").to_pylist(), strict=True)):
        first.setdefault(key, at)
    return given.take(pa.array(list(first.values()), pa.int64())).sort_by([("moment", "ascending"), ("unit", "ascending")])


def served_of(sample: pa.Table) -> Iterator[Served]:
    """Every answer that can be read again."""
    decode = msgspec.json.decode
    for row in sample.select(["id", "version", "unit", "moment", "features", "as_of", "definition", "request"]).to_pylist():
        if row["as_of"] is not None and row["definition"] is not None and row["features"]:
            yield Served(
                id=row["id"],
                version=row["version"],
                unit=row["unit"],
                moment=row["moment"],
                features=decode(row["features"]),
                as_of=decode(row["as_of"]),
                definition=row["definition"],
                request=decode(row["request"]) if row["request"] else {},
            )


def _alike(served: Sequence[Served]) -> list[list[Served]]:
    """Answers that can be read again together: of one definition, one version, with the same columns and the same words in the request."""
    groups: dict[object, list[Served]] = {}
    for row in served:
        groups.setdefault((row.definition, row.version, tuple(row.features), tuple(row.request)), []).append(row)
    return list(groups.values())


def _tellers(house: House, model: Model) -> dict[tuple[str, str], AnyReading | None]:
    """The reading behind each column and its letters, told by the project file and by every candidate there was; None where it is no
    reading of the model's own (a list's candidates, the baseline)."""
    found: dict[tuple[str, str], AnyReading | None] = {}
    by_name = {name: reading for reading in model.knows for name in column_names(reading)}
    for name, letters in definitions(model).items():
        found[name, letters] = by_name.get(name)
    for entry in house.journal.read(kind="Candidate", model=model.name, newest_first=True):
        assert isinstance(entry.record, Candidate)
        for name, reading in _heard(house, entry.record).items():
            found.setdefault((name, definitions(model, [reading])[name]), reading)
    return found


def _learnt(house: House, model: Model, versions: set[str]) -> dict[str, dict[str, str]]:
    """The definitions each version has learnt by; none for one that learnt nothing here."""
    found = {}
    for version in versions:
        try:
            heard = _heard(house, house.candidate(house.version(version).candidate))
        except EverloopError:  # answered elsewhere, by a version nobody here let in
            continue
        found[version] = {name: definitions(model, [reading])[name] for name, reading in heard.items()}
    return found


def _heard(house: House, candidate: Candidate) -> dict[str, AnyReading]:
    try:
        return {name: reading for reading in house.readings(candidate) for name in column_names(reading)}
    except EverloopError:  # a source it read is no longer declared
        return {}


def _arrays(served: Sequence[object], offline: Sequence[object]) -> tuple[pa.Array, pa.Array]:
    """Both sides as arrays of one kind: numbers if all are, else each value as JSON, so that a number never equals a text."""
    if all(value is None or isinstance(value, int | float) for values in (served, offline) for value in values):
        left, right = (pa.array([None if v is None else float(v) for v in values], pa.float64()) for values in (served, offline))  # type: ignore[arg-type]
        return left, right
    encode = msgspec.json.encode
    texts = [[None if v is None or v != v else encode(v).decode() for v in values] for values in (served, offline)]
    return pa.array(texts[0], pa.string()), pa.array(texts[1], pa.string())
