"""Many threads write at once; segments follow one another by size and age; readers come at any moment."""

from __future__ import annotations

import os
import threading
import time

import pytest
from everloop_disks import LONG, Held, ids, in_the_background, rows, until

from everloop.errors import HouseBusy, StoreError
from everloop.serving import AnswersLog, seal, unsealed
from everloop.serving import log as logging_of_answers
from everloop.serving.frames import frame, unframed
from everloop.serving.segment import own, read, segments


@pytest.mark.parametrize("durability", ["process", "group", "sync"])
def test_many_threads_write_at_once_and_every_answer_is_there_once(tmp_path, durability):
    with AnswersLog(tmp_path, durability=durability, patience=LONG, rotate_at=20_000) as log:

        def write(name):
            for n in range(40):
                log.write(rows(f"{name}-{n}", f"all-{n}"))

        threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    wanted = [f"{name}-{n}" for name in [*range(8), "all"] for n in range(40)]
    assert sorted(ids(unsealed(tmp_path))) == sorted(wanted)
    assert len(segments(tmp_path)) > 1
    assert all((s.torn, s.damaged) == (0, 0) for s in map(read, segments(tmp_path)))


def test_one_sync_is_for_all_who_wait(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="sync", patience=LONG)
    log.write(rows("first"))
    disk = Held(monkeypatch, "fsync")
    waiting = [in_the_background(log.write, rows("0"))[0]]
    disk.reached()
    waiting += [in_the_background(log.write, rows(f"{n}"))[0] for n in range(1, 20)]
    until(lambda: len(log._writer._queue) == 19)
    disk.let_go()
    for thread in waiting:
        thread.join()
    assert disk.called.acquire(timeout=LONG)
    assert not disk.called.acquire(blocking=False)  # one for the first, one for the nineteen
    log.close()
    assert len(unsealed(tmp_path)) == 21


def test_sync_answers_only_after_the_disk_has_it(tmp_path, monkeypatch):
    log = AnswersLog(tmp_path, durability="sync", patience=LONG)
    log.write(rows("first"))
    disk = Held(monkeypatch, "fsync")
    thread, said = in_the_background(log.write, rows("a"))
    disk.reached()
    assert ids(unsealed(tmp_path)) == ["first", "a"]  # the kernel has it
    assert said == []
    disk.let_go()
    thread.join()
    assert said == [None]
    log.close()


def test_a_segment_that_has_rows_is_closed_when_it_is_old_though_nobody_writes(tmp_path):
    with AnswersLog(tmp_path, durability="process", rotate_after=0.05, patience=LONG) as log:
        log.write(rows("a"))
        table = []
        until(lambda: seal(tmp_path, lambda _, arrow, *__: table.extend(ids(arrow))).segments == 1)
        assert table == ["a"]
        log.write(rows("b"))
    assert ids(unsealed(tmp_path)) == ["b"]


def test_a_young_segment_stays_open(tmp_path):
    with AnswersLog(tmp_path, durability="process", patience=LONG) as log:
        for n in range(5):
            log.write(rows(f"a{n}"))
        assert len(segments(tmp_path)) == 1
        assert seal(tmp_path, lambda *_: None).segments == 0


@pytest.mark.parametrize("durability", ["process", "group", "sync"])
def test_rotating_and_closing_without_rows_leaves_no_segment(tmp_path, durability):
    with AnswersLog(tmp_path, durability=durability) as log:
        log.rotate()
        log.write(rows("a"))
        log.rotate()
        log.rotate()
    log.close()
    assert len(segments(tmp_path)) == 1


def test_nothing_can_be_written_to_a_closed_log(tmp_path):
    log = AnswersLog(tmp_path)
    log.close()
    with pytest.raises(StoreError, match="is closed"):
        log.write(rows("a"))


def test_the_ids_that_are_remembered_are_bounded_and_the_newest_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(logging_of_answers, "REMEMBERED", 10)
    with AnswersLog(tmp_path, durability="process", patience=LONG) as log:
        for n in range(30):
            log.write(rows(f"a{n}"))
        log.write(rows(*(f"b{n}" for n in range(25))))
        assert len(log._lately | log._before) <= 10
        size = segments(tmp_path)[0].stat().st_size
        log.write(rows("b24"))
        assert segments(tmp_path)[0].stat().st_size == size
        log.write(rows("a0"))  # forgotten: kept again, and still one answer for every reader
    assert ids(unsealed(tmp_path)).count("a0") == 1


def test_a_segment_found_empty_and_removed_by_a_sealer_before_it_was_locked_is_not_written_to(tmp_path, monkeypatch):
    """Between making a segment and locking it a sealer may remove it: rows written to it would be in no file."""
    opened, times = os.open, []

    def sealed_at_once(path, *words, **more):
        fd = opened(path, *words, **more)
        if str(path).endswith(".answers") and not times:
            times.append(path)
            os.unlink(path)
        return fd

    monkeypatch.setattr(os, "open", sealed_at_once)
    with pytest.raises(HouseBusy, match="the moment it was made"):
        own(tmp_path)
    times.clear()
    with AnswersLog(tmp_path, durability="process", patience=LONG) as log:
        log.write(rows("a"))
    assert times
    assert ids(unsealed(tmp_path)) == ["a"]


def test_a_reader_sees_every_answer_acknowledged_before_it_came_while_frames_are_being_written(tmp_path):
    acknowledged, stop = [], threading.Event()
    with AnswersLog(tmp_path, durability="process", patience=LONG, rotate_at=30_000) as log:

        def write():
            while not stop.is_set() and len(acknowledged) < 2_000:
                log.write(rows(f"a{len(acknowledged)}", features="x" * 500))
                acknowledged.append(f"a{len(acknowledged)}")

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(10):
                before = len(acknowledged)
                found = ids(unsealed(tmp_path))
                assert set(found) >= set(acknowledged[:before])
                assert len(found) == len(set(found))
        finally:
            stop.set()
            thread.join()


def test_segments_sealed_while_a_reader_looks_are_passed_over(tmp_path, monkeypatch):
    with AnswersLog(tmp_path, durability="process") as log:
        log.write(rows("a"))
        log.rotate()
        log.write(rows("b"))
    first, path = segments(tmp_path)[0], type(tmp_path)
    glob = path.glob

    def gone(self, pattern):
        found = list(glob(self, pattern))
        first.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(path, "glob", gone)
    assert ids(unsealed(tmp_path)) == ["b"]


def test_bytes_that_pretend_to_be_frames_cost_no_more_than_their_length():
    """A torn tail of a megabyte in which every sixteenth byte could begin a frame of the rest: looking at each would take minutes."""
    fake = b"\x00\x00\x08\x00AAAA\x82\xa4formXX"
    data = frame(b"\x82\xa4form one") + frame(b"\x82\xa4form" + fake * 65_536)[:-1]
    began = time.process_time()
    found = unframed(data, b"\x82\xa4form")
    assert time.process_time() - began < 1.0
    assert found.payloads == (b"\x82\xa4form one",)
    assert found.torn == len(data) - len(frame(b"\x82\xa4form one"))
    assert found.damaged == 1  # its file is kept for a person, since not everything was looked at


def test_two_sealers_of_one_folder_do_not_append_the_same_answer_twice(tmp_path):
    for _ in range(2):
        with AnswersLog(tmp_path, durability="process", patience=LONG) as log:
            log.write(rows("a"))
    table = []

    def while_another_comes(_table, arrow, *_):
        assert seal(tmp_path, lambda _, arrow, *__: table.extend(ids(arrow)), known=lambda asked: set(asked) & set(table)).segments == 0
        table.extend(ids(arrow))

    assert seal(tmp_path, while_another_comes, known=lambda asked: set(asked) & set(table)).segments == 2
    assert table == ["a"]
