"""What people decide: yes, no, let in, take back, end."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light, open_whole
from everloop.cli.options import HERE, At, By, Folder, Json, Name, Project, Reason, Stage
from everloop.cli.saying import instant_of, say
from everloop.errors import EverloopError


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
            help="A version (.everloop), a model trained elsewhere (.skops, .txt, .ubj, .onnx, .joblib), models:/… of MLflow; or newest, "
            "or a candidate's id: what was learnt and judged here, with --override also what was refused."
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
    """Let a version of another house, or a model trained elsewhere, in as a candidate, through the same gates; or what passed them here."""
    from everloop.loop.admitted import admitted, of_this_house
    from everloop.loop.spoken import spoken_record

    opened = open_whole(project, house, stage)
    declared = opened.project.model(model)
    if of_this_house(file) and not override:
        from everloop.loop.judged import let_in_judged

        done = let_in_judged(opened, declared, None if file == "newest" else file, instant_of(now))
        say(vars(done), str(done), as_json)
        raise typer.Exit(0 if done.version else 1)
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


def hold(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Pull the kill switch: no candidate answers anybody, and nothing is learnt or rolled out, until it is released."""
    from everloop.loop import hand

    opened = open_light(project, house, stage)
    typer.echo(hand.hold(opened, opened.project.model(model), by=by, reason=reason, now=instant_of(now)))


def release(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Let roll-outs begin and go on again after a hold."""
    from everloop.loop import hand

    opened = open_light(project, house, stage)
    typer.echo(hand.release(opened, opened.project.model(model), by=by, reason=reason, now=instant_of(now)))


def share(
    model: Name,
    share: Annotated[str, typer.Argument(help="Such as 0.1, a tenth of the units; plan: as the roll-out's plan says again.")],
    by: By,
    reason: Reason,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
) -> None:
    """Set the share of the units that a canary's candidate answers; it stays there until it is given back to the plan."""
    from everloop.loop import hand

    opened = open_light(project, house, stage)
    typer.echo(hand.set_share(opened, opened.project.model(model), _share_of(share), by=by, reason=reason, now=instant_of(now)))


def advance(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Take the roll-out's next step now, not when the plan says; after the last one the candidate takes over."""
    from everloop.loop import hand

    opened = open_light(project, house, stage)
    typer.echo(hand.go_on(opened, opened.project.model(model), by=by, reason=reason, now=instant_of(now)))


def override(
    model: Name,
    verdict: Annotated[str, typer.Argument(help="The id of what the gate said, as everloop judge and the console tell it.")],
    by: By,
    reason: Reason,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
) -> None:
    """Let a candidate in that no gate let pass; its roll-out begins."""
    from everloop.loop import people

    opened = open_whole(project, house, stage)
    typer.echo(people.override(opened, opened.project.model(model), verdict, by=by, reason=reason, now=instant_of(now)))


def _share_of(text: str) -> float | None:
    """
    >>> _share_of("0.1"), _share_of("plan")
    (0.1, None)
    """
    try:
        return None if text == "plan" else float(text)
    except ValueError:
        raise EverloopError(f"{text!r} is no share. Say 0.1 for a tenth of the units, or plan.") from None


def cancel(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """End the turn under way, its training included. What answers stays as it was."""
    from everloop.loop.control.cancel import cancel as end_turn

    opened = open_light(project, house, stage)
    typer.echo(end_turn(opened, opened.project.model(model), by=by, reason=reason))
