"""Counters and latencies of one worker, in a file that outlives it; any worker tells the sums of all.

Each worker owns one file (the kernel's lock says whose) and adds to it in shared memory: no call into the kernel per request. A worker that
starts goes on where one that died left off, so that totals never go back. The room for them is taken from the disk at the start, since a
page that finds the disk full later would kill the process; where there is none, or no room, counting goes on in memory alone. What does not
fit is counted as such and never grows the file.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from everloop.serving import gauges

MAGIC = b"EVMETR01"
SIZE = 512 * 1024
ENDING = ".metrics"
EDGES = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
"""Upper edges of the latency buckets in seconds, log-spaced from 0.1 ms to a minute; what took longer is in the last bucket, +Inf."""
_ENTRY = struct.Struct("<II")  # bytes of the name, cells
_START = 16  # magic, bytes used


class Family(NamedTuple):
    """A metric: what it counts, and the labels that tell its series apart. A gauge is not counted by workers: see ``gauges.py``."""

    kind: Literal["counter", "histogram", "gauge"]
    says: str
    labels: tuple[str, ...] = ()


FAMILIES = {
    "everloop_requests_total": Family("counter", "Requests replied to, by path and status.", ("route", "status")),
    "everloop_request_seconds": Family("histogram", "Seconds from a request's first byte read to its reply.", ("route",)),
    "everloop_answers_total": Family("counter", "Answers given, by model, version and arm.", ("model", "version", "arm")),
    "everloop_answer_errors_total": Family("counter", "Requests nobody could answer, by model.", ("model",)),
    "everloop_events_total": Family("counter", "Rows delivered: kept, duplicate or refused.", ("source", "outcome")),
    "everloop_told_total": Family("counter", "Truths, outcomes and foreign predictions: kept, duplicate or refused.", ("noun", "outcome")),
    "everloop_answers_dropped_total": Family("counter", "Answers given that could not be remembered."),
    "everloop_shadows_dropped_total": Family("counter", "Shadow answers left out because too many waited, or that could not be kept."),
    "everloop_worker_started_total": Family("counter", "Workers started."),
    "everloop_series_dropped_total": Family("counter", "Counts of series there was no room for."),
    "everloop_champion": Family("gauge", "1 for the version that answers.", ("model", "version")),
    "everloop_rollout_share": Family("gauge", "The share of units a candidate answers; 0 in shadow.", ("model", "version")),
    "everloop_drift": Family("gauge", "How far inputs or answers lie from the reference, at the last look.", ("model", "about", "measure")),
    "everloop_error": Family("gauge", "The error on mature truth, at the last look.", ("model", "measure")),
    "everloop_truth_coverage": Family("gauge", "The share of questions whose truth is mature, at the last look.", ("model",)),
    "everloop_incidents": Family("gauge", "Incidents that are not over.", ("model", "cause", "severity", "state")),
    "everloop_last_turn_seconds": Family("gauge", "When the last turn ended, in seconds since 1970.", ("model",)),
    "everloop_window_seconds": Family("gauge", "Seconds from one time a model is asked to the next.", ("model",)),
    "everloop_cost_cpu_seconds": Family("gauge", "CPU seconds of the turns of the last seven days.", ("model",)),
    "everloop_cost_bytes": Family("gauge", "Bytes read and written by the turns of the last seven days.", ("model", "direction")),
    "everloop_cost_money": Family("gauge", "What the turns of the last seven days cost, by the prices of everloop.toml.", ("model",)),
    "everloop_month_money": Family("gauge", "What turns have cost since the month began (UTC), as of the last turn.", ("model",)),
    "everloop_month_end_money": Family(
        "gauge",
        "What turns will have cost when the month ends: expected, and between low and high with 95 % confidence.",
        ("model", "bound"),
    ),
    "everloop_errands": Family("gauge", "Errands that wait, are taken, or dead: workers died over them again and again.", ("state",)),
    "everloop_errands_oldest_seconds": Family("gauge", "For how long the errand that waits longest has."),
    "everloop_stream_position": Family("gauge", "How far a partition of a stream was taken.", ("stream", "partition")),
    "everloop_stream_dead_letters": Family("gauge", "Messages of a stream that could not be read.", ("stream",)),
    "everloop_stream_told_seconds": Family("gauge", "Until when answers were told into a stream, in seconds since 1970.", ("stream",)),
    "everloop_alerts_waiting": Family("gauge", "Alerts that have reached nobody yet."),
    "everloop_controller_seen_seconds": Family("gauge", "When the controller last wrote these gauges, in seconds since 1970."),
    "everloop_process_cpu_seconds_total": Family("counter", "CPU seconds of the processes of this machine, by what they do.", ("process",)),
    "everloop_process_memory_bytes": Family("gauge", "Memory of these processes that is resident.", ("process",)),
    "everloop_gpu_busy_share": Family("gauge", "The share of the last moment in which a graphics card did anything.", ("gpu",)),
    "everloop_gpu_memory_bytes": Family("gauge", "Memory of a graphics card: used and total.", ("gpu", "of")),
    "everloop_gpu_watts": Family("gauge", "Watts a graphics card draws.", ("gpu",)),
    "everloop_gpu_celsius": Family("gauge", "How warm a graphics card is.", ("gpu",)),
}
"""Every metric there is; a label's values come from this house, never from a request alone."""


class Metrics:
    """One worker's counters. Safe between threads.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Metrics(folder, "worker-1") as metrics:
    ...         metrics.add("everloop_answers_total", "demand", "demand@3", "champion")
    ...         said = Metrics.text(folder)
    >>> 'everloop_answers_total{model="demand",version="demand@3",arm="champion"} 1' in said
    True
    """

    def __init__(self, folder: Path | str, name: str) -> None:
        """``folder`` is made where it is missing. A file nobody owns any more is gone on with, else ``name`` is begun."""
        self.folder = Path(folder)
        self._lock, self._at = threading.Lock(), {}  # type: tuple[threading.Lock, dict[tuple[str, tuple[str, ...]], int]]
        self._file, self.path = _owned(self.folder, name)
        self.beside: Callable[[], Mapping[str, float]] = dict
        self._map = mmap.mmap(self._file if self._file is not None else -1, SIZE)
        there = list(_entries(bytes(self._map)))
        # What rotted is given up; what comes is written where it can be read again.
        self._map[:_START] = MAGIC + struct.pack("<Q", 8 * (there[-1][1] + there[-1][2]) if there else _START)
        self._cells = memoryview(self._map).cast("d")
        self._names = {name: begin for name, begin, cells in there if cells == _cells_of(name)}
        for name, family in FAMILIES.items():
            if family.kind == "counter" and not family.labels:
                # From nothing to its first count nobody sees an increase: what has not happened yet is told as 0.
                self.add(name, count=float(name == "everloop_worker_started_total"))

    def add(self, family: str, *labels: str, count: float = 1.0) -> None:
        """Count so much more, in the series of these label values (in the family's order). Raises KeyError for no family."""
        with self._lock:
            at = self._at.get((family, labels)) or self._series(family, labels)
            if at:
                self._cells[at] += count
            elif spare := self._series("everloop_series_dropped_total", ()):
                self._cells[spare] += count

    def observe(self, family: str, seconds: float, *labels: str) -> None:
        """A latency, into its bucket."""
        with self._lock:
            at = self._at.get((family, labels)) or self._series(family, labels)
            if at:
                self._cells[at + bisect_left(EDGES, seconds)] += 1
                self._cells[at + len(EDGES) + 1] += seconds
            elif spare := self._series("everloop_series_dropped_total", ()):
                self._cells[spare] += 1

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request that was replied to."""
        self.add("everloop_requests_total", route, str(status))
        self.observe("everloop_request_seconds", seconds, route)

    def dropped(self, count: int = 1) -> None:
        """Answers that were given and could not be remembered."""
        self.add("everloop_answers_dropped_total", count=count)

    def close(self) -> None:
        """Let go of the file; what it counted stays."""
        with self._lock:
            if self._map.closed:
                return
            self._cells.release()
            self._map.close()
            if self._file is not None:
                os.close(self._file)

    def said(self) -> str:
        """What all workers counted, as Prometheus text; also this one's, where it has no file, and what ``beside`` tells now."""
        own = {} if self._file is not None else {self.folder / "memory": bytes(self._map)}
        return _text({**_files(self.folder), **own}, {**gauges.read(self.folder), **self.beside()})

    @staticmethod
    def text(folder: Path | str, beside: Mapping[str, float] | None = None) -> str:
        """The sums of every file of a folder, and what is told ``beside`` them, in Prometheus text format 0.0.4."""
        return _text(_files(Path(folder)), {**gauges.read(Path(folder)), **(beside or {})})

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _series(self, family: str, labels: tuple[str, ...]) -> int:
        """Where the cells of a series begin; 0: there is no room."""
        said = series(family, labels)
        at = self._names.get(said) or self._begin(said, _cells_of(said))
        if at:
            self._names[said] = self._at[family, labels] = at
        return at

    def _begin(self, said: str, cells: int) -> int:
        name = said.encode()
        name += b" " * (-len(name) % 8)
        (used,) = struct.unpack_from("<Q", self._map, len(MAGIC))
        end = used + _ENTRY.size + len(name) + 8 * cells
        # The last bytes are kept for the count of what did not fit.
        if end > SIZE - (0 if said.startswith("everloop_series_dropped_total") else 128):
            return 0
        self._map[used : used + _ENTRY.size + len(name)] = _ENTRY.pack(len(name), cells) + name
        self._map[end - 8 * cells : end] = bytes(8 * cells)
        # Whoever dies before this line has written nothing.
        struct.pack_into("<Q", self._map, len(MAGIC), end)
        return int(end - 8 * cells) // 8


def series(family: str, labels: tuple[str, ...]) -> str:
    """A series as Prometheus spells it; label values may be any text."""
    known = FAMILIES[family].labels
    said = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(known, labels, strict=True))
    return f"{family}{{{said}}}" if said else family


def _escaped(value: str) -> str:
    value = value[:200].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value.encode("utf-8", "replace").decode()


# -- files ---------------------------------------------------------------------------------------------------------------------------


def _owned(folder: Path, name: str) -> tuple[int | None, Path | None]:
    """A file of this folder that is ours alone: one nobody owns any more, else a new one; none where the disk gives none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        left = sorted(folder.glob(f"*{ENDING}"))
        wanted = [*left, folder / f"{name}{ENDING}", *(folder / f"{name}-{n}{ENDING}" for n in range(2, 1000))]
        for path in dict.fromkeys(wanted):
            file = _locked(path)
            if file is not None:
                return file, path
    except OSError:
        pass
    return None, None


def _locked(path: Path) -> int | None:
    """The file, locked and as large as it will ever be; None if somebody else has it or it is no file of ours."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.EACCES):
            return None
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        head = os.pread(file, SIZE, 0)
        if head and head[: len(MAGIC)] not in (MAGIC, bytes(len(MAGIC))):
            os.close(file)
            return None
        os.posix_fallocate(file, 0, SIZE)
    except BlockingIOError:
        os.close(file)
        return None
    except OSError:
        os.close(file)
        raise
    return file


def _files(folder: Path) -> dict[Path, bytes]:
    found = {}
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            found[path] = path.read_bytes()
        except OSError:
            continue
    return found


def _entries(held: bytes) -> Iterator[tuple[str, int, int]]:
    """Every series of a file: its name, the number of its first cell, how many cells. A file that is none has none."""
    if held[: len(MAGIC)] != MAGIC or len(held) < _START:
        return
    (used,) = struct.unpack_from("<Q", held, len(MAGIC))
    at, end = _START, min(used, len(held))
    while at + _ENTRY.size <= end:
        length, cells = _ENTRY.unpack_from(held, at)
        begin = at + _ENTRY.size + length
        at = begin + 8 * cells
        if at > end or begin % 8 or not cells:
            return
        yield held[begin - length : begin].decode("utf-8", "replace").rstrip(" "), begin // 8, cells


def _cells_of(name: str) -> int:
    """How many numbers a series is: a histogram has one for each bucket, and the sum. 0: it is no metric of ours."""
    family = FAMILIES.get(name.partition("{")[0])
    return 0 if family is None else len(EDGES) + 2 if family.kind == "histogram" else 1


# -- text ----------------------------------------------------------------------------------------------------------------------------


def _text(files: Mapping[Path, bytes], gauged: Mapping[str, float]) -> str:
    sums: dict[str, list[float]] = {}
    for held in files.values():
        for name, begin, count in _entries(held):
            if count != _cells_of(name):
                continue
            values: list[float] = list(struct.unpack_from(f"<{count}d", held, 8 * begin))
            before = sums.get(name)
            sums[name] = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
    lines = []
    for family, (kind, says, _) in FAMILIES.items():
        lines += [f"# HELP {family} {says}", f"# TYPE {family} {kind}"]
        lines += [f"{name} {_number(value)}" for name, value in sorted(gauged.items()) if _of(name) == family]
        for name, cells in sorted(sums.items()):
            if kind != "gauge" and _of(name) == family:
                lines += [f"{name} {_number(cells[0])}"] if kind == "counter" else _histogram(family, name, cells)
    return "\n".join(lines) + "\n"


def _of(name: str) -> str:
    return name.partition("{")[0]


def _histogram(family: str, name: str, values: list[float]) -> Iterator[str]:
    labels = name[len(family) + 1 : -1]
    between, count = ("," if labels else ""), 0.0
    for edge, value in zip((*map(_number, EDGES), "+Inf"), values[:-1], strict=True):
        count += value
        yield f'{family}_bucket{{{labels}{between}le="{edge}"}} {_number(count)}'
    braced = f"{{{labels}}}" if labels else ""
    yield f"{family}_sum{braced} {_number(values[-1])}"
    yield f"{family}_count{braced} {_number(count)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
