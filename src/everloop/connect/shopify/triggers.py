"""Shopify Flow is told what drifted, what may run out, what took over, what was taken back. In: the house's journal. Out: triggers.

What is to be told is put beside the number the journal was read up to, in one transaction, and taken away once Shopify has it: nothing is
missed, and only a crash between the two tells something twice. Whatever it says, a trigger is at most 50,000 bytes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from everloop.clock import from_microseconds, microseconds, wall
from everloop.connect.shopify.admin import Shop
from everloop.connect.shopify.beside import Told, kept_up
from everloop.connect.shopify.house import House, Row
from everloop.connect.shopify.place import Place
from everloop.errors import EverloopError

TABLES = (
    (
        "create table if not exists triggers (number integer primary key, key text not null unique, handle text not null,"
        " payload text not null, at integer not null, told integer not null default 0)"
    ),
    "create table if not exists watched (name text primary key, value text not null) without rowid",
)
DRIFTED, RUNS_OUT, PROMOTED, ROLLED_BACK = "drift-detected", "stock-out-expected", "model-promoted", "model-rolled-back"
LARGEST: Final = 50_000
"""Bytes of a payload; more is refused: "Properties size exceeds the limit of 50000 bytes"."""
LOOK_EVERY: Final = 5.0
AGAIN: Final = 30.0
KEPT: Final = timedelta(days=7)
"""How long it is known that something was told."""
GIVEN_UP: Final = timedelta(hours=36)


@dataclass(frozen=True)
class Trigger:
    """One thing to tell Flow. ``key``: under the same it is told once."""

    key: str
    handle: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Triggers:
    """What is to be told to the Flow of one shop. Make it once: that makes its tables."""

    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            for table in TABLES:
                t.execute(table)

    def put(self, *triggers: Trigger) -> None:
        """Let Flow be told; what was told before under the same key is not told again."""
        with self.place.transaction() as t:
            _put(t, triggers)

    def look(self, house: House) -> int:
        """Read the house's journal on, and put what Flow wants to know; how many entries. The first time only says where to begin.

        Raises Unreachable, Refused.
        """
        with self.place.transaction(write=False) as t:
            row = t.execute("select value from watched where name = 'through'").fetchone()
        reply = house.since(int(row[0]) if row else None)
        entries, standing = reply["entries"], () if row else house.standing()
        with self.place.transaction() as t:
            for one in standing:
                if one["champion"] is not None:
                    _watch(t, f"champion of {one['model']}", str(one["champion"]))
            for entry in entries:
                _put(t, triggers_of(entry, _champion_before(t, entry)))
            _watch(t, "through", str(reply["through"]))
        return len(entries)

    def post(self, shop: Shop) -> int:
        """Tell Flow what waits, oldest first; how many. Raises what the shop raises, and then the rest waits."""
        with self.place.transaction(write=False) as t:
            waiting = t.execute("select number, handle, payload, at from triggers where told = 0 order by number").fetchall()
        for number, handle, payload, at in waiting:
            try:
                shop.ask("flow_trigger", handle=handle, payload=json.loads(payload))
            except EverloopError:
                if wall() - from_microseconds(at) < GIVEN_UP:
                    raise
            with self.place.transaction() as t:
                t.execute("update triggers set told = 1, payload = '' where number = ?", (number,))
        return len(waiting)

    def carry(self, house: House, shop: Shop, stop: threading.Event, told: Told = print) -> None:
        """Look and tell until ``stop``; what could not be told waits."""

        def work() -> None:
            self.look(house)
            self.post(shop)

        kept_up(work, stop, told, "Flow is not told yet", every=LOOK_EVERY, again=AGAIN)


def triggers_of(entry: Row, champion_before: str | None) -> tuple[Trigger, ...]:
    """What Flow wants to know of one entry of the journal.

    >>> entry = {"seq": 7, "kind": "Traffic", "verb": "advance", "model": "recs", "champion": "recs@2", "stage": "bake", "at": "2026-11-02"}
    >>> [one.handle for one in triggers_of(entry | {"sentence": "recs@2 answers everybody."}, "recs@1")]
    ['model-promoted']
    """
    key, said = f"journal/{entry['seq']}", {"Model": entry["model"], "Because": entry["sentence"]}
    if entry["kind"] == "Incident":
        drifted = [s for s in entry["symptoms"] if s["kind"] == "drift"]
        if entry["state"] != "firing" or not entry["news"] or not drifted:
            return ()
        about = ", ".join(dict.fromkeys(str(s["about"]) for s in drifted if s.get("about"))) or "answers"
        return (Trigger(key, DRIFTED, fitting({**said, "What drifted": about, "Severity": entry["severity"]})),)
    champion = entry["champion"]
    if entry["verb"] == "undo":
        return (Trigger(key, ROLLED_BACK, fitting({**said, "Version": champion})),)
    if champion_before is not None and champion != champion_before:
        return (Trigger(key, PROMOTED, fitting({**said, "Version": champion, "Version before": champion_before})),)
    return ()


def runs_out(product: str, on: date, days_left: float, because: str) -> Trigger:
    """A product is expected to run out: told once for each product and day it is expected on.

    >>> runs_out("7", date(2026, 11, 9), 6.5, "12 left, about 2 a day.").payload["product_id"]
    7
    """
    said = {"product_id": int(product), "Days left": round(days_left, 1), "Runs out on": on.isoformat(), "Because": because}
    return Trigger(f"stock/{product}/{on.isoformat()}", RUNS_OUT, fitting(said))


def fitting(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload that Flow takes: where it is too large its longest text is cut, and ends in an ellipsis.

    >>> fitting({"Because": "x" * 60_000})["Because"][-1], size(fitting({"Because": "é" * 60_000})) <= LARGEST
    ('…', True)
    """
    said = dict(payload)
    while size(said) > LARGEST:
        longest = max((name for name in said if isinstance(said[name], str)), key=lambda name: size(said[name]), default=None)
        if longest is None or len(said[longest]) < 2:
            raise EverloopError(f"A trigger of {size(said):,} bytes cannot be cut to {LARGEST:,}.")
        text, over = said[longest].removesuffix("…"), size(said) - LARGEST
        # No letter takes more than twelve bytes however it is written, so this cuts too little, never too much of what fits.
        said[longest] = text[: max(0, len(text) - max(1, over // 12))] + "…"
    return said


def size(value: object) -> int:
    """Bytes of a value in the longest form anybody writes JSON in: nothing but ASCII, and what HTML means something by escaped, too.

    >>> size({"a": "b"}), size("é<")
    (10, 14)
    """
    text = json.dumps(value, ensure_ascii=True)
    return len(text) + 5 * sum(text.count(letter) for letter in "<>&")


def _put(t: sqlite3.Connection, triggers: tuple[Trigger, ...]) -> None:
    now = microseconds(wall())
    t.execute("delete from triggers where told = 1 and at < ?", (now - KEPT // timedelta(microseconds=1),))
    rows = [(one.key, one.handle, json.dumps(one.payload), now) for one in triggers]
    t.executemany("insert or ignore into triggers (key, handle, payload, at) values (?, ?, ?, ?)", rows)


def _champion_before(t: sqlite3.Connection, entry: Row) -> str | None:
    """Who answered for the model until this entry, which is remembered for the next."""
    if entry["kind"] != "Traffic":
        return None
    name = f"champion of {entry['model']}"
    row = t.execute("select value from watched where name = ?", (name,)).fetchone()
    _watch(t, name, str(entry["champion"]))
    return None if row is None else str(row[0])


def _watch(t: sqlite3.Connection, name: str, value: str) -> None:
    t.execute("insert into watched values (?, ?) on conflict (name) do update set value = excluded.value", (name, value))
