"""Plan: how readings of one model are told from packed rows, worked out once. In: packed rows and a moment. Out: values and statuses.

The arithmetic is that of ``finalize``, so a value is the one training reads, to the last digit. Absent: clock, store.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from everloop.features import finalize
from everloop.features.definition import Window, definition_hash, nature_of, window_of
from everloop.features.packed import BEFORE, NUMBERS, ROWS, Block, decode, number
from everloop.features.states import NEEDS, State, has, keys_told
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, leaves

#: One value as a learner sees it: a number, words, a list, or None for empty.
Told: TypeAlias = float | str | list[str] | None
Status: TypeAlias = Literal["present", "missing", "expired"]
#: How a reading is told from the tiles ``start`` to ``stop`` of a block, at a moment.
Tell: TypeAlias = Callable[[Block, int, int, int], Told]

PRESENT: Final[Status] = "present"
MISSING: Final[Status] = "missing"
EXPIRED: Final[Status] = "expired"


class Span(NamedTuple):
    """One window of a block: its edges around a moment, and what is told of it, each with the slot its value goes to.

    ``lasts`` are newest values that are read as they are kept, with their place in the block.
    """

    start: int | None
    stop: int | None
    hop: int
    tells: tuple[tuple[int, Tell], ...]
    lasts: tuple[tuple[int, int], ...]


class Piece(NamedTuple):
    """What is told from one state: the spans of each of its blocks, and what each slot holds where a key has no rows at all."""

    state: State
    spans: tuple[tuple[int, Span], ...]
    empty: tuple[tuple[int, Told], ...]


class Plan:
    """The single readings inside some readings of a model, each with a slot; by which state each is told, and which are told by none.

    ``states``: those that are kept (default: those of these readings alone).
    """

    def __init__(self, model: Model, readings: Sequence[AnyReading], states: Iterable[State]) -> None:
        self.model, self.readings = model, tuple(readings)
        self.leaves = tuple({definition_hash(leaf): leaf for reading in readings for leaf in leaves(reading)}.items())
        self.slots = {name: slot for slot, (name, _) in enumerate(self.leaves)}
        found: dict[State, list[tuple[int, Reading]]] = {}
        kept, self.others = tuple(states), dict[str, Reading]()
        for name, leaf in self.leaves:
            keys = keys_told(model, leaf)
            state = None if keys is None else next((state for state in kept if state.tells(leaf, keys)), None)
            if state is None:
                self.others[name] = leaf
            else:
                found.setdefault(state, []).append((self.slots[name], leaf))
        self.pieces = tuple(piece_of(state, several) for state, several in found.items())
        self.states = tuple(state.id for state in found)


def piece_of(state: State, readings: Sequence[tuple[int, Reading]]) -> Piece:
    """How readings are told from a state that keeps what they need."""
    spans: dict[tuple[int, Window], list[tuple[int, Reading]]] = {}
    for slot, reading in readings:
        window = window_of(reading)
        block = next(i for i, kept in enumerate(state.tiles) if kept.hop == window.hop)
        spans.setdefault((block + 1, window), []).append((slot, reading))
    made = []
    for (block, window), several in spans.items():
        as_kept = [(slot, place_of(state, r)["last"]) for slot, r in several if r.verb == "latest" and _is_as_kept(r)]
        tells = [(slot, tell_of(state, r)) for slot, r in several if r.verb != "latest" or not _is_as_kept(r)]
        made.append((block, Span(window.start, window.stop, max(window.hop, 1), tuple(tells), tuple(as_kept))))
    return Piece(state, tuple(made), tuple((slot, _NOTHING.get(reading.verb)) for slot, reading in readings))


def tell(piece: Piece, body: bytes | None, moment: int, slots: list[Told]) -> set[int] | None:
    """Fill the slots of one state from a key's packed row; gives the slots whose value has passed, None where there are none."""
    if body is None:
        for slot, empty in piece.empty:
            slots[slot] = empty
        return None
    row, passed = decode(body), set[int]()
    for place, (begin, end, hop, tells, lasts) in piece.spans:
        block = row[place]
        numbers = block[NUMBERS]
        start = 0 if begin is None else bisect_left(numbers, (moment + begin) // hop)
        stop = len(numbers) if end is None else bisect_left(numbers, (moment + end) // hop)
        if stop > start:
            # Tiles are in order of time, so that the newest row is in the last of them.
            for slot, at in lasts:
                slots[slot] = block[at][stop - 1]
            for slot, told in tells:
                slots[slot] = told(block, start, stop, moment)
        else:
            for slot, told in tells:
                slots[slot] = told(block, start, stop, moment)
            if start or block[BEFORE]:
                passed.update(slot for slot, _ in (*tells, *lasts) if slots[slot] is None)
    return passed or None


def _is_as_kept(reading: Reading) -> bool:
    return nature_of(reading.source, reading.columns[0]) in ("words", "decimal")


_NOTHING: Final[dict[str, Told]] = {"total": 0.0, "count": 0.0, "distinct": 0.0, "any": 0.0, "none": 1.0, "which": []}


def place_of(state: State, reading: Reading) -> dict[str, int]:
    """At which place of its block each part is that a reading needs."""
    kept = state.kept(window_of(reading).hop)
    assert kept is not None, "a state is asked only for what it tells"
    return {kind: has(kept, kind, column)[0] + ROWS for kind in NEEDS[reading.verb] for column in reading.columns}


def tell_of(state: State, reading: Reading) -> Tell:
    """How one reading is told from a block of its state."""
    verb, at = reading.verb, place_of(state, reading)
    if verb in ("count", "any", "none"):
        return _COUNTED[verb]
    nature = nature_of(state.source, reading.columns[0])
    decimal, show = nature == "decimal", _SHOWN[nature]
    if verb == "total":
        return _total(at["total"], decimal)
    if verb == "mean":
        return _mean(_total(at["total"], decimal), at["n"])
    if verb in ("lowest", "highest"):
        return _extreme(at[verb], min if verb == "lowest" else max, show)
    if verb == "latest":
        return _latest(at["last"], show)
    return _distinct(at["counts"]) if verb == "distinct" else _which(at["seen"], reading.most)


def _count(block: Block, start: int, stop: int, moment: int) -> Told:
    return float(sum(block[ROWS][start:stop]))


def _any(block: Block, start: int, stop: int, moment: int) -> Told:
    return 1.0 if stop > start else 0.0


def _none(block: Block, start: int, stop: int, moment: int) -> Told:
    return 0.0 if stop > start else 1.0


_COUNTED: Final[dict[str, Tell]] = {"count": _count, "any": _any, "none": _none}


def _as_float(value: Any, moment: int) -> Told:
    return float(value)


def _as_it_is(value: Any, moment: int) -> Told:
    return value  # type: ignore[no-any-return]


def _as_days(value: Any, moment: int) -> Told:
    return finalize.one_days_before(moment, value)


Show: TypeAlias = Callable[[Any, int], Told]
_SHOWN: Final[dict[str, Show]] = {"words": _as_it_is, "decimal": _as_it_is, "whole": _as_float, "flag": _as_float, "instant": _as_days}


def _total(at: int, decimal: bool) -> Callable[[Block, int, int, int], float]:
    def told(block: Block, start: int, stop: int, moment: int) -> float:
        parts = block[at][start:stop]
        try:
            return finalize.one_total(sum(parts), decimal)
        except TypeError:  # some are beyond 64 bits
            return finalize.one_total(sum(map(number, parts)), decimal)

    return told


def _mean(total: Callable[[Block, int, int, int], float], at: int) -> Tell:
    def told(block: Block, start: int, stop: int, moment: int) -> Told:
        n = sum(block[at][start:stop])
        return finalize.one_divided(total(block, start, stop, moment), float(n)) if n else None

    return told


def _extreme(at: int, of: Callable[..., Any], show: Show) -> Tell:
    def told(block: Block, start: int, stop: int, moment: int) -> Told:
        parts = block[at][start:stop]
        if None in parts:
            parts = [part for part in parts if part is not None]
        return show(of(parts), moment) if parts else None

    return told


def _latest(at: int, show: Show) -> Tell:
    def told(block: Block, start: int, stop: int, moment: int) -> Told:
        value = block[at][stop - 1] if stop > start else None
        return None if value is None else show(value, moment)

    return told


def _distinct(at: int) -> Tell:
    def told(block: Block, start: int, stop: int, moment: int) -> Told:
        return float(len(set().union(*block[at][start:stop])))

    return told


def _which(at: int, most: int | None) -> Tell:
    def told(block: Block, start: int, stop: int, moment: int) -> Told:
        found: dict[Any, list[Any]] = {}
        for tile in block[at][start:stop]:
            for value, (n, event_at, id) in tile.items():
                # Later tiles are newer.
                found[value] = [n + found[value][0] if value in found else n, event_at, id]
        ranked = sorted(found.items(), key=lambda item: item[1], reverse=True)
        return [value if isinstance(value, str) else str(value) for value, _ in ranked[:most]]

    return told
