"""Metafields of products and variants: what the house says of them, written where it says something else, and remembered to be removed.

Few are written 25 a call, by compare-and-set: should somebody else have written since they were read, they are read and written again. Many
go as one bulk operation (``bulk.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.house import Refused, Row, Unreachable
from everloop.connect.shopify.mirror import TRIES, same, stale
from everloop.connect.shopify.place import Place
from everloop.errors import EverloopError

T = TypeVar("T")
NAMESPACE: Final = "$app"
"""The app's own namespace: nobody else writes there, and a theme reads it as ``product.metafields.app``."""
AT_ONCE: Final = 25
"""That metafieldsSet takes in one call. https://shopify.dev/docs/api/admin-graphql/latest/mutations/metafieldsSet"""
READ: Final = 250
"""Of which it is read in one go what is there: a list of ids holds no more."""
MANY: Final = 250
"""From so many on they are written as one bulk operation, where there is somebody who does that."""
TABLE: Final = "create table if not exists published (owner text, key text, primary key (owner, key)) without rowid"

InBulk = Callable[[Sequence[Row]], Iterable[int]]
"""Writes many lots of metafields (each the variables of metafieldsSet) as one bulk operation; the numbers of those it would not have."""


@dataclass(frozen=True)
class Entry:
    """One metafield: of whom (a gid), what, and its value as text."""

    owner: str
    key: str
    type: str
    value: str


Changed: TypeAlias = tuple[Entry, dict[str, Any]]
"""An entry that says something else than what is there, and what is to be said."""


@dataclass(frozen=True)
class Published:
    """What became of entries: ``written``, ``same`` (said so already), and ``refused`` in sentences."""

    written: int = 0
    same: int = 0
    refused: tuple[str, ...] = ()

    def __add__(self, other: Published) -> Published:
        return Published(self.written + other.written, self.same + other.same, self.refused + other.refused)

    def __str__(self) -> str:
        refused = f" Refused: {len(self.refused):,}, such as {self.refused[0]}" if self.refused else ""
        return f"{self.written:,} metafields written, {self.same:,} said so already.{refused}"


@dataclass(frozen=True)
class Metafields:
    """The metafields of one shop. Make it once: that makes its table."""

    shop: Shop
    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            t.execute(TABLE)

    def put(self, entries: Iterable[Entry], in_bulk: InBulk | None = None) -> Published:
        """Write what says something else; again it writes nothing. Raises what the shop raises but for single entries it refuses."""
        done, changed = Published(), list[Changed]()
        for some in lots(entries, READ):
            found = self._changed(some)
            done += Published(same=len(some) - len(found))
            if in_bulk is None:
                done += self._written(found)
            else:
                changed += found
        if in_bulk is not None and len(changed) >= MANY:
            lines = list(lots(changed, AT_ONCE))
            self._remember((one.owner, one.key) for one, _ in changed)
            refused = set(in_bulk([{"metafields": [said for _, said in line]} for line in lines]))
            done += Published(sum(len(line) for number, line in enumerate(lines) if number not in refused))
            # Of a lot that was refused it is told one by one what is wrong with it, and what was only written meanwhile.
            changed = [one for number in sorted(refused) for one in lines[number]]
        return done + self._written(changed)

    def _written(self, changed: Sequence[Changed]) -> Published:
        return sum((self._lot(lot) for lot in lots(changed, AT_ONCE)), Published())

    def _lot(self, lot: Sequence[Changed]) -> Published:
        size, left = len(lot), lot
        for attempt in range(TRIES):
            if not left:
                return Published(same=size)
            # What may have been written has to be removed: it is remembered before.
            self._remember((one.owner, one.key) for one, _ in left)
            try:
                self.shop.ask("metafields_set", metafields=[said for _, said in left])
                return Published(len(left), size - len(left))
            except (Unreachable, Refused):
                raise
            except EverloopError as error:
                if stale(error) and attempt < TRIES - 1:
                    left = self._changed([one for one, _ in lot])
                    continue
                if not getattr(error, "codes", None):
                    raise
                if size == 1:
                    self._forget([(lot[0][0].owner, lot[0][0].key)])
                    return Published(refused=(f"{lot[0][0].key} of {lot[0][0].owner}: {error}",))
                # One of them spoils the call, which is done whole or not at all: the others are written alone.
                return sum((self._lot([one]) for one in lot), Published())
        return Published()

    def _changed(self, some: Sequence[Entry]) -> list[Changed]:
        """Of these entries those that say something else than what is there, each with what is to be said, and the digest of what is."""
        there: dict[tuple[str, str], Row] = {}
        for key in dict.fromkeys(one.key for one in some):
            owners = list(dict.fromkeys(one.owner for one in some if one.key == key))
            for node in self.shop.ask("product_metafields", ids=owners, namespace=NAMESPACE, key=key)["nodes"]:
                if node and node.get("metafield"):
                    there[str(node["id"]), key] = node["metafield"]
        found = []
        for one in some:
            field = there.get((one.owner, one.key)) or {}
            if not same(field.get("value"), one.value):
                said = {"ownerId": one.owner, "namespace": NAMESPACE, "key": one.key, "type": one.type, "value": one.value}
                found.append((one, said | {"compareDigest": field.get("compareDigest")}))
        return found

    def remove(self) -> int:
        """Delete every metafield that was ever written by this door; how many. What was begun goes on where it ended."""
        removed = 0
        while lot := self._remembered(AT_ONCE):
            said = [{"ownerId": owner, "namespace": NAMESPACE, "key": key} for owner, key in lot]
            self.shop.ask("metafields_delete", metafields=said)
            self._forget(lot)
            removed += len(lot)
        return removed

    def _remembered(self, most: int) -> list[tuple[str, str]]:
        with self.place.transaction(write=False) as t:
            return [(str(owner), str(key)) for owner, key in t.execute("select owner, key from published limit ?", (most,))]

    def _remember(self, keys: Iterable[tuple[str, str]]) -> None:
        with self.place.transaction() as t:
            t.executemany("insert or ignore into published values (?, ?)", list(keys))

    def _forget(self, keys: Iterable[tuple[str, str]]) -> None:
        with self.place.transaction() as t:
            t.executemany("delete from published where owner = ? and key = ?", list(keys))


def in_bulk(admin: Any) -> InBulk:
    """Who writes many lots by one bulk operation of this ``admin.Admin``. Raises what ``bulk_changes.changed`` raises."""
    from everloop.connect.shopify.bulk_changes import changed

    def refused(many: Sequence[Row]) -> Iterator[int]:
        for number, answer in changed(admin, "metafields_set", many):
            data = answer.get("data") or {}
            if answer.get("errors") or any((payload or {}).get("userErrors") for payload in data.values()):
                yield number

    return refused


def lots(things: Iterable[T], most: int) -> Iterator[tuple[T, ...]]:
    """Things in lots of so many, the last of what is left.

    >>> list(lots("abcde", 2))
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    left = iter(things)
    while lot := tuple(islice(left, most)):
        yield lot


def paged_type(shop: Shop, type: str) -> Iterator[Row]:
    """Every metaobject of a type."""
    return paged(shop, "metaobjects", "metaobjects", type=type)


def paged(shop: Shop, document: str, field: str, **variables: str) -> Iterator[Row]:
    """Every node of a document that pages. Raises what the shop raises."""
    after = None
    while True:
        found = shop.ask(document, after=after, **variables)[field]
        yield from found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]
