"""Whatever the disk does: what was acknowledged is in the log once, what was refused is not, and nothing is damaged."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.errors import StoreError
from everloop.serving import SCHEMA, AnswersLog, unsealed
from everloop.serving.segment import read, segments

FAILURES = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
outcomes = st.one_of(st.none(), st.none(), st.tuples(st.sampled_from(FAILURES), st.integers(min_value=0, max_value=400)))


def rows(id):
    said = {
        "model": "m",
        "version": "v",
        "arm": "champion",
        "unit": "u",
        "moment": 1,
        "answered_at": 1,
        "features": "{}",
        "microseconds": 1,
    }
    return pa.Table.from_pylist([{"id": id, **said}], schema=SCHEMA)


@contextmanager
def a_disk_that(writes, syncs):
    """Each write and each sync of the log does the next of these: goes well (None), or fails, a write after so many bytes."""
    write, fsync, writes, syncs = os.write, os.fsync, iter(writes), iter(syncs)

    def ours():
        return threading.current_thread().name.startswith("answers log")

    def writing(fd, data):
        outcome = next(writes, None) if ours() else None
        if outcome is None:
            return write(fd, data)
        write(fd, data[: outcome[1]])
        raise OSError(outcome[0], os.strerror(outcome[0]))

    def syncing(fd):
        outcome = next(syncs, None) if ours() else None
        if outcome is not None:
            raise OSError(outcome[0], os.strerror(outcome[0]))
        fsync(fd)

    os.write, os.fsync = writing, syncing
    try:
        yield
    finally:
        os.write, os.fsync = write, fsync


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["process", "sync"]),
    st.lists(st.integers(min_value=0, max_value=9), max_size=25),
    st.lists(outcomes, max_size=20),
    st.lists(outcomes, max_size=20),
    st.integers(min_value=200, max_value=2_000),
)
def test_acknowledged_is_there_once_and_refused_is_not(durability, asked, writes, syncs, rotate_at):
    acknowledged = set()
    with tempfile.TemporaryDirectory() as folder, a_disk_that(writes, syncs):
        log = AnswersLog(Path(folder), durability=durability, rotate_at=rotate_at, patience=20)
        for n in asked:
            with suppress(StoreError):  # refused
                log.write(rows(f"a{n}"))
                acknowledged.add(f"a{n}")
        log.close()
        found = unsealed(Path(folder)).column("id").to_pylist()
        assert sorted(found) == sorted(acknowledged)
        assert all((s.torn, s.damaged) == (0, 0) for s in map(read, segments(Path(folder))))


@settings(max_examples=30, deadline=None)
@given(st.lists(outcomes, max_size=20), st.sampled_from(["process", "group", "sync"]))
def test_what_was_given_is_in_the_log_or_counted(writes, durability):
    with tempfile.TemporaryDirectory() as folder, a_disk_that(writes, ()):
        with AnswersLog(Path(folder), durability=durability, patience=20, when_full="drop") as log:
            for n in range(20):
                log.write(rows(f"a{n}"))
        assert len(unsealed(Path(folder))) + log.dropped == 20
