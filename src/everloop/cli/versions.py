"""What a version is made of, whether it can be made again, who signs it, and how it goes to another stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import open_light, open_whole
from everloop.cli.options import HERE, At, By, Folder, Json, Project, Reason, Stage
from everloop.cli.saying import instant_of, say
from everloop.errors import EverloopError

if TYPE_CHECKING:
    from everloop.records import Record

VersionName = Annotated[str, typer.Argument(help="A version, such as demand@3 or demand@champion.")]


def reproduce(version: VersionName, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Make a version again from its record, and say equal or where it differs.

    Exit code 1: it answers otherwise, or its rows are others.
    """
    from everloop.loop.reproduce import reproduce as made_again

    opened = open_whole(project, house, stage)
    again = made_again(opened, opened.project.model(version.partition("@")[0]), version)
    say(again.__dict__ | {"same": again.same}, str(again), as_json)
    raise typer.Exit(0 if again.same else 1)


def card(
    version: VersionName,
    to: Annotated[Path | None, typer.Option("--to", help="A file to write: .md for the Hugging Face Hub, .html, or .json.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """The card of a version: what it predicts, what it learnt from, what it had to show, what moves its answers."""
    from everloop.loop.carded import card_of, write_card
    from everloop.registry.card import markdown

    opened = open_whole(project, house, stage)
    model = opened.project.model(version.partition("@")[0])
    if to is not None:
        say({"file": write_card(opened, model, version, to)}, f"The card of {version} is in {to}.", as_json)
        return
    found = card_of(opened, model, version)
    say(found, markdown(found), as_json)


def copy(
    version: VersionName,
    to: Annotated[str, typer.Option("--to", help="The stage it goes to: a table of everloop.toml, such as prod.")],
    override: Annotated[
        bool, typer.Option("--override", help="Let it in although the gate there does not; needs --by and --reason.")
    ] = False,
    by: By = "",
    reason: Reason = "",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Take a version to another stage, where it is a candidate like any other. Exit code 1: the verdict there was not a pass."""
    from everloop.errors import EverloopError
    from everloop.loop.handover import copy as copied
    from everloop.loop.spoken import spoken_record

    opened, other = open_whole(project, house, stage), open_whole(project, None, to)
    if opened.settings.registry == other.settings.registry:
        raise EverloopError(f"{to} is the house that {version} is in already. Give the stage a registry= of its own in everloop.toml.")
    model = opened.project.model(version.partition("@")[0])
    came, verdict = copied(opened, other, model, version, instant_of(now), override=override, by=by, reason=reason)
    say([came, verdict], f"{spoken_record(came)}\n{spoken_record(verdict)}", as_json)
    raise typer.Exit(0 if verdict.passed else 1)


def sign(
    version: VersionName,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Sign a version that was let in before there was a key, by [signing] private_key of everloop.toml."""
    from everloop.loop.lineage import version_named
    from everloop.loop.signing import sign_now

    opened = open_light(project, house, stage)
    model = opened.project.model(version.partition("@")[0])
    file = sign_now(opened, opened.candidate(version_named(opened, model, version).candidate))
    say({"file": file}, f"{version} is signed: {file}.", as_json)


def bake(
    file: Annotated[Path, typer.Argument(help="A version as one file (.everloop).")],
    model: Annotated[str, typer.Option("--model", help="The model it is a version of.")],
    key: Annotated[Path | None, typer.Option("--key", help="A file with a key that may ask it; the house keeps its hash.")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Build what types it names, and load a pickle where that is allowed.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Put a version in force in a new house, for an image that answers by it and by nothing else."""
    from everloop.loop.baked import bake as baked

    opened = open_whole(project, house, stage)
    version = baked(opened, opened.project.model(model), file, instant_of(now), key=key, trust=trust)
    say(
        version,
        f"{version.name} answers everybody in {opened.settings.house}.\nNext: everloop serve --house {opened.settings.house}",
        as_json,
    )


def mirror(project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False) -> None:
    """Tell MLflow what it does not know yet, and hold the contests it asks for. What runs does this by itself."""
    from everloop.loop.admitted import admitted
    from everloop.loop.mirror import contests_asked, tracking_of
    from everloop.loop.mirror import mirror as mirrored
    from everloop.loop.spoken import spoken_record

    opened = open_whole(project, house, stage)
    done = mirrored(opened)
    contests: list[Record] = []
    failed: list[str] = []
    for model, there in contests_asked(opened, tracking_of(opened)):
        try:
            contests += admitted(opened, model, f"models:/{there.name}/{there.number}", instant_of(now))
        except EverloopError as error:  # the others were asked for too
            failed.append(f"{there.name} {there.number}: {error}")
    if contests:
        again = mirrored(opened)
        done = replace(again, told=done.told + again.told, refused=(*done.refused, *again.refused))
    done = replace(done, refused=(*done.refused, *failed))
    say(vars(done) | {"contests": contests}, "\n".join([str(done), *map(spoken_record, contests)]), as_json)
