"""The shell that schedulers without retries or limits of time are given: POSIX, one command, tried as often as a task says."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import timedelta

from everloop.project.pipeline import NOW, Task

NO = 1
"""The exit code by which a record said no."""


def command(task: Task, model: str, now: str, extra: tuple[str, ...] = ()) -> str:
    """A task's command as a line of shell; ``now`` stands in it as it is, so that it may be a variable.

    >>> task = Task("train", ("train", "{model}", "--now", "{now}", "--by", "a b"), foreach=("demand",))
    >>> command(task, "demand", '"$NOW"')
    'everloop train demand --now "$NOW" --by \\'a b\\''
    """
    words = [*task.said(model, NOW), *extra]
    return " ".join(["everloop", *(now if word == NOW else shlex.quote(word) for word in words)])


def limited(line: str, timeout: timedelta) -> str:
    """The same, ended after so long (exit code 124, which is no record's)."""
    return f"timeout {int(timeout.total_seconds())} {line}"


def tried(line: str, task: Task, no: Callable[[str], str] = "exit {}".format) -> str:
    """Lines that run a command until it is done or a record says no, as often as the task may be tried.

    ``no``: what to do where it is not done, with the variable that holds the exit code.

    >>> print(tried("everloop ingest", Task("ingest", ("ingest",), retries=1, retry_after=timedelta(seconds=5))), end="")
    tries=0
    until everloop ingest; do
      said=$?
      if [ "$said" -eq 1 ] || [ "$tries" -ge 1 ]; then exit "$said"; fi
      tries=$((tries + 1))
      sleep 5
    done
    """
    ends = no('"$said"')
    pause = int(task.retry_after.total_seconds())
    return (
        f'tries=0\nuntil {line}; do\n  said=$?\n  if [ "$said" -eq {NO} ] || [ "$tries" -ge {task.retries} ]; then {ends}; fi\n'
        f"  tries=$((tries + 1))\n  sleep {pause}\ndone\n"
    )
