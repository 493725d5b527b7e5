"""Processes: what each process of a house on this machine has used, and its graphics cards, told when somebody asks for the metrics.

In: the process a tree of others hangs on. Out: gauges. Only Linux says this of others (proc(5): ``/proc/[pid]/stat``, ``statm`` and
``task/[tid]/children``); elsewhere there is nothing to tell. Standard library only, but for what tells it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
SUPERVISOR, ENDING = "supervisor", ".process"
NAMED = "--name"
"""Before what a supervisor calls a process that it starts."""


@dataclass(frozen=True)
class Used:
    """What a process has used: CPU seconds, those of children it has buried, and bytes of memory that are resident now."""

    cpu_seconds: float = 0.0
    buried_seconds: float = 0.0
    memory_bytes: int = 0
    began: int = 0
    """When it began, in ticks since the machine did: a number that is given to another process later is not this one."""


def beside(supervisor: int, folder: Path) -> dict[str, float]:
    """What the metrics tell beside what workers count: the processes below ``supervisor``, those below others that said in ``folder`` that
    they are there, and the graphics cards."""
    used = processes(supervisor)
    for pid, name in _present(folder):
        found = processes(pid) if pid != supervisor else {}
        _add(used, {called if called.startswith(f"{name} ") else f"{name} {called}": one for called, one in found.items()})
    return dict([*process_gauges(used), *gpu_gauges()])


@contextmanager
def present(folder: Path, name: str) -> Iterator[None]:
    """This process supervises others of the house, and answers nobody: who tells the metrics finds them meanwhile, each as ``name`` and
    what it is called."""
    mine, me = folder / f"{os.getpid()}{ENDING}", used_by(os.getpid())
    with suppress(OSError):  # it is no reason not to work
        folder.mkdir(parents=True, exist_ok=True)
        mine.write_text(json.dumps({"pid": os.getpid(), "name": name, "began": me.began if me else 0}))
    try:
        yield
    finally:
        with suppress(OSError):
            mine.unlink()


def process_gauges(processes: dict[str, Used]) -> Iterator[tuple[str, float]]:
    """CPU seconds and memory, by what a process is called."""
    from everloop.serving.metrics import series

    for name, used in processes.items():
        yield series("everloop_process_cpu_seconds_total", (name,)), used.cpu_seconds
        yield series("everloop_process_memory_bytes", (name,)), float(used.memory_bytes)


def gpu_gauges() -> Iterator[tuple[str, float]]:
    """Each graphics card of this machine: nothing where there is none, or nobody can read it."""
    from everloop.connect.nvidia import gpus
    from everloop.serving.metrics import series

    for gpu in gpus():
        said = {
            series("everloop_gpu_busy_share", (gpu.name,)): gpu.busy,
            series("everloop_gpu_memory_bytes", (gpu.name, "used")): gpu.memory_used,
            series("everloop_gpu_memory_bytes", (gpu.name, "total")): gpu.memory_total,
            series("everloop_gpu_watts", (gpu.name,)): gpu.watts,
            series("everloop_gpu_celsius", (gpu.name,)): gpu.celsius,
        }
        yield from ((name, float(value)) for name, value in said.items() if value is not None)


def processes(pid: int, *, name: str = SUPERVISOR, proc: Path = PROC) -> dict[str, Used]:
    """What a process has used, and each that hangs on it, by name; two of one name, as while one replaces the other, are told together.

    Children nobody named, which learn, are told together as those of who started them, with those that have ended: what they used never
    goes back.
    """
    mine = used_by(pid, proc)
    if mine is None:
        return {}
    found = {name: Used(mine.cpu_seconds, memory_bytes=mine.memory_bytes)}
    # A supervisor's own were told by their names while they lived.
    nameless = [] if name == SUPERVISOR or not mine.buried_seconds else [Used(mine.buried_seconds)]
    for child in _children(pid, proc):
        called = _name(child, proc)
        if called is not None:
            _add(found, processes(child, name=called, proc=proc))
        else:
            below = filter(None, (used_by(one, proc) for one in (child, *_descendants(child, proc))))
            nameless += [Used(used.cpu_seconds + used.buried_seconds, memory_bytes=used.memory_bytes) for used in below]
    for used in nameless:
        _add(found, {f"{name} children": used})
    return found


def used_by(pid: int, proc: Path = PROC) -> Used | None:
    """What a process has used so far; None where there is none, or nobody says.

    >>> me = used_by(os.getpid())
    >>> me is None or me.memory_bytes > 0
    True
    """
    try:
        # The name, in parentheses, may hold spaces and parentheses.
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        pages = int((proc / str(pid) / "statm").read_text().split()[1])
        ticks = os.sysconf("SC_CLK_TCK")
        user, system, buried_user, buried_system = (int(field) / ticks for field in fields[11:15])
        return Used(user + system, buried_user + buried_system, pages * os.sysconf("SC_PAGE_SIZE"), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def _add(found: dict[str, Used], more: dict[str, Used]) -> None:
    for name, used in more.items():
        there = found.get(name, Used())
        found[name] = Used(there.cpu_seconds + used.cpu_seconds, memory_bytes=there.memory_bytes + used.memory_bytes)


def _present(folder: Path) -> Iterator[tuple[int, str]]:
    """Who said so and lives; what the others left behind is put away."""
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            said = json.loads(path.read_text())
            pid, name, began = int(said["pid"]), str(said["name"]), int(said["began"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is being written
        there = used_by(pid)
        if there is not None and there.began == began:
            yield pid, name
        else:
            with suppress(OSError):
                path.unlink()


def _descendants(pid: int, proc: Path) -> Iterator[int]:
    for child in _children(pid, proc):
        yield child
        yield from _descendants(child, proc)


def _children(pid: int, proc: Path) -> list[int]:
    try:
        return [int(child) for task in (proc / str(pid) / "task").iterdir() for child in (task / "children").read_text().split()]
    except (OSError, ValueError):  # it has just ended, or this kernel does not say
        return []


def _name(pid: int, proc: Path) -> str | None:
    """What its supervisor called it; None of what no supervisor started."""
    try:
        words = (proc / str(pid) / "cmdline").read_text().split("\0")
        return words[words.index(NAMED) + 1] if "-m" in words else None
    except (OSError, ValueError, IndexError):
        return None
