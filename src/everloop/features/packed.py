"""Packed: a key's tiles as bytes, and what can be done to them. Bytes in, exact parts out, and back; absent: clock, disk.

A packed row is MessagePack: ``[seq, block, …]``, a block for each hop of its state. A block holds columns, one entry for each tile in order
of time: ``[before, numbers, rows, part, …]``. ``before`` is how many rows were in tiles that are no longer kept, ``numbers`` are the tiles'
starts in hops since 1970 UTC, ``rows`` how many rows each has, the parts are those of the state; where it keeps newest values, ``at`` and
``id`` of each tile's newest row come after them. Whole numbers beyond 64 bits are bytes, little end first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from everloop.features import finalize
from everloop.features.states import Kept, State

Value: TypeAlias = int | float | str
#: What tiles say, by place: a block's columns, or one tile of it: ``[rows, part, …, at, id]``.
Block: TypeAlias = list[Any]
Tile: TypeAlias = list[Any]

BEFORE, NUMBERS, ROWS = 0, 1, 2
LONG: Final = 2**63
encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(list[Any]).decode
#: How often each value is there is most of a packed row, and an event touches one tile of it: the others are left as they are.
Unread: TypeAlias = msgspec.Raw
_read: Final = msgspec.msgpack.Decoder(dict[Any, Any]).decode


def read(said: Any) -> Any:
    """A part of a tile; what was left unread is read."""
    return _read(said) if said.__class__ is Unread else said


def number(stored: int | bytes) -> int:
    """A whole number as it was before it was stored.

    >>> number(kept_number(-(2**90))) == -(2**90)
    True
    """
    return int.from_bytes(stored, "little", signed=True) if stored.__class__ is bytes else stored  # type: ignore[return-value]


def kept_number(value: int) -> int | bytes:
    """A whole number as it is stored: bytes where it does not fit into 64 bits."""
    return value if -LONG <= value < LONG else value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)


def whole(value: Value | None) -> int | None:
    """A number as it is summed: itself, or a decimal times 2**100; None for what is not summed.

    >>> whole(0.5) == 2**99, whole(7), whole(1e300)
    (True, 7, None)
    """
    if isinstance(value, float):
        split = finalize.split_decimal(value)
        return None if split is None else (split[0] << 80) + split[1]
    return None if isinstance(value, str) else value


class Shape:
    """How tiles of one hop are laid out, and their arithmetic. ``places`` says where among a row's values each part finds its own."""

    def __init__(self, kept: Kept, columns: tuple[str, ...]) -> None:
        def at(*kinds: str) -> tuple[int, ...]:
            return tuple(i + 1 for i, part in enumerate(kept.parts) if part.kind in kinds)

        self.kept, self.hop = kept, kept.hop
        self.parts = tuple((part.kind, columns.index(part.column)) for part in kept.parts)
        self.sums, self.lows, self.highs = at("n", "total"), at("lowest"), at("highest")
        self.counts, self.seen, self.lasts = at("counts"), at("seen"), at("last")
        self.width = len(kept.parts) + (3 if self.lasts else 1)
        self.newest = len(kept.parts) + 1  # where a tile says when its newest row happened; its id comes next

    @property
    def type(self) -> type:
        """What a block is decoded as where little of it is needed."""
        parts = [list[Unread] if kind in ("counts", "seen") else list[Any] for kind, _ in self.parts]
        newest = [list[int], list[str]] if self.lasts else []
        return tuple[int, list[int], list[int], *parts, *newest]  # type: ignore[valid-type]

    def empty(self) -> Block:
        """A block without tiles."""
        return [0] + [[] for _ in range(self.width + 1)]

    def number(self, event_at: int) -> int:
        """The number of the tile in which an instant is."""
        return event_at // self.hop if self.hop else 0

    def first(self, known_at: int) -> int | None:
        """The first tile that any window reaches at a moment after ``known_at``; None: all are reached."""
        return None if self.kept.reach is None else (known_at - self.kept.reach) // self.hop

    def one(self, at: int, id: str, values: Sequence[Value | None]) -> Tile:
        """What a tile with this one row in it would say."""
        tile: Tile = [1]
        for kind, place in self.parts:
            value = values[place]
            if kind == "total":
                tile.append(kept_number(whole(value) or 0))
            elif kind == "n":
                tile.append(0 if whole(value) is None else 1)
            elif kind == "counts":
                tile.append({} if value is None else {value: 1})
            elif kind == "seen":
                tile.append({} if value is None else {value: [1, at, id]})
            else:
                tile.append(value)
        return [*tile, at, id] if self.lasts else tile

    def put_in(self, tile: Tile, one: Tile) -> None:
        """Add to a tile what another says."""
        tile[0] += one[0]
        for k in self.sums:
            tile[k] = kept_number(number(tile[k]) + number(one[k]))
        for k in self.lows:
            if one[k] is not None and (tile[k] is None or one[k] < tile[k]):
                tile[k] = one[k]
        for k in self.highs:
            if one[k] is not None and (tile[k] is None or one[k] > tile[k]):
                tile[k] = one[k]
        if self.lasts and one[self.newest :] >= tile[self.newest :]:
            for k in (*self.lasts, self.newest, self.newest + 1):
                tile[k] = one[k]
        for k in self.counts:
            for value, n in one[k].items():
                # What a tile says may be shared with other tiles: it is never changed, but made anew.
                tile[k] = {**tile[k], value: tile[k][value] + n} if value in tile[k] else dict(sorted((*tile[k].items(), (value, n))))
        for k in self.seen:
            for value, (n, at, id) in one[k].items():
                there = tile[k].get(value)
                if there is None:
                    tile[k] = dict(sorted((*tile[k].items(), (value, [n, at, id]))))
                else:
                    tile[k] = {**tile[k], value: [there[0] + n, *max(there[1:], [at, id])]}

    def take_out(self, tile: Tile, one: Tile, new: Tile | None) -> bool:
        """Take a row out of a tile that has others, before ``new`` is put in. False: an extreme is gone that only the rows can tell."""
        sure = True
        tile[0] -= 1
        for k in self.sums:
            tile[k] = kept_number(number(tile[k]) - number(one[k]))
        for k in self.lows:
            if one[k] is not None and one[k] == tile[k]:
                sure &= new is not None and new[k] is not None and new[k] <= one[k]
        for k in self.highs:
            if one[k] is not None and one[k] == tile[k]:
                sure &= new is not None and new[k] is not None and new[k] >= one[k]
        if self.lasts and one[self.newest :] == tile[self.newest :]:
            sure &= new is not None and new[self.newest :] >= one[self.newest :]
        for k in self.counts:
            for value in one[k]:
                tile[k] = {**tile[k], value: tile[k][value] - 1} if tile[k][value] > 1 else _without(tile[k], value)
        for k in self.seen:
            for value, (_, at, id) in one[k].items():
                there = tile[k][value]
                if there[0] == 1:
                    tile[k] = _without(tile[k], value)
                    continue
                sure &= there[1:] != [at, id] or (new is not None and value in new[k] and new[k][value][1:] >= [at, id])
                tile[k] = {**tile[k], value: [there[0] - 1, *there[1:]]}
        return sure

    def trim(self, block: Block, first: int | None) -> bool:
        """Forget the tiles before this one, but not how many rows were in them. Whether there were any."""
        if first is None or not block[NUMBERS] or block[NUMBERS][0] >= first:
            return False
        gone = bisect_left(block[NUMBERS], first)
        block[BEFORE] += sum(block[ROWS][:gone])
        for column in block[NUMBERS:]:
            del column[:gone]
        return True


def _without(found: dict[Any, Any], value: Value) -> dict[Any, Any]:
    return {other: what for other, what in found.items() if other != value}


def shapes(state: State) -> tuple[Shape, ...]:
    """How each block of a state's packed rows is laid out."""
    return tuple(Shape(kept, state.columns) for kept in state.tiles)


def decoder(state: State) -> Callable[[bytes], list[Any]]:
    """What decodes packed rows of a state for one event's sake: parts that are dicts may be left ``Unread``."""
    decoded = msgspec.msgpack.Decoder(tuple[int, *(shape.type for shape in shapes(state))]).decode
    return lambda body: [block if block.__class__ is int else list(block) for block in decoded(body)]


def trimmed(state: State, body: bytes, known_at: int) -> list[Block]:
    """A packed row's blocks without what no window reaches after ``known_at``: the same however and whenever they were folded."""
    blocks: list[Block] = decode(body)[1:]
    for shape, block in zip(shapes(state), blocks, strict=True):
        shape.trim(block, shape.first(known_at))
    return blocks
