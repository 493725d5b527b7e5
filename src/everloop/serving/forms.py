"""Forms: the one way in which most requests of a model are written, read in one go. In: bytes. Out: the request, or None.

None says nothing of what is wrong: whatever does not fit the form to the letter (a column left out, a key said twice, an escaped letter) is
read the long way, by ``bodies`` and ``fits``, which answer for every other way of writing it and say what cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from everloop.project.columns import Kind, money, text, unit
from everloop.serving.fits import LONGEST_KEY, Fit

_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_NUMBER = _INT64 | float
_KEY = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEY)]
_BY_KIND: dict[type, Any] = {str: str, text: str, bool: bool, int: _INT64, money: _INT64, float: _NUMBER, unit: _NUMBER}
_BY_WAY: dict[str, Any] = {"number": _NUMBER, "category": str, "text": str}


@dataclass(frozen=True)
class Form:
    """How one request of a model is read: by unit and given columns, or with ``features``, of which there must be all."""

    decoder: msgspec.json.Decoder[dict[str, Any]]
    unit: tuple[str, ...]

    def read(self, body: bytes) -> dict[str, Any] | None:
        """The one request in a body, checked as ``Fit.check`` does; None where it is not written in this form."""
        if b"\\" in body:
            return None
        try:
            request = self.decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        # Each key has a colon behind it, so that one said twice, or one nobody knows, leaves a colon too many.
        if body.count(b":") != _colons(request):
            return None
        return request if all(_plain(request[name]) for name in self.unit) else None


def form_of(fit: Fit) -> Form | None:
    """The form of a model's requests; None where some column has no plain kind.

    >>> from everloop import Model, Source, days, every
    >>> from everloop.serving.fits import fit_of
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str})
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.count(last=days(28)), learner=print)
    >>> form = form_of(fit_of(churn))
    >>> form.read(b'{"customer_id": "gid://1"}'), form.read(b'{"customer_id": "c1", "customer_id": "c2"}'), form.read(b'{}')
    ({'customer_id': 'gid://1'}, None, None)
    """
    columns: dict[str, Any] = {}
    who = {*fit.unit, fit.model.split_by}
    for name, kind in fit.columns.items():
        read = _BY_KIND.get(_kind(kind))
        # Who is meant has to be one text, however it is written.
        if read is None or name == "features" or (name in who and _kind(kind) not in (str, text, int)):
            return None
        columns[name] = (_KEY if read is str else read) if name in fit.unit else NotRequired[read | None]
    if all(way in _BY_WAY for way in fit.features.values()) and fit.model.kind != "ranking" and fit.model.steps == 1:
        features = TypedDict("Features", {name: _BY_WAY[way] | None for name, way in fit.features.items()})
        columns.setdefault("features", NotRequired[features])
    made: Any = TypedDict("Request", columns)
    return Form(msgspec.json.Decoder(made), tuple(fit.unit))


def _kind(kind: Kind) -> type:
    return kind if isinstance(kind, type) else type(kind)


def _colons(said: Mapping[str, Any]) -> int:
    count = len(said) + "".join(said).count(":")
    for value in said.values():
        if value.__class__ is float:
            continue
        if isinstance(value, dict):
            count += _colons(value)
        elif isinstance(value, str):
            count += value.count(":")
    return count


def _plain(key: object) -> bool:
    return not isinstance(key, str) or ("\x1f" not in key and "\x00" not in key)
