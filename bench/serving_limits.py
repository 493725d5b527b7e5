"""What a house that answers bears, and what its duties cost: three times as much as it can, the log, and a slow version in shadow."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.goal import Goal, at_least, at_most
from bench.serving_house import in_shadow, the_house
from bench.serving_rivals import APPS, EVERLOOP, Standing, all_it_can, on_core, slowest, standing
from bench.wire import END, Heard, once, opened

OVER, OVER_SECONDS = 3.0, 15.0
CROWD = 1_024  # connections
ROUNDS = 3
REFUSALS = (429, 503)
UNLOGGED = replace(EVERLOOP, settings={"PYTHONPATH": os.pathsep.join([str(APPS / "unlogged"), os.environ.get("PYTHONPATH", "")])})


def overload() -> Iterator[Goal]:
    """Asked three times as often as it can answer, by as many connections as come: one worker on one core."""
    hasty = 0

    def see(_: float, said: bytes) -> None:
        nonlocal hasty
        head = said[: said.find(END)].lower()
        hasty += int(said[9:12]) in REFUSALS and b"\r\nretry-after:" not in head

    with standing(EVERLOOP, the_house()) as stands, on_core(1):
        peak = all_it_can(stands)[0].rate
        asking = EVERLOOP.requests()
        opened(stands.url, asking, rate=OVER * peak, seconds=5, connections=CROWD)
        before = stands.resident()
        heard = opened(stands.url, asking, rate=OVER * peak, seconds=OVER_SECONDS, connections=CROWD, see=see)
        grown = stands.resident() - before
        after = all_it_can(stands)[0].rate
    offered = f"{(heard.count + heard.unsent) / OVER_SECONDS:,.0f}/s offered, {heard.count / heard.took:,.0f}/s replied to"
    yield at_least(
        "answers a second at three times what it can, over its best", heard.rate / peak, 0.9, "times", f"{peak:,.0f}/s; {offered}"
    )
    other = sum(n for status, n in heard.statuses.items() if status not in (200, *REFUSALS)) + heard.broken + hasty
    refused = sum(heard.statuses[status] for status in REFUSALS)
    yield at_most(
        "overload: neither answered nor told when to come again", other, 0, "requests", f"of {heard.count:,}, {refused:,} refused"
    )
    yield at_most("memory grown while overloaded", grown, 16, "MiB", f"from {before:,.0f} MiB, in {OVER_SECONDS:g} s")
    yield at_least("answers a second after the overload, over those before", after / peak, 0.9, "times")


def tax() -> Iterator[Goal]:
    """What is on is what it costs: the log, and another version that takes five milliseconds for each question, seen by nobody."""
    yield from log()
    yield from shadow()


def log() -> Iterator[Goal]:
    """Answers a second with the log as it is by default, and with none."""
    ratios, rates, spent = [], [], []
    for number in range(ROUNDS):
        found = {}
        for rival in (EVERLOOP, UNLOGGED) if number % 2 == 0 else (UNLOGGED, EVERLOOP):
            with standing(rival, the_house()) as stands, on_core(1):
                heard, cpu = all_it_can(stands)
            found[rival is EVERLOOP] = (heard.rate, 1e6 * cpu / heard.count)
        ratios.append(found[True][0] / found[False][0])
        rates.append(found[False][0])
        spent.append(found[True][1] - found[False][1])
    beside = f"{statistics.median(rates):,.0f}/s without; {statistics.median(spent):,.0f} µs CPU each"
    yield at_least("answers a second with the log, group, over none", statistics.median(ratios), 0.9, "times", beside)


def shadow() -> Iterator[Goal]:
    """The slowest in a hundred with a slow version in shadow of everything, and without: half of what it can is asked for."""
    with tempfile.TemporaryDirectory() as folder:
        calm, shadowed = in_shadow(Path(folder))
        with standing(EVERLOOP, calm) as stands, on_core(1):
            rate = all_it_can(stands, seconds=3)[0].rate / 2
        heard: dict[bool, list[Heard]] = {True: [], False: []}
        asked = kept = 0
        for number in range(ROUNDS):
            for slow in (False, True) if number % 2 == 0 else (True, False):
                with standing(EVERLOOP, shadowed if slow else calm) as stands, on_core(1):
                    heard[slow].append(slowest(stands, rate))
                    if slow:
                        time.sleep(2)  # what was left out is counted once a second
                        left_out = _counted(stands, "everloop_shadows_dropped_total")
                        asked += _counted(stands, "everloop_answers_total")
                        kept += _counted(stands, "everloop_answers_total") - left_out
    ratio = statistics.median(
        with_it.quantile(0.99) / without.quantile(0.99) for with_it, without in zip(heard[True], heard[False], strict=True)
    )
    p99 = [1000 * statistics.median(one.quantile(0.99) for one in heard[slow]) for slow in (True, False)]
    beside = f"{p99[0]:.1f} against {p99[1]:.1f} ms at {rate:,.0f}/s"
    yield at_most("p99 with a slow version in shadow of everything, over without", ratio, 1.15, "times", beside)
    beside = f"of {asked:,.0f} answers; the others were left out"
    yield at_least("shadow answers of the slow version, kept or waiting", kept, 100, "answers", beside)
    yield at_most("requests that failed beside a slow shadow", sum(one.failed + one.broken for one in heard[True]), 0, "requests")


def _counted(stands: Standing, family: str) -> float:
    """The sum of a metric's series."""
    _, said = once(stands.url, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    lines = [line for line in said.decode().splitlines() if line.startswith((family + "{", family + " "))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
