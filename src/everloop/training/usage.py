"""What a process has used so far: CPU seconds of all its threads, the bytes it had the system read and write, and
the most memory it held. Standard library."""

from __future__ import annotations

import resource
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

COUNTED = Path("/proc/self/io")


@dataclass(frozen=True)
class Usage:
    """CPU seconds, and bytes through the system's calls, files and pipes alike, whether a disk or a cache gave them. None: nobody counts.

    >>> Usage(2.0, 10, None) - Usage(0.5, 4, None)
    Usage(cpu_seconds=1.5, bytes_read=6, bytes_written=None)
    """

    cpu_seconds: float = 0.0
    bytes_read: int | None = 0
    bytes_written: int | None = 0
    peak_bytes: int | None = field(default=None, compare=False, repr=False)
    """The most memory that was resident at once, since the process began; of several processes, in the one that had most."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_seconds + other.cpu_seconds,
            _or_none(self.bytes_read, other.bytes_read, 1),
            _or_none(self.bytes_written, other.bytes_written, 1),
            _most(self.peak_bytes, other.peak_bytes),
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_seconds - other.cpu_seconds,
            _or_none(self.bytes_read, other.bytes_read, -1),
            _or_none(self.bytes_written, other.bytes_written, -1),
            self.peak_bytes,
        )

    def __truediv__(self, by: int) -> Usage:
        return Usage(
            self.cpu_seconds / by,
            None if self.bytes_read is None else self.bytes_read // by,
            None if self.bytes_written is None else self.bytes_written // by,
            self.peak_bytes,
        )


def used() -> Usage:
    """What this process has used since it began, and others for it (``also``).

    >>> used().cpu_seconds > 0
    True
    """
    mine = resource.getrusage(resource.RUSAGE_SELF)
    read: int | None
    written: int | None
    try:
        lines = dict(line.split(": ") for line in COUNTED.read_text().splitlines())
        read, written = int(lines["rchar"]), int(lines["wchar"])
    except (OSError, KeyError, ValueError):  # only Linux counts them, and not in every container
        read = written = None
    peak = mine.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(mine.ru_utime + mine.ru_stime, read, written, peak) + _OTHERS["used"]


def also(usage: Usage) -> None:
    """Count what somebody else used for this process: ``used`` says it, too."""
    with _LOCK:
        _OTHERS["used"] += usage


_LOCK = threading.Lock()
_OTHERS = {"used": Usage()}


def _most(one: int | None, other: int | None) -> int | None:
    return max((n for n in (one, other) if n is not None), default=None)


def _or_none(one: int | None, other: int | None, sign: int) -> int | None:
    return None if one is None or other is None else one + sign * other
