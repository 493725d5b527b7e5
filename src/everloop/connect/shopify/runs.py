"""Runs of Flow actions: what a workflow asked for, once, until it is done. In: a run's id and what it asks. Out: how it stands.

A run is asked of the house under a name of its own (``once``), so that it is one turn there however often the door dies meanwhile; what
came of it is kept here before anybody is told.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from everloop.clock import from_microseconds, microseconds, wall
from everloop.connect.shopify.beside import Told
from everloop.connect.shopify.house import House, Refused, Row, Unreachable
from everloop.connect.shopify.place import Place
from everloop.errors import EverloopError

TABLE = (
    "create table if not exists runs (id text primary key, body text not null, model text not null, asked_at integer not null,"
    " state text not null, said text) without rowid"
)
FLOW_WAITS: Final = timedelta(hours=36)
"""How long a workflow waits for one of its sections; nobody asks for a run that is older."""
FORGOTTEN: Final = timedelta(days=7)
BESIDE: Final = 2
AGAIN: Final = 2.0
LONGEST: Final = 4_000
"""Characters of what is said of a run: a workflow reads at most 50,000 bytes."""

State: TypeAlias = Literal["open", "done", "refused"]
Status: TypeAlias = Literal[
    "LET_IN", "WAITS_FOR_A_PERSON", "NOT_BETTER", "NOT_PROVEN", "NOT_FIT", "NOTHING_LEARNT", "NOTHING_TO_DO", "CANCELLED", "FAILED"
]


class AnotherRun(EverloopError):  # noqa: N818 - named by what happened
    """The same id was asked with something else before."""


@dataclass(frozen=True)
class Run:
    """One run of an action. ``said``: what came of it, or (``refused``) why it cannot be."""

    id: str
    model: str
    asked_at: datetime
    state: State
    said: Mapping[str, Any]


@dataclass(frozen=True)
class Runs:
    """The runs of one shop. Make it once: that makes its table."""

    place: Place

    def __post_init__(self) -> None:
        with self.place.transaction() as t:
            t.execute(TABLE)

    def ask(self, id: str, body: Mapping[str, Any], model: str, now: datetime) -> Run:
        """The run of this id, begun where there is none; once this returns it is on the disk. Raises AnotherRun for another ``body``."""
        digest = hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        with self.place.transaction() as t:
            t.execute("delete from runs where state <> 'open' and asked_at < ?", (microseconds(now - FORGOTTEN),))
            t.execute("insert or ignore into runs values (?, ?, ?, ?, 'open', null)", (id, digest, model, microseconds(now)))
            row = t.execute("select body, id, model, asked_at, state, said from runs where id = ?", (id,)).fetchone()
        if row[0] != digest:
            raise AnotherRun(f"The run {id} was asked with something else before; it stays what it was.")
        return _run(row[1:])

    def open(self) -> list[Run]:
        """The runs that are not done, oldest first."""
        with self.place.transaction(write=False) as t:
            rows = t.execute("select id, model, asked_at, state, said from runs where state = 'open' order by asked_at, id").fetchall()
        return [_run(row) for row in rows]

    def end(self, id: str, state: State, said: Mapping[str, Any]) -> None:
        """Keep what came of a run; the first word stands."""
        with self.place.transaction() as t:
            t.execute("update runs set state = ?, said = ? where id = ? and state = 'open'", (state, json.dumps(said), id))

    def carry(self, house: House, stop: threading.Event, woken: threading.Event, told: Told = print) -> None:
        """Carry open runs to their end until ``stop``, at most two beside each other; those a dead process left are gone on with."""
        under_way: dict[str, threading.Thread] = {}
        while not stop.is_set():
            woken.clear()
            under_way = {id: thread for id, thread in under_way.items() if thread.is_alive()}
            for run in self.open():
                if run.id not in under_way and len(under_way) < BESIDE:
                    under_way[run.id] = threading.Thread(
                        target=self._through, args=(run, house, stop, woken, told), name="flow", daemon=True
                    )
                    under_way[run.id].start()
            woken.wait(1.0)

    def _through(self, run: Run, house: House, stop: threading.Event, woken: threading.Event, told: Told) -> None:
        said_before = ""
        while not stop.is_set():
            try:
                self.end(run.id, *came_of(run, house))
                break
            except Unreachable as error:
                if wall() - run.asked_at > FLOW_WAITS:
                    self.end(run.id, "done", said_of(run, "FAILED", None, f"Nobody could be reached for {FLOW_WAITS}: {error}"))
                    break
                if str(error) != said_before:
                    said_before = str(error)
                    told(f"The run {run.id} of {run.model} waits: {error}")
                stop.wait(AGAIN)
        woken.set()


def came_of(run: Run, house: House) -> tuple[State, Mapping[str, Any]]:
    """Ask the house for a run's turn and wait for it; asked again it is the same turn. Raises Unreachable: nothing is known of it."""
    try:
        reply = house.operate("turn", {"model": run.model, "retrain": True, "once": f"flow {run.id}"})
    except Refused as refused:
        if refused.status in (401, 403, 429):
            raise Unreachable(str(refused)) from None
        if refused.status == 404:
            return "refused", {"message": str(refused)}
        return "done", said_of(run, "CANCELLED" if refused.code == "overtaken" else "FAILED", None, str(refused))
    turn: Row = reply["turns"][0]
    return "done", said_of(run, status_of(turn), turn.get("version"), str(turn.get("sentence", "")))


def status_of(turn: Row) -> Status:
    """What a turn came to, in one word for a workflow.

    >>> status_of({"action": "retrain", "fit": True, "verdict": "failed"}), status_of({"action": "hold"})
    ('NOT_BETTER', 'NOTHING_TO_DO')
    """
    if turn.get("action") == "ask":
        return "WAITS_FOR_A_PERSON"
    if turn.get("action") not in ("retrain", "rehearse"):
        return "NOTHING_TO_DO"
    if turn.get("fit") is False:
        return "NOT_FIT"
    match turn.get("verdict"):
        case "passed":
            return "LET_IN" if turn.get("version") else "WAITS_FOR_A_PERSON"
        case "failed":
            return "NOT_BETTER"
        case None:
            return "NOTHING_LEARNT"
        case _:
            return "NOT_PROVEN"


def said_of(run: Run, status: Status, version: object, because: str) -> dict[str, Any]:
    """The ``return_value`` of the action: the type ``Retraining`` of its ``schema.graphql``."""
    short = because if len(because) <= LONGEST else because[: LONGEST - 1] + "…"
    return {"run": run.id, "model": run.model, "status": status, "version": version, "because": short}


def _run(row: sqlite3.Row | tuple[Any, ...]) -> Run:
    id, model, asked_at, state, said = row
    return Run(id, model, from_microseconds(asked_at), state, json.loads(said) if said else {})
