"""The shell that schedulers without retries or limits of time are given: POSIX, one command, tried as often as a task says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import timedelta

from everloop.project.pipeline import MODEL, NOW, Task

NO = 1
"""The exit code by which a record said no."""


def command(task: Task, model: str, now: str) -> str:
    """A task's command as a line of shell; ``model`` and ``now`` may be variables of the shell, or of who writes the line.

    >>> task = Task("train", ("train", "{model}", "--now", "{now}", "--to", "card-{model}.md", "--by", "a b"), foreach=("demand",))
    >>> print(command(task, "$MODEL", "$NOW"))
    everloop train "$MODEL" --now "$NOW" --to "card-$MODEL.md" --by 'a b'
    >>> print(command(task, "demand", "2026-11-02"))
    everloop train demand --now 2026-11-02 --to card-demand.md --by 'a b'
    """
    return " ".join(["everloop", *(_typed(word, model, now) for word in task.command)])


def _typed(word: str, model: str, now: str) -> str:
    filled = word.replace(MODEL, model).replace(NOW, now)
    if "$" not in filled:
        return shlex.quote(filled)
    plain = re.sub(r'([$"`\\])', r"\\\1", word)
    return f'"{plain.replace(MODEL, model).replace(NOW, now)}"'


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


def one_line(lines: str) -> str:
    r"""The same on one line, for who reads a line as a command.

    >>> one_line("until a; do\n  b\ndone\n")
    'until a; do b; done'
    """
    return "; ".join(line.strip() for line in lines.strip().split("\n")).replace("; do; ", "; do ")
