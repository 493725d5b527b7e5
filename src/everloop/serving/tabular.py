"""Rows of a table as requests: how tools that know nothing of units and features ask. In: a value for each column. Out: requests.

Such a tool has one flat list of columns. What says who is asked about, and what a request carries, stays where it is; the model's own
columns become its ``features``. Where none of them comes, features are looked up; where one comes, all must.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

from everloop.project.columns import Kind, money, unit
from everloop.serving.doors import Row
from everloop.serving.fits import MOST_REQUESTS, Fit
from everloop.serving.refused import RefusedError, short

Plain: TypeAlias = Literal["text", "yes or no", "whole", "number"]
"""What a value is where there are only few kinds."""


def inputs_of(fit: Fit) -> dict[str, Plain]:
    """Every column a row may have, and what its values are: first what a request carries, then the model's own.

    >>> from everloop import Model, Source, days, every
    >>> from everloop.serving.fits import fit_of
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str, "amount": int})
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.total("amount", last=days(28)), learner=print)
    >>> inputs_of(fit_of(churn))
    {'customer_id': 'text', 'orders_amount_total_last_28d': 'number'}
    """
    found = {name: _of_kind(kind) for name, kind in fit.columns.items()}
    return found | {name: _read_as(kind) for name, kind in _own(fit).items()}


def requests_of(fit: Fit, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The requests that rows are, each checked. Raises RefusedError (422, 413 for more than ``MOST_REQUESTS``)."""
    if len(rows) > MOST_REQUESTS:
        raise RefusedError("too_large", f"{len(rows):,} rows in one body. Send at most {MOST_REQUESTS:,}.")
    own = _own(fit)
    found = []
    for number, row in enumerate(rows):
        request = _request(fit, own, row)
        fit.check(request, f"row {number}" if len(rows) > 1 else "")
        found.append(request)
    return found


def csv_rows(body: bytes, fit: Fit) -> list[dict[str, Any]]:
    """Rows of CSV in UTF-8 with a head, each value read as its column says; empty is null. Raises RefusedError (400, 422)."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (ValueError, csv.Error) as error:
        raise RefusedError(
            "malformed", f"The body cannot be read: it is no CSV in UTF-8 ({error}). Send a head and a row a line."
        ) from None
    lines = [line for line in lines if line]
    if not lines:
        raise RefusedError("malformed", "The body cannot be read: it is empty. Send a head that names the columns, then a row a line.")
    head, kinds = lines[0], inputs_of(fit)
    if len(lines) - 1 > MOST_REQUESTS:
        raise RefusedError("too_large", f"{len(lines) - 1:,} rows in one body. Send at most {MOST_REQUESTS:,}.")
    rows = records(head, lines[1:], "The CSV")
    return [{name: _from_text(name, text, kinds.get(name, "text"), at) for name, text in row.items()} for at, row in enumerate(rows)]


def records(columns: Sequence[Any], data: Sequence[Any], where: str) -> list[dict[str, Any]]:
    """Columns and lists of values as rows. Raises RefusedError where a column has no name or comes twice, or a row another length.

    >>> records(["a", "b"], [[1, 2]], "It")
    [{'a': 1, 'b': 2}]
    """
    seen: set[str] = set()
    for name in columns:
        if not isinstance(name, str):
            raise RefusedError("invalid", f"{where} has a column whose name is {short(name)}. Name each column in text.", field="columns")
        if name in seen:
            raise RefusedError("invalid", f"{where} has the column {short(name)} twice. Say it once.", field="columns")
        seen.add(name)
    for at, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            has = f"{len(row):,} values" if isinstance(row, list) else "no list of values"
            raise RefusedError("invalid", f"Row {at} has {has} and there are {len(columns):,} columns. Give each column one.", field="data")
    return [dict(zip(columns, row, strict=True)) for row in data]


def _own(fit: Fit) -> dict[str, str]:
    """The columns a row may bring that are the model's and no request's own; none where features are always looked up."""
    if fit.model.kind == "ranking" or fit.model.steps > 1:
        return {}
    return {name: kind for name, kind in fit.features.items() if name not in fit.columns}


def _request(fit: Fit, own: Mapping[str, str], row: Mapping[str, Any]) -> Row:
    if not any(name in own for name in row):
        return row
    request = {name: value for name, value in row.items() if name in fit.columns and (name in fit.unit or name not in fit.features)}
    return request | {"features": {name: value for name, value in row.items() if name not in fit.columns or name in fit.features}}


def _of_kind(kind: Kind) -> Plain:
    plain = kind if isinstance(kind, type) else type(kind)
    return _PLAIN.get(plain, "text")


_PLAIN: dict[type, Plain] = {
    bool: "yes or no",
    int: "whole",
    money: "whole",
    float: "number",
    unit: "number",
    datetime: "text",
    date: "text",
}


def _read_as(kind: str) -> Plain:
    return "text" if kind in ("category", "text") else "yes or no" if kind == "yes or no" else "number"


def _from_text(name: str, text: str, kind: Plain, at: int) -> Any:
    """A value of a text that has no types."""
    if text == "":
        return None
    if kind == "text":
        return text
    try:
        if kind == "yes or no":
            return {"true": True, "false": False, "1": True, "0": False}[text.strip().lower()]
        # Python would also read 1_000 and digits of other scripts, which no other way of asking does.
        value = int(text) if kind == "whole" else float(text)
        if math.isfinite(value) and text.isascii() and "_" not in text:
            return value
    except (ValueError, KeyError, OverflowError):
        pass
    wanted = {"yes or no": "true or false", "whole": "a whole number", "number": "a number"}[kind]
    raise RefusedError("invalid", f"Row {at}: {name} is {short(text)} and should be {wanted}, or empty.", field=name[:60])
