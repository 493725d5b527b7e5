"""Where the online state is kept. A store keeps bytes and their sequence numbers and understands neither; ``fold`` and ``online`` do.

What is kept belongs to one state each, so that every state stands alone: for each key one packed row; for each id the row last folded;
for each key the ids of its rows in the order in which they happened, where the state tells an extreme; and how far the state has come.
All of it is a fold of the event log, so it can be thrown away and made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable


class Mark(NamedTuple):
    """How far a state has come: the last sequence number folded into it, and when the newest row in it was known (microseconds UTC)."""

    seq: int
    known_at: int


class Packed(NamedTuple):
    """Bytes, and the last sequence number in them: a store never replaces them by older ones."""

    seq: int
    body: bytes


class Seen(NamedTuple):
    """How far each state has come (None: it is not kept), and each packed row (None: there is none), all as they were at one instant."""

    marks: list[Mark | None]
    packed: list[bytes | None]


#: A row among those of its key: when it happened (microseconds UTC), and its id. The order is by both; ids as their UTF-8 bytes.
Member: TypeAlias = tuple[int, str]


class Members(NamedTuple):
    """Which rows a key has lost and gained (lost first, then gained), and before when its rows are needed no longer (None: all are)."""

    lost: frozenset[Member] = frozenset()
    gained: frozenset[Member] = frozenset()
    since: int | None = None


@dataclass(frozen=True)
class Changes:
    """What a fold changes, to be kept whole. A store without transactions keeps the packed row and the members of one key together, all
    keys before rows, and rows before marks: then whatever a kill leaves is made whole by folding the same rows again.

    ``packed`` and ``members`` by (state, key), ``rows`` by (state, id). Members of a key come with its packed row and share its fate: they
    are refused as well where the packed row that is there has a sequence number as high.
    """

    packed: Mapping[tuple[str, str], Packed] = field(default_factory=dict)
    members: Mapping[tuple[str, str], Members] = field(default_factory=dict)
    rows: Mapping[tuple[str, str], Packed] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)


@runtime_checkable
class OnlineStore(Protocol):
    """Bytes by key. Every verb may be called again with the same words: twice is once. Keys and ids are any text, the empty one too."""

    def read(self, states: Sequence[str], places: Sequence[tuple[str, str]]) -> Seen:
        """How far these states have come, and the packed rows of these (state, key), in the order asked for and as of one instant."""

    def marks(self) -> dict[str, Mark]:
        """Every state that is kept, and how far it has come."""

    def rows(self, state: str, ids: Sequence[str]) -> list[bytes | None]:
        """The row last folded of each id, deleted ones too."""

    def members(self, state: str, key: str, start: int | None, stop: int | None, newest: int | None = None) -> list[str]:
        """The ids of a key's rows from ``start`` up to, not including, ``stop`` (None: no end), in order; of those the ``newest`` last."""

    def put(self, changes: Changes) -> None:
        """Keep these; what is there already with a sequence number as high stays as it is. Marks never go back, and make a state kept."""

    def replace(self, states: Mapping[str, Mark], changes: Iterable[Changes]) -> None:
        """Make states anew: what they had goes, these come in its place, and at the end their marks."""

    def forget(self, states: Sequence[str]) -> None:
        """Keep these states no longer."""
