"""Writers of the online state on Redis are killed at any moment, the last thousand events are told again: it stays a fold of the log.

Each life is one real process with two writers, one of which comes late with what it has worked out. Somewhere in its work the process is
killed by SIGKILL; the next one tells the last 1,000 events again and goes on. In the end everything that is kept is what one undisturbed
fold of the log into SQLite keeps. ``python -m bench.redis_kills URL EVENTS DIE [plain]`` is a life: it dies in the put that is worked out
from event ``DIE`` (0: never); ``plain`` takes the compare out of compare-and-set, to show that this would be noticed.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from bench.goal import Goal, at_least, at_most
from everloop import Source, days, hours
from everloop import at_least as no_less
from everloop.connect import redis as on_redis
from everloop.connect.redis import RedisTiles
from everloop.connect.redis_scripts import Script, script
from everloop.errors import Overtaken
from everloop.features.fold import NEVER, Fold
from everloop.features.packed import decode, trimmed
from everloop.features.states import State, state_for
from everloop.features.store import Changes, Mark, OnlineStore
from everloop.features.tiles import Tiles
from everloop.testing.plain import Said, event_table
from everloop.testing.redis_server import redis_server

TOLD_AGAIN, A_LIFE, KEYS = 1_000, 400, 40
MINUTE = 60_000_000
ORDERS = Source("orders", id="line_id", time="at", columns={"shop": str, "amount": int, "weight": float, "buyer": str})
BUYERS = ("shop", "buyer")


def states() -> tuple[State, ...]:
    """Two states: everything tiles can say, over days and for ever; and one with a condition and two keys."""
    week, large = days(7), ORDERS.where(no_less("amount", 5))
    one = [
        ORDERS.total("amount", last=week), ORDERS.mean("weight", last=hours(12)), ORDERS.lowest("weight", last=week),
        ORDERS.highest("amount", last=hours(12)), ORDERS.distinct("buyer", last=week), ORDERS.latest("buyer"), ORDERS.count(last=hours(12)),
    ]  # fmt: skip
    return state_for([(reading, ("shop",)) for reading in one]), state_for([(large.total("amount", last=week), BUYERS)])


def log_of(events: int, seed: int = 0) -> pa.Table:
    """Orders with corrections that move a row to another shop, deletions, rows that come late or twice, and odd values."""
    rng = random.Random(seed)
    log: list[Said] = []
    versions: dict[str, int] = {}
    for i in range(events):
        known_at = (i + 20_000) * MINUTE
        again = rng.random() < 0.25 and versions
        id = rng.choice(list(versions)[-300:]) if again else f"o{i}"
        versions[id] = versions.get(id, -1) + 1
        values = {
            "shop": f"s{rng.randrange(KEYS)}",
            "amount": rng.choice([0, 1, 7, None, 2**62, -(2**62)]),
            "weight": rng.choice([0.1, 0.2, -0.0, 1e-9, None, 3e12]),
            "buyer": rng.choice(["ada", "ü", None]),
        }
        version = versions[id] - (rng.random() < 0.05)
        log.append(Said(id, max(version, 0), known_at - rng.choice([0, 0, 1, 90, 4000]) * MINUTE, known_at, values, rng.random() < 0.04))
    return event_table(ORDERS, log)


def take_in(store: OnlineStore, log: pa.Table, start: int, size: int, rng: random.Random) -> None:
    """Fold the log from ``start`` to its end, so many events at a time; overtaken, go on from where the states are."""
    fold, at = Fold(states()), start
    while at < log.num_rows:
        try:
            left = fold.take_in(store, log.slice(at, more := rng.randint(1, size)))
        except Overtaken:
            left = fold.states
        at = min(mark.seq for mark in store.marks().values()) if left else at + more


class _Dying(RedisTiles):
    """A store whose process dies in the put of what comes after an event, a moment after it began."""

    die, rng = 0, random.Random(0)

    def put(self, changes: Changes) -> None:
        if self.die and any(mark.seq >= self.die for mark in changes.marks.values()):
            threading.Timer(self.rng.random() * 0.004, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        super().put(changes)


class _Late(RedisTiles):
    """A store that puts what was worked out only after another writer has put something, or two milliseconds have gone."""

    other = threading.Event()

    def put(self, changes: Changes) -> None:
        self.other.clear()
        self.other.wait(0.002)
        super().put(changes)


class _Prompt(_Dying):
    def put(self, changes: Changes) -> None:
        super().put(changes)
        _Late.other.set()


def plain() -> Script:
    """``PUT`` with neither compare nor guard: what is told last stands."""
    text = on_redis.PUT.text
    for compare in ("local fresh = older(have, value)", "(fresh and value or have)", "then return 0 end"):
        assert compare in text
    text = text.replace("local fresh = older(have, value)", "local fresh = true").replace("then return 0 end", "then end")
    return script(text)


def life(url: str, events: int, die: int) -> None:
    """Two writers tell the last events again and go on, until the log ends or the process is killed."""
    log = log_of(events)
    # Half of all puts are too much for one script, so that a kill may come between two of them.
    on_redis.CHUNK_WORDS = 150
    prompt, late = _Prompt(url, house="kills"), _Late(url, house="kills")
    prompt.die, prompt.rng = die, random.Random(die)
    start = max(0, min(mark.seq for mark in prompt.marks().values()) - TOLD_AGAIN)
    other = threading.Thread(target=take_in, args=(late, log, start, 170, random.Random(die + 1)), daemon=True)
    other.start()
    take_in(prompt, log, start, 60, random.Random(die + 2))
    other.join()


@dataclass(frozen=True)
class Found:
    """What lives and kills came to."""

    killed: int
    lives: int
    broken: int
    kept: int
    wrong: int
    seconds: float


def trial(url: str, kills: int, *, rival: bool = False) -> Found:
    """So many lives that are killed, then one that is not; and what is kept against one undisturbed fold."""
    began, events = time.perf_counter(), kills * A_LIFE + TOLD_AGAIN
    store = RedisTiles(url, house="kills")
    store.forget([state.id for state in states()])
    store.replace({state.id: Mark(0, NEVER) for state in states()}, [])
    killed = lives = broken = 0
    for die in [*range(A_LIFE, kills * A_LIFE + 1, A_LIFE), 0]:
        words = [sys.executable, "-m", "bench.redis_kills", url, str(events), str(die), *(["plain"] if rival else [])]
        ended = subprocess.run(words, capture_output=True, text=True)
        lives, killed = lives + 1, killed + (ended.returncode == -signal.SIGKILL)
        broken += ended.returncode not in (0, -signal.SIGKILL)
        if broken and not rival:
            raise RuntimeError(f"the writers that were to die at {die} failed:\n{ended.stderr}")
    log = log_of(events)
    right = undisturbed(log)
    pairs = [(one, other) for state in states() for one, other in zip(kept(right, state, log), kept(store, state, log), strict=True)]
    store.close()
    return Found(killed, lives, broken, len(pairs), sum(one != other for one, other in pairs), time.perf_counter() - began)


def undisturbed(log: pa.Table) -> Tiles:
    """What one fold of the log keeps, event by event."""
    tiles = Tiles(sqlite3.connect(":memory:"))
    tiles.put(Changes(marks={state.id: Mark(0, NEVER) for state in states()}))
    take_in(tiles, log, 0, 1, random.Random(0))
    return tiles


def kept(store: OnlineStore, state: State, log: pa.Table) -> list[object]:
    """All a store keeps of a state: its mark, every packed row and its members as far back as anybody reads, every row."""
    name, known_at = state.id, log["known_at"][-1].as_py()
    shops, buyers = sorted(set(log["shop"].to_pylist())), ["ada", "ü"]
    keys = shops if state.keys == ("shop",) else [f"{shop}\x1f{buyer}" for shop in shops for buyer in buyers]
    marks, packed = store.read([name], [(name, key) for key in keys])
    since = None if state.reach is None else known_at - state.reach
    members = [store.members(name, key, since, None) for key in keys]
    rows = [None if row is None else decode(row) for row in store.rows(name, sorted(set(log["id"].to_pylist())))]
    return [marks[0], *(None if body is None else trimmed(state, body, known_at) for body in packed), *members, *rows]


def measure(kills: int = 50) -> Iterator[Goal]:
    """The figures of so many kills on a server of its own, and of a rival without the compare."""
    with redis_server() as server:
        found = trial(server.url, kills)
        rival = trial(server.url, min(kills, 3), rival=True)
    yield at_least(
        "writers to Redis killed in a put",
        found.killed,
        kills,
        "kills",
        f"of {found.lives} lives, {TOLD_AGAIN:,} events told again in each",
    )
    yield at_most(
        "values on Redis that differ from a fold of the log", found.wrong, 0, "values",
        f"of {found.kept:,}, {found.seconds:.0f} s; where writes are not compared {rival.wrong:,} of {rival.kept:,} differ",
    )  # fmt: skip


if __name__ == "__main__":
    if "plain" in sys.argv:
        on_redis.PUT = plain()
    with suppress(KeyboardInterrupt):
        life(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
