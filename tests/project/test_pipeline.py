"""A pipeline as a record: in order, fanned out, and refused where no scheduler could run it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop import days, every, hours, minutes
from everloop.cli import VERBS
from everloop.project.pipeline import MODEL, Arrival, Pipeline, cron, in_order, learning, mistakes_of

MODELS = ("demand", "churn")
WORDS = {"retries": 2, "retry_after": timedelta(minutes=5), "timeout": timedelta(hours=1)}
TASKS = learning(MODELS, files=True, words=WORDS, deploy="prod")
PIPELINE = Pipeline("shop", TASKS, MODELS, every(days(1), at="04:30", zone="Europe/Berlin"))
VERB_NAMES = tuple(verb.__name__ for verb in VERBS)


def changed(task_name, **words):
    return replace(PIPELINE, tasks=tuple(replace(task, **words) if task.name == task_name else task for task in TASKS))


def test_every_step_is_a_command_of_the_terminal_and_waits_for_the_one_before_it():
    assert mistakes_of(PIPELINE, VERB_NAMES) == []
    order = [(task.name, model) for task, model in PIPELINE.runs()]
    assert order[0] == ("ingest", "")
    assert len(order) == len(set(order)) == 1 + 7 * 2
    assert [need.name for need, model in PIPELINE.waits_for(PIPELINE.task("judge"), "churn")] == ["train"]
    assert PIPELINE.waits_for(PIPELINE.task("judge"), "churn")[0][1] == "churn"
    assert [name for name in order if name[0] in ("card", "deploy")] == [(n, m) for n in ("card", "deploy") for m in MODELS]
    assert PIPELINE.task("deploy").needs == PIPELINE.task("card").needs == ("admit",)


def test_without_files_nothing_is_taken_in_and_checks_come_first():
    tasks = learning(MODELS, files=False, words=WORDS)
    assert tasks[0].name == "turn"
    assert tasks[0].needs == ()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (changed("train", needs=("chekc",)), "train needs chekc, and there is no such task. Did you mean 'check'?"),
        (changed("ingest", needs=("judge",)), "wait for one another"),
        (replace(PIPELINE, tasks=(*TASKS, TASKS[0])), "two tasks are called ingest."),
        (changed("train", name="Train it!"), "'Train it!' is no name of a task"),
        (changed("judge", foreach=("demand", "chrun")), "there is no such model. Did you mean 'churn'?"),
        (changed("check", foreach=()), "check is run for no model and names one in its command."),
        (changed("ingest", foreach=MODELS), "ingest is run for models and names none in its command."),
        (changed("card", command=("cards", MODEL)), "card runs everloop cards, which is no command."),
        (changed("train", retries=-1), "train is tried -1 times more."),
        (changed("train", timeout=timedelta(0)), "train has no time"),
        (changed("train", timeout=timedelta(days=2)), "train may take 2 days, 0:00:00, and the next run begins after 1 day"),
        (changed("train", pod=True), "nobody said of which image"),
        (replace(PIPELINE, arrivals=(Arrival("orders", "orders.csv"),)), "names no object"),
        (replace(PIPELINE, tasks=()), "has no task"),
        (replace(PIPELINE, name="Über"), "is no name of a pipeline"),
        (replace(PIPELINE, schedule=every(timedelta(seconds=30))), "no scheduler counts below minutes"),
    ],
)
def test_what_no_scheduler_could_run_is_told_by_name(broken, told):
    assert any(told in sentence for sentence in mistakes_of(broken, VERB_NAMES)), mistakes_of(broken, VERB_NAMES)


@given(st.permutations(TASKS))
def test_tasks_come_after_those_they_need_however_they_were_said(tasks):
    names = [task.name for task in in_order(tuple(tasks))]
    assert all(names.index(need) < names.index(task.name) for task in tasks for need in task.needs)


def ticks(fields: str) -> list[int]:
    """The minutes of two weeks, from a Monday on, at which cron would run: the arithmetic of the five fields, written again."""
    minute, hour, _, _, weekday = fields.split()

    def matches(field, value):
        return field == "*" or (field.startswith("*/") and value % int(field[2:]) == 0) or field == str(value)

    return [
        at
        for at in range(14 * 24 * 60)
        if matches(minute, at % 60) and matches(hour, at // 60 % 24) and (weekday == "*" or at // 1440 % 7 + 1 == int(weekday))
    ]


@given(st.integers(1, 60 * 24 * 14).map(lambda count: minutes(count)))
def test_cron_ticks_as_often_as_the_clock_says_or_is_not_said(span):
    fields = cron(every(span))
    if fields is not None:
        found = ticks(fields)
        assert {timedelta(minutes=b - a) for a, b in pairwise(found)} == {span}, fields
    else:
        assert span > days(1) or timedelta(days=1) % span or (span % hours(1) and hours(1) % span)


def test_the_share_of_rows_that_may_be_refused_is_said_to_taking_in_and_to_nobody_else():
    tasks = learning(MODELS, files=True, words=WORDS, refused=0.01)
    assert tasks[0].command[-2:] == ("--most-refused", "0.01")
    assert not any("--most-refused" in task.command for task in tasks[1:])
