"""Spending: what each step of a turn took, its children included, and in money by the prices of everloop.toml.

A process does several things at once: what it uses while several steps are under way is shared out equally among them, so that the sum
over all steps is what was used, never more. Children are measured in the child.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from everloop.records import Cost, Record
from everloop.training.usage import Usage, used

GB = 1e9
PRICES = ("cpu_hour", "gb_read", "gb_written", "gb_month")
"""The prices that are reckoned with: of an hour of one core, of a gigabyte (10^9 bytes) read, written, and kept for a month."""


class Meter:
    """What the steps under way in this process have used. Safe between threads."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), Usage()
        self._under_way: dict[object, Usage] = {}
        self._mine = threading.local()

    @contextmanager
    def step(self) -> Iterator[object]:
        """One step, on this thread; ``taken(step)`` afterwards says what it took."""
        step = object()
        with self._lock:
            self._share()
            self._under_way[step] = Usage()
        outer, self._mine.step = getattr(self._mine, "step", None), step
        try:
            yield step
        except BaseException:
            self.taken(step)
            raise
        finally:
            self._mine.step = outer

    def taken(self, step: object) -> Usage:
        """What a step took; it is forgotten here."""
        with self._lock:
            self._share()
            return self._under_way.pop(step, Usage())

    def child(self, usage: Usage) -> None:
        """What a child took that works for the step of this thread."""
        step = getattr(self._mine, "step", None)
        with self._lock:
            if step in self._under_way:
                self._under_way[step] += usage

    def _share(self) -> None:
        now = used()
        if self._under_way:
            share = (now - self._last) / len(self._under_way)
            self._under_way = {step: usage + share for step, usage in self._under_way.items()}
        self._last = now


METER = Meter()
"""Of this process: what the system counts, it counts by the process."""


def cost(usage: Usage, prices: Mapping[str, float]) -> Cost:
    """A usage as a cost.

    >>> cost(Usage(1800.0, 0, 2 * 10**9), {"cpu_hour": 0.05, "gb_written": 0.01}).money
    0.045
    """
    return Cost(
        cpu_seconds=round(usage.cpu_seconds, 6),
        bytes_read=usage.bytes_read,
        bytes_written=usage.bytes_written,
        peak_bytes=usage.peak_bytes,
        money=_money(usage, prices),
    )


def _money(usage: Usage, prices: Mapping[str, float]) -> float | None:
    if not any(name in prices for name in PRICES):
        return None
    read, written = ((n or 0) / GB for n in (usage.bytes_read, usage.bytes_written))
    of = (usage.cpu_seconds / 3600, read, written, written)
    return round(sum(prices.get(name, 0.0) * amount for name, amount in zip(PRICES, of, strict=True)), 9)


def spent(records: Iterable[Record]) -> Cost | None:
    """The sum over records; None where none of them was measured. Money is known if it is of any.

    >>> spent([]) is None
    True
    """
    found = [record.cost for record in records if record.cost is not None]
    if not found:
        return None
    read, written = ([n for n in sums if n is not None] for sums in zip(*((c.bytes_read, c.bytes_written) for c in found), strict=True))
    money = [c.money for c in found if c.money is not None]
    return Cost(
        cpu_seconds=sum(c.cpu_seconds for c in found),
        bytes_read=sum(read) if read else None,
        bytes_written=sum(written) if written else None,
        peak_bytes=max((c.peak_bytes for c in found if c.peak_bytes is not None), default=None),
        money=sum(money) if money else None,
    )


def money_of(records: Iterable[Record]) -> float:
    """What these cost in money; nothing where nothing had a price.

    >>> money_of([])
    0.0
    """
    total = spent(records)
    return (total.money or 0.0) if total is not None else 0.0


def spoken_cost(cost: Cost) -> str:
    """A cost in a few words.

    >>> spoken_cost(Cost(cpu_seconds=90, bytes_read=3_000_000, bytes_written=20_000, money=0.00125))
    '90 CPU s, 3 MB read, 0.02 MB written, 0.00125 by [prices]'
    """
    parts = [f"{cost.cpu_seconds:.3g} CPU s"]
    parts += [f"{n / 1e6:,.3g} MB {what}" for n, what in ((cost.bytes_read, "read"), (cost.bytes_written, "written")) if n is not None]
    return ", ".join([*parts, *([f"{cost.money:.3g} by [prices]"] if cost.money is not None else [])])
