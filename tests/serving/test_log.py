"""The answers log: what is written is there, whatever happens next."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.errors import HouseBusy, HouseFull, StoreError
from everloop.serving import SCHEMA, AnswersLog, seal, unsealed
from everloop.serving.frames import HEAD, frame, unframed
from everloop.serving.log import BEGINS, decoded, encoded, own, read, segments

ANSWERS = [
    {"value": 1.5, "values": [], "items": []},
    {"value": 0.8, "values": [0.2, 0.8], "items": []},
    {"value": 2.0, "values": [2.0, 1.0], "items": ["b", "a"]},
    None,
]


def rows(*ids, unit="p1"):
    return pa.Table.from_pylist(
        [
            {
                "id": id, "model": "m", "version": "v", "arm": "champion", "unit": unit, "moment": -5, "answered_at": 7,
                "answer": ANSWERS[n % 4], "says": None, "features": '{"a":1.0}', "microseconds": 3, "error": None,
            }
            for n, id in enumerate(ids)
        ],
        schema=SCHEMA,
    )  # fmt: skip


class Table:
    """A table of the lake that remembers its markers."""

    def __init__(self):
        self.markers, self.rows = {}, []

    def __call__(self, table, arrow, marker, seq):
        if self.markers.get((table, marker), 0) >= seq:
            return
        self.markers[table, marker] = seq
        self.rows += arrow.column("id").to_pylist()


@pytest.mark.parametrize("durability", ["process", "group", "sync"])
def test_what_was_written_can_be_read_before_and_after_closing(tmp_path, durability):
    with AnswersLog(tmp_path, durability=durability) as log:
        log.write(rows("a", "b"))
        log.write(rows("c"))
        assert unsealed(tmp_path).column("id").to_pylist() == ["a", "b", "c"]
    assert unsealed(tmp_path).column("id").to_pylist() == ["a", "b", "c"]


def test_all_four_shapes_and_no_answer_come_back_as_they_were():
    four = rows("a", "b", "c", "d")
    assert decoded(encoded(four)) == four


def test_an_answer_is_kept_once_however_often_it_is_written(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(rows("a", "b", "a"))
        log.write(rows("b", "c"))
    assert unsealed(tmp_path).column("id").to_pylist() == ["a", "b", "c"]


def test_nothing_to_write_makes_no_segment(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(SCHEMA.empty_table())
    assert segments(tmp_path) == []


def test_a_long_segment_is_followed_by_another(tmp_path):
    with AnswersLog(tmp_path, rotate_at=300) as log:
        for n in range(4):
            log.write(rows(f"a{n}"))
    assert len(segments(tmp_path)) == 4 or len(segments(tmp_path)) == 2
    assert sorted(unsealed(tmp_path).column("id").to_pylist()) == ["a0", "a1", "a2", "a3"]


@given(st.lists(st.binary(min_size=0, max_size=40), max_size=6), st.integers(min_value=0, max_value=400))
def test_a_file_cut_anywhere_gives_the_frames_that_are_whole(payloads, cut):
    payloads = [BEGINS + p for p in payloads]
    data = b"".join(map(frame, payloads))[:cut]
    whole, at = [], 0
    for p in payloads:
        at += HEAD.size + len(p)
        if at <= len(data):
            whole.append(p)
    found = unframed(data, BEGINS)
    assert list(found.payloads) == whole
    assert found.damaged == 0
    assert found.torn == len(data) - sum(HEAD.size + len(p) for p in whole)


@settings(max_examples=200)
@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_flipped_byte_costs_its_own_frame_and_no_other(at, flip):
    payloads = [BEGINS + bytes([n]) * 20 for n in range(5)]
    data = bytearray(b"".join(map(frame, payloads)))
    at %= len(data)
    data[at] ^= flip
    hit = at // len(frame(payloads[0]))
    found = unframed(bytes(data), BEGINS)
    assert list(found.payloads) == payloads[:hit] + payloads[hit + 1 :]
    assert (found.damaged, found.torn > 0) == ((0, True) if hit == 4 else (1, False))


def test_zeros_behind_the_last_frame_are_no_frames():
    data = frame(BEGINS + b"x") + bytes(64)
    assert unframed(data, BEGINS).payloads == (BEGINS + b"x",)
    assert unframed(data, BEGINS).torn == 64


def test_a_reader_that_stops_at_the_first_bad_frame_would_lose_answers():
    """The mutant: cutting at the first frame that does not match, as if everything behind it were a torn tail."""
    first, second = frame(BEGINS + b"one"), frame(BEGINS + b"two")
    damaged = first[:-1] + b"?" + second

    def mutant(data):
        length, _ = HEAD.unpack_from(data)
        return () if frame(data[HEAD.size : HEAD.size + length])[:8] != data[:8] else (data[HEAD.size :],)

    assert mutant(damaged) == ()
    assert unframed(damaged, BEGINS).payloads == (BEGINS + b"two",)


def test_a_torn_tail_is_left_out_when_sealing_and_counted(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(rows("a"))
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes() + frame(encoded(rows("b")))[:-3])
    table = Table()
    sealed = seal(tmp_path, table)
    assert table.rows == ["a"]
    assert (sealed.rows, sealed.damaged) == (1, 0)
    assert sealed.torn > 0


def test_a_segment_damaged_in_its_middle_gives_what_is_whole_and_is_kept_for_a_person(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(rows("a"))
        log.write(rows("b"))
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    table = Table()
    assert seal(tmp_path, table).damaged == 1
    assert table.rows == ["b"]
    assert segments(tmp_path) == []
    assert [p.suffix for p in tmp_path.iterdir()] == [".damaged"]


def test_a_segment_is_sealed_once(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(rows("a", "b"))
    table = Table()
    assert seal(tmp_path, table).rows == 2
    assert seal(tmp_path, table).segments == 0
    assert table.rows == ["a", "b"]


def test_killed_between_append_and_removal_the_next_seal_changes_nothing(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(rows("a"))
    table = Table()

    def killed(*words):
        table(*words)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seal(tmp_path, killed)
    assert table.rows == ["a"]
    assert len(segments(tmp_path)) == 1
    seal(tmp_path, table)
    assert table.rows == ["a"]
    assert segments(tmp_path) == []


def test_answers_the_table_knows_are_not_appended_again(tmp_path):
    with AnswersLog(tmp_path) as log:
        log.write(rows("a", "b"))
    table = Table()
    seal(tmp_path, table, known=lambda ids: {"a"} & set(ids))
    assert table.rows == ["b"]


def test_the_segment_somebody_writes_to_is_not_sealed(tmp_path):
    table = Table()
    with AnswersLog(tmp_path) as log:
        log.write(rows("a"))
        assert seal(tmp_path, table).segments == 0
        log.rotate()
        assert seal(tmp_path, table).segments == 1
        log.write(rows("b"))
    seal(tmp_path, table)
    assert table.rows == ["a", "b"]


def test_a_segment_has_one_owner(tmp_path):
    first = own(tmp_path, "one")
    with pytest.raises(HouseBusy, match=r"one\.answers has an owner"):
        own(tmp_path, "one")
    first.let_go(sync=False)


def test_two_processes_write_side_by_side_and_every_answer_is_there(tmp_path):
    script = f"""
        import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
        from pathlib import Path
        from test_log import rows
        from everloop.serving import AnswersLog
        with AnswersLog(Path({str(tmp_path)!r}), durability="process", rotate_at=2000) as log:
            for n in range(50):
                log.write(rows(f"{{sys.argv[1]}}{{n}}"))
    """
    both = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), name]) for name in "xy"]
    assert [p.wait(60) for p in both] == [0, 0]
    assert sorted(unsealed(tmp_path).column("id").to_pylist()) == sorted(f"{n}{i}" for n in "xy" for i in range(50))


def test_killed_while_writing_every_answer_that_was_given_is_in_the_log(tmp_path):
    script = f"""
        import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
        from pathlib import Path
        from test_log import rows
        from everloop.serving import AnswersLog
        with AnswersLog(Path({str(tmp_path)!r}), durability="process") as log:
            for n in range(10**9):
                log.write(rows(f"a{{n}}"))
                print(n, flush=True)
    """
    writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    given = [int(next(writer.stdout)) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    given += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    writer.wait()
    writer.stdout.close()
    table = Table()
    seal(tmp_path, table)  # the kernel has given the dead owner's lock back
    assert set(table.rows) >= {f"a{n}" for n in given}
    assert len(table.rows) == len(set(table.rows)) <= len(given) + 1


def test_a_full_disk_takes_nothing_and_says_so(tmp_path, monkeypatch):
    with AnswersLog(tmp_path, durability="process") as log:
        log.write(rows("a"))
        write, room = os.write, [40]

        def full(fd, data):
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            done = write(fd, data[: room[0]])
            room[0] = 0
            return done

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(HouseFull, match="took nothing of this write"):
            log.write(rows("b"))
        monkeypatch.undo()
        assert [read(p).torn for p in segments(tmp_path)] == [0]
        log.write(rows("b"))
    assert unsealed(tmp_path).column("id").to_pylist() == ["a", "b"]


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with AnswersLog(tmp_path, durability="process") as log:
        log.write(rows("a"))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (segments(tmp_path)[0].stat().st_size + 10, hard))
            with pytest.raises(HouseFull):
                log.write(rows("b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
    assert unsealed(tmp_path).column("id").to_pylist() == ["a"]


def test_a_disk_that_cannot_sync_is_said_and_the_segment_is_left(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="sync")
    log.write(rows("a"))
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(StoreError, match="Input/output error"):
        log.write(rows("b"))
    monkeypatch.setattr(os, "fsync", fsync)
    log.write(rows("c"))
    log.close()
    assert sorted(unsealed(tmp_path).column("id").to_pylist()) == ["a", "c"]
    assert len(segments(tmp_path)) == 2


def test_a_frame_that_holds_no_answers_is_an_error_with_its_place():
    with pytest.raises(StoreError, match="this segment holds a frame"):
        decoded(b"\x82\xa4form", "this segment")


def test_a_batch_of_many_answers_is_one_frame(tmp_path):
    many = rows(*(f"a{n}" for n in range(1303)))
    with AnswersLog(tmp_path) as log:
        log.write(many)
    assert len(unframed(segments(tmp_path)[0].read_bytes(), BEGINS).payloads) == 1
    assert unsealed(tmp_path) == many
    assert np.array(unsealed(tmp_path).column("moment")).min() == -5
