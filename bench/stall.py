"""A disk that takes nothing any more, under the answers log: how much memory that costs, and what the askers are told.

``python -m bench.stall FOLDER POLICY SECONDS`` is the process that is measured: forty threads give answers of 240 kB each to a log whose
segment is a pipe nobody reads, which is what a stalled disk is to a writer. Prints bytes grown, seconds of the longest wait, answers
refused, answers given and not remembered.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.goal import Goal, at_most

THREADS, SECONDS = 40, 5.0


def stalled() -> Iterator[Goal]:
    """Memory and waits under both policies."""
    shed, drop = measured("shed"), measured("drop")
    yield at_most("memory grown while the disk stalls, shed", shed[0] / 2**20, 16, "MiB", said(shed))
    yield at_most("memory grown while the disk stalls, drop", drop[0] / 2**20, 16, "MiB", said(drop))
    # Under shed all are refused and none forgotten; under drop the other way round.
    yield at_most("answers treated against the policy", shed[3] + drop[2], 0, "answers", f"{shed[2] + drop[3]:,.0f} as it says")


def measured(policy: str) -> tuple[float, float, float, float]:
    """Bytes grown, seconds of the longest wait, answers refused, answers not remembered."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.stall", folder, policy, str(SECONDS)]
        grown, longest, refused, dropped = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    return grown, longest, refused, dropped


def said(figures: tuple[float, float, float, float]) -> str:
    _, longest, refused, dropped = figures
    return f"{refused:,.0f} refused, {dropped:,.0f} given and counted as not remembered, longest wait {longest:.2f} s"


def work(folder: Path, policy: str, seconds: float) -> None:
    """Give answers into a stall for so long."""
    import psutil
    import pyarrow as pa

    from everloop.errors import HouseBusy
    from everloop.serving import SCHEMA, AnswersLog, writer
    from everloop.serving.segment import Owned

    def answers(id: str, features: str) -> pa.Table:
        said = {
            "id": id,
            "model": "m",
            "version": "v",
            "arm": "champion",
            "unit": "u",
            "moment": 0,
            "answered_at": 0,
            "answer": {"value": 1.5, "values": None, "items": None},
            "features": features,
            "microseconds": 3,
        }
        return pa.Table.from_pylist([said], schema=SCHEMA)

    own = writer.own
    os.mkfifo(folder / "stalled")
    fd = os.open(folder / "stalled", os.O_RDWR)  # nobody reads: the kernel takes 64 KiB and then no more
    writer.own = lambda _folder: Owned(folder / "stalled", fd)
    log = AnswersLog(folder, durability="process", when_full=policy)  # type: ignore[arg-type]
    log.write(answers("it moves", "x" * 40_000))
    writer.own = own
    moving = AnswersLog(folder, durability="process", patience=20)
    made = [answers(f"answer {n}", f"{n:06d}" * 40_000) for n in range(THREADS)]
    longest, refused, until = [0.0], [0], time.monotonic() + seconds
    warm, begin, done = threading.Barrier(THREADS + 1), threading.Event(), threading.Semaphore(0)

    def ask(answer: pa.Table) -> None:
        moving.write(answers(answer.column("id")[0].as_py(), "{}"))  # a thread that has done this before
        warm.wait()
        begin.wait()
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                log.write(answer)
            except HouseBusy:
                refused[0] += 1
            longest[0] = max(longest[0], time.monotonic() - began)
        done.release()

    threads = [threading.Thread(target=ask, args=(answer,), daemon=True) for answer in made]
    for thread in threads:
        thread.start()
    warm.wait()
    moving.close()
    process = psutil.Process()
    before = most = process.memory_info().rss
    begin.set()
    left = len(threads)
    while left:
        most = max(most, process.memory_info().rss)
        left -= done.acquire(timeout=0.001)
    print(most - before, longest[0], refused[0], log.dropped, flush=True)
    os._exit(0)  # the writer hangs in the kernel, and no longer matters


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
