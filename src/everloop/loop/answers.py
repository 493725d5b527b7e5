"""Answers: given when a question comes due or somebody asks, remembered before they are given, and read again wherever they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from everloop import rollout, serving
from everloop.clock import microseconds
from everloop.errors import EverloopError, HouseBusy, Unknown
from everloop.features.as_of import featured, live
from everloop.features.moments import ticks
from everloop.features.questions import asked_in, numbered, questions_in
from everloop.features.reader import Reader
from everloop.features.served import as_of_in, definition_of, reach, with_as_of
from everloop.features.spine import Spine
from everloop.features.steps import stepped
from everloop.loop.adopt import adopt
from everloop.loop.house import House
from everloop.loop.serve.asked import first_of_each, left_out, nothing_known, questions_of
from everloop.loop.serve.unusual import unusual
from everloop.loop.signing import proven_here
from everloop.loop.tell.answerable import answered_elsewhere, answers_here
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Prediction, Traffic
from everloop.registry.facts import Fact
from everloop.serving.answer import Read
from everloop.serving.answered import SCHEMA, AnswerRows, predictions
from everloop.serving.log import AnswersLog, once, unsealed
from everloop.training.predictor import Answering

ANSWERED, ANSWERING, ARRIVED = "answered until", "answering", "arrived"
TABLE = "answers"
SEALING = "house.answers"
PATIENCE = 60.0
"""Seconds a batch waits for the disk."""
BEFORE = timedelta(days=1)
"""The first time rows are answered that happened so long before; what happened earlier, nobody asked."""
LATE = timedelta(days=7)
"""Rows that arrive late are answered if they happened so long at most before the last time; or as long as their source says (``late=``)."""


def answer_due(house: House, model: Model, now: datetime) -> int:
    """Answer every question that came due since the last time, at its own moment; returns how many were answered.

    The first time only the newest tick is answered: nobody asked before. Answers have stable ids, so what was answered already and is
    asked again after a crash counts once. For a model asked about the rows of a source, every row since the last time is answered once,
    also what arrives late (by ``LATE`` at most), and nothing that happened earlier than ``BEFORE`` the model had its first version.
    """
    adopt(house, model, now)
    fact = house.facts.latest(model.name, ANSWERED)
    since = fact.at if fact else None
    if since is not None and since >= now:
        return 0
    tables = house.tables(model)
    traffic = house.traffic(model)
    alone = answers_here(house, traffic).champion != traffic.champion
    before = frozenset() if alone else _interrupted(house, model, since)
    with house.store.transaction() as t:
        house.facts.put(t, model.name, ANSWERING, now, {})
    given = 0
    if isinstance(model.per, Source):
        begun = house.versions.all(model.name)[0].made_at
        given += _answer(house, model, traffic, _since(model, tables, now, fact, begun), now, before)
    else:
        for moment in _ticks(model, since, now):
            given += _answer(house, model, traffic, live(model, tables, moment=moment), now, before)
    house.pause("answered, not noted")
    with house.store.transaction() as t:
        arrived = _arrived(tables[model.per.name]) if isinstance(model.per, Source) else 0
        house.facts.put(t, model.name, ANSWERED, now, {"answers": given, ARRIVED: arrived})
    return given


def _interrupted(house: House, model: Model, since: datetime | None) -> frozenset[tuple[int, str]]:
    """What was given already by a run that died before it could note so: (moment, unit) of every answer since."""
    begun = house.facts.latest(model.name, ANSWERING)
    if begun is None or (since is not None and begun.at <= since):
        return frozenset()
    given = answers_of(house, model, since=since)
    served = given.filter(pc.not_equal(given.column("arm"), "shadow"))
    return frozenset(zip(served.column("moment").to_pylist(), served.column("unit").to_pylist(), strict=True))


def answer_one(house: House, model: Model, keys: Sequence[str], now: datetime) -> Prediction:
    """One answer, now: ``keys`` are the unit's values in order, or ``column=value`` pairs of a request.

    Of a row that has not arrived, the answer says what the request left out. Raises Unknown for any other unit that nothing is known of,
    EverloopError where the request does not fit the model.
    """
    adopt(house, model, now)
    request = _request(model, keys)
    tables = house.tables(model)
    heard = _ever_seen(model, tables, request)
    if not isinstance(model.per, Source) and not heard:
        raise nothing_known(model, ", ".join(keys))
    traffic = house.traffic(model)
    here = answers_here(house, traffic)
    found = live(model, tables, moment=now, units=[request])
    given = _given(house, model, traffic, found, now, requests=pa.Table.from_pylist([request])).predictions()[0]
    if here.champion != traffic.champion and given.arm == "champion":
        raise answered_elsewhere(house.champion(traffic))
    strange = _unusual(house, model, here, given)
    return replace(given, unusual=strange, left_out=() if heard else left_out(model, request))


def _unusual(house: House, model: Model, here: Traffic, given: Prediction) -> tuple[str, ...]:
    predictor = predictors_of(house, here).get(given.version)
    return () if predictor is None else unusual(model, predictor, dict(given.features))


def answers_of(
    house: House,
    model: Model,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] = SCHEMA.names,
    most: int | None = None,
) -> pa.Table:
    """Every answer of a model given from ``since`` on, ``until`` an instant, sealed or not, once each, by moment, then unit.

    In the columns of ``serving.answered.SCHEMA``; where only some ``columns`` are wanted (the id among them), in no order. Of more than
    ``most`` that are sealed any so many.
    """
    schema = _only(*columns)
    # Segments first: one that is sealed in between is then read twice, never missed, and counts once.
    hot = unsealed(house.settings.answers, house.mark).select(SCHEMA.names).cast(SCHEMA)
    least = {} if since is None else {"answered_at": microseconds(since)}
    largest = {} if until is None else {"answered_at": microseconds(until)}
    mine = pc.field("model") == model.name
    for at in least.values():
        mine &= pc.field("answered_at") >= at
    for at in largest.values():
        mine &= pc.field("answered_at") <= at
    sealed = house.lake.tables.read(TABLE, schema=schema, among={"model": [model.name]}, since=least, until=largest, most=most)
    found = once(pa.concat_tables([hot.filter(mine).select(schema.names), sealed]))
    if len(schema) < len(SCHEMA):
        return found
    return found.sort_by([("moment", "ascending"), ("unit", "ascending"), ("arm", "ascending")])


def find_answer(house: House, id: str) -> Prediction | None:
    """The answer of this id, or None."""
    found = _with_ids(house, [id], SCHEMA)
    return predictions(found)[0] if len(found) else None


NAMED = ("id", "model", "version", "arm", "unit", "moment", "answered_at")


def named_answers(house: House, ids: Collection[str]) -> pa.Table:
    """The answers of these ids, sealed or not, once each: who was asked about, when, by whom answered; not what was answered."""
    return _with_ids(house, ids, _only(*NAMED))


def known_answers(house: House, ids: Collection[str]) -> set[str]:
    """Which of these ids are of answers that are remembered, sealed or not."""
    return set(_with_ids(house, ids, _only("id")).column("id").to_pylist()) if ids else set()


def _with_ids(house: House, ids: Collection[str], schema: pa.Schema) -> pa.Table:
    # Segments first, as in answers_of.
    hot = unsealed(house.settings.answers, house.mark).select(schema.names).cast(schema)
    hot = hot.filter(pc.is_in(hot.column("id"), value_set=pa.array(sorted(ids), pa.string())))
    return once(pa.concat_tables([hot, house.lake.tables.read(TABLE, schema=schema, among={"id": ids})]))


def _only(*columns: str) -> pa.Schema:
    return pa.schema([SCHEMA.field(name) for name in columns])


def seal_answers(house: House) -> None:
    """Move closed segments of the answers log into the lake, each once; nothing is done where somebody seals already, on any machine."""

    def append_once(table: str, arrow: pa.Table, marker: str, seq: int) -> object:
        return house.lake.tables.append_once(table, arrow, marker=marker, seq=seq)

    def known(ids: Sequence[str]) -> set[str]:
        return set(house.lake.tables.read(TABLE, schema=_only("id"), among={"id": ids}).column("id").to_pylist())

    # Two folders of one house may each have a segment with the same answer, asked of both: one of them has to look first.
    with ExitStack() as held:
        try:
            held.enter_context(house.lake.log.alone(SEALING, "sealing answers", patience=0))
        except HouseBusy:
            return
        serving.seal(house.settings.answers, append_once, table=TABLE, known=known, house=house.mark)


def predictors_of(house: House, traffic: Traffic) -> dict[str, Answering]:
    """Whoever may have to answer under this traffic, by version id; one that cannot be loaded is left out, and so never answers."""
    found = {}
    for version in traffic.versions:
        try:
            candidate = house.candidate(house.version(version).candidate)
            proven_here(house, candidate, name=house.version(version).name)
            found[version] = house.predictor(candidate)
        except EverloopError:
            if version == traffic.champion:
                raise
    return found


def _answer(house: House, model: Model, traffic: Traffic, features: pa.Table, now: datetime, before: frozenset[tuple[int, str]]) -> int:
    if before:
        keys = zip(features.column("moment").to_pylist(), features.column("unit").to_pylist(), strict=True)
        features = features.filter(pa.array([key not in before for key in keys], pa.bool_()))
    if not len(features):
        return 0
    given = _given(house, model, traffic, features, now)
    house.pause("answered")
    seal_answers(house)
    return given.served


def _given(
    house: House, model: Model, traffic: Traffic, features: pa.Table, now: datetime, *, requests: pa.Table | None = None
) -> AnswerRows:
    here = answers_here(house, traffic)
    predictors = predictors_of(house, here)
    with AnswersLog(house.settings.answers, patience=PATIENCE, house=lambda: house.mark) as log:
        return serving.answer(
            model,
            here,
            predictors,
            first_of_each(features) if requests is None else questions_of(model, requests, features, now),
            features,
            now=now,
            arm_of=lambda unit, _: rollout.arm_of(unit, traffic),
            log=log if here.champion == traffic.champion else Unseen(log),
            salt=house.salt,
            propensities=traffic.propensities,
            read=Read(as_of_in(features), definition_of(model), requests, house.older(model, here, features, requests)),
        )


@dataclass(frozen=True)
class Unseen:
    """The answers log for a candidate whose champion answers elsewhere: what is not the candidate's to answer is seen by nobody."""

    log: AnswersLog

    def write(self, rows: pa.Table) -> None:
        arm = pc.replace_substring(rows.column("arm"), "champion", "shadow")
        self.log.write(rows.set_column(rows.schema.get_field_index("arm"), "arm", arm))


def _ticks(model: Model, since: datetime | None, now: datetime) -> list[datetime]:
    assert model.asked is not None
    first = since + timedelta(microseconds=1) if since is not None else now - 2 * model.asked.span
    found = ticks(model.asked, first, now)
    return found if since is not None else found[-1:]


def _since(model: Model, tables: dict[str, pa.Table], now: datetime, last: Fact | None, begun: datetime) -> pa.Table:
    """Questions and features of the rows that were not asked about the ``last`` time, late ones too; the first time, of the last day's.

    What is too late, or happened before the last day without any version (it began at ``begun``), is asked about no more: that a history is
    filled in is no reason to foretell it.
    """
    assert isinstance(model.per, Source)
    first = now - BEFORE if last is None else max(begun - BEFORE, last.at - max(LATE, model.per.late))
    with Reader(tables) as reader:
        asked = questions_in(reader, model, first=first if model.per.time else None, last=now)
        if last is not None:
            before = _asked_before(model, tables, last)
            asked = numbered(asked.filter(pc.invert(pc.is_in(asked.column("row"), value_set=before))))
        return with_as_of(featured(reader, Spine(model, stepped(model, asked)))[0], reach(tables))


def _asked_before(model: Model, tables: dict[str, pa.Table], last: Fact) -> pa.Array:
    """The rows that could be asked about the ``last`` time: those that had arrived by then, and were known and had happened. A clock that
    was turned can leave rows in the midst of others that are known only later, so no single number tells them apart."""
    assert isinstance(model.per, Source)
    name, through = model.per.name, last.body.get(ARRIVED)  # facts of an earlier release lack it: everything known by then was answered
    events = tables[name] if through is None else tables[name].filter(pc.field("seq") <= through)
    with Reader({**tables, name: events}) as reader:
        return reader.rows(asked_in(reader, model, first=None, last=last.at)).column("row").combine_chunks()


def _arrived(events: pa.Table) -> int:
    """The last sequence number there is."""
    return int(pc.max(events.column("seq")).as_py() or 0)


def _ever_seen(model: Model, tables: Mapping[str, pa.Table], request: Mapping[str, object]) -> bool:
    """Whether any source that has the unit's columns has a row of this unit."""
    for events in tables.values():
        if set(model.unit) <= set(events.column_names):
            same = pc.scalar(True)
            for column in model.unit:
                same = pc.field(column).cast(pa.string()).__eq__(str(request[column])) & same
            if events.filter(same).num_rows:
                return True
    return False


def _request(model: Model, keys: Sequence[str]) -> dict[str, object]:
    if any("=" in key for key in keys):
        alone = [key for key in keys if "=" not in key]
        if alone:
            like = f"{model.unit[0]}={alone[0]}" if len(model.unit) == 1 else " ".join(f"{name}=…" for name in model.unit)
            raise EverloopError(
                f"{alone[0]} stands beside pairs of column=value, and says of no column. Say {like}, or nothing but the unit."
            )
        said = dict(key.split("=", 1) for key in keys)
    elif len(keys) == len(model.unit):
        said = dict(zip(model.unit, keys, strict=True))
    else:
        raise EverloopError(
            f"{model.name} is asked about {' and '.join(model.unit)}. Say: everloop answer {model.name} {' '.join(model.unit).upper()}"
        )
    unknown = [name for name in said if name not in model.request]
    if unknown:
        raise Unknown("column", unknown[0], list(model.request), where=f"a request of {model.name}")
    kinds = dict(model.per.columns) if isinstance(model.per, Source) else {}
    return {name: _as_kind(value, kinds.get(name, str), name) for name, value in said.items()}


def _as_kind(text: str, kind: object, name: str) -> object:
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if kind is str or getattr(kind, "__name__", "") == "text":
            return text
        if kind is int or type(kind).__name__ == "money":
            return int(text)
        if kind is float or type(kind).__name__ == "unit":
            return float(text)
    except (KeyError, ValueError):
        raise EverloopError(f"{name}={text} is no {getattr(kind, '__name__', None) or type(kind).__name__}.") from None
    return text
