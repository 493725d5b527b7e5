"""Erasing: a person goes from every place of a house, one after another, whatever dies in between. In: a house, and who. Out: the record.

What is found is written down first (``plan.py``); each place is then left without them, and being told again leaves it so. No turn of any
model is under way meanwhile: it is waited for, and ended where it takes longer. What is read before and kept in other processes is let go
of there (``EventLog.tell_gone``). The record is kept last, and then the plan goes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

import everloop.loop.forget.looked as looked
import everloop.loop.forget.plan as plan
from everloop.clock import monotonic, utc
from everloop.connect.objects import is_url
from everloop.errors import EverloopError, HouseBusy
from everloop.lake.place import table_of
from everloop.lake.seal import seal
from everloop.loop.answers import TABLE, seal_answers
from everloop.loop.backup.manifest import Gone
from everloop.loop.backup.places import tell_places
from everloop.loop.control.cancel import cancel
from everloop.loop.control.working import works_elsewhere
from everloop.loop.forget.bodies import bodies_of, emptied, learnt_from, names_of, opened, parquet_again, their_rows, without
from everloop.loop.forget.elsewhere import elsewhere
from everloop.loop.forget.person import find, of_models, refuse_unknown
from everloop.loop.forget.plan import ALONE, Plan
from everloop.loop.house import House
from everloop.loop.keep import ANY
from everloop.loop.tell.outcomes import OUTCOMES
from everloop.loop.tell.told import TRUTHS
from everloop.loop.turning import turning
from everloop.project.source import Source
from everloop.records import Candidate, Redaction, Snapshot, TrainingSet, Version
from everloop.registry.garbage import named
from everloop.registry.scrub import Scrub
from everloop.serving.answered import hashed
from everloop.serving.segment import segments

PATIENCE = 60.0
"""Seconds that a turn under way is waited for before it is ended, and another forgetting before this one gives up."""
ENDING = 60.0
LETTING_GO = 75.0
"""Seconds that answers are waited for which a process has just written: it closes its segment within a minute even if nothing tells it."""


def forget(house: House, column: str, value: str, *, by: str, reason: str, now: datetime) -> Redaction:
    """Erase what is known of one person: every row, answer, truth and outcome of theirs, in every version there is. Returns the record.

    ``value`` is what the ``column`` says of them, as text. What is delivered afterwards is news. Raises Unknown for a column that nothing
    has, EverloopError without a name and a reason, HouseBusy where another forgetting, or a turn, does not end; what was begun is
    finished by ``finish``.
    """
    if not by.strip() or not reason.strip():
        raise EverloopError("Forgetting somebody needs a name and a reason. Say --by and --reason.")
    if not value:
        raise EverloopError(f"Nobody is known by an empty {column}. Say whose data is to go.")
    refuse_unknown(house, column)
    at = utc(now)
    with house.lake.log.alone(ALONE, "forgetting somebody", patience=PATIENCE):
        wish = Plan(id=plan.plan_id(column, value, at), column=column, value=value, by=by, reason=reason, at=at)
        return carry_out(house, plan.write(house.settings.house, wish))


def finish(house: House) -> list[Redaction]:
    """Go on with what was begun and not finished, because a process died over it; nothing where another process is at it."""
    if not any(plan.planned(house.settings.house)):
        return []
    with suppress(HouseBusy), house.lake.log.alone(ALONE, "forgetting somebody", patience=0):
        return [carry_out(house, one) for one in plan.planned(house.settings.house)]
    return []


def carry_out(house: House, wish: Plan) -> Redaction:
    """Do all of a plan, or whatever is left of it."""
    there = house.journal.find(wish.id)
    if isinstance(there, Redaction):
        plan.done(house.settings.house, wish)
        return there
    with nobody_turns(house, wish.by) as house:
        house.lake.log.tell_gone()
        late = answers_closed(house)
        for source in every_source(house):
            if house.lake.log.counters(source.name).last_seq:
                seal(house.lake, source)
        if not wish.found:
            wish = plan.write(house.settings.house, found(house, wish))
        house.pause("found, nothing erased")
        wish = _erase(house, wish)
        _sealed_elsewhere(house, wish)
        hashed = wish.person.hashed(house.salt)
        untold = tell_places(house, Gone(wish.id, wish.column, hashed, wish.at))
        left = (*elsewhere(house), *untold, *late, *_looked(house, wish))
        record = Redaction(
            id=wish.id, made_at=wish.at, made_from=wish.made_from, column=wish.column, person=hashed, by=wish.by,
            reason=wish.reason, rows=tuple(sorted(wish.rows.items())), bodies=tuple(sorted(wish.bodies.items())),
            versions=wish.versions, counted=wish.counted, left=left,
        )  # fmt: skip
        with house.store.transaction() as t:
            house.journal.append(t, record, verb="forget", back=ANY)
        house.pause("kept, still planned")
        plan.done(house.settings.house, wish)
    return record


def every_source(house: House) -> tuple[Source, ...]:
    """The sources of the project, and those the house keeps for itself."""
    return (*house.project.sources.values(), TRUTHS, OUTCOMES)


# -- what is found --------------------------------------------------------------------------------------------------------------------


def found(house: House, wish: Plan) -> Plan:
    """A plan with everything that is theirs, before any of it goes."""
    person = find(house, wish.column, wish.value)
    rows = {table_of(name): len(seqs) for name, seqs in person.seqs.items()}
    answers = house.lake.tables.read(TABLE, schema=pa.schema([("model", pa.string()), ("unit", pa.string())]))
    theirs = of_models(house, person, answers) if answers.num_rows else None
    if theirs is not None and (count := pc.sum(theirs).as_py()):
        rows[TABLE] = count
    words, made_from, learnt = words_of(house, wish), list[str](), set[str]()
    bodies = dict[str, str]()
    for body in bodies_of(house):
        table = opened(house, body.sha)
        if table is None:
            continue
        model = house.project.models.get(body.model)
        mine = their_rows(table, person, model)
        if (count := pc.sum(mine).as_py() or 0) or without(table, person, model, words, body.record) is not table:
            bodies[body.sha] = ""
            made_from.append(body.record.id)
            rows["bodies"] = rows.get("bodies", 0) + count
        if learnt_from(body, table, mine):
            learnt.add(body.record.id)
    sets, held = _sets_of(house), _snapshots_with(house, person.seqs)
    versions = sorted(name for name, one in sets.items() if one.id in learnt)
    counted = sorted(name for name, one in sets.items() if one.id not in learnt and held.intersection(one.made_from))
    return msgspec.structs.replace(
        wish, found=True, seqs={k: list(v) for k, v in person.seqs.items()}, ids={k: list(v) for k, v in person.ids.items()}, rows=rows,
        bodies=bodies, made_from=(*sorted(held), *dict.fromkeys(made_from)), versions=tuple(versions), counted=tuple(counted),
    )  # fmt: skip


def words_of(house: House, wish: Plan) -> tuple[str, ...]:
    """What their key is called where it is logged: itself, and hashed as private values are."""
    return tuple(filter(None, (wish.value, hashed(wish.value, house.salt))))


def _snapshots_with(house: House, seqs: Mapping[str, Collection[int]]) -> set[str]:
    """The snapshots that have a row of theirs."""
    first = {name: min(some) for name, some in seqs.items() if some}
    there = [e.record for e in house.journal.read(kind="Snapshot")] if first else []
    return {
        s.id for s in there if isinstance(s, Snapshot) and any(first.get(e.source, e.through_seq + 1) <= e.through_seq for e in s.extents)
    }


def _sets_of(house: House) -> dict[str, TrainingSet]:
    """What each version that was learnt here was learnt from, by the name of the version."""
    made: dict[str, TrainingSet] = {}
    for entry in house.journal.read(kind="Version"):
        if isinstance(entry.record, Version):
            learnt = house.learnt_from(_first_of(house, house.candidate(entry.record.candidate)))
            if learnt is not None:
                made[entry.record.name] = learnt
    return made


def _first_of(house: House, candidate: Candidate) -> Candidate:
    """The candidate as it was learnt: of a baseline that leans on another model, that model's own."""
    while candidate.format == "baseline":
        leant = next((r for r in map(house.journal.find, candidate.made_from) if isinstance(r, Version)), None)
        if leant is None:
            break
        candidate = house.candidate(leant.candidate)
    return candidate


# -- erasing --------------------------------------------------------------------------------------------------------------------------


def _erase(house: House, wish: Plan) -> Plan:
    person, words = wish.person, words_of(house, wish)
    for source in every_source(house):
        if seqs := wish.seqs.get(source.name):
            house.lake.tables.rewrite(table_of(source.name), without_seqs(seqs))
            house.pause("rewritten, still in the index")
            _out_of_index(house, source, wish.ids.get(source.name, ()))
    house.pause("events erased")
    house.lake.tables.rewrite(TABLE, _without_answers(house, wish, words))
    house.pause("answers erased")
    online_again(house, set(wish.seqs))
    house.pause("online state erased")
    bodies = dict(wish.bodies)
    for body in bodies_of(house):
        if body.sha not in bodies:
            continue
        stands = _stands(house, body.sha)
        table = opened(house, stands)
        if table is not None:
            model = house.project.models.get(body.model)
            left = without(table, person, model, words, body.record)
            bodies[body.sha] = stands if left is table else house.blobs.replace(stands, parquet_again(left))
    _unnamed(house, wish)
    house.pause("bodies erased")
    scrub = Scrub(house.store)
    spoken = words if len(wish.value) >= looked.LEAST else words[1:]
    with house.store.transaction() as t:
        scrub.facts(t, spoken)
        for word in spoken:
            scrub.sentences(t, word)
    scrub.wiped()
    house.lake.log.wiped()
    _damaged(house, wish.value)
    house.pause("wiped")
    return msgspec.structs.replace(wish, bodies=bodies)


def without_seqs(seqs: Collection[int]) -> Callable[[pa.Table], pa.Table]:
    """What leaves rows of these sequence numbers out."""
    gone = pa.array(sorted(seqs), pa.int64())

    def change(piece: pa.Table) -> pa.Table:
        theirs = pc.is_in(piece.column("seq"), value_set=gone)
        return piece.filter(pc.invert(theirs)) if pc.any(theirs).as_py() else piece

    return change


def _without_answers(house: House, wish: Plan, words: Collection[str]) -> Callable[[pa.Table], pa.Table]:
    person = wish.person
    names = frozenset[str]().union(*(names_of(model, wish.column) for model in house.project.models.values())) | {wish.column}

    def change(piece: pa.Table) -> pa.Table:
        theirs = of_models(house, person, piece)
        left = piece.filter(pc.invert(theirs)) if pc.any(theirs).as_py() else piece
        return emptied(left, names, words)

    return change


def _out_of_index(house: House, source: Source, ids: Collection[str]) -> None:
    """The index knows nothing of these ids any more but what is left of them in the table."""
    schema = pa.schema([("id", pa.string()), ("version", pa.int64())])
    left = house.lake.tables.read(table_of(source.name), schema=schema, among={"id": ids})
    stay = set(zip(left.column("id").to_pylist(), left.column("version").to_pylist(), strict=True))
    with house.lake.log.arrivals(source.name) as log:
        log.forget([(one.id, one.version) for one in log.known(sorted(ids)) if (one.id, one.version) not in stay])


def _stands(house: House, sha: str) -> str:
    """Which body answers to a name now."""
    while (now := house.blobs.now(sha)) is not None:
        sha = now
    return sha


def _sealed_elsewhere(house: House, wish: Plan) -> None:
    """What other machines had answered and not sealed is in the table by the time they had to let go of it, and goes then."""
    if works_elsewhere(house):
        house.pause("erased, not sealed elsewhere")
        time.sleep(LETTING_GO)
        house.lake.tables.rewrite(TABLE, _without_answers(house, wish, words_of(house, wish)))


def _unnamed(house: House, wish: Plan) -> None:
    """Bodies that nothing names (a turn died over them, or only looked) go where anything in them is about the person."""
    models, names = [None, *house.project.models.values()], named(house.store)
    keep = {*names, *(_stands(house, sha) for sha in names)}
    for sha in [one.sha for one in house.blobs.saved() if one.sha not in keep]:
        table = opened(house, sha)
        if table is not None and any(pc.any(their_rows(table, wish.person, model)).as_py() for model in models):
            house.blobs.drop(sha, untouched_since=float("inf"))


def online_again(house: House, sources: Collection[str]) -> None:
    """What is kept of every key of these sources goes, and is made anew from what is left; that is done by whoever asks where it cannot be
    done now."""
    from everloop.loop.online import online_of, states_kept
    from everloop.loop.serve.known import TROUBLE, Known

    models = list(house.project.models.values())
    state = online_of(house.lake, house.settings)
    stays = {one.id for one in states_kept(models) if one.source.name not in sources}
    until = monotonic() + ENDING
    try:
        while True:
            try:
                with state.writing() as tiles:
                    made = [id for id in tiles.marks() if id not in stays]
                    tiles.forget(made)
                break
            except (sqlite3.OperationalError, HouseBusy):
                if monotonic() > until:
                    raise
                time.sleep(0.05)
        if made:
            with suppress(*TROUBLE):
                Known(house.lake, models, state).fold()
    finally:
        state.close()


def _damaged(house: House, key: str) -> None:
    """Segments that were put aside, being damaged or another house's, go where they have the key: nobody can take one row out of those."""
    for path in house.settings.answers.glob("*.answers.*"):
        if looked.holds(path.read_bytes(), key):
            path.unlink(missing_ok=True)


def _looked(house: House, wish: Plan) -> tuple[str, ...]:
    if len(wish.value) < looked.LEAST:
        return (f"a key of {len(wish.value)} characters says other things, too, so the house folder was not searched for it",)
    count = Scrub(house.store).journalled(wish.value)
    journal = (f"{count:,} records of the journal name it, and a journal is never rewritten",) if count else ()
    folder = house.settings.house
    mine = [path for path in looked.found_in(folder, wish.value) if not (count and path.name.startswith("house.db"))]
    far = (place for place in dict.fromkeys((house.settings.lake, house.settings.blobs)) if is_url(place))
    there = [f"{name} still has it" for place in far for name in looked.found_on(place, house.settings.storage, wish.value)]
    return (*journal, *looked.told(mine, folder), *there)


# -- alone ----------------------------------------------------------------------------------------------------------------------------


@contextmanager
def nobody_turns(house: House, by: str) -> Iterator[House]:
    """No model is turned meanwhile: what a turn has read of somebody would come back with what it keeps. A turn that takes longer than a
    minute is ended. Gives the house as one may write to it meanwhile. Raises HouseBusy where a turn does not end."""
    with ExitStack() as held:
        for model in house.project.models.values():
            try:
                house = held.enter_context(turning(house, model.name, patience=PATIENCE))
            except HouseBusy:
                with suppress(EverloopError):  # it ended that very moment
                    cancel(house, model, by, "somebody is forgotten, whom it has read")
                house = held.enter_context(turning(house, model.name, patience=ENDING))
        yield house


def answers_closed(house: House) -> tuple[str, ...]:
    """Seal every segment that was written until now; what is told of those a process does not let go of."""
    there, until = set(segments(house.settings.answers)), monotonic() + LETTING_GO
    while True:
        seal_answers(house)
        left = there.intersection(segments(house.settings.answers))
        if not left or monotonic() > until:
            break
        time.sleep(0.1)
    return tuple(f"answers/{path.name} is held by a process that does not close it: end that, and forget again" for path in sorted(left))
