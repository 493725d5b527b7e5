"""A service elsewhere: answers it gave are told here, so that they are watched like a model's own. In: rows as told. Out: what became of
them; its versions and its traffic in the journal, its answers in the answers log.

Nothing here can answer for it: what is asked of such a model is refused with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa
from sqlalchemy import Connection

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError, StoreError
from everloop.loop.adopt import adopt
from everloop.loop.answers import PATIENCE, known_answers
from everloop.loop.house import House
from everloop.loop.keep import keep_record
from everloop.loop.serve.routes import write_routes
from everloop.loop.tell.answerable import is_elsewhere
from everloop.loop.tell.meant import Meant, Refused, Row, finite, read_rows, shown, told_id, word, writable
from everloop.project.model import Model
from everloop.records import Candidate, Received, Shape, Traffic, Version, identity
from everloop.serving.answered import SCHEMA, answer_id, features_said, hashed, private_columns, says
from everloop.serving.log import AnswersLog

MOST_FEATURES, MOST_ITEMS, MOST_LABELS = 2_000, 1_000, 1_000
MOST_NEW = 10
"""Versions never heard of that one call may bring: each stands in the journal for ever, so a number put into the name must not make one
for every answer."""
ROUNDED = 0.01  # shares that were rounded on their way need not add up exactly


class Remembers(Protocol):
    """Where answers go: the segment of whoever writes."""

    def write(self, rows: pa.Table) -> None: ...


@dataclass(frozen=True)
class Foreign:
    """One answer of a service elsewhere, read and found good. ``shares`` by label; of the other kinds ``values`` as they are kept."""

    model: Model
    name: str
    unit: str
    moment: int
    id: str | None
    value: float | None
    values: tuple[float, ...]
    items: tuple[str, ...]
    shares: Mapping[str, float]
    features: Mapping[str, object]
    microseconds: int
    error: str | None


def tell_predictions(house: House, told: Sequence[Row], now: datetime, *, log: Remembers | None = None) -> Received:
    """Answers that another service gave; once this returns they are in the answers log.

    A row says ``model``, the unit's columns (or ``unit``), ``moment`` (unsaid: now), ``version`` (the name the service gives it), and one
    of ``value`` (a number, or the chance of yes), ``shares`` (by label), ``quantiles`` (by level, or in order of the levels), ``items``
    (best first, with ``scores`` beside where there are), or ``error`` (why it gave none); and may say ``features``, ``microseconds`` and
    an ``id`` of its own. The same ``id``, or without one the same model, moment, unit and version, is kept once, the first time.

    A version never heard of is admitted, and where nothing learnt here answers, it is the champion from then on. Bad rows are refused with
    a reason, the others kept. ``log``: the segment to write to. Raises EverloopError, and nothing was kept, where more than ``MOST_NEW``
    versions were never heard of; and what the log and the journal raise.
    """
    read, refused = read_rows(house, told, now, _read)
    versions = _versions(house, list(read.values()), now)
    kept: list[dict[str, Any]] = []
    for number, foreign in read.items():
        try:
            kept.append(_as_row(house, foreign, versions.get((foreign.model.name, foreign.name))))
        except Refused as why:
            refused.add(number, why)
    fresh = _new(house, kept)
    if fresh:
        _write(house, pa.Table.from_pylist(fresh, schema=SCHEMA), log)
    done = Received(source="predictions", kept=len(fresh), duplicates=len(kept) - len(fresh), refused=0, through_seq=0)
    return refused.received("predictions", done)


# -- one row -----------------------------------------------------------------------------------------------------------------------------


def _read(row: Row, meant: Meant, now: datetime) -> Foreign:
    if meant.prediction is not None:
        raise Refused("a prediction that is told names no other prediction; say model, unit and moment")
    name = word(row, "version")
    if name is None:
        raise Refused("it does not say the version, the name the service gives it")
    answer = _answer(meant.model, row)
    return Foreign(
        model=meant.model,
        name=name,
        unit=meant.unit,
        moment=microseconds(now) if meant.moment is None else meant.moment,
        id=word(row, "id"),
        features=_features(row.get("features")),
        microseconds=_micros(row.get("microseconds")),
        **answer,
    )


def _answer(model: Model, row: Row) -> dict[str, Any]:
    """What it answered, by the model's kind. Raises Refused where it is of another kind, or none."""
    if model.steps > 1:
        raise Refused(f"{model.name} answers in {model.steps} steps, and answers of another service have one")
    blank: dict[str, Any] = {"value": None, "values": (), "items": (), "shares": {}, "error": None}
    word_of = {"ranking": "items", "shares": "shares", "quantiles": "quantiles"}.get(model.kind, "value")
    there = [key for key in ("value", "shares", "quantiles", "items", "error") if row.get(key) is not None]
    if there == ["error"]:
        return blank | {"error": word(row, "error")}
    if there != [word_of]:
        said = " and ".join(there) or "nothing"
        raise Refused(f"{model.name} is answered by {word_of}, and it says {said}")
    if model.kind == "shares":
        return blank | {"shares": _shares(row["shares"])}
    if model.kind == "quantiles":
        levels = _levels(model.shape, row["quantiles"])
        return blank | {"values": levels, "value": _middle(model.shape, levels)}
    if model.kind == "ranking":
        return blank | _items(row)
    value = finite(row["value"], "value")
    if model.kind == "chance" and not 0 <= value <= 1:
        raise Refused(f"value is {value:g} where a chance lies between 0 and 1")
    return blank | {"value": value}


def _shares(said: object) -> dict[str, float]:
    if not isinstance(said, Mapping) or not said or not all(isinstance(label, str) for label in said):
        raise Refused(f"shares are an object of labels and their shares, and {shown(said)} is none")
    if len(said) > MOST_LABELS:
        raise Refused(f"it says the shares of {len(said):,} labels; {MOST_LABELS:,} are the most")
    shares = {writable(label, "a label"): finite(share, f"the share of {label[:60]}") for label, share in said.items()}
    total = sum(shares.values())
    if min(shares.values()) < 0 or abs(total - 1) > ROUNDED:
        raise Refused(f"shares are at least 0 and add up to 1, and these add up to {total:g}")
    return {label: share / total for label, share in shares.items()}


def _levels(shape: Shape, said: object) -> tuple[float, ...]:
    """Quantiles in order of the levels, sorted where they cross."""
    wanted = ", ".join(f"{level:g}" for level in shape.levels)
    if isinstance(said, Mapping):
        by = {_as_level(key): value for key, value in said.items()}
        values = [by.get(level) for level in shape.levels]
        values = values if len(by) == len(shape.levels) and None not in values else []
    else:
        values = list(said) if isinstance(said, list | tuple) else []
    if len(values) != len(shape.levels):
        raise Refused(f"quantiles are one number for each of the levels {wanted}, and {shown(said)} is not")
    return tuple(sorted(finite(value, "a quantile") for value in values))


def _as_level(key: object) -> float | None:
    try:
        return float(key)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _middle(shape: Shape, levels: tuple[float, ...]) -> float:
    at = min(range(len(levels)), key=lambda i: abs(shape.levels[i] - 0.5))
    return levels[at]


def _items(row: Row) -> dict[str, Any]:
    said, scores = row["items"], row.get("scores")
    if not isinstance(said, list | tuple) or not all(isinstance(item, str) for item in said):
        raise Refused(f"items are a list of names, best first, and {shown(said)} is none")
    if not 0 < len(said) <= MOST_ITEMS:
        raise Refused(f"it says {len(said):,} items; 1 to {MOST_ITEMS:,} are a list")
    items = tuple(writable(item, "an item") for item in said)
    if len(set(items)) < len(items):
        raise Refused("an item comes twice in its list")
    if scores is not None and (not isinstance(scores, list | tuple) or len(scores) != len(items)):
        raise Refused("scores are a list of numbers, one for each item")
    values = tuple(float(-i) for i in range(len(items))) if scores is None else tuple(finite(score, "a score") for score in scores)
    return {"items": items, "values": values, "value": float(len(items))}


def _features(said: object) -> dict[str, object]:
    """What it knew, by column: numbers and texts; yes and no are 1 and 0, NaN is empty."""
    if said is None:
        return {}
    if not isinstance(said, Mapping) or not all(isinstance(name, str) for name in said):
        raise Refused(f"features are an object of names and values, and {shown(said)} is none")
    if len(said) > MOST_FEATURES:
        raise Refused(f"it says {len(said):,} features; {MOST_FEATURES:,} are the most")
    return {writable(name, "the name of a feature"): _feature(name, value) for name, value in said.items()}


def _feature(name: str, value: object) -> object:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return float(value)
    called = f"the feature {name[:60]}"
    return writable(value, called) if isinstance(value, str) else finite(value, called)


def _micros(said: object) -> int:
    if said is None:
        return 0
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 2**53:
        raise Refused(f"microseconds are a number that is not below 0, and {shown(said)} is none")
    return int(said)


# -- versions and traffic ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A version of a service elsewhere: its id, the shape of its answers, and whether what it answers now is given to somebody."""

    id: str
    shape: Shape
    serves: bool


def _versions(house: House, read: Sequence[Foreign], now: datetime) -> dict[tuple[str, str], Known]:
    """The version behind each name, admitted where it was never heard of: the one with the oldest answers first."""
    groups: dict[tuple[str, str], list[Foreign]] = {}
    for foreign in sorted(read, key=lambda f: f.moment):
        groups.setdefault((foreign.model.name, foreign.name), []).append(foreign)
    heard = _heard(house, groups)
    found: dict[tuple[str, str], Known] = {}
    for (model, name), told in groups.items():
        candidate = heard.get((model, name))
        if candidate is None and told[0].model.kind == "shares" and not any(foreign.shares for foreign in told):
            continue
        if candidate is None:
            candidate = _admit(house, told[0].model, name, told, now)
        found[model, name] = Known(_version_id(model, name), candidate.shape, False)
    for key, known in found.items():
        found[key] = replace(known, serves=is_elsewhere(house, house.traffic(house.project.model(key[0])).champion))
    return found


def _heard(house: House, groups: Mapping[tuple[str, str], Sequence[Foreign]]) -> dict[tuple[str, str], Candidate]:
    """The versions heard of before. Raises EverloopError, before anything is admitted, where too many are new."""
    heard: dict[tuple[str, str], Candidate] = {}
    new: list[str] = []
    for key, told in groups.items():
        candidate = _heard_of(house, told[0].model, key[1])
        if candidate is not None:
            heard[key] = candidate
            continue
        new.append(key[1])
        if len(new) > MOST_NEW:
            raise EverloopError(
                f"More than {MOST_NEW} versions here were never heard of ({', '.join(shown(name) for name in new[:3])} …), and nothing was "
                "kept. version is the name of what answers, the same for all its answers: leave dates and numbers of requests out of it, "
                f"or tell of {MOST_NEW} new ones at a time."
            )
    return heard


def _version_id(model: str, name: str) -> str:
    return identity("version elsewhere", model, name)


def _candidate_id(model: str, name: str) -> str:
    return identity("elsewhere", model, name)


def _heard_of(house: House, model: Model, name: str, *, within: Connection | None = None) -> Candidate | None:
    record = house.journal.find(_candidate_id(model.name, name), within=within)
    return record if isinstance(record, Candidate) else None


def _admit(house: House, model: Model, name: str, told: Sequence[Foreign], now: datetime) -> Candidate:
    """A version never heard of: a candidate without an artefact, a version, and, where it takes over, the traffic that says so."""
    if house.pointers.current(model.name) is None:
        adopt(house, model, now)
    turn = identity("heard from elsewhere", model.name, name)
    made = Candidate(
        id=_candidate_id(model.name, name),
        made_at=now,
        model=model.name,
        artefact="",
        format="elsewhere",
        columns=(),
        shape=_shape(model, told),
        learner=name,
        parameters="{}",
        definition=identity("elsewhere", name),
    )
    with house.store.transaction() as t:
        there = _heard_of(house, model, name, within=t)
        if there is not None:  # another process heard it first
            return there
        keep_record(house, t, made, model=model, turn=turn, verb="tell")
        version = Version(
            id=_version_id(model.name, name), made_at=now, made_from=(made.id,), model=model.name, number=0, candidate=made.id
        )
        keep_record(house, t, version, model=model, turn=turn, verb="tell")
        current = house.traffic(model, within=t)
        takes_over = _takes_over(house, t, current, told)
        if takes_over:
            keep_record(house, t, _taken_over(current, version.id, name, told, now), model=model, turn=turn, verb="tell")
    if takes_over:
        # Whether or not somebody turns the house: workers answer by the routes alone.
        with suppress(StoreError):
            write_routes(house)
    return made


def _shape(model: Model, told: Sequence[Foreign]) -> Shape:
    """The model's shape; the labels of class shares are those it says first."""
    if model.kind != "shares":
        return model.shape
    return replace(model.shape, labels=tuple(sorted({label for foreign in told for label in foreign.shares})))


def _takes_over(house: House, t: Connection, current: Traffic, told: Sequence[Foreign]) -> bool:
    """A service is the champion where nothing learnt here has begun to answer; a newer version of it wherever it is the champion itself.

    What answers here is never put out of office by what somebody tells: that would leave nobody to answer.
    """
    champion = house.candidate(house.versions.get(current.champion, within=t).candidate, within=t)
    if champion.format == "elsewhere":
        return told[-1].moment > microseconds(current.since)
    return champion.format == "baseline" and not current.rolling


def _taken_over(current: Traffic, version: str, name: str, told: Sequence[Foreign], now: datetime) -> Traffic:
    because = f"answers come from elsewhere: {name}"
    if current.rolling:
        because += "; what was being rolled out was judged against the version before it, and is dropped"
    return replace(
        current,
        id=identity("traffic elsewhere", current.model, name),
        made_at=now,
        made_from=(current.id, version),
        generation=current.generation + 1,
        stage="steady",
        champion=version,
        previous=None,
        candidate=None,
        share=0.0,
        step=0,
        salt="",
        since=from_microseconds(told[0].moment),
        because=because,
    )


# -- answers -----------------------------------------------------------------------------------------------------------------------------


def _as_row(house: House, foreign: Foreign, version: Known | None) -> dict[str, Any]:
    """One answer in the columns answers are remembered by. Raises Refused for a label the version never had."""
    if version is None:
        raise Refused(f"{foreign.name} has given no shares yet, so that its labels are not known")
    model, shape = foreign.model, version.shape
    value, values = foreign.value, foreign.values
    if foreign.shares:
        strange = sorted(set(foreign.shares) - set(shape.labels))
        if strange:
            raise Refused(f"{foreign.name} has no label {strange[0][:60]!r}; a version with other labels has another name")
        values = tuple(foreign.shares.get(label, 0.0) for label in shape.labels)
        value = max(values)
    private = private_columns(model)
    features = {n: hashed(v, house.salt) if n in private else v for n, v in foreign.features.items()}
    [said] = features_said(pa.table({n: [v] for n, v in features.items()}), [1], (), "") if features else ["{}"]
    given = foreign.error is None
    return {
        "id": told_id(model.name, foreign.id) if foreign.id else answer_id(model.name, foreign.moment, foreign.unit, version.id),
        "model": model.name,
        "version": version.id,
        "arm": "champion" if version.serves else "shadow",
        "unit": foreign.unit,
        "moment": foreign.moment,
        "answered_at": foreign.moment,
        "answer": {"value": value, "values": list(values), "items": list(foreign.items)} if given else None,
        "says": says(replace(shape, yes_above=model.shape.yes_above), value, values) if given and value is not None else None,
        "features": said,
        "microseconds": foreign.microseconds,
        "error": foreign.error,
    }


def _new(house: House, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers that are in no log yet, each once."""
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["id"], row)
    there = known_answers(house, first)
    return [row for id, row in first.items() if id not in there]


def _write(house: House, rows: pa.Table, log: Remembers | None) -> None:
    if log is not None:
        log.write(rows)
        return
    with AnswersLog(house.settings.answers, patience=PATIENCE, house=lambda: house.mark) as own:
        own.write(rows)
