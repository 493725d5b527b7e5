"""Every state a release has left a house in comes to the newest, with its rows, on SQLite and on Postgres; and is kept beside as it was.

``houses/0001.sql`` and the like were written by the code of then, and are never edited.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from everloop.errors import StoreError
from everloop.records import Traffic
from everloop.registry.approvals import Approvals
from everloop.registry.errands import Errands
from everloop.registry.facts import FACTS
from everloop.registry.incidents import Incidents
from everloop.registry.journal import Journal
from everloop.registry.outbox import Outbox
from everloop.registry.store import Store, open_store
from everloop.registry.traffic import Pointers
from everloop.registry.turns import Turns
from everloop.registry.versions import Versions
from everloop.sql import copies
from everloop.sql.copies import frozen, poured, proven, put_back
from everloop.sql.engine import open_engine, reading, writing
from everloop.sql.migrate import REVISIONS, migrate, revision
from everloop.testing.postgres_server import postgres_server

HOUSES = Path(__file__).parent / "houses"
STATES = sorted(path.stem for path in HOUSES.glob("*.sql"))


def written_then(state, file):
    """A house of that state, in a new SQLite file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as there:
        there.executescript((HOUSES / f"{state}.sql").read_text())
    return file


def rows_in(file):
    """Every row of every table, by table and column."""
    with closing(sqlite3.connect(file)) as there:
        there.row_factory = sqlite3.Row
        names = [name for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted((dict(row) for row in there.execute(f"SELECT * FROM {name}")), key=str) for name in names}


def rows_of(engine):
    """The same of a house that is open."""
    with reading(engine) as there:
        from sqlalchemy import inspect

        names = inspect(there).get_table_names()
        return {name: sorted((dict(row._mapping) for row in there.execute(text(f"SELECT * FROM {name}"))), key=str) for name in names}


#: What a migration changes: no process of an older release holds anything any more, and what it had begun waits.
GIVEN_BACK = {"leases": {"holder": None, "until": 0}, "errands": {"state": "waiting"}}


def as_before(before, after, given_back=GIVEN_BACK):
    """Whether every row and column of before is there, as it was, but for what nobody holds any more."""
    for name, rows in before.items():
        if name != "alembic_version":
            due = [row | (given_back.get(name, {}) if name == "leases" or row.get("state") == "taken" else {}) for row in rows]
            cut = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else []
            assert sorted(cut, key=str) == sorted(due, key=str), name


def reads_well(store):
    """Everything in it is read by the nouns of today."""
    journal = Journal(store)
    head = journal.verify()
    assert head.seq >= 15
    assert {entry.record.id for entry in journal.read()}
    assert isinstance(journal.read(kind="Traffic")[-1].record, Traffic)
    assert Pointers(store).current("spends").champion in {version.id for version in Versions(store).all("spends")}
    assert Turns(store).last("spends").state == "done"
    assert len(Outbox(store).all()) >= 1
    assert len(Approvals(store).waiting()) >= 1
    with store.reading() as there:
        assert there.execute(FACTS.select()).all()
    return head, Errands(store).unfinished(), Incidents(store).all()


def test_there_is_a_house_of_every_state_that_was_released():
    assert set(STATES) >= {"0001", "0002", "0003", "0004", "0005", "0006"}
    assert set(STATES) <= set(REVISIONS)


@pytest.mark.parametrize("state", STATES)
def test_a_house_of_every_state_comes_to_the_newest_with_its_rows_and_is_kept_as_it_was(state, tmp_path):
    file = written_then(state, tmp_path / "house.db")
    before = rows_in(file)
    store = open_store(f"sqlite:///{file}")
    assert revision(store.engine) == REVISIONS[-1]
    _, errands, incidents = reads_well(store)
    assert [one.id for one in errands] == (["e1"] if state >= "0002" else [])
    assert len(incidents) == (1 if state >= "0005" else 0)
    store.close()
    as_before(before, rows_in(file))
    kept = tmp_path / f"house-{state}.db"
    assert kept.exists() == (state != REVISIONS[-1])
    if kept.exists():
        assert rows_in(kept) == before
        open_store(f"sqlite:///{kept}").close()  # and it may be gone back to


def test_a_house_whose_copy_cannot_be_made_is_left_as_it_was(tmp_path, monkeypatch):
    file = written_then("0001", tmp_path / "house.db")
    before = rows_in(file)

    def broken(file):
        raise StoreError(f"{file} is broken")

    monkeypatch.setattr(copies, "proven", broken)
    with pytest.raises(StoreError, match="is broken"):
        open_store(f"sqlite:///{file}")
    assert rows_in(file) == before
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".db"] == ["house.db"]


def test_a_copy_that_lost_a_page_is_no_copy(tmp_path):
    file = written_then("0005", tmp_path / "house.db")
    proven(file)
    body = bytearray(file.read_bytes())
    body[8192:12288] = bytes(4096)
    file.write_bytes(body)
    with pytest.raises(StoreError, match=r"is broken|no house"):
        proven(file)


UPGRADE = "import sys; from everloop.registry.store import open_store; sys.stdin.readline(); open_store(sys.argv[1]); print('done')"
KILLED = """
import os, signal, sys
from alembic.operations import Operations
at, done = int(sys.argv[2]), [0]
def counted(name):
    run = getattr(Operations, name)
    def once(self, *args, **words):
        found = run(self, *args, **words)
        done[0] += 1
        if done[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(Operations, name, once)
for name in ("create_table", "create_index", "add_column"):
    counted(name)
from everloop.registry.store import open_store
open_store(sys.argv[1])
print("done")
"""


def run(script, *words, go=False):
    import os

    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.Popen(
        [sys.executable, "-c", script, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | paths,
    )  # fmt: skip
    return child if go else child.communicate(timeout=120)


@pytest.mark.slow
def test_killed_at_any_step_the_old_house_stands_and_the_next_start_brings_it_up(tmp_path):
    steps, outs = 0, []
    while "done" not in outs[-1:]:
        steps += 1
        file = written_then("0001", tmp_path / str(steps) / "house.db")
        before = rows_in(file)
        out, error = run(KILLED, f"sqlite:///{file}", str(steps))
        outs.append(out.strip())
        if outs[-1] == "done":
            break
        assert error == ""
        assert rows_in(file) == before
        assert rows_in(file.with_name("house-0001.db")) == before
        reads_well(store := open_store(f"sqlite:///{file}"))
        store.close()
    assert steps > 8


@pytest.mark.slow
def test_two_processes_that_open_an_older_house_at_once_both_can(tmp_path):
    for state in ("0001", "0004"):
        file = written_then(state, tmp_path / state / "house.db")
        before = rows_in(file)
        both = [run(UPGRADE, f"sqlite:///{file}", go=True) for _ in range(3)]
        for child in both:
            child.stdin.write("go\n")
            child.stdin.flush()
        assert [child.communicate(timeout=120)[0].strip() for child in both] == ["done"] * 3
        as_before(before, rows_in(file))
        assert rows_in(file.with_name(f"house-{state}.db")) == before


# -- Postgres ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    with postgres_server() as there:
        yield there


def poured_into(server, state, tmp_path):
    """A house of that state on Postgres, with the rows it had."""
    url = server.database()
    file = written_then(state, tmp_path / f"then-{state}.db")
    engine, then = open_engine(url), open_engine(f"sqlite:///{file}")
    with reading(then) as source, writing(engine) as target:
        migrate(target, state)
        poured(source, target)
    then.dispose()
    engine.dispose()
    return url, rows_in(file)


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_a_house_on_postgres_of_every_state_comes_to_the_newest_with_its_rows(state, server, tmp_path):
    url, before = poured_into(server, state, tmp_path)
    store = open_store(url, keep=tmp_path / "house")
    head, errands, _ = reads_well(store)
    assert [one.id for one in errands] == (["e1"] if state >= "0002" else [])
    as_before(before, rows_of(store.engine))
    kept = tmp_path / "house" / f"house-{state}.db"
    assert kept.exists() == (state != REVISIONS[-1])
    if kept.exists():
        as_before(before, rows_in(kept), given_back={})
        older = Store(open_engine(f"sqlite:///{kept}"))
        assert Journal(older).verify(head) == head
        assert revision(older.engine) == state
        older.close()
    store.close()


@pytest.mark.slow
def test_killed_at_any_step_a_house_on_postgres_stands_as_it_was(server, tmp_path):
    for steps in (1, 3, 6):
        url, _ = poured_into(server, "0001", tmp_path / str(steps))
        engine = open_engine(url)
        before = rows_of(engine)
        out, _ = run(KILLED, url, str(steps))
        assert out == ""
        assert rows_of(engine) == before
        assert revision(engine) == "0001"
        engine.dispose()
        reads_well(store := open_store(url))
        store.close()


@pytest.mark.slow
def test_two_processes_that_open_an_older_house_on_postgres_at_once_both_can(server, tmp_path):
    url, before = poured_into(server, "0001", tmp_path)
    both = [run(UPGRADE, url, go=True) for _ in range(3)]
    for child in both:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate(timeout=120)[0].strip() for child in both] == ["done"] * 3
    engine = open_engine(url)
    as_before(before, rows_of(engine))
    engine.dispose()


@pytest.mark.slow
def test_a_copy_of_a_house_on_postgres_is_one_instant_and_comes_back_into_postgres(server, tmp_path):
    url, before = poured_into(server, "0005", tmp_path)
    store = open_store(url)
    head = Journal(store).head()
    with frozen(store.engine) as there:
        with store.transaction() as t:
            t.execute(text("INSERT INTO facts VALUES ('', 'late', 1, '{}')"))
        there.copy(tmp_path / "copy.db")
    proven(tmp_path / "copy.db")
    assert not [row for row in rows_in(tmp_path / "copy.db")["facts"] if row["name"] == "late"]
    other = open_engine(server.database())
    put_back(tmp_path / "copy.db", other)
    as_before(before, rows_of(other))
    assert Journal(Store(other)).verify(head) == head
    with pytest.raises(StoreError, match="already"):
        put_back(tmp_path / "copy.db", other)
    with pytest.raises(StoreError, match="append-only"), writing(other) as t:
        t.execute(text("DELETE FROM journal"))
    other.dispose()
    store.close()
