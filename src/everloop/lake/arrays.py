"""A whole column as its kind has it. In: an Arrow array of whatever type a file brought. Out: the kept array and which rows it refuses.

The same reading as ``values.py``, a column at a time; where that is quicker said value by value, it is. A type that cannot be what the
column is declared as (text for a number, decimals for whole minor units) is *retyped*: the column is empty and the delivery says so,
instead of refusing every row. Where everything is text (``spelled``: CSV), a column is retyped if not one of its values can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.lake.shape import arrow_type
from everloop.lake.values import Reads, has_point, in_decimals, parser, reader
from everloop.project.columns import Kind, money, text, unit

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999 in microseconds

#: Which row a value is refused in, and why.
Refusals = dict[int, str]


@dataclass(frozen=True)
class Column:
    """A column as kept, null wherever it was empty or refused; ``retyped`` is the Arrow type it came as, if that cannot be read."""

    values: pa.Array
    refused: Refusals = field(default_factory=dict)
    retyped: str | None = None


def column(came: pa.Array | pa.ChunkedArray, kind: Kind, zone: str | None = None, *, spelled: bool = False) -> Column:
    """A column of this kind from an Arrow array.

    >>> column(pa.array([1.0, None, 2.5]), int)
    Column(values=<pyarrow.lib.Int64Array object at ...>
    [
      1,
      null,
      null
    ], refused={2: 'no whole number'}, retyped=None)
    >>> column(pa.array(["a"]), int).retyped
    'string'
    """
    array = _plain(came)
    if pa.types.is_null(array.type):
        return Column(pa.nulls(len(array), arrow_type(kind)))
    if spelled:
        return _spelled(array, kind, zone)
    if isinstance(kind, money) or kind is int:
        return _whole(array, kind)
    if isinstance(kind, unit) or kind is float:
        return _decimal(array, kind)
    if kind is datetime:
        return _instant(array, zone)
    if kind is date:
        return _date(array)
    if kind is bool:
        return Column(array) if pa.types.is_boolean(array.type) else _retyped(array, kind)
    return _words(array, kind)


def one_by_one(values: list[object], kind: Kind, reads: Reads) -> Column:
    """A column read value by value.

    >>> one_by_one([1, "x"], int, reader(int)).refused
    {1: 'no whole number'}
    """
    refused: Refusals = {}
    kept: list[object] = []
    for row, value in enumerate(values):
        try:
            kept.append(reads(value))
        except ValueError as why:
            kept.append(None)
            refused[row] = str(why)
    return Column(pa.array(kept, arrow_type(kind)), refused)


def _plain(came: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(came, pa.ChunkedArray):
        came = came.combine_chunks() if came.num_chunks != 1 else came.chunk(0)
    if isinstance(came, pa.ChunkedArray):
        came = pa.concat_arrays(came.chunks) if came.num_chunks else pa.array([], came.type)
    if pa.types.is_dictionary(came.type):
        came = came.dictionary_decode()
    if isinstance(came, pa.ExtensionArray):
        came = came.storage
    return came


def _retyped(array: pa.Array, kind: Kind) -> Column:
    if array.null_count == len(array):
        return Column(pa.nulls(len(array), arrow_type(kind)))
    return Column(pa.nulls(len(array), arrow_type(kind)), retyped=str(array.type))


def _whole(array: pa.Array, kind: Kind) -> Column:
    if pa.types.is_integer(array.type):
        if array.type == pa.uint64():
            return one_by_one(array.to_pylist(), kind, reader(kind))
        return Column(array.cast(pa.int64()))
    if not pa.types.is_floating(array.type):
        return _retyped(array, kind)
    # A whole float beyond 2^53 is still exactly one int64; so is each of them that fits.
    numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    there = ~np.isnan(numbers)
    good = there & np.isfinite(numbers) & (np.abs(numbers) < 2.0**63)
    good[good] = numbers[good] == np.floor(numbers[good])
    values = pa.array(np.where(good, numbers, 0).astype(np.int64), mask=~good)
    wrong = np.flatnonzero(there & ~good)
    if not isinstance(kind, money):
        return Column(values, _why(array, wrong, kind))
    # A column of decimals may be refused whole: one sentence for all of them.
    pointed = np.isfinite(numbers[wrong]) & (numbers[wrong] != np.floor(numbers[wrong]))
    return Column(values, dict.fromkeys(wrong[pointed].tolist(), in_decimals(kind)) | _why(array, wrong[~pointed], kind))


def _decimal(array: pa.Array, kind: Kind) -> Column:
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)):
        return _retyped(array, kind)
    numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) + 0.0
    infinite = np.isinf(numbers)
    return Column(pa.array(numbers, mask=np.isnan(numbers) | infinite), _why(array, np.flatnonzero(infinite), kind))


def _why(array: pa.Array, wrong: np.ndarray[tuple[int], np.dtype[np.int64]], kind: Kind) -> Refusals:
    reads, why = reader(kind), {}
    for row in wrong.tolist():
        try:
            reads(array[row].as_py())
        except ValueError as error:
            why[row] = str(error)
    return why


def _instant(array: pa.Array, zone: str | None) -> Column:
    if _is_text(array.type):
        return _instants_spelled(array, zone)
    if pa.types.is_date(array.type):
        days = _date(array)
        made = _in_zone(days.values.cast(pa.timestamp("us")), zone)
        return Column(made.values, made.refused | days.refused)
    if not pa.types.is_timestamp(array.type):
        return _retyped(array, datetime)
    zoned = array.type.tz
    bounded = Column(array)
    if array.type.unit != "ns":  # nanoseconds count from 1677 to 2262 only
        per_unit = {"s": 1_000_000, "ms": 1_000, "us": 1}[array.type.unit]
        bounded = _within_years(array.cast(pa.int64()), _FIRST // per_unit, _LAST // per_unit)
        array = bounded.values.cast(array.type)
    made = _in_zone(array.cast(pa.timestamp("us", zoned), safe=False), zone)
    return Column(made.values, made.refused | bounded.refused)


def _in_zone(micro: pa.Array, zone: str | None) -> Column:
    if micro.type.tz is None:
        try:
            if zone is None or not _well_known(micro):
                raise pa.ArrowInvalid("Arrow's zones have no summers from 2038 on")
            micro = pc.assume_timezone(micro, zone, ambiguous="earliest")
        except pa.ArrowInvalid:  # or an hour the clocks skipped: Python has an instant for all of them
            return one_by_one(micro.to_pylist(), datetime, reader(datetime, zone))
    return Column(micro.cast(pa.int64()))


def _well_known(naive: pa.Array) -> bool:
    bounds = pc.min_max(naive.cast(pa.int64()))
    first, last = bounds["min"].as_py(), bounds["max"].as_py()
    return first is None or (first >= 0 and last < 2_145_916_800_000_000)  # 1970 to 2037


def _within_years(counted: pa.Array, first: int, last: int) -> Column:
    """Microseconds, or whatever counts from the epoch, of the years Python has: 1 to 9999."""
    bounds = pc.min_max(counted)
    if bounds["min"].as_py() is None or (bounds["min"].as_py() >= first and bounds["max"].as_py() <= last):
        return Column(counted)
    good = pc.and_(pc.greater_equal(counted, first), pc.less_equal(counted, last))
    wrong = np.flatnonzero(pc.fill_null(pc.invert(good), False).to_numpy(zero_copy_only=False))
    return Column(pc.if_else(good, counted, None), dict.fromkeys(wrong.tolist(), "outside the years 1 to 9999"))


def _instants_spelled(array: pa.Array, zone: str | None) -> Column:
    words = pc.utf8_trim_whitespace(array.cast(pa.string()))
    words = pc.if_else(pc.equal(words, ""), None, words)
    try:
        micro = words.cast(pa.timestamp("us", "UTC"))  # every one of them names its zone
    except pa.ArrowInvalid:
        try:
            micro = words.cast(pa.timestamp("us")) if zone else None
        except pa.ArrowInvalid:
            micro = None
        if micro is None:
            return one_by_one(words.to_pylist(), datetime, reader(datetime, zone))
    return _instant(micro, zone)


def _date(array: pa.Array) -> Column:
    if pa.types.is_date(array.type):
        counted = _within_years(array.cast(pa.date32()).cast(pa.int32()), -719_162, 2_932_896)
        return Column(counted.values.cast(pa.date32()), counted.refused)
    if pa.types.is_timestamp(array.type) and array.type.tz is None:
        instants = _instant(array, "UTC")
        made = one_by_one(instants.values.cast(pa.timestamp("us")).to_pylist(), date, reader(date))
        return Column(made.values, made.refused | instants.refused)
    if _is_text(array.type):
        return one_by_one(array.to_pylist(), date, reader(date))
    return _retyped(array, date)


def _words(array: pa.Array, kind: Kind) -> Column:
    if _is_text(array.type):
        return Column(array.cast(pa.string()))
    if pa.types.is_integer(array.type) or pa.types.is_boolean(array.type):
        return Column(array.cast(pa.string()))
    if pa.types.is_floating(array.type):
        # Whole numbers with gaps come out of pandas as floats; 5.0 is the key "5".
        whole = _whole(array, int)
        return _retyped(array, kind) if whole.refused else Column(whole.values.cast(pa.string()))
    return _retyped(array, kind)


def _spelled(array: pa.Array, kind: Kind, zone: str | None) -> Column:
    if kind is str or kind is text:
        return Column(array.cast(pa.string()))
    array = pc.if_else(pc.equal(array, ""), None, array)
    made = _quickly(array, kind, zone) or one_by_one(array.to_pylist(), kind, parser(kind, zone))
    there = len(array) - array.null_count
    if there < 2 or len(made.refused) < there or (isinstance(kind, money) and any(has_point(array[row].as_py()) for row in made.refused)):
        return made
    return _retyped(array, kind)


def _quickly(array: pa.Array, kind: Kind, zone: str | None) -> Column | None:
    try:
        if kind is datetime:
            return _instants_spelled(array, zone)
        if isinstance(kind, money) or kind is int:
            return Column(array.cast(pa.int64()))
        if isinstance(kind, unit) or kind is float:
            return _decimal(array.cast(pa.float64()), kind)
    except pa.ArrowInvalid:
        pass
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
