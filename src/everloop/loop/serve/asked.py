"""Requests as tables: what was asked, read as the project declares it. In: rows of a request. Out: Arrow tables. No clock, no disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError, Unknown
from everloop.features.questions import of_units
from everloop.lake.shape import arrow_type
from everloop.lake.values import Reads, instant, reader
from everloop.loop.online import baseline_of
from everloop.project.model import Model
from everloop.project.reading import Reading
from everloop.project.resolve import answered_by
from everloop.project.source import Source
from everloop.training.predictor import CART, NEWCOMER, Answering

Row = Mapping[str, object]
MOST = 10_000
"""Questions of one request."""
UNKNOWN = "Nothing is known of it yet."
DAY = 86_400_000_000


def by_what_they_carry(requests: Sequence[Row]) -> list[list[int]]:
    """The places of requests that carry the same columns, so that what one says is not taken for something another left out.

    >>> by_what_they_carry([{"a": 1}, {"a": 2, "b": 1}, {"a": 3}])
    [[0, 2], [1]]
    """
    if len(requests) > MOST:
        raise EverloopError(f"{len(requests):,} questions came at once, and {MOST:,} are answered. Ask in several requests.")
    for place, request in enumerate(requests):
        if not isinstance(request, Mapping):
            raise EverloopError(f'Question {place + 1} is {type(request).__name__} and no object. Say such as {{"customer_id": "c1"}}.')
    return alike(requests, range(len(requests)))


def alike(requests: Sequence[Row], places: Iterable[int]) -> list[list[int]]:
    """These places, together where the requests there carry the same columns."""
    found: dict[frozenset[str], list[int]] = {}
    for place in places:
        found.setdefault(frozenset(map(str, requests[place])), []).append(place)
    return list(found.values())


def once_each(model: Model, requests: Sequence[Row]) -> None:
    """An answer is known by its unit and moment: raises EverloopError where a list asks about one unit twice, and differently."""
    seen: dict[tuple[str, ...], Row] = {}
    for request in requests:
        unit = tuple(str(request.get(name)) for name in model.unit)
        if seen.setdefault(unit, request) != request:
            raise EverloopError(f"{', '.join(unit)} is asked about twice in one list, and differently. Ask one after the other.")


def asked_by_key(model: Model, requests: Sequence[Row]) -> pa.Table:
    """Requests with the same columns as a table: the unit's columns, and what is given of the row asked about, as its source declares it.

    Raises Unknown for a column nobody declared or a part of the unit that is not there, EverloopError for a value of another kind.
    """
    declared = dict(model.per.every_column) if isinstance(model.per, Source) else {}
    said = set(map(str, requests[0]))
    unknown = sorted(said - set(model.request) - set(declared) - ({"row", CART, NEWCOMER} if model.kind == "ranking" else {"row"}))
    if unknown:
        raise Unknown("column", unknown[0], list(model.request), where=f"a request of {model.name}")
    return pa.table({name: _column(model, name, declared, requests) for name in _wanted(model, said)})


def carts_of(requests: Sequence[Row]) -> list[list[str]]:
    """What lies in the cart of each request; nothing at all where requests say no carts.

    >>> carts_of([{"customer_id": "c1", "cart": ["p1"]}]), carts_of([{"customer_id": "c1"}])
    ([['p1']], [])
    """
    if CART not in requests[0]:
        return []
    carts: list[list[str]] = []
    for request in requests:
        said = request[CART]
        if not isinstance(said, list | tuple) or not all(isinstance(item, str) for item in said):
            raise EverloopError(f"cart is {said!r:.60}, and a cart is a list of texts: what lies in it.")
        carts.append([str(item) for item in said])
    return carts


def newcomers(requests: Sequence[Row]) -> bool:
    """Whether these requests say that nothing need be known of who is asked about: they get what everybody shares.

    >>> newcomers([{"customer_id": "c1", "newcomer": True}]), newcomers([{"customer_id": "c1"}])
    (True, False)
    """
    return all(request.get(NEWCOMER) is True for request in requests)


def with_carts(features: pa.Table, carts: Sequence[Sequence[str]]) -> pa.Table:
    """The features of lists with what lies in each question's cart beside each candidate, for learners that ask for it."""
    if not carts:
        return features
    column = pa.array([list(carts[question]) for question in features["question"].to_pylist()], pa.list_(pa.string()))
    return features.append_column(CART, column)


def reads_of(model: Model) -> dict[str, Reads]:
    """What reads each column a request may say beyond its unit, as the source of the row asked about declares it."""
    if not isinstance(model.per, Source):
        return {}
    declared, zone = model.per.every_column, model.per.zone
    return {name: reader(declared[name], zone) for name in model.request if name in declared and name not in model.unit}


def questions_of(model: Model, asked: pa.Table, features: pa.Table, now: datetime) -> pa.Table:
    """The questions behind requests, as their features know them: also one of a list that has no candidate, and so no row of features."""
    return of_units(model, asked, from_microseconds(features.column("moment")[0].as_py()) if len(features) else now)


def with_split(model: Model, questions: pa.Table, requests: Sequence[Row]) -> pa.Table:
    """Questions with the column by which traffic is split, where requests say it and their features do not.

    >>> from everloop import Source
    >>> paid = Source("paid", id="payment_id", columns={"card": str, "fraud": bool})
    >>> said = dict(predicts=paid.outcome("fraud"), per=paid, knows=paid.given("card"), learner=print, fed_as="pandas")
    >>> model = Model("m", split_by="card", **said)
    >>> with_split(model, pa.table({"payment_id": ["a"]}), [{"payment_id": "a", "card": "c7"}]).to_pylist()
    [{'payment_id': 'a', 'card': 'c7'}]
    """
    split = model.split_by
    if split is None or split in questions.column_names or split not in requests[0]:
        return questions
    return questions.append_column(split, pa.array([str(request[split]) for request in requests], pa.string()))


def with_past(model: Model, features: pa.Table, requests: Sequence[Row], past: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Features that requests brought, with what a baseline answers by: the unit's own past, which no request can bring.

    ``past`` gives the features of units that are asked about by key.
    """
    if "baseline" not in features.column_names or baseline_of(model) is None:
        return features
    asked = asked_by_key(model, [{name: request[name] for name in model.unit} for request in requests])
    return features.set_column(features.column_names.index("baseline"), "baseline", past(asked)["baseline"])


def nothing_known(model: Model, unit: str) -> Unknown:
    """What is raised for a unit that no source has a row of."""
    return Unknown(" and ".join(model.unit), unit, where="what has arrived", next=UNKNOWN)


def left_out(model: Model, said: Collection[str]) -> tuple[str, ...]:
    """The columns of the row asked about by which it is known, and which a request that says these does not say.

    >>> from everloop import Source, days
    >>> paid = Source("paid", id="payment_id", time="at", columns={"card": str, "amount": int, "fraud": bool})
    >>> knows = [paid.given("amount"), paid.count(last=days(1), per="card")]
    >>> model = Model("m", predicts=paid.outcome("fraud"), per=paid, knows=knows, learner=print, fed_as="pandas")
    >>> left_out(model, {"payment_id", "amount"})
    ('card',)
    """
    return tuple(name for name in answered_by(model) if name not in said)


def columns_read(predictors: Iterable[Answering]) -> dict[str, frozenset[str]]:
    """The columns that versions read, each with the categories it may hold (none: numbers)."""
    columns: dict[str, frozenset[str]] = {}
    for predictor in predictors:
        words = getattr(predictor, "vocabulary", {})
        for name in predictor.columns:
            columns[name] = columns.get(name, frozenset()) | frozenset(words.get(name, ()))
    return columns


def first_of_each(features: pa.Table) -> pa.Table:
    """One row for each question; the features of a list have a row for each candidate, one after the other.

    >>> first_of_each(pa.table({"question": [0, 0, 1], "item": ["a", "b", "a"]})).column("item").to_pylist()
    ['a', 'a']
    """
    numbers = features.column("question").to_pylist()
    first = [i for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1]]
    return features if len(first) == len(numbers) else features.take(pa.array(first))


def asked_with_features(model: Model, requests: Sequence[Row], now: datetime, read: Mapping[str, frozenset[str]]) -> pa.Table:
    """Requests that bring their features, as the table an answer is made from.

    ``read``: the columns that versions in force read, with the words each may hold. What of the model's own columns does not come is
    empty. Raises Unknown for a column nobody reads or a part of the unit that is not there, EverloopError for a value of another kind.
    """
    if model.kind == "ranking":
        raise EverloopError(f"{model.name} answers with a list, whose candidates it has to look up. Ask by {' and '.join(model.unit)}.")
    brought: list[Row] = []
    for request in requests:
        features = request["features"]
        if not isinstance(features, Mapping):
            raise EverloopError('features must be an object of columns and values, such as {"price": 2.5}.')
        brought.append(features)
    mine = dict.fromkeys([*model.columns, *read])
    instants = {reading.name for reading in model.knows if isinstance(reading, Reading) and reading.kind == "instant"}
    unknown = sorted({str(name) for features in brought for name in features} - set(mine))
    if unknown:
        raise Unknown("feature", unknown[0], list(mine), where=f"what {model.name} reads")
    units = {name: _column(model, name, {}, requests) for name in _wanted(model, set(requests[0]) - {"features"}) if name in model.unit}
    table = pa.table({"question": pa.array(range(len(requests)), pa.int64())})
    table = table.append_column("moment", pa.array([microseconds(now)] * len(requests), pa.int64()))
    texts = ["\x1f".join(str(units[name][place].as_py()) for name in model.unit) for place in range(len(requests))]
    table = table.append_column("unit", pa.array(texts, pa.string()))
    for name, column in units.items():
        table = table.append_column(name, column)
    for name in mine:
        if name not in table.column_names:
            values = [features.get(name) for features in brought]
            values = [_days_before(name, value, now) for value in values] if name in instants else values
            table = table.append_column(name, _feature(name, values, bool(read.get(name))))
    return table


def _wanted(model: Model, said: set[str]) -> list[str]:
    missing = [name for name in model.unit if name not in said]
    if missing:
        raise Unknown("column", missing[0], sorted(said), where=f"a request of {model.name}", next=f"Say {' and '.join(model.unit)}.")
    return [name for name in (*model.request, "row") if name in said]


def _column(model: Model, name: str, declared: Mapping[str, object], requests: Sequence[Row]) -> pa.Array:
    """One column of requests. What its source declares is read as the source's rows are; a unit is any text or whole number."""
    values = [request[name] for request in requests]
    kind = declared.get(name)
    if kind is None or name in model.unit:
        return _unit(name, values)
    zone = model.per.zone if isinstance(model.per, Source) else None
    reads = reader(kind, zone)  # type: ignore[arg-type]
    try:
        return pa.array([reads(value) for value in values], arrow_type(kind))  # type: ignore[arg-type]
    except ValueError as error:
        raise EverloopError(f"{name} is {error}.") from None


def _unit(name: str, values: Sequence[object]) -> pa.Array:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise EverloopError(f"{name} is {value!r}, and a unit is a text or a whole number.")
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return _text(name, values)


def _text(name: str, values: Sequence[object]) -> pa.Array:
    try:
        return pa.array([str(value) for value in values], pa.string())
    except UnicodeEncodeError:
        raise EverloopError(f"{name} holds what is no text.") from None


def _days_before(name: str, value: object, now: datetime) -> object:
    """A learner sees an instant as days before the moment; a request may say it either way."""
    if not isinstance(value, str):
        return value
    try:
        at = instant(value, UTC)
    except ValueError as error:
        raise EverloopError(f"{name} is {error}.") from None
    return None if at is None else (microseconds(now) - at) / DAY


def _feature(name: str, values: Sequence[object], words: bool) -> pa.Array:
    if any(isinstance(value, str) for value in values):
        if not all(value is None or isinstance(value, str) for value in values):
            raise EverloopError(f"{name} is text in one question and a number in another.")
        return pa.array(values, pa.string())
    if not all(value is None or isinstance(value, bool | int | float) for value in values):
        raise EverloopError(f"{name} must be a number, a text, true, false or null.")
    return pa.nulls(len(values), pa.string()) if words else pa.array([None if v is None else float(v) for v in values], pa.float64())  # type: ignore[arg-type]
