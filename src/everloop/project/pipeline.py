"""A pipeline: the steps of the ring as other people's schedulers run them, one command each. Values only; knows no scheduler.

A task is one command of the terminal. Its exit code is the contract: 0 done, 1 a record said no (a gate closes: what needs the task is
not run, and nobody tries again), anything else could not be done (and is tried again).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from everloop.project.refuse import did_you_mean, listed
from everloop.project.spans import every

MODEL, NOW = "{model}", "{now}"
"""What stands in a command for the model a task is run for, and for the instant the run is about."""
A_DAY, A_WEEK, AN_HOUR, A_MINUTE = timedelta(days=1), timedelta(days=7), timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Task:
    """One command, whom it waits for, and how often it is tried. ``command`` is what stands behind ``everloop``.

    ``foreach`` names the models it is run for, each by itself; none: it is run once. Where both are run for models, a task waits only
    for the one of the same model.

    >>> train = Task("train", ("train", MODEL, "--now", NOW), needs=("check",), foreach=("demand", "churn"), gate=True)
    >>> train.said("churn", "2026-11-02")
    ('train', 'churn', '--now', '2026-11-02')
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    foreach: tuple[str, ...] = ()
    gate: bool = False
    """Does exit code 1 end what needs it, quietly?"""
    waits: bool = False
    """Is its no nothing to mend, such as a roll-out that is under way? Then a scheduler whose gates fail shows no failure."""
    retries: int = 0
    retry_after: timedelta = timedelta(minutes=5)
    timeout: timedelta = timedelta(hours=2)
    """Of one try."""
    pod: bool = False
    """Is it to run in a pod of its own where the scheduler has a Kubernetes beside it?"""

    def said(self, model: str, now: str) -> tuple[str, ...]:
        """Its command with these two filled in."""
        return tuple(word.replace(MODEL, model).replace(NOW, now) for word in self.command)


@dataclass(frozen=True)
class Arrival:
    """The run waits until an object is there: ``url`` may say ``{day}``, the day the run is about as 2026-11-02."""

    source: str
    url: str


@dataclass(frozen=True)
class Pipeline:
    """All tasks of one project, when they run, and where."""

    name: str
    tasks: tuple[Task, ...]
    models: tuple[str, ...]
    schedule: every | None = None
    arrivals: tuple[Arrival, ...] = ()
    image: str | None = None
    folder: str = "."
    """Where the project lies on the machine that runs a task."""
    below: str = ""
    """Where the project lies in what is checked out, for who runs tasks in a copy of it; empty: at its root."""
    file: tuple[str, ...] = ()
    """The words that name the project file, where it is not the project.py of the folder that a task is run in; each task has them."""
    stage: str = ""
    secrets: tuple[str, ...] = ()
    """The environment variables that everloop.toml reads in this stage, and in the one a version goes to, by name; their values are
    nobody's to write down."""
    secrets_beside: tuple[str, ...] = ()
    """Those that a house of its own reads, in which a proposed change is judged: none of where things are."""
    apart: bool = False
    """Is everything the tasks share reached by URL, so that each may run on a machine of its own?"""
    shared: str | None = None
    """The folder that every machine has mounted and the house is in, where somebody says there is one."""
    runner: str = "ubuntu-latest"
    """The machines of GitHub, by their label, that run what is done in the house."""
    tags: tuple[str, ...] = ()
    """The runners of GitLab, by their tags, that do the same; none: any."""
    asked: every | None = None
    """How often the most impatient model is asked, where that is said."""
    deploy: str | None = None
    """The stage a version goes to once it was let in; none: it stays."""
    backup: str | None = None
    """A place of backups, from which a pull request is judged against the champion."""
    proposes: bool = True
    """Can a proposed change be judged in a house of its own, that shares nothing with this one?"""
    refused: float = 0.0
    """The share of a source's rows that may be refused before a run ends at taking in."""

    def task(self, name: str) -> Task:
        """The task of this name. Raises KeyError."""
        return {task.name: task for task in self.tasks}[name]

    def runs(self) -> Iterator[tuple[Task, str]]:
        """Every single run, each after those it needs: the task and its model (empty for a task that is run once).

        >>> tasks = Task("ingest", ("ingest",)), Task("train", ("train", MODEL), needs=("ingest",), foreach=("a", "b"))
        >>> [(task.name, model) for task, model in Pipeline("shop", tasks, ("a", "b")).runs()]
        [('ingest', ''), ('train', 'a'), ('train', 'b')]
        """
        for task in in_order(self.tasks):
            for model in task.foreach or ("",):
                yield task, model

    def waits_for(self, task: Task, model: str) -> tuple[tuple[Task, str], ...]:
        """The single runs that one waits for."""
        found: list[tuple[Task, str]] = []
        for need in map(self.task, task.needs):
            among = [model] if model and model in need.foreach else list(need.foreach or ("",))
            found += [(need, each) for each in among]
        return tuple(found)


def in_order(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """Tasks, each after those it needs and otherwise as they were said. Raises ValueError naming those that wait for one another.

    >>> [t.name for t in in_order((Task("judge", ("judge",), needs=("train",)), Task("train", ("train",))))]
    ['train', 'judge']
    """
    done: list[Task] = []
    left = list(tasks)
    while left:
        ready = [task for task in left if {need for need in task.needs if need in {t.name for t in tasks}} <= {t.name for t in done}]
        if not ready:
            raise ValueError(listed(sorted(task.name for task in left)))
        done.append(ready[0])
        left.remove(ready[0])
    return tuple(done)


def mistakes_of(pipeline: Pipeline, verbs: tuple[str, ...] = ()) -> list[str]:
    """What no scheduler could run, a sentence each; ``verbs`` are the commands of the terminal, where they are known."""
    wrong = [_name("pipeline", pipeline.name)]
    names = [task.name for task in pipeline.tasks]
    if not names:
        wrong.append(f"pipeline {pipeline.name} has no task.")
    wrong += [f"two tasks are called {name}." for name in sorted({name for name in names if names.count(name) > 1})]
    for task in pipeline.tasks:
        wrong += _of_task(task, pipeline, names, verbs)
    try:
        in_order(pipeline.tasks)
    except ValueError as waiting:
        wrong.append(f"{waiting} wait for one another, so that none of them can be the first.")
    wrong += [f"the arrival of {a.source} names no object: {a.url!r} has no ://." for a in pipeline.arrivals if "://" not in a.url]
    if pipeline.schedule is not None and pipeline.schedule.span < A_MINUTE:
        wrong.append(f"it is to run every {pipeline.schedule.span}, and no scheduler counts below minutes.")
    return [sentence for sentence in wrong if sentence]


def _of_task(task: Task, pipeline: Pipeline, names: list[str], verbs: tuple[str, ...]) -> Iterator[str]:
    yield _name("task", task.name)
    for need in task.needs:
        if need not in names:
            yield f"{task.name} needs {need}, and there is no such task.{did_you_mean(need, names)}"
    for model in task.foreach:
        if model not in pipeline.models:
            yield f"{task.name} is to be run for {model}, and there is no such model.{did_you_mean(model, pipeline.models)}"
    if any(MODEL in word for word in task.command) != bool(task.foreach):
        yield f"{task.name} is run for {'models and names none' if task.foreach else 'no model and names one'} in its command."
    if not task.command or (verbs and task.command[0] not in verbs):
        yield f"{task.name} runs everloop {' '.join(task.command[:1])}, which is no command."
    if task.retries < 0:
        yield f"{task.name} is tried {task.retries} times more."
    if task.timeout <= timedelta(0) or task.retry_after < timedelta(0):
        yield f"{task.name} has no time: timeout {task.timeout}, again after {task.retry_after}."
    if pipeline.schedule is not None and task.timeout > pipeline.schedule.span:
        yield f"{task.name} may take {task.timeout}, and the next run begins after {pipeline.schedule.span}: lower its timeout."
    if task.pod and pipeline.image is None:
        yield f"{task.name} is to run in a pod, and nobody said of which image: [pipeline] image."


def _name(noun: str, name: str) -> str:
    plain = re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)
    return "" if plain else f"{name!r} is no name of a {noun} that every scheduler reads: small letters, digits and _, at most 40."


def cron(schedule: every) -> str | None:
    """The five fields of cron for a clock, in its own zone; None for a span that cron cannot count. A week begins on Monday.

    >>> from everloop import days, hours, minutes
    >>> cron(every(days(1), at="04:30", zone="Europe/Berlin")), cron(every(hours(6))), cron(every(days(7))), cron(every(minutes(15)))
    ('30 4 * * *', '0 */6 * * *', '0 0 * * 1', '*/15 * * * *')
    >>> cron(every(days(28))), cron(every(hours(5))), cron(every(hours(6), at="04:30", zone="UTC"))
    (None, None, None)
    """
    hour, minute = (int(part) for part in (schedule.at or "00:00").split(":"))
    if schedule.span in (A_DAY, A_WEEK):
        return f"{minute} {hour} * * {'1' if schedule.span == A_WEEK else '*'}"
    if schedule.at is not None:
        return None
    if schedule.span < A_DAY and A_DAY % schedule.span == timedelta(0) and schedule.span % AN_HOUR == timedelta(0):
        return "0 * * * *" if schedule.span == AN_HOUR else f"0 */{schedule.span // AN_HOUR} * * *"
    if schedule.span < AN_HOUR and AN_HOUR % schedule.span == timedelta(0) and schedule.span % A_MINUTE == timedelta(0):
        return "* * * * *" if schedule.span == A_MINUTE else f"*/{schedule.span // A_MINUTE} * * * *"
    return None


def most_refused(share: float) -> tuple[str, ...]:
    """How ``ingest`` is told which share of its rows may be refused; nothing where none may.

    >>> most_refused(0.01), most_refused(1e-05), most_refused(0.0)
    (('--most-refused', '0.01'), ('--most-refused', '0.00001'), ())
    """
    return ("--most-refused", f"{Decimal(repr(share)):f}") if share else ()


def learning(
    models: tuple[str, ...],
    *,
    files: bool,
    words: Mapping[str, object],
    common: tuple[str, ...] = (),
    deploy: str | None = None,
    pods: tuple[str, ...] = (),
    refused: float = 0.0,
) -> tuple[Task, ...]:
    """The tasks that take every model once from what happened to a roll-out: taken in, turned without learning (watched, its roll-out moved
    or taken back, what is due answered), checked, trained, judged, let in, written down. While a roll-out is under way, ``turn`` says no.

    ``files``: rows lie in files that are to be taken in first. ``words``: retries, timeout and the rest, for all tasks. ``common`` stands
    behind every command. ``refused`` is the share of a source's rows that may be refused before the run ends.
    """
    last = (*common, "--now", NOW)
    steps: list[tuple[str, tuple[str, ...], bool]] = [
        ("turn", ("turn", MODEL, "--no-learning", "--score", *last), True),
        ("check", ("check", MODEL, *last, "--junit", f"reports/check-{MODEL}.xml"), True),
        ("train", ("train", MODEL, *last), True),
        ("judge", ("judge", MODEL, *last, "--junit", f"reports/judge-{MODEL}.xml", "--metrics", f"reports/judge-{MODEL}.json"), True),
        ("admit", ("admit", "newest", "--model", MODEL, *last), True),
        ("card", ("card", f"{MODEL}@newest", *common, "--to", f"reports/card-{MODEL}.md"), False),
    ]
    if deploy is not None:
        steps.append(("deploy", ("copy", f"{MODEL}@newest", "--to", deploy, *last), True))
    made = [Task("ingest", ("ingest", *last, *most_refused(refused)), **words)] if files else []  # type: ignore[arg-type]
    for step, command, gate in steps:
        needs = ("admit",) if step == "deploy" else tuple(task.name for task in made[-1:])
        made.append(Task(step, command, needs, models, gate, step == "turn", pod=step in pods, **words))  # type: ignore[arg-type]
    return tuple(made)
