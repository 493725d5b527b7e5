"""A window of pieces under way elsewhere: at most so many at once, results in order, none lost where whoever did it died.

``Place`` is what a way to other processes must be able to do; ``through`` does the rest, the same for all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from everloop.errors import LearnerFailed
from everloop.training.sent import outcome_of, packed
from everloop.training.usage import Usage

LOOK_EVERY: Final = 0.1
"""Seconds between looks at whether the work must end."""
TRIES: Final = 4
"""A piece that so many processes died of is not begun again."""
ALONE: Final = 2
"""From so many deaths on a piece is done by itself: then whoever dies, died of it."""


class DiedError(Exception):
    """Whoever did a piece is gone; the piece may be begun again."""


class Place(Protocol):
    """Somewhere else where pieces are done. A piece under way is anything that can be a key."""

    def begin(self, item: bytes) -> Any:
        """Begin a piece."""
        ...

    def ended(self, under_way: Sequence[Any]) -> Iterable[Any]:
        """Those that are done; waits ``LOOK_EVERY`` at most for the first."""
        ...

    def said(self, piece: Any) -> bytes:
        """What came of a piece that is done. Raises DiedError."""
        ...

    def forget(self, under_way: Sequence[Any]) -> None:
        """Nobody waits for these any more: end them."""
        ...


@dataclass(eq=False)
class _Piece:
    at: int
    item: bytes
    deaths: int = 0


def unspent(_usage: Usage) -> None:
    """Nobody counts what it took."""


def unhurried() -> None:
    """Nothing ends the work under way."""


def through(
    place: Place,
    items: Iterable[object],
    *,
    name: str,
    width: int,
    spent: Callable[[Usage], None] = unspent,
    still: Callable[[], None] = unhurried,
) -> list[Any]:
    """What came of every item, in order; at most ``width`` pieces are under way, and items are taken as there is room.

    ``spent`` is told what each took, ``still`` raises why the work must end. Raises what the first item that fails raised (nothing after
    it is begun once that is known), LearnerFailed where every process that does an item dies of it.
    """
    left = (_Piece(at, packed(item, f"Item {at} for {name}")) for at, item in enumerate(items))
    again: deque[_Piece] = deque()
    under_way: dict[Any, _Piece] = {}
    results: dict[int, Any] = {}
    failed: dict[int, Exception] = {}
    try:
        while True:
            while (piece := _next(left, again, under_way, failed, width)) is not None:
                under_way[place.begin(piece.item)] = piece
            if not under_way:
                break
            still()
            for key in place.ended(list(under_way)):
                piece = under_way.pop(key)
                try:
                    outcome = outcome_of(place.said(key))
                except DiedError as died:
                    piece.deaths += 1
                    if piece.deaths >= TRIES:
                        raise died_of(name, f"item {piece.at}, {TRIES} times: {died}") from died
                    again.append(piece)
                    continue
                spent(outcome.usage)
                if outcome.error is None:
                    results[piece.at] = outcome.result
                else:
                    failed[piece.at] = outcome.error
            if failed and (later := [key for key, piece in under_way.items() if piece.at > min(failed)]):
                place.forget(later)
                under_way = {key: piece for key, piece in under_way.items() if piece.at < min(failed)}
    except BaseException:
        place.forget(list(under_way))
        raise
    if failed:
        raise failed[min(failed)]
    return [results[at] for at in range(len(results))]


def died_of(name: str, why: str) -> LearnerFailed:
    """What is raised where every process that does an item dies of it."""
    cure = "Perhaps there was not enough memory: give each less to do, or fewer workers. Else update the library that ends its process."
    return LearnerFailed(f"{name} died with every process that did it: {why.rstrip('.')}. {cure} Nothing else was touched.")


def _next(
    left: Iterator[_Piece], again: deque[_Piece], under_way: dict[Any, _Piece], failed: dict[int, Exception], width: int
) -> _Piece | None:
    """What is begun next: what died first; a piece under suspicion only alone, and beside it nothing."""
    if len(under_way) >= width or any(piece.deaths >= ALONE for piece in under_way.values()):
        return None
    if failed:
        first = min(failed)
        for piece in [piece for piece in again if piece.at > first]:
            again.remove(piece)
    for piece in again:
        if piece.deaths < ALONE or not under_way:
            again.remove(piece)
            return piece
    return next(left, None) if not failed and not again else None
