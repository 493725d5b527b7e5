"""Once round the ring, or one step of it alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import models_of, open_light, open_whole
from everloop.cli.options import HERE, At, Folder, Json, Models, Name, Project, Stage
from everloop.cli.saying import instant_of, say

if TYPE_CHECKING:
    from everloop.records import Verdict

JUnit = Annotated[Path | None, typer.Option("--junit", help="Also each condition as a test case, in the XML that every CI shows.")]


def turn(
    model: Models = None,
    demand: Annotated[bool, typer.Option("--retrain", help="Retrain even if nothing asks for it.")] = False,
    no_learning: Annotated[
        bool,
        typer.Option("--no-learning", help="Only watch, and move a roll-out or take it back; exit code 1 while one is under way."),
    ] = False,
    score: Annotated[bool, typer.Option("--score", help="With --no-learning: then answer every question that has come due.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Go once round the ring: watch, decide, and do what was decided."""
    from everloop.errors import EverloopError
    from everloop.loop.adopt import nothing_yet
    from everloop.loop.resume import go_round
    from everloop.loop.spoken import story
    from everloop.loop.traced import traced

    if no_learning and demand:
        raise EverloopError("--no-learning and --retrain say the opposite of each other. Say one of them.")
    if score and not no_learning:
        raise EverloopError("--score goes with --no-learning. Or turn first, and then: everloop score")
    opened, at = open_whole(project, house, stage), instant_of(now)
    models = models_of(opened, model)
    idle = {m.name: why for m in models if opened.pointers.current(m.name) is None and (why := nothing_yet(opened, m))}
    waits = [f"{name}: {why}" for name, why in idle.items()]
    if idle and len(idle) == len(models) and not no_learning:
        raise EverloopError("\n".join(waits))
    awake = [m for m in models if m.name not in idle]
    if no_learning:
        from everloop.loop.moved import move

        with traced(opened.settings, "terminal"):
            moved = [move(opened, m, at, answer=score) for m in awake]
        say([vars(one) for one in moved], "\n\n".join([*(one.spoken(story(opened, one.decision)) for one in moved), *waits]), as_json)
        raise typer.Exit(1 if waits or any(one.waits for one in moved) else 0)
    with traced(opened.settings, "terminal"):
        decisions = [go_round(opened, m, at, "demand" if demand else "schedule") for m in awake]
    say(decisions, "\n\n".join([*(story(opened, d) for d in decisions), *waits]), as_json)


def answer(
    model: Name,
    keys: Annotated[list[str], typer.Argument(help="The unit asked about, or column=value pairs of a request.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """One answer, now, features looked up."""
    from everloop.loop.answers import answer_one
    from everloop.loop.spoken import spoken_answer

    opened = open_whole(project, house, stage)
    declared = opened.project.model(model)
    prediction = answer_one(opened, declared, keys, instant_of(now))
    say(prediction, spoken_answer(opened, prediction), as_json)  # type: ignore[arg-type]


def check(
    model: Models = None,
    contract: Annotated[Path | None, typer.Option("--contract", help="Hold this data contract (ODCS) against the sources instead.")] = None,
    junit: JUnit = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Is what has happened fit to learn from?"""
    from everloop.loop.ahead import known_ahead
    from everloop.loop.spoken import spoken_report
    from everloop.loop.steps import check_now

    if contract is not None:
        from everloop.loop.contracts import hold, spoken_held

        held = hold(open_light(project, house, stage), contract, instant_of(now))
        say({**vars(held), "passed": held.passed}, spoken_held(held), as_json)
        raise typer.Exit(0 if held.passed else 1)
    opened, at = open_whole(project, house, stage), instant_of(now)
    reports = [check_now(opened, m, at) for m in models_of(opened, model)]
    if junit is not None:
        from everloop.connect.junit import junit as as_junit
        from everloop.connect.junit import of_report
        from everloop.connect.whole import put

        put(junit, as_junit("everloop check", [(r.model, of_report(r)) for r in reports]).encode())
    ahead = dict.fromkeys(line for m in models_of(opened, model) for line in known_ahead(opened, m, at))
    say(reports, "\n\n".join([*(spoken_report(r) for r in reports), *ahead]), as_json)
    raise typer.Exit(0 if all(r.passed for r in reports) else 1)


def watch(model: Name, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False) -> None:
    """What watching finds right now; decides nothing and keeps nothing."""
    from everloop.loop.spoken import spoken_signals
    from everloop.loop.steps import watch_now
    from everloop.registry.history import names

    opened = open_whole(project, house, stage)
    signals = watch_now(opened, opened.project.model(model), instant_of(now))
    say(signals, spoken_signals(signals, names(opened.journal)), as_json)


def train(model: Name, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False) -> None:
    """Learn a candidate from everything known now, and stop there."""
    from everloop.loop.spoken import spoken_record
    from everloop.loop.steps import train_now

    opened = open_whole(project, house, stage)
    record = train_now(opened, opened.project.model(model), instant_of(now))
    say(record, spoken_record(record), as_json)
    raise typer.Exit(0 if type(record).__name__ == "Candidate" else 1)


def judge(
    model: Name,
    candidate: Annotated[str | None, typer.Argument(help="A candidate's id; the newest if not said.")] = None,
    off_policy: Annotated[
        bool, typer.Option("--off-policy", help="What it (or a version such as demand@3) would be worth, from logged answers of others.")
    ] = False,
    strategies: Annotated[
        bool, typer.Option("--strategies", help="Instead: all history, windows, since a change, only what is new, on the same future.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Instead: once round on made-up rows, in a house of its own that goes again.")
    ] = False,
    junit: JUnit = None,
    comment: Annotated[Path | None, typer.Option("--comment", help="The verdict as Markdown, for a comment on a pull request.")] = None,
    metrics: Annotated[Path | None, typer.Option("--metrics", help="Its figures as JSON, as DVC reads metrics.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Judge a candidate against the champion on the newest mature truth. Nothing takes over."""
    from everloop.loop.spoken import spoken_record
    from everloop.loop.steps import judge_now

    if smoke:
        _smoke(project, model, now, as_json)
        return
    opened, at = open_whole(project, house, stage), instant_of(now)
    if strategies:
        from everloop.loop.strategies import compare_strategies

        found = compare_strategies(opened, opened.project.model(model), at)
        say(found.data(), str(found), as_json)
        return
    if off_policy:
        from everloop.loop.off_policy import off_policy as worth_of
        from everloop.loop.off_policy import spoken_off_policy

        worths = worth_of(opened, opened.project.model(model), candidate, at)
        say(
            [vars(worth) | {"enough": worth.enough} for worth in worths],
            spoken_off_policy(opened.project.model(model), worths, at),
            as_json,
        )
        raise typer.Exit(0 if worths and all(worth.enough for worth in worths) else 1)
    verdict = judge_now(opened, opened.project.model(model), candidate, at)
    _write_down(verdict, junit, comment, metrics)
    say(verdict, spoken_record(verdict), as_json)
    raise typer.Exit(0 if verdict.passed else 1)


def _write_down(verdict: Verdict, junit: Path | None, comment: Path | None, metrics: Path | None) -> None:
    from everloop.connect.comment import comment as as_comment
    from everloop.connect.comment import metrics as as_metrics
    from everloop.connect.junit import junit as as_junit
    from everloop.connect.junit import of_verdict
    from everloop.connect.whole import put

    if junit is not None:
        put(junit, as_junit("everloop judge", [(verdict.model, of_verdict(verdict))]).encode())
    if comment is not None:
        put(comment, as_comment(verdict).encode())
    if metrics is not None:
        put(metrics, as_metrics(verdict).encode())


def _smoke(project: Path, model: str, now: str | None, as_json: bool) -> None:
    from everloop.loop.project_file import open_project
    from everloop.loop.smoke import smoke as go_round_on_nothing

    opened = open_project(project)
    done = go_round_on_nothing(opened, opened.model(model), instant_of(now))
    verdict = done.verdict.outcome if done.verdict is not None else None
    say({"model": done.model, "rows": dict(done.rows), "questions": done.questions, "verdict": verdict}, str(done), as_json)
    raise typer.Exit(0 if done.passed else 1)
