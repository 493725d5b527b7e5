"""Opening a house's database, and what a writer may count on."""

import os
import resource
import signal
import sqlite3
import sys
from types import SimpleNamespace

import pytest
from sqlalchemy import event, text

from everloop.errors import HouseBusy, HouseFull, Missing, StoreError
from everloop.sql.engine import open_engine, reading, writing


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(f"sqlite:///{tmp_path / 'a' / 'house.db'}", busy_seconds=0.1)
    with writing(opened) as connection:
        connection.execute(text("CREATE TABLE n (x INTEGER UNIQUE, parent INTEGER REFERENCES n (x))"))
    yield opened
    opened.dispose()


def count(engine):
    with reading(engine) as connection:
        return connection.execute(text("SELECT count(*) FROM n")).scalar()


def test_sqlite_is_opened_as_a_house_needs_it(engine):
    with reading(engine) as connection:
        pragmas = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "foreign_keys", "synchronous")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}
    with pytest.raises(StoreError, match="FOREIGN KEY"), writing(engine) as connection:
        connection.execute(text("INSERT INTO n VALUES (1, 99)"))


def test_a_transaction_is_all_or_nothing(engine):
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        connection.execute(text("INSERT INTO n VALUES (1, NULL)"))
        1 / 0
    assert count(engine) == 0


def test_a_writer_takes_the_lock_when_it_begins(engine):
    with writing(engine), pytest.raises(HouseBusy, match=r"house\.db"), writing(engine):
        pytest.fail("two writers at once")


def test_a_reader_is_not_a_writer(engine):
    with reading(engine), writing(engine) as connection:
        connection.execute(text("INSERT INTO n VALUES (1, NULL)"))
    assert count(engine) == 1


def test_a_reader_sees_one_moment(engine):
    with reading(engine) as looking:
        assert looking.execute(text("SELECT count(*) FROM n")).scalar() == 0
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO n VALUES (1, NULL)"))
        assert looking.execute(text("SELECT count(*) FROM n")).scalar() == 0


def test_a_full_disk_is_told_from_other_trouble(engine):
    @event.listens_for(engine, "begin")
    def small(connection):
        connection.exec_driver_sql("PRAGMA max_page_count = 8")

    with pytest.raises(HouseFull, match="Nothing was half-written"), writing(engine) as connection:
        connection.execute(text("CREATE TABLE big (x)"))
        connection.execute(text("INSERT INTO big VALUES (zeroblob(100000))"))
    with pytest.raises(StoreError, match="UNIQUE") as other, writing(engine) as connection:
        connection.execute(text("INSERT INTO n VALUES (1, NULL), (1, NULL)"))
    assert type(other.value) is StoreError


@pytest.mark.parametrize("free", [0, 1 << 30])
def test_a_disk_that_fails_is_full_only_where_nothing_is_free_on_it(engine, monkeypatch, free):
    engine.dispose()  # so that the next who opens it has to make the files beside it
    (soft, hard), before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free // 4096, f_frsize=4096))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(StoreError, match=r"house\.db.*disk I/O error.* Nothing was half-written") as told:
            count(engine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert type(told.value) is (StoreError if free else HouseFull)
    assert ("Make room" in str(told.value)) == (not free)
    assert ("mend it" in str(told.value)) == bool(free)
    assert count(engine) == 0


def test_what_is_no_text_is_refused(engine):
    with pytest.raises(StoreError, match="it is no text"), writing(engine) as connection:
        connection.execute(text("INSERT INTO n VALUES (:x, NULL)"), {"x": "\ud800"})
    assert count(engine) == 0


def test_a_path_is_taken_whole(tmp_path):
    odd = tmp_path / "50% off?mode=ro#x y é" / "house.db"
    engine = open_engine(f"sqlite:///{odd}")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    assert odd.exists()
    engine.dispose()


def test_a_file_that_is_no_house_is_said_to_be_none(tmp_path):
    (tmp_path / "house.db").write_text("this is a shopping list, " * 100)
    engine = open_engine(f"sqlite:///{tmp_path / 'house.db'}")
    with pytest.raises(StoreError, match="is no house"), reading(engine):
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'house.db'}")


@pytest.mark.parametrize("url", ["", "house.db", "mysql://u:p@host/db", "nonsense://x", "sqlite+aiosqlite:///x"])
def test_another_database_is_refused_without_its_password(url):
    with pytest.raises(StoreError, match=r"Say sqlite:///house\.db or postgresql://") as refused:
        open_engine(url)
    assert ":p@" not in str(refused.value)


def test_postgres_without_its_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Missing, match=r"everloop\[postgres\]"):
        open_engine("postgres://user:secret@localhost/house")


def test_wal_is_asked_for_again_while_somebody_holds_the_file(tmp_path):
    file = tmp_path / "house.db"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    engine = open_engine(f"sqlite:///{file}", busy_seconds=0.05)
    with pytest.raises(HouseBusy), reading(engine):
        pass
    other.rollback()
    with reading(engine) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    other.close()
    engine.dispose()
