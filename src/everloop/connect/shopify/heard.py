"""What the storefront tells: a list was seen, a product opened, one put into the cart. In: rows of a browser. Out: outcomes.

Anybody can send such rows, so they are few, small and of known words; what was acknowledged is on the disk, and reaches the house once,
however often it is sent, by its ``event_id``.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from everloop.clock import utc
from everloop.connect.shopify.beside import Told, kept_up
from everloop.connect.shopify.house import House, Refused, Row, Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.said import token
from everloop.errors import EverloopError

TABLE = "create table if not exists heard (number integer primary key, event_id text not null unique, row text not null)"
NAMES = ("impression", "click", "cart")
"""Of the outcomes: a list came into view, a product of it was opened, one was put into the cart."""
MOST_ROWS = 20
LARGEST = 8_192
"""Bytes of one message of a browser."""
MOST_WAITING = 100_000
AT_ONCE = 500
EVERY, AGAIN = 1.0, 5.0
PREDICTION = re.compile(r"[0-9a-f]{8,64}")
EVENT = re.compile(r"[A-Za-z0-9:._-]{8,200}")


class TooMuchHeard(EverloopError):  # noqa: N818 - named by what happened
    """So much waits for the house that no more is taken."""


def outcomes(body: bytes, *, model: str, unit: str | None, at: datetime) -> list[Row]:
    """The rows of a browser's message as outcomes of a house. ``unit`` is the customer where one is logged in; else the row's own.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> outcomes(b'[{"prediction": "9d00410c64e5744e", "name": "click", "event_id": "9d00410c:click:7"}]', model="m", unit=None, at=noon)
    [{'prediction': '9d00410c64e5744e', 'name': 'click', 'at': '2026-11-02T12:00:00+00:00', 'event_id': '9d00410c:click:7'}]

    Raises EverloopError for anything else.
    """
    if len(body) > LARGEST:
        raise EverloopError(f"A message has {len(body):,} bytes, and {LARGEST:,} are read.")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise EverloopError("A message is a list of rows in JSON.") from None
    if not isinstance(said, list) or not 0 < len(said) <= MOST_ROWS:
        raise EverloopError(f"A message is a list of 1 to {MOST_ROWS} rows.")
    return [_outcome(row, model, unit, at) for row in said]


def sender(body: bytes) -> str:
    """The token of the browser that sent a message that was read; all that say none are one.

    >>> sender(b'[{"name": "click", "unit": "b7c1d2e3-0000"}]'), sender(b'[{"name": "click"}]')
    ('b7c1d2e3-0000', '')
    """
    return next((who for row in json.loads(body) if (who := token(row.get("unit")))), "")


def _outcome(row: Any, model: str, unit: str | None, at: datetime) -> Row:
    if not isinstance(row, dict) or row.get("name") not in NAMES:
        raise EverloopError(f"A row says its name: {', '.join(NAMES)}.")
    event, prediction, who = row.get("event_id"), row.get("prediction"), unit or token(row.get("unit"))
    if not isinstance(event, str) or not EVENT.fullmatch(event):
        raise EverloopError("A row says an event_id of 8 to 200 letters, digits and : . _ -")
    about: Row
    if isinstance(prediction, str) and PREDICTION.fullmatch(prediction):
        about = {"prediction": prediction}
    elif who is not None:
        about = {"model": model, "unit": who}
    else:
        raise EverloopError("A row names a prediction, or a unit.")
    return {**about, "name": row["name"], "at": utc(at).isoformat(), "event_id": event}


@dataclass(frozen=True)
class Heard:
    """What was heard and has not reached the house yet. Make it once: that makes its table."""

    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            t.execute(TABLE)

    def keep(self, rows: Sequence[Row]) -> None:
        """Once this returns they are on the disk. Raises TooMuchHeard, and then none is."""
        with self.place.transaction() as t:
            lowest, highest = t.execute("select coalesce(min(number), 0), coalesce(max(number), 0) from heard").fetchone()
            if highest - lowest > MOST_WAITING:
                raise TooMuchHeard("The house has not been reached for long; nothing more is taken.")
            kept = [(row["event_id"], json.dumps(row)) for row in rows]
            t.executemany("insert or ignore into heard (event_id, row) values (?, ?)", kept)

    def tell(self, house: House) -> int:
        """Tell the house of the oldest; how many. Raises Unreachable, and then they wait."""
        with self.place.transaction(write=False) as t:
            waiting = t.execute("select number, row from heard order by number limit ?", (AT_ONCE,)).fetchall()
        if not waiting:
            return 0
        try:
            house.outcomes([json.loads(row) for _, row in waiting])
        except Refused as refused:
            if refused.status in (401, 403, 429):
                raise Unreachable(str(refused)) from None  # no word on the rows
        with self.place.transaction() as t:
            t.executemany("delete from heard where number = ?", [(number,) for number, _ in waiting])
        return len(waiting)

    def carry(self, house: House, stop: threading.Event, told: Told = print) -> None:
        """Tell the house until ``stop``; what could not be told waits."""

        def work() -> None:
            while self.tell(house) == AT_ONCE and not stop.is_set():
                pass

        kept_up(work, stop, told, "What the storefront tells waits", every=EVERY, again=AGAIN)
