"""The files DVC reads, without DVC: tests/oracles/test_dvc.py asks the real one."""

from __future__ import annotations

import tomllib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.connect import dvc
from everloop.connect.whole import parquet, put
from everloop.errors import EverloopError

BODIES = {"training.parquet": b"a\n", "sources/orders.parquet": b"b\n"}
PINS = {"model": "churn", "training_set": "t1", "sources": {"orders": {"delta_version": 3, "rows": 2}}}


def test_a_folder_has_the_pointer_dvc_writes(tmp_path):
    done = dvc.write(tmp_path, "churn", BODIES, PINS)
    # What dvc 3.67 wrote for a folder of these two files.
    assert (tmp_path / "churn.dvc").read_text() == (
        "outs:\n- md5: b7298844284c5654f87456d4938ac119.dir\n  size: 4\n  nfiles: 2\n  hash: md5\n  path: churn\n"
    )
    assert (done.md5, done.size, done.files) == ("b7298844284c5654f87456d4938ac119.dir", 4, ("sources/orders.parquet", "training.parquet"))
    assert (tmp_path / ".gitignore").read_text() == "/churn\n"
    assert {p.relative_to(tmp_path / "churn").as_posix(): p.read_bytes() for p in (tmp_path / "churn").rglob("*.parquet")} == BODIES
    assert dvc.said_by(tmp_path, "churn") == done.md5


def test_names_are_ordered_as_dvc_orders_them():
    said = dvc.manifest({"a/b": "2", "a-b": "1", "ü": "3"})
    assert said == b'[{"md5": "1", "relpath": "a-b"}, {"md5": "2", "relpath": "a/b"}, {"md5": "3", "relpath": "\\u00fc"}]'


def test_twice_is_once(tmp_path):
    first = dvc.write(tmp_path, "churn", BODIES, PINS)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = dvc.write(tmp_path, "churn", dict(reversed(BODIES.items())), PINS)
    assert (again, again.changed) == (first, ())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_what_changed_is_named_and_what_is_gone_goes(tmp_path):
    dvc.write(tmp_path, "churn", BODIES, PINS)
    done = dvc.write(tmp_path, "churn", {"training.parquet": b"c\n", "sources/taxes.parquet": b""}, PINS)
    assert done.changed == ("sources/orders.parquet", "sources/taxes.parquet", "training.parquet")
    assert not (tmp_path / "churn" / "sources" / "orders.parquet").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "churn", "churn.dvc", "churn.pins.toml"]


def test_what_dvc_linked_to_its_cache_is_not_written_to(tmp_path):
    dvc.write(tmp_path, "churn", BODIES, PINS)
    cached = tmp_path / "cached"
    cached.hardlink_to(tmp_path / "churn" / "training.parquet")
    dvc.write(tmp_path, "churn", BODIES | {"training.parquet": b"other"}, PINS)
    assert cached.read_bytes() == BODIES["training.parquet"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn" / "mine.csv").write_text("x")
    with pytest.raises(EverloopError, match="was not written by everloop"):
        dvc.write(tmp_path, "churn", BODIES, PINS)
    assert [path.name for path in tmp_path.rglob("*")] == ["churn", "mine.csv"]


def test_a_disk_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    dvc.write(tmp_path, "churn", BODIES, PINS)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EverloopError, match="No space left"):
        dvc.write(tmp_path, "churn", {"training.parquet": b"c"}, PINS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_line_of_gitignore_is_added_once(tmp_path):
    put(tmp_path / ".gitignore", b"*.log")
    for _ in range(2):
        dvc.write(tmp_path, "churn", BODIES, PINS)
    assert (tmp_path / ".gitignore").read_text() == "*.log\n/churn\n"


def test_pins_are_read_again_and_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(EverloopError, match="Export first: everloop export dvc churn"):
        dvc.pinned(tmp_path, "churn")
    dvc.write(tmp_path, "churn", BODIES, PINS)
    assert dvc.pinned(tmp_path, "churn") == PINS
    (tmp_path / "churn.pins.toml").write_text("<<<<<<< HEAD\n")
    with pytest.raises(EverloopError, match="git checkout"):
        dvc.pinned(tmp_path, "churn")


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
pins = st.recursive(
    st.one_of(words, st.integers(-(2**63), 2**63 - 1)), lambda inner: st.dictionaries(words, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(words, pins, max_size=4))
def test_whatever_is_pinned_reads_back(said):
    assert pruned(tomllib.loads(dvc.toml(said))) == pruned(said)


def pruned(said):
    """Without empty tables: what pins nothing need not be said."""
    kept = {key: pruned(value) if isinstance(value, dict) else value for key, value in said.items()}
    return {key: value for key, value in kept.items() if value != {}}


@settings(deadline=None)  # the first one loads a library
@given(st.lists(st.tuples(st.one_of(st.none(), words), st.one_of(st.none(), st.floats()), st.integers(-9, 9))), st.integers(0, 9))
def test_the_same_rows_are_the_same_bytes_however_they_lie_in_memory(rows, cut):
    schema = pa.schema([("x", pa.string()), ("y", pa.float64()), ("z", pa.int64())])
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    whole = pa.table(columns, schema=schema)
    parts = pa.concat_tables([whole.slice(0, cut), whole.slice(cut), whole.slice(0, 0)])
    assert parquet(parts) == parquet(whole) == parquet(whole.take(pa.array(range(len(whole)), pa.int64())))
    if rows:
        other = whole.set_column(2, "z", pa.array([z + 1 for z in columns[2]], pa.int64()))
        assert parquet(other) != parquet(whole)


def test_rows_written_as_they_lie_would_be_other_bytes():
    """The mutant that parquet() is written against: chunks decide where a column stops using its dictionary."""
    whole = pa.table({"x": [f"{n:064x}" for n in range(30_000)]})
    parts = pa.concat_tables([whole.slice(at, 1_234) for at in range(0, 30_000, 1_234)])
    sinks = [pa.BufferOutputStream(), pa.BufferOutputStream()]
    for table, sink in zip((whole, parts), sinks, strict=True):
        pq.write_table(table, sink, compression="zstd")
    assert sinks[0].getvalue() != sinks[1].getvalue()
    assert parquet(parts) == parquet(whole)


# -- files that DVC tracks, as sources ---------------------------------------------------------------------------------------------


def test_a_tracked_file_is_known_by_its_pin_and_another_one_is_refused(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_bytes(b"a,b\n1,2\n")
    assert dvc.pin_of(file) is None
    dvc.track(file, file.read_bytes())
    # What dvc 3.67 wrote for this file.
    pin = dvc.md5(b"a,b\n1,2\n")
    assert (tmp_path / "orders.csv.dvc").read_text() == f"outs:\n- md5: {pin}\n  size: 8\n  hash: md5\n  path: orders.csv\n"
    assert dvc.pin_of(file) == f"md5:{pin}"
    file.write_bytes(b"a,b\n1,3\n")
    with pytest.raises(EverloopError, match=r"not what orders\.csv\.dvc pins.*dvc checkout"):
        dvc.pin_of(file)
    file.unlink()
    with pytest.raises(EverloopError, match="dvc pull"):
        dvc.pin_of(file)


def test_a_file_in_a_tracked_folder_is_known_by_the_folders_pin(tmp_path):
    done = dvc.write(tmp_path, "churn", BODIES, PINS)
    assert dvc.pin_of(tmp_path / "churn" / "sources" / "orders.parquet") == f"md5:{done.md5}"
    (tmp_path / "churn" / "sources" / "more.parquet").write_bytes(b"c")
    with pytest.raises(EverloopError, match=r"not what churn\.dvc pins"):
        dvc.pin_of(tmp_path / "churn" / "training.parquet")


def test_a_file_of_the_settings_that_waits_in_dvc_says_how_it_comes(tmp_path):
    from everloop.errors import SettingsError
    from everloop.settings import SourceFiles

    (tmp_path / "orders.csv.dvc").write_text("outs:\n- md5: x\n  path: orders.csv\n")
    with pytest.raises(SettingsError, match=r"DVC has it: dvc pull .*orders\.csv\.dvc"):
        SourceFiles((str(tmp_path / "orders.csv"),)).paths()
