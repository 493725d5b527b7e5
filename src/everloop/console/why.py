"""Why: from any answer, decision, version or instant the chain of records down to the snapshot, the code and the features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from everloop.clock import instant, said
from everloop.console.page import Asking, Route, Shown
from everloop.errors import EverloopError
from everloop.loop.answers import find_answer
from everloop.loop.house import House
from everloop.loop.spoken import spoken_answer, spoken_causes
from everloop.project.spoken import spoken_reading, spoken_readings
from everloop.records import Candidate, Prediction, Record, Signals, Snapshot, TrainingSet
from everloop.registry import history
from everloop.registry.history import Reason
from everloop.registry.sentences import clause
from everloop.serving.answered import veiled


@dataclass(frozen=True)
class Link:
    """One record of the chain, and those it was made from. ``at`` is None where the journal has none of this id; ``again``: it stands in
    full elsewhere."""

    id: str
    kind: str
    sentence: str
    at: datetime | None = None
    again: bool = False
    behind: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Ground:
    """What a chain comes down to: the data, as rows of each source; the code; and what the model knew, read aloud."""

    data: tuple[tuple[str, int, int, int], ...] = ()
    """By source: rows, through which sequence number, and the version of its table."""
    snapshot: str | None = None
    training_set: str | None = None
    learnt: str = ""
    commit: str | None = None
    dirty: str | None = None
    definition: str | None = None
    seed: int | None = None
    environment: tuple[tuple[str, str], ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """Why something is as it is. ``answer``: the answer that was asked about, with what it knew."""

    asked: str
    head: str
    chain: Link
    ground: Ground
    causes: tuple[str, ...] = ()
    answer: Prediction | None = None


def behind(house: House, id: str) -> Chain:
    """The chain behind a record's id, a version such as ``demand@3``, or an answer's id, of which nothing private is told. Raises
    Unknown."""
    given = None if "@" in id or house.journal.find(id) else find_answer(house, id)
    if given is not None:
        given = veiled(given, house.project.models.get(given.model), house.salt)
    tree = history.why(house.journal, given.version if given is not None else id)
    name = house.versions.naming()
    head = spoken_answer(house, given) if given is not None else _sentence(tree.record, name)
    causes = spoken_causes(tree.record) if isinstance(tree.record, Signals) else []
    return Chain(id, head, _link(tree, name), _ground(house, list(_records(tree))), tuple(causes), given)


def live_at(house: House, model: str, at: datetime) -> Chain:
    """What was live at an instant, and the chain behind it. Raises Unknown for a model that had not begun."""
    traffic = history.at(house.journal, house.project.model(model).name, at)
    found = behind(house, traffic.id)
    return Chain(found.asked, f"At {said(at)}: {clause(traffic, house.versions.naming())}.", found.chain, found.ground)


def _sentence(record: Record | None, name: Callable[[str], str]) -> str:
    told = clause(record, name) if record is not None else ""
    return told[:1].upper() + told[1:] + ("" if told.endswith(".") else ".")


def _link(tree: Reason, name: Callable[[str], str]) -> Link:
    if tree.record is None:
        return Link(tree.id, "", "is not in this journal")
    told = clause(tree.record, name)
    return Link(
        tree.id, type(tree.record).__name__, told, tree.record.made_at, tree.again, tuple(_link(parent, name) for parent in tree.parents)
    )


def _records(tree: Reason) -> Iterator[Record]:
    if tree.record is not None and not tree.again:
        yield tree.record
    for parent in tree.parents:
        yield from _records(parent)


def _ground(house: House, records: Sequence[Record]) -> Ground:
    """What the newest candidate of a chain was learnt from; of a chain without one, the snapshot alone."""
    candidate = next((r for r in records if isinstance(r, Candidate) and r.format != "baseline"), None)
    candidate = candidate or next((r for r in records if isinstance(r, Candidate)), None)
    training_set = house.learnt_from(candidate) if candidate is not None else None
    if training_set is None:
        training_set = next((r for r in records if isinstance(r, TrainingSet)), None)
    parents = [house.journal.find(id) for id in training_set.made_from] if training_set is not None else list(records)
    snapshot = next((r for r in parents if isinstance(r, Snapshot)), None)
    data = tuple((e.source, e.rows, e.through_seq, e.version) for e in snapshot.extents) if snapshot is not None else ()
    if candidate is None:
        return Ground(data, snapshot.id if snapshot else None, training_set.id if training_set else None)
    until = f" until {said(candidate.learnt_until)}" if candidate.learnt_until else ""
    since = f" from {said(candidate.learnt_from)}" if candidate.learnt_from else ""
    return Ground(
        data,
        snapshot.id if snapshot else None,
        training_set.id if training_set else None,
        f"{candidate.learner} learnt from {candidate.rows:,} rows{since}{until}" if candidate.rows else candidate.learner,
        candidate.commit,
        candidate.dirty,
        candidate.definition or None,
        candidate.seed,
        candidate.environment,
        features_aloud(house, candidate),
    )


def features_aloud(house: House, candidate: Candidate, *, each: bool = False) -> tuple[str, ...]:
    """What a candidate knows, read aloud (``each`` reading by itself); as it was said where the project file has no such model or source
    any more."""
    try:
        model, readings = house.project.model(candidate.model), house.readings(candidate)
        return tuple(spoken_reading(one, model) for one in readings) if each else tuple(spoken_readings(readings, model))
    except EverloopError:
        return candidate.knows or candidate.columns


def shown(asking: Asking) -> Shown:
    """The page."""
    house, query = asking.house, asking.query
    id, model, at = (query.get(word, "").strip() for word in ("id", "model", "at"))
    chain = None
    if id:
        chain = behind(house, id)
    elif model:
        chain = live_at(house, model, instant(at) if at else asking.now)
    models = sorted(house.project.models)
    values = {"chain": chain, "asked": id, "model": model, "instant": at, "models": models if len(models) <= MANY else []}
    return Shown("Why", "why.html", values)


MANY = 200
"""So many models a list of choices may have; of more their name is typed."""

ROUTES: tuple[Route, ...] = (Route("/why", shown, "viewer", name="why"),)
