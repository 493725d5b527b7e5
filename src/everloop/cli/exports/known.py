"""What a house knows, for teams that keep features in Feast or data in DVC, for programs that tell a unit's arm themselves, and for
Prometheus and Grafana."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.opening import open_light, open_whole
from everloop.cli.options import HERE, At, Folder, Json, Name, Project, Stage, To, ToFile
from everloop.cli.saying import instant_of, say


def feast(
    model: Name,
    to: To,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """A feature repository for Feast: definitions, and finalized rows as Parquet."""
    from everloop.loop.export import spoken_feast, to_feast

    opened = open_light(project, house, stage)
    done = to_feast(opened, opened.project.model(model), to, instant_of(now))
    say(vars(done), spoken_feast(done, to), as_json)


def dvc(
    model: Name,
    to: To,
    version: Annotated[str | None, typer.Option("--version", help="The version that learnt from it, such as demand@3.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Read again what the folder's MODEL.pins.toml names.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """A training set and the snapshot under it, as a folder that Git and DVC pin. Exit code 1: --again found other bytes than pinned."""
    from everloop.loop.export import spoken_dvc, to_dvc

    opened = open_light(project, house, stage)
    done = to_dvc(opened, opened.project.model(model), to, version=version, again=again)
    say(vars(done), spoken_dvc(done, to), as_json)
    raise typer.Exit(1 if again and done.same is False else 0)


def assignment(to: To, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """The arm of a unit for JavaScript and Shopify's Liquid, with the roll-outs in force."""
    from everloop.loop.export import spoken_assignment, to_assignment

    opened = open_light(project, house, stage)
    done = to_assignment(opened, to)
    say(vars(done), spoken_assignment(done, to), as_json)


def contract(
    to: ToFile,
    suggest: Annotated[bool, typer.Option("--suggest", help="Also what the rows so far were like, where must= says nothing.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """The data contract of the project's sources, as the Open Data Contract Standard writes it."""
    from everloop.loop.contracts import write_contract

    sources = write_contract(open_light(project, house, stage), to, suggest=suggest)
    say({"file": to, "sources": list(sources)}, f"{to} promises what {', '.join(sources)} must be.", as_json)


def prometheus(
    to: To,
    answered: Annotated[float, typer.Option("--answered", help="The share of questions that is promised to be answered.")] = 0.999,
    quick: Annotated[float, typer.Option("--quick", help="The share of them that is promised to be answered within --ms.")] = 0.99,
    ms: Annotated[float, typer.Option("--ms", help="How quick is quick, in milliseconds: an edge that latencies are counted by.")] = 100,
    target: Annotated[list[str] | None, typer.Option("--target", help="HOST:PORT to scrape (default: what everloop.toml says).")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Alert rules for Prometheus, and a configuration that scrapes this house by them."""
    from everloop.connect.prometheus import Objective, write
    from everloop.loop.export import spoken_views

    serving = open_light(project, house, stage).settings.serving
    files = write(to, target or [f"{serving.host}:{serving.port}"], Objective(answered, quick, ms / 1000))
    say({"files": files}, spoken_views(files, to, f"promtool check config {to / 'prometheus.yml'}"), as_json)


def grafana(to: To, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """A dashboard for Grafana over that Prometheus."""
    from everloop.connect.grafana import write
    from everloop.loop.export import spoken_views

    open_light(project, house, stage)
    files = write(to)
    say({"files": files}, spoken_views(files, to, "in Grafana: Dashboards, Import, and say which Prometheus"), as_json)


def version(
    version: Annotated[str, typer.Argument(help="A version, such as demand@3.")],
    to: ToFile,
    dvc: Annotated[bool, typer.Option("--dvc", help="Also the .dvc file that pins it, as dvc add would.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """A version with all it comes from as one file, to be admitted in another house. It ends in .everloop."""
    from everloop.loop.handover import to_file

    opened = open_whole(project, house, stage)
    model = opened.project.model(version.partition("@")[0])
    left = to_file(opened, model, version, to, instant_of(now), tracked=dvc)
    next_ = f"Next, in the other house: everloop admit {to.name} --model {model.name}"
    say(left, f"{left.version} is in {to} ({left.file[:12]}{', signed' * left.signed}).\n{next_}", as_json)


def wandb(
    version: Annotated[str, typer.Argument(help="A version, such as demand@3.")],
    to: To,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """A version as a run of Weights & Biases, in its offline directory."""
    from everloop.loop.in_wandb import to_wandb

    opened = open_whole(project, house, stage)
    run = to_wandb(opened, opened.project.model(version.partition("@")[0]), version, to)
    say({"run": run}, f"{version} is a run in {run}.\nNext: wandb sync {run}", as_json)


def evidently(
    model: Name, to: ToFile, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False
) -> None:  # fmt: skip
    """Evidently's own report of the two windows that drift compares, as one HTML page."""
    from everloop.loop.compared import to_evidently

    opened = open_whole(project, house, stage)
    before, newest = to_evidently(opened, opened.project.model(model), to, instant_of(now))
    say({"file": to, "before": before, "newest": newest}, f"{to}: {before:,} rows before, {newest:,} in the newest window.", as_json)
