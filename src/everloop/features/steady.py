"""Steady: what a packed row told stays told for as long as the row and the edges of its windows are the same.

A popular product is in everybody's list, and its row is read for each of them; decoding it again would tell the same. In: packed rows and a
moment. Out: values. Absent: clock, store.
"""

from __future__ import annotations

from typing import Final

from everloop.features.definition import nature_of
from everloop.features.plan import Piece, Told, tell
from everloop.project.reading import Reading

#: So many packed rows of one state are remembered.
ROWS: Final = 20_000
SHOWING: Final = ("latest", "lowest", "highest")


def is_steady(reading: Reading) -> bool:
    """Whether a reading says the same at any moment that has the same rows in its window: no days before the moment, and no list.

    >>> from everloop import Source
    >>> from datetime import datetime
    >>> orders = Source("orders", id="order_id", columns={"at": datetime, "product": str})
    >>> is_steady(orders.count()), is_steady(orders.latest("at")), is_steady(orders.which("product"))
    (True, False, False)
    """
    if reading.verb in SHOWING:
        return nature_of(reading.source, reading.columns[0]) != "instant"
    return reading.verb != "which"


class Steady:
    """What one piece of a plan told of packed rows. Safe between threads: at worst two tell the same."""

    def __init__(self, piece: Piece) -> None:
        self._slots = [slot for slot, _ in piece.empty]
        self._told: dict[bytes, tuple[tuple[int | None, ...], list[Told], set[int] | None]] = {}
        self._at: tuple[int | None, tuple[int | None, ...]] = (None, ())

    def tell(self, piece: Piece, body: bytes | None, moment: int, slots: list[Told]) -> set[int] | None:
        """As ``plan.tell``."""
        if body is None:
            return tell(piece, None, moment, slots)
        at = self._at
        if at[0] != moment:
            at = self._at = (moment, edges_at(piece, moment))
        edges = at[1]
        known = self._told.get(body)
        if known is not None and known[0] == edges:
            for slot, value in zip(self._slots, known[1], strict=True):
                slots[slot] = value
            return known[2]
        passed = tell(piece, body, moment, slots)
        if len(self._told) >= ROWS:
            self._told.clear()
        self._told[body] = (edges, [slots[slot] for slot in self._slots], passed)
        return passed


def edges_at(piece: Piece, moment: int) -> tuple[int | None, ...]:
    """The tiles between which each window of a piece lies at a moment."""
    return tuple(
        None if edge is None else (moment + edge) // span.hop for _, span in piece.spans for edge in (span.start, span.stop)
    )  # fmt: skip
