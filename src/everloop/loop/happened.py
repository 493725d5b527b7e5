"""What happened to a model, as few words at an instant each: who answered, what was decided, what drifted, what was wrong. Reads the
journal; changes nothing, reads no clock. Whoever draws a model's error over time marks it with these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from everloop.loop.house import House
from everloop.loop.spoken import ACTIONS, ASKED
from everloop.records import Decision, Incident, Record, Signals, Traffic
from everloop.registry.sentences import Naming, clause

What: TypeAlias = Literal["deploy", "drift", "incident", "decision"]
QUIET = ("hold", "advance", "promote", "release", "share")
"""Decisions that the traffic they make tells of, or that nothing follows from."""
MOST = 2_000
"""Records that are looked through, newest first."""


@dataclass(frozen=True)
class Happened:
    """``what`` came about ``at`` an instant (aware UTC): a few words, the whole sentence, and the record to ask why about."""

    at: datetime
    what: What
    words: str
    sentence: str
    id: str


def happened(
    house: House, model: str, name: Naming, *, since: datetime, until: datetime, looks: Sequence[Signals] = ()
) -> tuple[Happened, ...]:  # fmt: skip
    """Everything between two instants, oldest first: of at most the newest 2,000 records. ``looks``: what watching found in that time,
    whose drifts are told; they are large, and whoever asks has read them."""
    kinds = ("Traffic", "Decision", "Incident")
    entries = house.journal.read(kind=kinds, model=model, since=since, until=until, newest_first=True, limit=MOST)
    records: list[Record] = [*(entry.record for entry in reversed(entries)), *looks]
    return tuple(happenings(sorted(records, key=lambda record: record.made_at), name))


def happenings(records: Sequence[Record], name: Naming = str) -> Iterator[Happened]:
    """The same of records in the order they were kept. A traffic is told where another version answers or another step began, a drift when
    it is first seen, an incident when it begins and when it is over.

    >>> from datetime import UTC
    >>> day = datetime(2026, 11, 2, tzinfo=UTC)
    >>> first = Traffic(id="t", made_at=day, since=day, model="m", generation=1, stage="steady", champion="m@0")
    >>> wish = Decision(id="d", made_at=day, model="m", action="retrain", because=("price drifted",), cause="drift")
    >>> [(one.what, one.words) for one in happenings([first, wish])]
    [('deploy', 'm@0'), ('decision', 'retrain')]
    """
    before: Traffic | None = None
    drifting: frozenset[str] = frozenset()
    for record in records:
        match record:
            case Traffic():
                if before is None or (before.champion, before.stage, before.candidates) != (
                    record.champion,
                    record.stage,
                    record.candidates,
                ):
                    yield Happened(record.made_at, "deploy", _moved(record, name), clause(record, name), record.id)
                before = record
            case Decision() if record.action not in QUIET:
                words = f"asked: {ASKED[record.asks]}" if record.asks else record.action
                what = f"A person is asked whether to {ASKED[record.asks]}" if record.asks else ACTIONS[record.action]
                yield Happened(record.made_at, "decision", words, f"{what}: {'; '.join(record.because)}", record.id)
            case Signals():
                now = {signal.about or signal.clause: signal for signal in record.fired("drift")}
                for about, signal in now.items():
                    if about not in drifting:
                        yield Happened(signal.since or record.made_at, "drift", about, signal.sentence, record.id)
                drifting = frozenset(now)
            case Incident() if record.state == "firing" and record.fired_at == record.made_at:
                shown = next((symptom for symptom in record.symptoms if not symptom.also), None)
                words = (shown.about or shown.kind) if shown is not None else record.cause
                yield Happened(record.made_at, "incident", words, clause(record, name), record.id)
            case Incident() if record.state == "resolved" and record.fired_at is not None:
                yield Happened(record.made_at, "incident", "over", clause(record, name), record.id)


def _moved(traffic: Traffic, name: Naming) -> str:
    if traffic.stage in ("shadow", "canary"):
        return f"{', '.join(map(name, traffic.candidates))} in {traffic.stage}"
    return name(traffic.champion) + (" in bake" if traffic.stage == "bake" else "")
