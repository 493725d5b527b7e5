"""The kinds a column can have, beside Python's own int, float, bool, str (a category), datetime and date."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from everloop.project.said import Word


class text(str):
    """Free text, read by the user's own learner; used as a kind, never called.

    >>> from everloop import Source
    >>> Source("adverts", id="advert_id", columns={"body": text}).columns["body"].__name__
    'text'
    """


@dataclass(frozen=True, repr=False)
class money(Word):
    """Whole minor units of a currency: ``money("EUR")`` counts cents. Or of the currency another column names.

    >>> money("EUR"), money(column="currency")
    (money('EUR'), money(column='currency'))
    """

    currency: str | None = None
    _: KW_ONLY
    column: str | None = None


@dataclass(frozen=True, repr=False)
class unit(Word):
    """A number in a unit of measure.

    >>> unit("kg")
    unit('kg')
    """

    symbol: str


Kind: TypeAlias = type | money | unit
