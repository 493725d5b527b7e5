"""The same shop on SQLite and on Postgres decides the same, word for word. Postgres goes away in test_house_on_postgres.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everloop.records import Candidate
from everloop.testing.postgres_server import postgres_server
from tests.ring.shops import Says, Shop, usual


@pytest.fixture(scope="module")
def server():
    with postgres_server() as server:
        yield server


def on_postgres(folder, url):
    """A folder whose house keeps its decisions and its events on Postgres."""
    folder.mkdir(parents=True)
    (folder / "everloop.toml").write_text(f'registry = "{url}"\nevents = "{url}"\n')
    return folder


def told(house):
    """The journal without what a run cost, and without the bytes of an archive, in which there are times of the day."""
    found = []
    for entry in house.journal.read():
        record = replace(entry.record, cost=None)
        found.append((entry.seq, entry.turn, entry.verb, replace(record, artefact="") if isinstance(record, Candidate) else record))
    return found


def played(folder):
    shop = Shop(folder, usual, Says(1.0), lift=1.0)
    for _ in range(7):
        shop.day()
    return shop


@pytest.mark.slow
def test_a_shop_decides_the_same_on_sqlite_and_on_postgres(tmp_path, server):
    here, there = played(_made(tmp_path / "here")), played(on_postgres(tmp_path / "there", server.database()))
    assert there.house.store.engine.dialect.name == "postgresql"
    assert told(there.house) == told(here.house)
    assert len(told(here.house)) > 30
    assert not list((tmp_path / "there").rglob("*.db"))
    assert there.house.journal.verify().seq == len(told(there.house))
    for shop in (here, there):
        shop.house.store.close()


def _made(folder):
    folder.mkdir(parents=True)
    return folder
