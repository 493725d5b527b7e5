"""A disk that stalls or is full costs a caller its patience and no more, and what was refused is not in the log."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from everloop_disks import LONG, Held, ids, in_the_background, rows, until

from everloop.errors import HouseBusy, HouseFull, StoreError
from everloop.serving import AnswersLog, unsealed
from everloop.serving import syncer as syncing
from everloop.serving import writer as writing
from everloop.serving.segment import Owned, read, segments

SOON = 0.02  # a patience too short for anything but a disk that moves


def test_a_write_that_hangs_costs_its_patience_and_is_cut_off_when_the_disk_moves_again(tmp_path, monkeypatch):
    with AnswersLog(tmp_path, durability="process", patience=LONG) as log:
        log.write(rows("a"))
        disk = Held(monkeypatch, "write")
        log._writer.patience = SOON
        with pytest.raises(HouseBusy, match=r"did not take an answer within 0\.02 seconds"):
            log.write(rows("b"))
        disk.let_go()
        log.rotate()
        log._writer.patience = LONG
        assert ids(unsealed(tmp_path)) == ["a"]
        log.write(rows("c"))
    assert ids(unsealed(tmp_path)) == ["a", "c"]
    assert [(read(p).torn, read(p).damaged) for p in segments(tmp_path)] == [(0, 0)] * 2


def test_a_log_that_left_the_late_frame_in_would_hold_what_was_refused(tmp_path, monkeypatch):
    """The mutant: nobody cuts off what the kernel took after its caller had given up."""
    monkeypatch.setattr(Owned, "cut", lambda *_, **__: None)
    with AnswersLog(tmp_path, durability="process", patience=0.3) as log:
        disk = Held(monkeypatch, "write")
        with pytest.raises(HouseBusy):
            log.write(rows("b"))
        disk.let_go()
    assert ids(unsealed(tmp_path)) == ["b"]


def test_of_one_batch_those_still_waited_for_are_kept_and_those_given_up_are_not(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="process", patience=LONG)
    disk = Held(monkeypatch, "write")
    first, _ = in_the_background(log.write, rows("first"))
    disk.reached()
    impatient, refused = in_the_background(log.write, rows("impatient"))
    until(lambda: len(log._writer._queue) == 1)
    patient, kept = in_the_background(log.write, rows("patient"))
    until(lambda: len(log._writer._queue) == 2)
    disk.move_on()  # and the two are handed over in one batch, which hangs
    disk.reached()
    one, _ = log._writer._handed
    with log._writer._lock:
        log._writer._give_up(one, let_land=False)
    disk.let_go()
    for thread in (first, impatient, patient):
        thread.join()
    log.close()
    assert isinstance(refused[0], HouseBusy)
    assert kept == [None]
    assert ids(unsealed(tmp_path)) == ["first", "patient"]


def test_a_frame_that_still_waits_when_its_caller_gives_up_is_withdrawn(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="process", patience=LONG)
    disk = Held(monkeypatch, "write")
    first, _ = in_the_background(log.write, rows("a"))
    disk.reached()
    log._writer.patience = 0.05
    log._writer._busy_since += LONG  # or nobody would begin to wait
    with pytest.raises(HouseBusy):
        log.write(rows("b"))
    assert not log._writer._queue
    disk.let_go()
    first.join()
    log.close()
    assert ids(unsealed(tmp_path)) == ["a"]


def test_while_the_disk_stalls_nobody_begins_to_wait_and_no_answer_is_even_encoded(tmp_path, monkeypatch):
    with AnswersLog(tmp_path, durability="process", patience=SOON) as log:
        disk = Held(monkeypatch, "write")
        with pytest.raises(HouseBusy):
            log.write(rows("a"))
        disk.reached()
        monkeypatch.setattr("everloop.serving.log.encoded", lambda _: pytest.fail("encoded for nothing"))
        log._writer.patience, began = LONG, time.monotonic()
        log._writer._busy_since -= 2 * LONG
        with pytest.raises(HouseBusy):
            log.write(rows("b"))
        assert time.monotonic() - began < LONG / 2
        disk.let_go()


@pytest.mark.parametrize("durability", ["process", "group", "sync"])
def test_what_was_refused_can_be_asked_again_and_is_there_once(tmp_path, monkeypatch, durability):
    with AnswersLog(tmp_path, durability=durability, patience=SOON) as log:
        disk = Held(monkeypatch, "write")
        with pytest.raises(HouseBusy):
            log.write(rows("a"))
        disk.let_go()
        log.rotate()
        log._writer.patience = LONG
        log.write(rows("a"))
    assert [ids(read(p).rows) for p in segments(tmp_path)] == [["a"]]


def test_a_sync_that_hangs_is_a_stall_and_what_it_held_up_is_cut_off(tmp_path, monkeypatch):
    with AnswersLog(tmp_path, durability="sync", patience=LONG) as log:
        log.write(rows("a"))
        disk = Held(monkeypatch, "fsync")
        log._writer.patience = SOON
        with pytest.raises(HouseBusy):
            log.write(rows("b"))
        disk.let_go()
    assert ids(unsealed(tmp_path)) == ["a"]


def test_group_acknowledges_nothing_while_a_sync_takes_over_a_second(tmp_path, monkeypatch):
    monkeypatch.setattr(syncing, "STALLED", 0.0)
    with AnswersLog(tmp_path, patience=LONG) as log:
        disk = Held(monkeypatch, "fsync", thread="answers log, syncer")
        log.write(rows("a"))
        disk.reached()
        with pytest.raises(HouseBusy):
            log.write(rows("b"))
        disk.let_go()
    assert ids(unsealed(tmp_path)) == ["a"]


def test_group_says_to_the_next_caller_what_a_sync_could_not_do(tmp_path, monkeypatch):
    with AnswersLog(tmp_path, patience=LONG) as log:
        disk = Held(monkeypatch, "fsync", thread="answers log, syncer")
        disk.fails = OSError(errno.EIO, "Input/output error")
        log.write(rows("a"))
        disk.reached()
        disk.let_go()
        until(lambda: log._writer._failed is not None)
        with pytest.raises(StoreError, match="Input/output error"):
            log.write(rows("b"))
        monkeypatch.undo()
        log.write(rows("a"))  # it may be lost, so it is kept again, in another segment
    assert [ids(read(p).rows) for p in segments(tmp_path)] == [["a"], ["a"]]
    assert ids(unsealed(tmp_path)) == ["a"]


def test_when_answers_are_dropped_they_are_given_counted_and_it_is_said_once(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    with AnswersLog(tmp_path, durability="process", patience=0.3, when_full="drop") as log:
        disk = Held(monkeypatch, "write")
        log.write(rows("a"))
        log.write(rows("b", "c"))
        log.write(rows("d"))
        assert log.dropped == 4
        assert [r.message.split(".")[0] for r in caplog.records] == ["Answers are given without being remembered"]
        disk.let_go()
        log.rotate()
        log._writer.patience = LONG
        log.write(rows("e"))
        assert "4 in all were given" in caplog.records[1].message
        assert log.dropped == 4
    # The first was in the kernel's hands already: it was given, so it may stay.
    assert ids(unsealed(tmp_path)) == ["a", "e"]


@pytest.mark.parametrize("durability", ["process", "group", "sync"])
def test_a_full_disk_is_the_same_policy_at_once_and_over_when_there_is_room(tmp_path, monkeypatch, durability):
    with AnswersLog(tmp_path, durability=durability, patience=LONG, when_full="drop") as log:
        log.write(rows("a"))
        disk = Held(monkeypatch, "write")
        disk.fails = OSError(errno.ENOSPC, "No space left on device")
        disk.let_go()
        began = time.monotonic()
        for n in range(20):
            log.write(rows(f"b{n}"))
        assert time.monotonic() - began < LONG / 2
        assert log.dropped == 20
        assert len(segments(tmp_path)) <= 2  # not one for each refusal
        disk.fails = None
        log.write(rows("c"))
    assert ids(unsealed(tmp_path)) == ["a", "c"]


def test_half_a_frame_on_a_full_disk_is_cut_off_and_the_next_stands_alone(tmp_path, monkeypatch):
    write, room = os.write, [10]

    def filling(fd, data):
        if threading.current_thread().name.startswith("answers log"):
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            data, room[0] = data[: room[0]], 0
        return write(fd, data)

    with AnswersLog(tmp_path, durability="process") as log:
        monkeypatch.setattr(os, "write", filling)
        with pytest.raises(HouseFull):
            log.write(rows("a"))
        assert [p.stat().st_size for p in segments(tmp_path)] == [0]
        room[0] = 10**9
        log.write(rows("b"))
    assert ids(unsealed(tmp_path)) == ["b"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full here")
def test_the_kernels_own_full_disk_is_refused_at_once_and_leaves_nothing(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="process")
    monkeypatch.setattr(writing, "own", lambda folder: Owned(folder / "full.answers", os.open("/dev/full", os.O_RDWR)))
    with pytest.raises(HouseFull):
        log.write(rows("a"))
    monkeypatch.undo()
    log.write(rows("b"))
    log.close()
    assert ids(unsealed(tmp_path)) == ["b"]


def test_a_segment_that_cannot_be_cut_is_left_and_nothing_is_written_behind_its_torn_tail(tmp_path, monkeypatch):
    write, half = os.write, [True]

    def torn(fd, data):
        if threading.current_thread().name.startswith("answers log") and half[0]:
            half[0] = False
            write(fd, data[:10])
            raise OSError(errno.EIO, "Input/output error")
        return write(fd, data)

    def stuck(fd, size):
        raise OSError(errno.EIO, "Input/output error")

    with AnswersLog(tmp_path, durability="process") as log:
        monkeypatch.setattr(os, "write", torn)
        monkeypatch.setattr(os, "ftruncate", stuck)
        with pytest.raises(StoreError, match="Input/output error"):
            log.write(rows("a"))
        log.write(rows("b"))
    assert ids(unsealed(tmp_path)) == ["b"]
    assert sorted((read(p).torn, len(read(p).rows)) for p in segments(tmp_path)) == [(0, 1), (10, 0)]


def test_closing_a_log_whose_disk_stalls_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("everloop.serving.log.CLOSING", SOON)
    log = AnswersLog(tmp_path, durability="process", patience=SOON)
    disk = Held(monkeypatch, "write")
    with pytest.raises(HouseBusy):
        log.write(rows("a"))
    with pytest.raises(HouseBusy, match="still holds up"):
        log.close()
    disk.let_go()
    log._writer._thread.join(LONG)
    assert segments(tmp_path) == []  # nothing was acknowledged, so nothing stays


def test_what_waits_is_bounded_and_one_frame_longer_than_that_waits_alone(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="process", patience=LONG, waiting_bytes=5_000)
    disk = Held(monkeypatch, "write")
    first, one = in_the_background(log.write, rows("a", features="x" * 9_000))
    disk.reached()
    log._writer.patience = 0.05
    log._writer._busy_since += LONG
    with pytest.raises(HouseBusy):
        log.write(rows("b"))
    assert log._writer._bytes < 10_000
    disk.let_go()
    first.join()
    log.close()
    assert one == [None]
    assert ids(unsealed(tmp_path)) == ["a"]


@pytest.mark.parametrize("policy", ["shed", "drop"])
def test_a_real_stall_holds_nobody_up_and_takes_no_more_than_16_mib(tmp_path, policy):
    done = subprocess.run(
        [sys.executable, "-m", "bench.stall", str(tmp_path), policy, "0.6"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    grown, longest, refused, dropped = done.stdout.split()
    assert int(grown) <= 16 << 20
    assert float(longest) < 2.0  # the patience, and what a loaded machine adds
    assert (int(refused) > 100, int(dropped) > 100) == ((True, False) if policy == "shed" else (False, True))


def test_a_process_that_was_held_up_itself_does_not_take_that_for_a_stall(monkeypatch):
    """A caller that wakes late, since the whole process stood still, gives the writer as long again to say that the frame is kept."""
    now = iter([100.0, 101.0])  # it meant to wait for a tenth of a second, and woke after a whole one
    monkeypatch.setattr(writing, "monotonic", lambda: next(now))
    asked = []

    class Late:
        def acquire(self, timeout):
            asked.append(round(timeout, 3))
            return len(asked) == 2

    assert writing._released(Late(), 0.1, 0.25)
    assert asked == [0.1, 0.25 + writing.GRACE]


def test_what_is_told_is_never_dropped_silently(tmp_path, monkeypatch):
    """Under drop an answer is given all the same; but whoever tells one is not told that it was kept."""
    log = AnswersLog(tmp_path, durability="process", when_full="drop", patience=0.05)
    held = Held(monkeypatch, "write")
    log.write(rows("given"))
    assert log.dropped == 1
    with pytest.raises(HouseBusy):
        log.write(rows("told"), must=True)
    assert log.dropped == 1
    held.let_go()
    log.close()
