"""Looking: what stands, what was, and why. Reads the journal and the pointers; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everloop.clock import said
from everloop.errors import Unknown
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.records import Record
from everloop.registry import history as past
from everloop.registry.sentences import clause


@dataclass(frozen=True)
class Standing:
    """One model on one line."""

    model: str
    champion: str | None
    since: datetime | None
    stage: str
    candidate: str | None
    waiting: str | None
    last_turn: datetime | None
    turning: datetime | None = None
    """Since when a turn of it has been under way, wall time."""
    skewed: str | None = None
    """The features that were served otherwise than the event log tells, when that was last looked at."""

    def __str__(self) -> str:
        if self.champion is None or self.since is None:
            return f"{self.model}: has not begun. Next: everloop turn {self.model}"
        line = f"{self.model}: {self.champion} answers since {said(self.since)}"
        if self.stage != "steady":
            line += f"; {self.stage}" + (f" of {self.candidate}" if self.candidate else "")
        if self.waiting:
            line += f"; waits for a person to say yes to: {self.waiting} (everloop approve {self.model})"
        if self.turning:
            line += f"; being turned since {said(self.turning)} (everloop cancel {self.model})"
        if self.skewed:
            line += f"; served otherwise than the log tells: {self.skewed} (everloop skew {self.model})"
        return line + (f"; last turned {said(self.last_turn)}." if self.last_turn else ".")


def status(house: House) -> list[Standing]:
    """Each model of the project on one line."""
    from everloop.loop.skewed import standing_skew

    name = past.names(house.journal)
    rows = []
    for model in house.project.models.values():
        traffic = house.pointers.current(model.name)
        waiting = house.approvals.waiting(model.name)
        last, opened = house.turns.last(model.name), house.turns.opened(model.name)
        rows.append(
            Standing(
                model=model.name,
                champion=name(traffic.champion) if traffic else None,
                since=traffic.since if traffic else None,
                stage=traffic.stage if traffic else "steady",
                candidate=name(traffic.candidate) if traffic and traffic.candidate else None,
                waiting=waiting[0].action if waiting else None,
                last_turn=last.now if last else None,
                turning=opened.started_at if opened else None,
                skewed=standing_skew(house, model),
            )
        )
    return rows


def history(house: House, model: Model, instant: datetime | None = None) -> tuple[list[str], list[Record]]:
    """Who answered, since when, and why; with an instant, what was live then and the chain behind it."""
    name = past.names(house.journal)
    if instant is None:
        lived = past.history(house.journal, model.name)
        if not lived:
            raise Unknown("history of", model.name, next=f"It has not begun. Begin with: everloop turn {model.name}")
        return [f"{said(t.made_at)}  {clause(t, name)}  [{t.id}]" for t in lived], list(lived)
    live = past.at(house.journal, model.name, instant)
    lines, records = why(house, live.id)
    return [f"At {said(instant)}: {clause(live, name)}.", *lines], records


def why(house: House, id: str) -> tuple[list[str], list[Record]]:
    """The chain of records behind any record, version (``demand@3``) or prediction, oldest below.

    Raises Unknown.
    """
    from everloop.loop.answers import find_answer

    given = None if "@" in id or house.journal.find(id) else find_answer(house, id)
    if given is not None:
        lines, records = why(house, given.version)
        head = f"{given.unit} at {said(given.moment)} was answered {given.value if not given.items else ', '.join(given.items)} by:"
        knew = ", ".join(f"{name} {value}" for name, value in given.features)
        return [head, *lines, *([f"It knew {knew}."] if knew else [])], records
    tree = past.why(house.journal, id)
    return past.told(tree, name=past.names(house.journal)), _records(tree)


def _records(tree: past.Reason) -> list[Record]:
    mine = [] if tree.record is None or tree.again else [tree.record]
    return mine + [r for parent in tree.parents for r in _records(parent)]


def verify(house: House) -> str:
    """Walk the journal's chain; the head is what to note elsewhere. Raises JournalBroken."""
    head = house.journal.verify()
    return f"The journal holds: {head.seq:,} records, head {head}."
