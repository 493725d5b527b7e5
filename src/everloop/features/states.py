"""States: what must be kept so that readings can be told at any later moment. In: models and readings. Out: ``State`` values, no more.

A state is everything one source (with its ``where``) tells of the keys of some readings: for each hop in use which parts of which columns
are kept in tiles, and how far back. What no state can tell is read from the tables: inherited and looked-up columns, spans of time, and
what looks ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from everloop.features import spine
from everloop.features.definition import condition_column, hashed, nature_of, source_text, window_of
from everloop.project.model import Model
from everloop.project.reading import AnyReading, Reading, leaves
from everloop.project.source import Source

#: What a tile can say of a column: how many values, their exact sum, the extremes, the newest row's value, how often each value is there,
#: and that together with the newest row of each value.
Kind: TypeAlias = Literal["n", "total", "lowest", "highest", "counts", "seen", "last"]
KINDS: Final[tuple[Kind, ...]] = ("n", "total", "lowest", "highest", "counts", "seen", "last")
#: Parts that a row taken out of a tile may leave unknown; then the tile's rows are read again.
EXTREMES: Final = frozenset({"lowest", "highest", "seen", "last"})
#: Which parts a verb needs; how many rows there are is always kept.
NEEDS: Final[dict[str, tuple[Kind, ...]]] = {
    "count": (), "any": (), "none": (), "total": ("total",), "mean": ("n", "total"), "lowest": ("lowest",), "highest": ("highest",),
    "distinct": ("counts",), "which": ("seen",), "latest": ("last",),
}  # fmt: skip


class Part(NamedTuple):
    """One thing tiles say of one column."""

    kind: Kind
    column: str


@dataclass(frozen=True)
class Kept:
    """The tiles of one hop (microseconds; 0: one for ever): their parts in order, and how far before a moment the widest window starts."""

    hop: int
    reach: int | None
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class State:
    """What one source, with its ``where``, tells of each key: one packed row for a key, with the tiles of every hop in use.

    >>> from everloop import Source, days
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str, "amount": int})
    >>> week = orders.total("amount", last=days(7), per="customer_id")
    >>> state_for([(week, ("customer_id",))]).tiles
    (Kept(hop=3600000000, reach=604800000000, parts=(Part(kind='total', column='amount'),)),)
    """

    source: Source
    keys: tuple[str, ...]
    tiles: tuple[Kept, ...]

    @cached_property
    def id(self) -> str:
        """The identity of what is kept; an edited definition is a new state beside the old."""
        where = sorted(map(repr, self.source.rows))
        read = [*self.keys, *map(condition_column, self.source.rows)]
        natures = {part.column: nature_of(self.source, part.column) for kept in self.tiles for part in kept.parts}
        tiles = [[kept.hop, kept.reach, [[*part, natures[part.column]] for part in kept.parts]] for kept in self.tiles]
        return hashed([source_text(self.source), where, [[column, nature_of(self.source, column)] for column in read], tiles])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values are kept of each row, in order."""
        return tuple(sorted({part.column for kept in self.tiles for part in kept.parts}))

    @cached_property
    def has_members(self) -> bool:
        """Whether the rows of each key must be known, for when one of them is taken out."""
        return any(part.kind in EXTREMES for kept in self.tiles for part in kept.parts)

    @cached_property
    def reach(self) -> int | None:
        """How far back any tile reaches (microseconds before a moment, hop included); None: for ever."""
        far = [None if kept.reach is None else kept.reach + kept.hop for kept in self.tiles]
        return None if None in far else max(reach for reach in far if reach is not None)

    def kept(self, hop: int) -> Kept | None:
        """The tiles of a hop."""
        return next((kept for kept in self.tiles if kept.hop == hop), None)

    def tells(self, reading: Reading, keys: tuple[str, ...]) -> bool:
        """Whether a reading of these keys can be read from this state."""
        if (self.source, self.keys) != (reading.source, keys):
            return False
        window = window_of(reading)
        kept = self.kept(window.hop)
        if kept is None or (kept.reach is not None and (window.start is None or kept.reach < -window.start)):
            return False
        return all(any(has(kept, kind, column)) for kind in NEEDS[reading.verb] for column in reading.columns)


def has(kept: Kept, kind: Kind, column: str) -> list[int]:
    """At which place tiles keep a part; counts are told by ``seen`` as well."""
    kinds = (kind, "seen") if kind == "counts" else (kind,)
    return [at + 1 for at, part in enumerate(kept.parts) if part.kind in kinds and part.column == column]


def states_of(model: Model, readings: Sequence[AnyReading] | None = None) -> tuple[State, ...]:
    """The states to keep for a model's readings (default: what it knows)."""
    return together(_needed(model, model.knows if readings is None else readings))


def states_of_all(models: Iterable[tuple[Model, Sequence[AnyReading]]]) -> tuple[State, ...]:
    """The states to keep for several models with their readings: what they share is kept once."""
    return together([need for model, readings in models for need in _needed(model, readings)])


def together(needed: Iterable[tuple[Reading, tuple[str, ...]]]) -> tuple[State, ...]:
    """One state for each source, ``where`` and keys among these readings, in the order in which they come."""
    groups: dict[tuple[Source, tuple[str, ...]], list[tuple[Reading, tuple[str, ...]]]] = {}
    for reading, keys in needed:
        groups.setdefault((reading.source, keys), []).append((reading, keys))
    return tuple(state_for(group) for group in groups.values())


def state_for(needed: Sequence[tuple[Reading, tuple[str, ...]]]) -> State:
    """The one state that tells these readings of one source and the same keys."""
    hops: dict[int, tuple[list[int | None], set[Part]]] = {}
    for reading, _ in needed:
        window = window_of(reading)
        reaches, parts = hops.setdefault(window.hop, ([], set()))
        reaches.append(None if window.start is None else -window.start)
        parts |= {Part(kind, column) for kind in NEEDS[reading.verb] for column in reading.columns}
    tiles = []
    for hop, (reaches, parts) in sorted(hops.items()):
        parts -= {Part("counts", part.column) for part in parts if part.kind == "seen"}
        ordered = sorted(parts, key=lambda part: (KINDS.index(part.kind), part.column))
        tiles.append(Kept(hop, None if hop == 0 else max(reach for reach in reaches if reach is not None), tuple(ordered)))
    reading, keys = needed[0]
    return State(reading.source, keys, tuple(tiles))


def _needed(model: Model, readings: Iterable[AnyReading]) -> list[tuple[Reading, tuple[str, ...]]]:
    single = (leaf for reading in readings for leaf in leaves(reading))
    return [(reading, keys) for reading in single if (keys := keys_told(model, reading)) is not None]


def keys_told(model: Model, reading: Reading) -> tuple[str, ...] | None:
    """The keys of a reading that a state can tell; None where none can."""
    source = reading.source
    if reading.verb not in NEEDS or reading.next is not None or len(source.time) > 1:
        return None
    keys = spine.keys_of(model, reading)
    read = [*keys, *map(condition_column, source.rows), *reading.columns]
    if any(source.parent_of(name) is not None for name in read) or any(nature_of(source, key) == "decimal" for key in keys):
        return None
    return keys
