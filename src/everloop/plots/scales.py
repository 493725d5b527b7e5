"""Numbers and moments become places on the picture, and words on its axes. Arithmetic only; nothing here draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Box: TypeAlias = tuple[float, float]

LIMIT = 1e300  # beyond it differences overflow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FIRST, LAST = -62135596800.0, 253402300799.0  # what a datetime can hold, in seconds

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

DAY = 86400.0


@dataclass(frozen=True)
class Across:
    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)


@dataclass(frozen=True)
class Down:
    low: float
    high: float
    roof: float
    floor: float

    def __call__(self, value: float) -> float:
        return self.floor - (value - self.low) / (self.high - self.low) * (self.floor - self.roof)


def finite(value: float | None) -> float | None:
    """The number, or None where there is none that can be drawn."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if abs(number) < 1 / LIMIT:
        return 0.0  # no scale can tell it from zero
    return number if abs(number) < LIMIT else None  # NaN compares false


def seconds(at: datetime) -> float:
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) / timedelta(seconds=1)


def span_of(moments: Sequence[float]) -> tuple[float, float]:
    first, last = min(moments), max(moments)
    if last - first < 60:
        first, last = first - DAY / 2, last + DAY / 2
    return max(first, FIRST), min(last, LAST)


def _round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5, 10 times a power of ten that cuts the span into at most ``most`` pieces."""
    raw = span / most
    base = 10.0 ** math.floor(math.log10(raw))
    return next((base * n for n in (1.0, 2.0, 2.5, 5.0) if base * n >= raw * (1 - 1e-9)), base * 10)


def scale_of(values: Sequence[float], percent: bool, most: int = 5) -> tuple[Box, tuple[float, ...], tuple[str, ...]]:
    """The range (ends on ticks), the ticks and how they are said. Starts at zero where zero is near, or all there is.

    >>> scale_of([0.0, 0.0], False, most=2)[0]
    (0.0, 1.0)
    """
    low, high = min(values), max(values)
    if 0 < low < 0.4 * high:
        low = 0.0
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = (low - abs(low) * 0.1, high + abs(high) * 0.1) if low else (0.0, 1.0)
    step = _round_step(high - low, most)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    ticks = tuple(k * step for k in range(first, last + 1))
    return (ticks[0], ticks[-1]), ticks, tuple(number(t, percent, step) for t in ticks)


def decades(powers: Sequence[float], most: int = 6) -> tuple[Box, tuple[float, ...], tuple[str, ...]]:
    """The range (ends on whole powers of ten), the ticks and how they are said, of powers of ten; even odds are a tick wherever they are in
    the range.

    >>> decades([-0.2, 1.3])
    ((-1.0, 2.0), (-1.0, 0.0, 1.0, 2.0), ('1 : 10', '1 : 1', '10 : 1', '100 : 1'))
    """
    low, high = math.floor(min(powers) + 1e-9), math.ceil(max(powers) - 1e-9)
    step = max(1, math.ceil((high - low) / most))
    first, last = low // step * step, -(-max(high, low + 1) // step) * step
    ticks = tuple(float(power) for power in range(first, last + 1, step))
    return (ticks[0], ticks[-1]), ticks, tuple(map(to_one, ticks))


def to_one(power: float) -> str:
    """A power of ten as so many to one; below one as one to so many.

    >>> to_one(1.30103), to_one(-2.0)
    ('20 : 1', '1 : 100')
    """
    many = number(float(f"{10 ** abs(power):.3g}"))
    return f"{many} : 1" if power > -1e-9 else f"1 : {many}"


def numbers(low: float, high: float) -> list[tuple[float, str]]:
    step = _round_step(high - low, 6)
    return [(k * step, number(k * step, False, step)) for k in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1)]


def number(value: float, percent: bool = False, step: float | None = None) -> str:
    """A number for people: as many digits as the step needs (else three that count), k and M for thousands and millions."""
    value, step = (value * 100, step * 100 if step else step) if percent else (value, step)
    size = max(abs(value), step or 0.0)
    if size >= 1e15 or 0 < size < 1e-6:
        text = f"{value:.2g}"
    elif size >= 10_000:
        by, sign = (1e3, "k") if size < 1e6 else (1e6, "M") if size < 1e9 else (1e9, "G") if size < 1e12 else (1e12, "T")
        text = f"{value / by:.4g}{sign if value else ''}"
    else:
        digits = max(0, 2 - math.floor(math.log10(size))) if size and not step else 0
        while step and digits < 9 and abs(round(step, digits) - step) > 1e-6 * step:
            digits += 1
        text = f"{value:.{digits}f}"
        text = text if step or "." not in text else text.rstrip("0").rstrip(".")
    text = "0" if text.startswith("-") and not text.strip("-0.") else text
    return text.replace("-", "\u2212") + (" %" if percent else "")


def signed(value: float) -> str:
    text = number(round(value, 4), True)
    return f"+{text}" if value > 0 and text != "0 %" else text


def day(at: float) -> str:
    day = EPOCH + timedelta(seconds=at)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
