"""Adopting: a model's first champion is its baseline, number zero, journalled like any other. "No champion" is not a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from everloop import rollout
from everloop.clock import EPOCH
from everloop.errors import EverloopError
from everloop.project.model import Model
from everloop.project.refuse import listed
from everloop.project.unbuilt import require_built
from everloop.records import Candidate, Traffic, TrainingSet, Version, identity
from everloop.registry.versions import content_of
from everloop.training.baseline import baseline, leaning
from everloop.training.stand_in import is_stand_in, really

if TYPE_CHECKING:
    from everloop.loop.house import House

WITHOUT = "baseline without"
"""The fact that names the sources of which a baseline was made without a single row."""


def adopt(house: House, model: Model, now: datetime) -> None:
    """Begin a model that has not begun; and, while nothing has been learnt, let its baseline learn what is average once there is truth.

    A baseline made of no rows (chances are 1/2, averages are no answer) is replaced by one made of some, as soon as there are some; one
    that was made while a source had not a single row yet, as soon as that has some.
    One that is another model goes on being who answers for that.
    """
    require_built(model)
    traffic = house.pointers.current(model.name)
    if model.leans_on is not None:
        _lean(house, model, house.project.model(model.leans_on.name), now, traffic)
    elif traffic is None or _knows_nothing(house, traffic) or _came_since(house, model, traffic):
        _begin(house, model, now, traffic)
    _hold_out(house, model, now)


def nothing_yet(house: House, model: Model) -> str | None:
    """Why a model has nothing to be turned for, in a sentence: not one row of what it reads ever came in, nor a told truth; else None."""
    from everloop.loop.tell.told import TRUTHS

    if any(house.lake.log.counters(source.name).last_seq for source in (*model.sources, TRUTHS)):
        return None
    return f"nothing has happened yet, for no row of {listed([s.name for s in model.sources], 'or')} has come in: everloop ingest"


def _knows_nothing(house: House, traffic: Traffic) -> bool:
    champion = house.champion(traffic)
    return champion.format == "baseline" and not champion.rows and not traffic.rolling


def _empty(house: House, model: Model) -> list[str]:
    """The sources of a model of which not a single row has come in."""
    return [source.name for source in model.sources if not house.lake.log.counters(source.name).last_seq]


def _came_since(house: House, model: Model, traffic: Traffic) -> list[str]:
    """The sources that had no row when the baseline that answers was made, and have some now; none once something else answers."""
    if traffic.rolling or traffic.held:
        return []
    fact = house.facts.latest(model.name, WITHOUT)
    if fact is None or fact.body["version"] != traffic.champion:
        return []
    empty = _empty(house, model)
    return [name for name in fact.body["sources"] if name not in empty]


def _hold_out(house: House, model: Model, now: datetime) -> None:
    """Let as many units keep the baseline as the project file says; where a service elsewhere answers everybody, none can."""
    from everloop.loop.keep import keep_record

    traffic = house.pointers.current(model.name)
    if traffic is None or traffic.control == model.control:
        return
    share = 0.0 if house.champion(traffic).format == "elsewhere" else float(model.control)
    if traffic.control == share:
        return
    baseline = traffic.baseline or _baseline_of(house, model)
    if baseline is None:
        return
    turn = identity("control", traffic.id, share)
    with house.store.transaction() as t:
        if house.pointers.current(model.name, within=t) == traffic:
            moved = rollout.hold_out(traffic, share, baseline, now=now, id=identity(turn, "traffic"))
            keep_record(house, t, moved, model=model, turn=turn, verb="control")


def _baseline_of(house: House, model: Model) -> str | None:
    """The newest baseline that was champion, or would have been; None where a service elsewhere was first."""
    versions = [v for v in house.versions.all(model.name) if house.candidate(v.candidate).format == "baseline"]
    return versions[-1].id if versions else None


def _begin(house: House, model: Model, now: datetime, traffic: Traffic | None) -> None:
    model, empty = for_real(model), _empty(house, model)
    turn = identity("adopt", model.name, now.isoformat() if traffic else "")
    training_set, table = _what_is_known(house, model, now, turn)
    if traffic is not None and (training_set is None or not training_set.learn_rows):
        return
    made = baseline(model, table, training_set, id=identity(turn, "candidate"), now=now, save=house.blobs.save)
    if traffic is not None and content_of(made) == content_of(house.champion(traffic)):
        # With these rows it is what answers already, and no version is let in twice.
        with house.store.transaction() as t:
            house.facts.put(t, model.name, WITHOUT, EPOCH, {"version": traffic.champion, "sources": empty})
        return
    _keep(house, model, made, training_set, turn, now, traffic, empty)


def _lean(house: House, model: Model, other: Model, now: datetime, traffic: Traffic | None) -> None:
    """Begin with what answers for the model it leans on, and follow that as long as nothing of its own answers."""
    if house.pointers.current(other.name) is None:
        adopt(house, other, now)
    theirs = house.version(house.traffic(other).champion)
    candidate = house.candidate(theirs.candidate)
    if candidate.format == "elsewhere" and traffic is None:
        raise EverloopError(
            f"{model.name} leans on {other.name}, which is answered elsewhere, by {candidate.learner}; nothing here can answer for it. Say "
            f"another baseline, or let a candidate take over: everloop turn {other.name}"
        )
    model = for_real(model)
    turn = identity("lean", model.name, theirs.id, now.isoformat() if traffic else "")
    made = leaning(model, candidate, named=theirs.name, id=identity(turn, "candidate"), now=now, made_from=(theirs.id,))
    if traffic is not None and (candidate.format == "elsewhere" or not _follows(house, traffic, made)):
        return
    training_set, _ = _what_is_known(house, model, now, turn)
    if training_set is not None:
        made = replace(made, made_from=(theirs.id, training_set.id), rows=training_set.learn_rows)
    because = f"{theirs.name} answers until something better is proven"
    _keep(house, model, made, training_set, turn, now, traffic, [], begins=because, again=because)


def _follows(house: House, traffic: Traffic, made: Candidate) -> bool:
    """Whether a baseline that answers gives way to another one of the model it leans on."""
    champion = house.champion(traffic)
    if champion.format != "baseline" or traffic.rolling or traffic.held:
        return False
    return made.made_from[0] not in champion.made_from and content_of(made) != content_of(champion)


def for_real(model: Model) -> Model:
    """The model as the project file says it, where learners were only stood in for: what is kept of it names its learner."""
    if not is_stand_in(model.learner):
        return model
    project = really()
    return model if project is None else project.model(model.name)


def _what_is_known(house: House, model: Model, now: datetime, turn: str) -> tuple[TrainingSet | None, pa.Table]:
    tables = house.tables(model)
    if not any(len(t) for t in tables.values()):
        return None, pa.table({"truth": pa.array([], pa.string())} if model.kind == "shares" else {})
    from everloop.loop.tell.told import told_truths
    from everloop.loop.training_sets import put_together

    training_set = put_together(
        house,
        model,
        tables,
        now=now,
        id=identity(turn, "as_of"),
        save=house.blobs.save,
        max_questions=house.settings.max_questions,
        told=told_truths(house, model, now),
    )
    return training_set, house.table(training_set)


def _keep(
    house: House, model: Model, made: Candidate, training_set: TrainingSet | None, turn: str, now: datetime, seen: Traffic | None,
    empty: list[str], begins: str = "the baseline answers until something better is proven",
    again: str = "the baseline has learnt what is average",
) -> None:  # fmt: skip
    from everloop.loop.keep import keep_record

    with house.store.transaction() as t:
        current = house.pointers.current(model.name, within=t)
        if current != seen:
            return  # somebody else began it, or moved it, in the meantime
        if training_set is not None:
            keep_record(house, t, training_set, model=model, turn=turn, verb="as_of")
        keep_record(house, t, made, model=model, turn=turn, verb="adopt")
        blank = Version(id=identity(turn, "version"), made_at=now, made_from=(made.id,), model=model.name, number=0, candidate=made.id)
        version = keep_record(house, t, blank, model=model, turn=turn, verb="adopt")
        id = identity(turn, "traffic")
        first = rollout.first(model.name, version.id, now=now, id=id, because=begins)
        if current is not None:
            first = replace(
                current,
                id=id,
                made_at=now,
                made_from=(current.id, version.id),
                generation=current.generation + 1,
                champion=version.id,
                baseline=version.id if current.control else None,
                since=now,
                because=again,
            )
        if empty:
            house.facts.put(t, model.name, WITHOUT, EPOCH, {"version": version.id, "sources": empty})
        keep_record(house, t, first, model=model, turn=turn, verb="adopt")
