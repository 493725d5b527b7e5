"""Answers on their way into the log from an event loop: kept before they are given, refused in time, and never in the way of others."""

from __future__ import annotations

import asyncio
import threading

import pytest
from everloop_disks import LONG, Held, ids

from everloop.errors import HouseBusy, StoreError
from everloop.serving import AnswersLog, unsealed
from everloop.serving.answered import Row
from everloop.serving.soon import Soon


def row(id):
    return Row(id, "m", "v", "champion", "u", -5, 7, 1.5, None, None, None, '{"a":1.0}', 3, None, None, None, None)


def test_what_was_awaited_is_in_the_log(tmp_path):
    async def ask(log):
        soon = Soon(log)
        await asyncio.gather(*(soon.keep([row(f"a{n}"), row(f"b{n}")]) for n in range(50)))
        return sorted(ids(unsealed(tmp_path)))

    with AnswersLog(tmp_path, durability="process") as log:
        assert asyncio.run(ask(log)) == sorted(f"{letter}{n}" for n in range(50) for letter in "ab")


def test_those_of_one_round_share_a_write(tmp_path, monkeypatch):
    async def ask(log):
        soon = Soon(log)
        await asyncio.gather(*(soon.keep([row(f"a{n}")]) for n in range(50)))

    with AnswersLog(tmp_path, durability="process") as log:
        handed, hand = [], log.hand
        monkeypatch.setattr(log, "hand", lambda rows, then: handed.append(len(rows)) or hand(rows, then))
        asyncio.run(ask(log))
    assert handed == [50]


def test_an_answer_kept_lately_is_not_kept_again(tmp_path):
    async def ask(log):
        soon = Soon(log)
        for _ in range(2):
            await soon.keep([row("a")])

    with AnswersLog(tmp_path, durability="process") as log:
        asyncio.run(ask(log))
    assert ids(unsealed(tmp_path)) == ["a"]


def test_while_the_disk_stalls_the_loop_goes_on_and_the_answer_is_refused_in_time(tmp_path, monkeypatch):
    async def ask(log, disk):
        soon, beats = Soon(log), 0
        waiting = asyncio.ensure_future(soon.keep([row("late")]))
        while not waiting.done():
            beats += 1
            await asyncio.sleep(0.001)
        with pytest.raises(HouseBusy, match="did not take an answer"):
            await waiting
        with pytest.raises(HouseBusy):  # nobody begins to wait for a disk that stalls
            await soon.keep([row("later")])
        disk.let_go()
        return beats

    log = AnswersLog(tmp_path, durability="process", patience=0.2)
    disk = Held(monkeypatch, "write")
    assert asyncio.run(ask(log, disk)) > 5
    log.close()
    assert ids(unsealed(tmp_path)) == []


def test_where_answers_may_be_dropped_they_are_given_and_counted(tmp_path, monkeypatch):
    async def ask(log, disk):
        await Soon(log).keep([row("late")])
        disk.let_go()

    log = AnswersLog(tmp_path, durability="process", patience=0.05, when_full="drop")
    asyncio.run(ask(log, Held(monkeypatch, "write")))
    log.close()
    assert log.dropped == 1


def test_whoever_hangs_up_leaves_the_others_their_answers(tmp_path):
    async def ask(log):
        soon = Soon(log)
        gone, stays = asyncio.ensure_future(_kept(soon, "gone")), asyncio.ensure_future(_kept(soon, "stays"))
        await asyncio.sleep(0)
        gone.cancel()
        await stays

    with AnswersLog(tmp_path, durability="process") as log:
        asyncio.run(ask(log))
    assert "stays" in ids(unsealed(tmp_path))


def test_a_log_that_is_closed_says_so(tmp_path):
    log = AnswersLog(tmp_path, durability="process")
    log.close()

    async def ask():
        await Soon(log).keep([row("a")])

    with pytest.raises(StoreError, match="is closed"):
        asyncio.run(ask())


def test_news_for_a_loop_that_is_over_hurts_nobody(tmp_path, monkeypatch):
    disk = Held(monkeypatch, "write")
    log = AnswersLog(tmp_path, durability="process", patience=LONG)

    async def ask():
        waits = asyncio.ensure_future(_kept(Soon(log), "a"))
        assert not waits.done()
        await asyncio.to_thread(disk.reached)

    asyncio.run(ask())
    disk.let_go()
    log.close()
    assert ids(unsealed(tmp_path)) == ["a"]
    assert not any(thread.name.startswith("answers log") for thread in threading.enumerate())


async def _kept(soon, id):
    await soon.keep([row(id)])


def test_shadows_that_are_dropped_are_no_answers_that_were_given(tmp_path, monkeypatch):
    async def ask(log, disk):
        await Soon(log).keep([row("seen"), row("hidden")._replace(arm="shadow")])
        disk.let_go()

    log = AnswersLog(tmp_path, durability="process", patience=0.05, when_full="drop")
    asyncio.run(ask(log, Held(monkeypatch, "write")))
    log.close()
    assert log.dropped == 1
