"""The axis of time: round moments in UTC and, under them, the day or the year where it changes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from everloop.plots.picture import ROW, inside, write
from everloop.plots.scales import DAY, EPOCH, MONTHS, Across, seconds

STEPS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 10800.0, 21600.0, 43200.0, DAY, 2 * DAY, 7 * DAY, 14 * DAY)

MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000, 24000)


def calendar(first: float, last: float, across: Across, floor: float) -> str:
    """The time axis: labels in UTC, and under them the day or the year where it changes."""
    out, before = [f'<path class="a" d="M{across.left:.1f} {floor:.1f}H{across.right:.1f}"/>'], ""
    for at, label, context in _ticks(first, last, max(2, int((across.right - across.left) / 92))):
        x = across(at)
        out.append(f'<path class="a" d="M{x:.1f} {floor:.1f}v5"/>{write(inside(x, label), floor + ROW - 2, label, "c m")}')
        if context and context != before:
            out.append(write(inside(x, context), floor + 2 * ROW - 4, context, "c m"))
        before = context
    return "".join(out)


def _ticks(first: float, last: float, most: int) -> list[tuple[float, str, str]]:
    step = next((s for s in STEPS if (last - first) / s <= most), None)
    if step is None:
        return _month_ticks(first, last, most)
    offset = 4 * DAY if step >= 7 * DAY else 0.0  # weeks begin on Monday; the epoch was a Thursday
    out = []
    for k in range(math.ceil((first - offset) / step), math.floor((last - offset) / step) + 1):
        at = EPOCH + timedelta(seconds=k * step + offset)
        day = f"{at.day} {MONTHS[at.month - 1]}"
        out.append((k * step + offset, day if step >= DAY else f"{at:%H:%M}", str(at.year) if step >= DAY else day))
    return out


def _month_ticks(first: float, last: float, most: int) -> list[tuple[float, str, str]]:
    start, end = EPOCH + timedelta(seconds=first), EPOCH + timedelta(seconds=last)
    low, high = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    step = next((s for s in MONTH_STEPS if (high - low) / s <= most), MONTH_STEPS[-1])
    out = []
    for month in range(-(-low // step) * step, high + 1, step):
        if month < 12:
            continue
        at = seconds(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC))
        if first <= at <= last:
            year = str(month // 12)
            out.append((at, year, "") if step >= 12 else (at, MONTHS[month % 12], year))
    return out
