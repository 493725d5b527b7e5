"""Nouns of data: what was received, a snapshot of it, what was found in it, the rows to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.records.record import Record

Outcome: TypeAlias = Literal["passed", "failed", "not enough evidence"]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """How many rows were refused for one reason: the column, what is wrong there, and the sentence of the first such row."""

    column: str
    why: str
    rows: int
    example: str


def by_reason(several: Iterable[Refused]) -> tuple[Refused, ...]:
    """The same reasons together, the most frequent first.

    >>> two = Refused(column="price", why="no number", rows=2, example="row 1 (a): price is 'x', no number")
    >>> [one.rows for one in by_reason([two, two])]
    [4]
    """
    found: dict[tuple[str, str], Refused] = {}
    for one in several:
        before = found.get((one.column, one.why))
        found[one.column, one.why] = replace(before, rows=before.rows + one.rows) if before else one
    return tuple(sorted(found.values(), key=lambda one: -one.rows))


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of a delivery: rows kept, rows already known, rows refused (with at most five examples, and all of them counted by
    reason, the most frequent first); and how many of those kept said that they happened after they were known (``ahead``)."""

    source: str
    kept: int
    duplicates: int
    refused: int
    examples: tuple[str, ...] = ()
    reasons: tuple[Refused, ...] = ()
    through_seq: int
    ahead: int = 0

    def then(self, other: Received) -> Received:
        """What became of this and of what came after it, together.

        >>> one = Received(source="orders", kept=2, duplicates=1, refused=0, through_seq=2)
        >>> one.then(Received(source="orders", kept=3, duplicates=0, refused=1, through_seq=5)).kept
        5
        """
        return Received(
            source=self.source,
            kept=self.kept + other.kept,
            duplicates=self.duplicates + other.duplicates,
            refused=self.refused + other.refused,
            examples=(self.examples + other.examples)[:5],
            reasons=by_reason(self.reasons + other.reasons),
            through_seq=other.through_seq,
            ahead=self.ahead + other.ahead,
        )

    @property
    def doubt(self) -> str:
        """What is odd about rows that were kept; nothing where nothing is.

        >>> Received(source="orders", kept=2, duplicates=0, refused=0, through_seq=2, ahead=1).doubt
        '1 row says it happened after it was known; it counts as happened when it was known. Is its time zone right?'
        """
        if self.ahead == 1:
            return "1 row says it happened after it was known; it counts as happened when it was known. Is its time zone right?"
        many = "rows say they happened after they were known; they count as happened when they were known. Is their time zone right?"
        return f"{self.ahead:,} {many}" if self.ahead else ""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How far one source is read: the Delta version and the last sequence number of it that counts. ``pins``: of files that DVC
    tracks, by what it knows them."""

    source: str
    version: int
    through_seq: int
    rows: int
    pins: tuple[str, ...] | None = field(default=None, metadata={"empty": "left out"})


@dataclass(frozen=True, kw_only=True)
class Snapshot(Record):
    """What had happened as the lake knew it; can be read again, row for row in sequence order, by these extents."""

    extents: tuple[Extent, ...]

    def extent(self, source: str) -> Extent | None:
        return next((e for e in self.extents if e.source == source), None)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One condition on one source: how many rows break it. ``share`` is the share of rows that must meet it, ``met`` the share that do."""

    source: str
    clause: str
    outcome: Outcome
    rows: int
    broken: int
    met: float | None
    share: float
    sentence: str
    examples: tuple[str, ...] = ()
    season: float | None = None  # how many times the usual a year ago was, where that explains what is found


@dataclass(frozen=True, kw_only=True)
class Report(Record):
    """Whether a snapshot is fit to learn from; and what was due to be in it and had not come (``overdue``): it is fit as far as it came."""

    model: str
    findings: tuple[Finding, ...]
    overdue: tuple[str, ...] | None = field(default=None, metadata={"empty": "left out"})

    @property
    def passed(self) -> bool:
        return all(f.outcome == "passed" for f in self.findings)


@dataclass(frozen=True, kw_only=True)
class TrainingSet(Record):
    """Questions with their features and mature truths. ``body`` is a Parquet file (see docs/features.md) ordered by moment, then unit.

    Rows with ``moment < learn_until`` are learnt from; rows with ``moment >= judge_from`` are the holdout; between them lies the gap
    as long as a truth takes. ``learn_questions`` and ``judge_questions``: of so many questions those rows are the candidates; 0 where each
    row is a question.
    """

    model: str
    body: str
    columns: tuple[str, ...]
    rows: int
    learn_rows: int
    judge_rows: int
    first_at: datetime | None
    learn_until: datetime | None
    judge_from: datetime | None
    last_at: datetime | None
    truths_known_at: datetime
    immature: int = 0
    void: int = 0
    learn_questions: int = 0
    judge_questions: int = 0
