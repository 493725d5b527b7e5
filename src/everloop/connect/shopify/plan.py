"""A plan: what a house is to be told now, and what is to be remembered once it has it. No store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from everloop.clock import microseconds
from everloop.connect.shopify.house import Row
from everloop.connect.shopify.said import at

SECOND: Final = 1_000_000


@dataclass
class Plan:
    """Rows for the house by source, and what to write into the book once it has them; ``newest`` is how far orders and products will be."""

    anew: bool = False
    rows: dict[str, list[Row]] = field(default_factory=dict)
    writes: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    newest: dict[tuple[str, str], int] = field(default_factory=dict)

    def tell(self, source: str, row: Row) -> None:
        self.rows.setdefault(source, []).append(row)

    def write(self, statement: str, *values: Any) -> None:
        self.writes.append((statement, values))

    def fresh(self, version: int, known: int) -> bool:
        """Whether a version is to be told of what is known up to another."""
        return version > known or (self.anew and version == known)

    def told(self, kind: str, id: str, version: int) -> None:
        """Remember how far a thing was told; what was wanted of it until then is there."""
        self.newest[kind, id] = version
        self.write("insert or replace into newest values (?, ?, ?)", kind, id, version)
        self.write("delete from wanted where kind = ? and id = ? and since < ?", kind, id, version // SECOND * SECOND + SECOND)


def version_of(row: Row, name: str = "updated_at") -> int:
    """The version of a row, in microseconds since the epoch."""
    return microseconds(at(row[name], name))
