import sqlite3

import pytest

from everloop.sql.wal import write_ahead


def held(file):
    """A new file, not in WAL mode yet, in the hands of another process."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE a (b)")
    other.execute("BEGIN IMMEDIATE")
    return other


def test_two_that_open_a_new_file_at_once_wait_for_each_other(tmp_path, monkeypatch):
    other = held(tmp_path / "new.db")
    monkeypatch.setattr("everloop.sql.wal.time.sleep", lambda _: other.execute("COMMIT"))
    connection = sqlite3.connect(tmp_path / "new.db", timeout=0.01)
    with pytest.raises(sqlite3.OperationalError, match="locked"):  # what SQLite does by itself, however patient its timeout
        connection.execute("PRAGMA journal_mode = WAL")
    write_ahead(connection, 60.0)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_is_never_let_go_is_told(tmp_path):
    other = held(tmp_path / "new.db")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(sqlite3.connect(tmp_path / "new.db", timeout=0.01), 0.02)
    other.close()
