"""The demo's year twice: on SQLite in this process, and on Postgres, Redis and Ray. What is decided must be the same, record for record.

Both houses are played by the same hands in the same process; what differs is the text of everloop.toml, four lines. Ray has two nodes on
loopback, Postgres and Valkey (or Redis) are real servers on sockets.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.goal import Goal, at_least, at_most
from everloop.testing.clusters import ray_cluster
from everloop.testing.postgres_server import postgres_server
from everloop.testing.redis_server import redis_server

ELSEWHERE = """
registry = "{postgres}"
events = "{postgres}"

[online]
url = "{redis}"

[executor]
url = "{ray}"
"""


def same() -> Iterator[Goal]:
    """How many records of the decision log differ, and how many there are."""
    with tempfile.TemporaryDirectory() as name, postgres_server() as postgres, redis_server() as redis, ray_cluster() as ray:
        folder = Path(name)
        os.environ |= ray.environment
        here, seconds_here = played(folder / "here", "")
        there, seconds = played(folder / "there", ELSEWHERE.format(postgres=postgres.url, redis=redis.url, ray=ray.url))
        left = sorted(path.name for path in (folder / "there").rglob("*.db"))
    differ = sum(one != other for one, other in zip_longest(here, there))
    beside = f"{len(here)} records, {seconds_here:.0f} s on SQLite, {seconds:.0f} s on Postgres, Redis and Ray"
    yield at_most("records that differ on Postgres, Redis and Ray", differ, 0, "records", beside)
    yield at_least("records the demo's decision log has at least", len(here), 50, "records")
    yield at_most("database files the house elsewhere leaves here", len(left), 0, "files", ", ".join(left))


def played(folder: Path, settings: str) -> tuple[list[dict[str, Any]], float]:
    """The planted year in a house with these settings: what was decided, and how many seconds it took."""
    from everloop.demo.shop import load
    from everloop.demo.story import PLANTS
    from everloop.demo.year import journalled, play

    folder.mkdir()
    (folder / "everloop.toml").write_text(settings)
    began = time.perf_counter()
    play(folder, load(), PLANTS)
    return journalled(folder), time.perf_counter() - began
