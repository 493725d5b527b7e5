"""The kinds a column can have, beside Python's own int, float, bool, str (a category), datetime and date. Values only."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from typing import TypeAlias

from everloop.project.refuse import refuse
from everloop.project.said import Word


class text(str):
    """Free text, read by the user's own learner; used as a kind, never called.

    >>> from everloop import Source
    >>> Source("adverts", id="advert_id", columns={"body": text}).columns["body"].__name__
    'text'
    """

    __slots__ = ()


@dataclass(frozen=True, repr=False)
class money(Word):
    """Whole minor units of a currency: ``money("EUR")`` counts cents. Or of the currency another column names.

    >>> money("EUR"), money(column="currency")
    (money('EUR'), money(column='currency'))
    """

    currency: str | None = None
    _: KW_ONLY
    column: str | None = None

    def __post_init__(self) -> None:
        said_as = repr(self)
        if (self.currency is None) == (self.column is None):
            refuse(f"{said_as} does not say which currency.", 'Say money("EUR"), or money(column="currency").', place=self.place)
        code = self.currency
        if code is not None and not (isinstance(code, str) and len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
            cure = f'Say money("EUR"); if {code!r} is the column that names the currency, say money(column={code!r}).'
            refuse(f"{said_as} is no currency.", cure, place=self.place)


@dataclass(frozen=True, repr=False)
class unit(Word):
    """A number in a unit of measure.

    >>> unit("kg")
    unit('kg')
    """

    symbol: str

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not self.symbol:
            refuse(f"unit({self.symbol!r}) is no unit of measure.", 'Say unit("kg"), or whichever is meant.', place=self.place)


Kind: TypeAlias = type | money | unit

PLAIN = (int, float, bool, str, datetime, date, text)


def is_kind(kind: object) -> bool:
    """Whether a column can be of this kind.

    >>> is_kind(int), is_kind(money("EUR")), is_kind("int")
    (True, True, False)
    """
    return isinstance(kind, money | unit) or any(kind is plain for plain in PLAIN)


def is_numeric(kind: Kind) -> bool:
    """Whether a column of this kind can be totalled: whole and decimal numbers, money and measures.

    >>> is_numeric(int), is_numeric(unit("kg")), is_numeric(bool)
    (True, True, False)
    """
    return kind is int or kind is float or isinstance(kind, money | unit)


def called(kind: Kind) -> str:
    """What a column of this kind is, in a sentence.

    >>> called(str), called(text), called(bool)
    ('a category', 'text', 'yes or no')
    """
    if kind is datetime or kind is date:
        return "an instant"
    return {str: "a category", text: "text", bool: "yes or no"}.get(kind, "a number")  # type: ignore[arg-type]
