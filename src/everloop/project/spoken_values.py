"""How single values are said: spans, shares, money, numbers, lists, nouns. In: one value. Out: its words. No model, no clock, no disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from everloop.project.columns import Kind, money
from everloop.project.refuse import listed

_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))

# ISO 4217 minor units; every currency that is not here has two.
_CODES = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW"}
_DECIMALS = {code: decimals for decimals, codes in _CODES.items() for code in codes.split()}

_SAME_IN_BOTH = {"news", "series", "species", "stock", "data", "feedback", "traffic", "weather", "information", "equipment", "software"}
_IRREGULAR = {"person": "people", "child": "children", "man": "men", "woman": "women", "index": "indices", "datum": "data"}
_REGULAR = {plural: singular for singular, plural in _IRREGULAR.items() if singular != "datum"}


def spoken_list(words: Iterable[str], last: str = "and") -> str:
    """Words as they are said one after another.

    >>> spoken_list(["a", "b", "c"]), spoken_list(["a", "b"], "or"), spoken_list(["a"]), spoken_list([])
    ('a, b and c', 'a or b', 'a', '')
    """
    return listed(words, last)


def spoken_count(number: int, noun: str) -> str:
    """So many of something.

    >>> spoken_count(1, "new truth"), spoken_count(10_000, "new truth")
    ('1 new truth', '10,000 new truths')
    """
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def spoken_number(value: object) -> str:
    """A number as it is read: thousands apart, yes and no for booleans, no needless ``.0``; anything else as its ``str``.

    >>> spoken_number(2_000), spoken_number(0.15), spoken_number(3.0), spoken_number(False), spoken_number("65+")
    ('2,000', '0.15', '3', 'no', '65+')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def spoken_span(span: timedelta) -> str:
    """A span in days, hours, minutes and seconds, the longest first; a day is 24 hours.

    >>> spoken_span(timedelta(days=7)), spoken_span(timedelta(hours=24)), spoken_span(timedelta(days=7, hours=6))
    ('7 days', '1 day', '7 days and 6 hours')
    >>> spoken_span(timedelta(0)), spoken_span(timedelta(minutes=-90)), spoken_span(timedelta(milliseconds=250))
    ('no time', 'minus 1 hour and 30 minutes', '0.25 seconds')
    """
    if span < timedelta(0):
        return f"minus {spoken_span(-span)}"
    parts, rest = [], span
    for noun, length in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(spoken_count(count, noun))
    if rest:
        parts.append(_seconds(rest))
    return spoken_list(parts) or "no time"


def spoken_window(spans: Sequence[timedelta]) -> str:
    """Spans after "the last" or "the next", each in one unit: a single one needs no number, spans of one unit say it once.

    >>> spoken_window([timedelta(days=1)]), spoken_window([timedelta(days=1), timedelta(days=7), timedelta(days=28)])
    ('day', '1, 7 and 28 days')
    >>> spoken_window([timedelta(minutes=10), timedelta(hours=1)]), spoken_window([timedelta(hours=36)])
    ('10 minutes and 1 hour', '36 hours')
    """
    said = list(map(_in_one_unit, spans))
    if len(said) == 1:
        return said[0].removeprefix("1 ")
    nouns = {phrase.split(" ")[-1].removesuffix("s") for phrase in said}
    if len(nouns) == 1:
        return f"{spoken_list(phrase.rsplit(' ', 1)[0] for phrase in said)} {plural(nouns.pop())}"
    return spoken_list(said)


def _in_one_unit(span: timedelta) -> str:
    for noun, length in _UNITS:
        if span and span % length == timedelta(0):
            return spoken_count(span // length, noun)
    return _seconds(span) if span else spoken_span(span)


def _seconds(span: timedelta) -> str:
    seconds = Decimal(span // timedelta(microseconds=1)).scaleb(-6).normalize()
    return f"{seconds:,f} second{'' if seconds == 1 else 's'}"


def spoken_every(span: timedelta) -> str:
    """How often a clock ticks.

    >>> spoken_every(timedelta(days=1)), spoken_every(timedelta(hours=12))
    ('every day', 'every 12 hours')
    """
    return f"every {spoken_window([span])}"


def spoken_zone(zone: str | None) -> str:
    """A zone after a time of day: its city.

    >>> spoken_zone("America/New_York"), spoken_zone("UTC")
    ('New York time', 'UTC')
    """
    if not zone:
        return ""
    return f"{zone.rsplit('/', 1)[-1].replace('_', ' ')} time" if "/" in zone else zone


def spoken_share(share: float) -> str:
    """A share, 0 to 1, in percent; what was declared with few digits is said exactly, measured ones to four digits.

    >>> spoken_share(0.05), spoken_share(0.999), spoken_share(1), spoken_share(1 / 3), spoken_share(-0.0125)
    ('5 %', '99.9 %', '100 %', '33.33 %', '-1.25 %')

    Four digits of whichever is smaller, the share or what it lacks, so that almost everything never reads as everything:

    >>> spoken_share(0.99999512345678)
    '99.9995123 %'
    """
    if not math.isfinite(share):
        return "an unknown share"
    percent = Decimal(repr(float(share))).scaleb(2)
    if len(percent.as_tuple().digits) > 8:
        smaller = min(abs(percent), abs(100 - abs(percent))) or Decimal(1)
        percent = round(percent, max(0, 3 - smaller.adjusted()))
    return f"{percent.normalize() + 0:,f} %"


def decimals(currency: str) -> int:
    """How many decimals a currency has (ISO 4217).

    >>> decimals("EUR"), decimals("JPY"), decimals("KWD")
    (2, 0, 3)
    """
    return _DECIMALS.get(currency, 2)


def spoken_money(minor: float, currency: str) -> str:
    """Minor units in major ones, with the currency's own decimals (ISO 4217).

    >>> spoken_money(10_000_00, "EUR"), spoken_money(500, "JPY"), spoken_money(1_234_567, "KWD"), spoken_money(-5, "USD")
    ('10,000.00 EUR', '500 JPY', '1,234.567 KWD', '-0.05 USD')

    Fractions of a minor unit, as in a mean, are said to four digits more:

    >>> spoken_money(0.25, "EUR")
    '0.0025 EUR'
    """
    if not math.isfinite(minor):
        return f"an unknown amount of {currency}"
    places = decimals(currency)
    sign, amount = ("-" if minor < 0 else ""), abs(minor if isinstance(minor, int) else round(minor, 4))
    whole, part = divmod(int(amount), 10**places)
    digits = f"{part:0{places}d}" if places else ""
    fraction = f"{amount % 1:.4f}"[2:].rstrip("0")
    return f"{sign}{whole:,}{'.' if digits or fraction else ''}{digits}{fraction} {currency}"


def spoken_amount(value: object, kind: Kind | None) -> str:
    """A value as its column's kind reads it: money in major units, everything else as it is.

    >>> spoken_amount(10_000_00, money("EUR")), spoken_amount(5, money(column="currency")), spoken_amount(2_000, int)
    ('10,000.00 EUR', '5 minor units of its currency', '2,000')
    """
    if isinstance(kind, money) and isinstance(value, int | float) and not isinstance(value, bool):
        return spoken_money(value, kind.currency) if kind.currency else f"{spoken_number(value)} minor units of its currency"
    return spoken_number(value)


def spoken_column(column: str) -> str:
    """A column as a noun: keys lose their ``_id``.

    >>> spoken_column("product_id"), spoken_column("employed_months"), spoken_column("id")
    ('product', 'employed months', 'id')
    """
    return spoken_name(column.removesuffix("_id") or column)


def spoken_name(name: str) -> str:
    """A name as words.

    >>> spoken_name("order_lines")
    'order lines'
    """
    return " ".join(name.replace("_", " ").split()) or name


def plural(noun: str) -> str:
    """The plural of a noun; the last word changes.

    >>> [plural(noun) for noun in ("product", "category", "order line", "address", "day", "person", "stock")]
    ['products', 'categories', 'order lines', 'addresses', 'days', 'people', 'stock']
    """
    *before, word = noun.split(" ")
    return " ".join([*before, _plural(word)])


def _plural(word: str) -> str:
    low = word.lower()
    if low in _SAME_IN_BOTH:
        return word
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if low.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if low.endswith("y") and low[-2:-1] not in ("", *"aeiou") else word + "s"


def singular(noun: str) -> str:
    """One of what a source is named after; the last word changes.

    >>> [singular(noun) for noun in ("orders", "categories", "order lines", "addresses", "houses", "purchases", "stock", "status")]
    ['order', 'category', 'order line', 'address', 'house', 'purchase', 'stock', 'status']
    """
    *before, word = noun.split(" ")
    return " ".join([*before, _singular(word)])


def _singular(word: str) -> str:
    low = word.lower()
    if low in _SAME_IN_BOTH or low.endswith(("ss", "us", "is")) or not low.endswith("s") or len(low) < 3:
        return _REGULAR.get(low, word)
    if low.endswith("ies") and len(low) > 4:
        return word[:-3] + "y"
    return word[:-2] if low.endswith(("sses", "xes", "zzes", "ches", "shes")) else word[:-1]
