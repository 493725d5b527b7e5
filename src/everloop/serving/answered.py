"""Answers as rows: the columns every answer is remembered by, and the way from columns to Predictions. Arrays in, arrays out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
import pyarrow as pa

from everloop.clock import from_microseconds
from everloop.project.model import Model
from everloop.project.reading import column_names, leaves
from everloop.project.resolve import candidate_column
from everloop.project.source import Source
from everloop.records import Arm, Prediction, Shape, identity
from everloop.stats.shapes import middle_of

ANSWER = pa.struct([("value", pa.float64()), ("values", pa.list_(pa.float64())), ("items", pa.list_(pa.string()))])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),  # of the answer: model, moment, unit and version decide it
        ("model", pa.string()),
        ("version", pa.string()),  # id of the version that answered
        ("arm", pa.string()),  # champion, candidate, control: what the unit was given; shadow: seen by nobody
        ("unit", pa.string()),  # unit columns joined by \x1f
        ("moment", pa.int64()),  # µs UTC
        ("answered_at", pa.int64()),  # µs UTC, business time
        ("answer", ANSWER),
        ("says", pa.string()),  # yes or no, or the likeliest label
        ("features", pa.string()),  # JSON object by column; for lists and paths by column an array, a value for each candidate or step
        ("microseconds", pa.int64()),  # what the model took for it
        ("error", pa.string()),  # why there is no answer
        ("as_of", pa.string()),  # JSON object: through which sequence number each source was read; none where features were brought
        ("definition", pa.string()),  # by which definitions the features were read, in their order
        ("request", pa.string()),  # JSON object: what the request said beyond its unit
        ("propensity", pa.float64()),  # how likely the unit was to get the arm it was given, when that was drawn; of shadows none
    ]
)

LATER = ("as_of", "definition", "request", "propensity")
"""Columns that answers of older releases do not have: there they are empty."""
NOTHING: dict[str, Any] = {"value": None, "values": None, "items": None}


class Row(NamedTuple):
    """One answer as it is remembered: the columns of ``SCHEMA``, its ``answer`` in three."""

    id: str
    model: str
    version: str
    arm: str
    unit: str
    moment: int
    answered_at: int
    value: float | None
    values: Sequence[float] | None
    items: Sequence[str] | None
    says: str | None
    features: str | None
    microseconds: int
    error: str | None
    as_of: str | None
    definition: str | None
    request: str | None
    propensity: float | None = None

    def prediction(self, *, features: bool = False) -> Prediction:
        """The answer as it is given; its ``features`` stay in the log unless they are asked for."""
        return Prediction(
            id=self.id,
            model=self.model,
            version=self.version,
            arm=cast(Arm, self.arm),
            unit=self.unit,
            moment=from_microseconds(self.moment),
            value=self.value,
            values=tuple(self.values or ()),
            items=tuple(self.items or ()),
            says=self.says,
            features=tuple(msgspec.json.decode(self.features or "{}").items()) if features else (),
            microseconds=self.microseconds,
            error=self.error,
            propensity=self.propensity,
        )


@dataclass(frozen=True)
class AnswerRows:
    """Answers in columns (``SCHEMA``): first the ``served`` ones, one for each question in order, then what nobody sees."""

    table: pa.Table
    served: int

    def predictions(self) -> list[Prediction]:
        """What was served, one Prediction for each question."""
        return predictions(self.table.slice(0, self.served))


def predictions(table: pa.Table) -> list[Prediction]:
    """Rows of ``SCHEMA`` as records.

    >>> predictions(SCHEMA.empty_table())
    []
    """
    return [
        Prediction(
            id=row["id"],
            model=row["model"],
            version=row["version"],
            arm=row["arm"],
            unit=row["unit"],
            moment=from_microseconds(row["moment"]),
            value=answer["value"],
            values=tuple(answer["values"] or ()),
            items=tuple(answer["items"] or ()),
            says=row["says"],
            features=tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in msgspec.json.decode(row["features"] or "{}").items()),
            microseconds=row["microseconds"],
            error=row["error"],
            propensity=row["propensity"],
        )
        for row in table.to_pylist()
        for answer in [row["answer"] or NOTHING]
    ]


def features_of(answers: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The features of logged answers as columns again: numbers float64, categories string, what is not there null.

    >>> one = pa.table({"features": ['{"price":2.5,"kind":"tea"}', '{"price":null}']})
    >>> features_of(one, ["price", "kind"]).to_pydict()
    {'price': [2.5, None], 'kind': ['tea', None]}
    """
    said = msgspec.json.decode(f"[{','.join(f or '{}' for f in answers.column('features').to_pylist())}]")
    return pa.table({name: _one_kind([row.get(name) for row in said]) for name in columns})


def in_steps(answers: pa.Table, shape: Shape) -> pa.Table:
    """Logged answers, each of them once for each of its steps, with ``step`` from 1: what that step was answered and what was known of it.

    Its number stands at the end of the ``id``. Answers that have no steps are left as they are; one that has not as many has none at all.

    >>> path = {"value": 3.0, "values": [1.0, 2.0], "items": []}
    >>> one = pa.table({"id": ["a"], "answer": pa.array([path], ANSWER), "features": ['{"step":[1,2],"price":[5,5]}']})
    >>> found = in_steps(one, Shape(kind="number", steps=2))
    >>> found["answer"].combine_chunks().field("value").to_pylist(), found["features"].to_pylist()
    ([1.0, 2.0], ['{"step":1,"price":5}', '{"step":2,"price":5}'])
    """
    if shape.steps == 1 or "step" in answers.column_names:
        return answers
    steps, count = shape.steps, len(answers)
    made = answers.take(pa.array(np.repeat(np.arange(count), steps)))
    columns: dict[str, pa.Array] = {}
    if "id" in answers.column_names:
        ids = answers.column("id").to_pylist()
        columns["id"] = pa.array([f"{id}.{step}" for id in ids for step in range(1, steps + 1)], pa.string())
    if "answer" in answers.column_names:
        columns["answer"] = pa.array([part for answer in answers.column("answer").to_pylist() for part in _parts(answer, shape)], ANSWER)
    if "features" in answers.column_names:
        texts = answers.column("features").to_pylist()
        columns["features"] = pa.array([part for text in texts for part in _features_in_steps(text, steps)], pa.string())
    for name, column in columns.items():
        made = made.set_column(made.column_names.index(name), name, column)
    return made.append_column("step", pa.array(np.tile(np.arange(1, steps + 1, dtype=np.int64), count)))


def _parts(answer: Mapping[str, Any] | None, shape: Shape) -> list[dict[str, Any] | None]:
    values = (answer or NOTHING)["values"]
    width = max(1, len(shape.levels))
    if values is None or len(values) != shape.steps * width:
        return [None] * shape.steps
    parts = [values[at : at + width] for at in range(0, len(values), width)]
    if not shape.levels:
        return [{"value": value, "values": [], "items": []} for [value] in parts]
    middle = middle_of(shape)
    return [{"value": part[middle], "values": part, "items": []} for part in parts]


def _features_in_steps(text: str | None, steps: int) -> list[str | None]:
    said = {} if text is None else msgspec.json.decode(text)
    if not said or not all(isinstance(values, list) and len(values) == steps for values in said.values()):
        return [None] * steps
    encode = msgspec.json.Encoder().encode
    return [encode(dict(zip(said, row, strict=True))).decode() for row in zip(*said.values(), strict=True)]


def private_columns(model: Model) -> frozenset[str]:
    """The features that show a private column's own value, which are logged as hashes.

    Counts and totals of many rows are not among them.
    """
    showing = ("given", "latest", "lowest", "highest", "planned")
    return frozenset(
        name
        for reading in model.knows
        for leaf in leaves(reading)
        if leaf.verb in showing and leaf.column in private_in(leaf.source)
        for name in column_names(reading)
    )


def veiled(prediction: Prediction, model: Model | None, salt: str) -> Prediction:
    """An answer as anybody may read it: what a source calls private of its unit, and of the items it lists, as ``hashed`` says it; all of
    the unit where nobody knows any more what is private (``model`` is None).

    >>> from datetime import UTC, datetime
    >>> said = {"id": "a", "model": "gone", "version": "v", "arm": "champion", "moment": datetime(2026, 11, 2, tzinfo=UTC)}
    >>> veiled(Prediction(**said, unit="ann@shop.example"), None, "salt").unit == hashed("ann@shop.example", "salt")
    True
    """
    private = frozenset[str]().union(*(private_in(source) for source in (model.sources if model is not None else ())))

    def shown(word: str, column: str | None) -> str:
        return word if column is not None and column not in private else str(hashed(word, salt))

    parts = prediction.unit.split("\x1f")
    columns = model.unit if model is not None and len(model.unit) == len(parts) else (None,) * len(parts)
    listed = candidate_column(model) if model is not None else None
    unit = "\x1f".join(shown(word, column) for word, column in zip(parts, columns, strict=True))
    return replace(prediction, unit=unit, items=tuple(shown(item, listed) for item in prediction.items))


def answer_id(model: str, moment: int, unit: str, version: str) -> str:
    """The id of one answer: asked again, the same version gives the same one.

    >>> answer_id("m", 1, "u", "v") == answer_id("m", 1, "u", "v") != answer_id("m", 2, "u", "v")
    True
    """
    return identity("answer", model, moment, unit, version)


def says(shape: Shape, value: float, values: Sequence[float] | None) -> str | None:
    """Yes above ``yes_above`` and no up to it, where the model says where; the likeliest label of class shares; else nothing, as where
    each step of an answer says yes or no for itself.

    >>> says(Shape(kind="chance", yes_above=0.5), 0.5, None), says(Shape(kind="shares", labels=("a", "b")), 0.7, [0.3, 0.7])
    ('no', 'b')
    """
    if value != value or shape.steps > 1:
        return None
    if shape.kind == "chance":
        return None if shape.yes_above is None else "yes" if value > shape.yes_above else "no"
    return shape.labels[int(np.argmax(values))] if shape.kind == "shares" and values is not None else None


def features_said(features: pa.Table, sizes: Sequence[int], private: Collection[str], salt: str) -> list[str]:
    """Each question's features as one JSON object; ``sizes`` says how many rows each question has.

    Private ones are the first 16 hex digits of SHA-256 over salt and value. NaN and infinity are null.

    >>> features_said(pa.table({"price": [2.5], "name": ["Ann"]}), [1], {"name"}, "salt")
    ['{"price":2.5,"name":"e04756e8aa55a0d0"}']
    """
    columns: dict[str, list[Any]] = {}
    for name in features.column_names:
        values = features.column(name).to_pylist()
        columns[name] = [hashed(v, salt) for v in values] if name in private else values
    names, encoder = list(columns), msgspec.json.Encoder()
    if all(size == 1 for size in sizes):
        rows = zip(*columns.values(), strict=True) if names else (() for _ in sizes)
        return [encoder.encode(dict(zip(names, row, strict=True))).decode() for row in rows]
    ends = np.cumsum(sizes).tolist()
    return [encoder.encode({n: v[end - size : end] for n, v in columns.items()}).decode() for size, end in zip(sizes, ends, strict=True)]


def requests_said(requests: pa.Table, unit: Collection[str], private: Collection[str], salt: str) -> list[str | None]:
    """What each request said beyond its unit, as one JSON object; private columns as hashes; none where it said no more.

    >>> requests_said(pa.table({"id": ["a"], "amount": [3], "mail": ["x@y"]}), ["id"], ["mail"], "salt")
    ['{"amount":3,"mail":"71469921e3f44d38"}']
    """
    names = [name for name in requests.column_names if name not in unit]
    if not names:
        return [None] * requests.num_rows
    columns = [requests.column(name).to_pylist() for name in names]
    columns = [[hashed(v, salt) for v in values] if name in private else values for name, values in zip(names, columns, strict=True)]
    encode = msgspec.json.Encoder().encode
    return [encode(dict(zip(names, row, strict=True))).decode() for row in zip(*columns, strict=True)]


def private_in(source: Source) -> frozenset[str]:
    """The private columns of a source and of what it looks up."""
    return frozenset(source.private).union(*(private_in(parent) for parent in source.of))


def hashed(value: object, salt: str) -> str | None:
    """A private value as 16 hex digits, the same in one house, unlike in another; empty stays empty."""
    return None if value is None else hashlib.sha256(f"{salt}\x1f{value}".encode()).hexdigest()[:16]


def _one_kind(values: list[Any]) -> pa.Array:
    kinds = set(map(type, values))
    if str in kinds:
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    return pa.array(values if kinds <= {float, type(None)} else [None if v is None else float(v) for v in values], pa.float64())
