"""Does a request fit its model? What a model may be asked, from its words alone; a request that does not fit never reaches the house.

In: JSON values, a Model. Out: the requests, or ``RefusedError`` naming the field, what is wrong with it, and what is near. No value is
converted: an id sent as a number would be another id than the same digits sent as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from everloop.project.columns import Kind, money, text, unit
from everloop.project.model import Model
from everloop.project.reading import Reading, column_names
from everloop.project.resolve import carried
from everloop.project.source import Source
from everloop.serving.bodies import said_type
from everloop.serving.doors import Row
from everloop.serving.refused import RefusedError, did_you_mean, short

MOST_REQUESTS = 1_000
LONGEST_KEY = 1_024
"""Characters of a value that says who is asked about; other text may be as long as a body."""
CART = "cart"
NEWCOMER = "newcomer"
LARGEST_CART = 1_000
_INT64 = 2**63


@dataclass(frozen=True)
class Fit:
    """What one model's requests may say: its unit's columns, all columns they may name, and by name what its features are."""

    model: Model
    unit: frozenset[str]
    columns: Mapping[str, Kind]
    features: Mapping[str, str]
    """How each feature is read: number, yes or no, category, text, instant."""

    def requests(self, body: Any) -> tuple[list[Row], bool]:
        """The requests of a body, and whether they are a list. Raises RefusedError (422, 413 for more than ``MOST_REQUESTS``)."""
        several = isinstance(body, dict) and "requests" in body and "requests" not in self.columns
        if not several:
            self.check(body, "")
            return [body], False
        extra = next((key for key in body if key != "requests"), None)
        if extra is not None:
            raise RefusedError("invalid", f"{short(extra)} stands beside requests. Say it in each request.", field=extra[:60])
        rows = body["requests"]
        if not isinstance(rows, list):
            raise RefusedError("invalid", f"requests is {said_type(rows)}. Say a list of objects.", field="requests")
        if len(rows) > MOST_REQUESTS:
            raise RefusedError("too_large", f"{len(rows):,} requests in one body. Send at most {MOST_REQUESTS:,}.", field="requests")
        for number, row in enumerate(rows):
            self.check(row, f"requests[{number}]")
        return rows, True

    def check(self, row: Any, where: str) -> None:
        """Raises RefusedError for a request that does not fit."""
        if not isinstance(row, dict):
            what = f"{where or 'The body'} is {said_type(row)} and no request. Say {self.example()}."
            raise RefusedError("invalid", what, field=where or None)
        for name, value in row.items():
            kind = self.columns.get(name)
            if kind is not None:
                if name in self.unit:
                    _key(name, value, kind, where)
                elif value is not None:
                    _of_kind(name, value, kind, where)
            elif name == "features":
                self.check_features(value, _within(where, "features"))
            elif name == CART and self.model.kind == "ranking":
                _cart(value, _within(where, CART))
            elif name == NEWCOMER and self.model.kind == "ranking":
                if not isinstance(value, bool):
                    what = f"{_within(where, NEWCOMER)} is {said_type(value)}. Say true where nothing need be known of who is asked about."
                    raise RefusedError("invalid", what, field=_within(where, NEWCOMER))
            else:
                self.unknown(name, where)
        for name in self.model.unit:
            if name not in row:
                raise RefusedError("invalid", f"{name} is missing. Say {self.example()}.", field=_within(where, name))

    def check_features(self, features: Any, where: str) -> None:
        """The model's columns given by the request, all of them: a model must not be asked with half of what it knows."""
        if self.model.kind == "ranking" or self.model.steps > 1:
            why = "ranks candidates" if self.model.kind == "ranking" else "answers several steps"
            raise RefusedError("invalid", f"{self.model.name} {why}, so its features are looked up. Leave them out.", field=where)
        if not isinstance(features, dict):
            raise RefusedError("invalid", f"{where} is {said_type(features)}. Say an object, column by column.", field=where)
        for name, value in features.items():
            read_as = self.features.get(name)
            if read_as is None:
                near = did_you_mean(name, list(self.features))
                what = f"{self.model.name} has no column {short(name)}.{near} It has {_some(self.features)}."
                raise RefusedError("invalid", what, field=_within(where, name[:60]))
            if not _reads(read_as, value):
                what = f"{_within(where, name)} is {said_type(value)} and should be {_WANTED[read_as]}, or null."
                raise RefusedError("invalid", what, field=_within(where, name))
        missing = [name for name in self.features if name not in features]
        if missing:
            what = f"{where} lacks {_some(missing)}. Say every column (null: not known), or leave features out: they are looked up."
            raise RefusedError("invalid", what, field=_within(where, missing[0]))

    def unknown(self, name: str, where: str) -> None:
        near = did_you_mean(name, [*self.columns, "features", *([CART, NEWCOMER] if self.model.kind == "ranking" else [])])
        what = f"A request of {self.model.name} has no column {short(name)}.{near} It has {_some(self.columns)}."
        raise RefusedError("invalid", what, field=_within(where, name[:60]))

    def example(self) -> str:
        """A request as messages show it."""
        return (
            "{"
            + ", ".join(f'"{name}": {"…" if self.columns[name] is not str else chr(34) + "…" + chr(34)}' for name in self.model.unit)
            + "}"
        )


def fit_of(model: Model) -> Fit:
    """What a model's requests may say.

    >>> from everloop import Source, days, every
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str})
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.count(last=days(28)), learner=print)
    >>> fit_of(churn).requests({"customer_id": "c1"})
    ([{'customer_id': 'c1'}], False)
    >>> fit_of(churn).requests({"custmer_id": "c1"})
    Traceback (most recent call last):
    everloop.serving.refused.RefusedError: A request of churn has no column 'custmer_id'. Did you mean 'customer_id'? It has customer_id.
    """
    known = carried(model)
    if isinstance(model.per, Source):
        known = known | {name: kind for name, kind in model.per.every_column.items() if name not in known}
    features = {
        name: reading.kind if isinstance(reading, Reading) else "number" for reading in model.knows for name in column_names(reading)
    }
    return Fit(model, frozenset(model.unit), {name: known.get(name, str) for name in model.request}, features)


# -- one value -----------------------------------------------------------------------------------------------------------------------


def _key(name: str, value: object, kind: Kind, where: str) -> None:
    """A value that says who is asked about: there, short, and without the mark that joins several."""
    field = _within(where, name)
    if value is None or value == "":
        raise RefusedError("invalid", f"{field} is {'null' if value is None else 'empty'}. Say who is asked about.", field=field)
    if isinstance(value, str):
        if len(value) > LONGEST_KEY:
            raise RefusedError("invalid", f"{field} has {len(value):,} characters. Say at most {LONGEST_KEY:,}.", field=field)
        if "\x1f" in value or "\x00" in value:
            raise RefusedError("invalid", f"{field} holds a control character (\\x00 or \\x1f). Leave it out.", field=field)
    _of_kind(name, value, kind, where)


def _cart(value: object, field: str) -> None:
    """What lies in a cart: a list of items, as the candidates of the list are called."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RefusedError("invalid", f"{field} is {said_type(value)} and should be a list of texts: what lies in it.", field=field)
    if len(value) > LARGEST_CART or any(len(item) > LONGEST_KEY for item in value):
        what = f"{field} holds more than {LARGEST_CART:,} items, or one of more than {LONGEST_KEY:,} characters."
        raise RefusedError("invalid", what, field=field)


def _of_kind(name: str, value: object, kind: Kind, where: str) -> None:
    said = _BY_KIND.get(kind if isinstance(kind, type) else type(kind), _TEXT)
    wanted, right = said
    if not right(value):
        field = _within(where, name)
        hint = f' Say "{value}", in quotes.' if said is _TEXT and type(value) is int and abs(value) < _INT64 else ""
        raise RefusedError("invalid", f"{field} is {said_type(value)} and should be {wanted}.{hint}", field=field)


def _whole(value: object) -> bool:
    return type(value) is int and -_INT64 <= value < _INT64


def _number(value: object) -> bool:
    return type(value) is float or _whole(value)


def _instant(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) <= 64 and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _date(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) <= 64 and date.fromisoformat(value) is not None
    except ValueError:
        return False


Right: TypeAlias = Callable[[object], bool]
_TEXT: tuple[str, Right] = ("text", lambda value: isinstance(value, str))
_BY_KIND: dict[type, tuple[str, Right]] = {
    str: _TEXT,
    text: _TEXT,
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number of at most 64 bits", _whole),
    money: ("a whole number of minor units, of at most 64 bits", _whole),
    float: ("a number", _number),
    unit: ("a number", _number),
    datetime: ("an instant, such as 2026-11-02T14:03:00Z", _instant),
    date: ("a date, such as 2026-11-02", _date),
}
_WANTED = {
    "number": "a number",
    "yes or no": "true or false",
    "category": "text",
    "text": "text",
    "instant": "a number of days before the moment",
    "list": "a list",
}


def _reads(read_as: str, value: object) -> bool:
    if value is None:
        return True
    if read_as in ("category", "text"):
        return isinstance(value, str)
    return _number(value) or (read_as == "yes or no" and isinstance(value, bool))


def _within(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _some(names: Mapping[str, object] | list[str]) -> str:
    several = list(names)
    return ", ".join(several[:10]) + (" …" if len(several) > 10 else "")
