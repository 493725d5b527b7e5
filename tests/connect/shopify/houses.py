"""A house as a shop's door sees it, for tests: it keeps the newest version of each row, and can be down, or refuse."""

from __future__ import annotations

from dataclasses import dataclass, field

from everloop.connect.shopify import inventory, order_lines, products, stockouts
from everloop.connect.shopify.house import Refused, Unreachable

SOURCES = {source.name: source for source in (products, order_lines, inventory, stockouts)}


@dataclass
class MadeUpHouse:
    down: bool = False
    lacks: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()  # ids of rows
    told: list = field(default_factory=list)

    def receive(self, source, rows):
        if self.down:
            raise Unreachable("The house does not answer.")
        if source in self.lacks:
            raise Refused(404, "unknown", f"There is no source {source}.")
        refused = [row for row in rows if self.id_of(source, row) in self.refuses]
        self.told += [(source, dict(row)) for row in rows if row not in refused]
        return {"kept": len(rows) - len(refused), "refused": len(refused), "examples": ["row 1: no"] if refused else []}

    def id_of(self, source, row):
        return " ".join(str(row[name]) for name in SOURCES[source].id)

    def rows(self, source):
        """The rows in force, by id."""
        found = {}
        for name, row in self.told:
            if name != source:
                continue
            id, version = self.id_of(name, row), SOURCES[source].version
            if id not in found or version is None or row[version] > found[id][version]:
                found[id] = row
        gone = SOURCES[source].deleted
        return {id: row for id, row in found.items() if gone is None or not row.get(gone)}
