"""What people decide: yes, no, let in, take back, end."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light, open_whole
from everloop.cli.options import HERE, At, By, Folder, Json, Name, Project, Reason, Stage
from everloop.cli.saying import instant_of, say


def approve(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Say yes to what the model is waiting for."""
    from everloop.loop.people import answer_question

    opened = open_whole(project, house, stage)
    typer.echo(answer_question(opened, opened.project.model(model), True, by=by, reason=reason, now=instant_of(now)))


def reject(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Say no to what the model is waiting for."""
    from everloop.loop.people import answer_question

    opened = open_whole(project, house, stage)
    typer.echo(answer_question(opened, opened.project.model(model), False, by=by, reason=reason, now=instant_of(now)))


def admit(
    file: Annotated[
        str,
        typer.Argument(
            help="A version (.everloop), a model trained elsewhere (.skops, .txt, .ubj, .onnx, .joblib), or models:/… of MLflow."
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="The model it is a candidate for.")],
    override: Annotated[bool, typer.Option("--override", help="Let it in although the gate does not; needs --by and --reason.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Load a pickle: it runs whatever code is in it.")] = False,
    by: By = "",
    reason: Reason = "",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Let a version of another house, or a model trained elsewhere, in as a candidate, through the same gates."""
    from everloop.loop.admitted import admitted
    from everloop.loop.spoken import spoken_record

    opened = open_whole(project, house, stage)
    declared = opened.project.model(model)
    records = admitted(opened, declared, file, instant_of(now), override=override, trust=trust, by=by, reason=reason)
    verdict = records[-1]
    say(records if len(records) > 1 else verdict, "\n".join(map(spoken_record, records)), as_json)
    raise typer.Exit(0 if verdict.passed else 1)


def undo(
    model: Name,
    by: By = "somebody at the terminal",
    reason: Reason = "undo",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
) -> None:
    """Take it back: the version before answers again, at once, beside any running turn."""
    from everloop.loop.people import undo as take_back

    opened = open_light(project, house, stage)
    typer.echo(take_back(opened, opened.project.model(model), by=by, reason=reason, now=instant_of(now)))


def cancel(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """End the turn under way, its training included. What answers stays as it was."""
    from everloop.loop.control.cancel import cancel as end_turn

    opened = open_light(project, house, stage)
    typer.echo(end_turn(opened, opened.project.model(model), by=by, reason=reason))
