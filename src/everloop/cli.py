"""The same verbs, spoken in a terminal: one human sentence first, ``--json`` for machines.

Exit code 0: done. 1: a record said no (a check failed, a verdict was not a pass). 2: it could not be done; stderr says what, where, and
the next step. Everything heavy is imported by the verb that needs it, so that ``everloop --help`` is quick.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from everloop.errors import EverloopError

if TYPE_CHECKING:
    from everloop.loop.house import House
    from everloop.records import Record

app = typer.Typer(
    name="everloop",
    help="Keeps production models right: learn, judge, roll out, answer, watch, decide, and learn again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Project = Annotated[Path, typer.Option("--project", "-p", help="The project file, or the folder it is in.")]
Folder = Annotated[Path | None, typer.Option("--house", help="The house folder (default: .everloop beside the project file).")]
Stage = Annotated[str, typer.Option("--stage", help="A table of everloop.toml, such as prod.")]
Json = Annotated[bool, typer.Option("--json", help="Data instead of sentences.")]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Name = Annotated[str, typer.Argument(help="The model's name.")]
Source = Annotated[str, typer.Argument(help="The source's name.")]
At = Annotated[str | None, typer.Option("--at", "--now", help="An instant such as 2026-11-02T14:03Z (default: now).")]
Host = Annotated[str | None, typer.Option("--host", help="Where to listen (default: what everloop.toml says, else 127.0.0.1).")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="On which port (default: 8321; 0: any that is free).")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="How many processes answer (default: 1).")]
TurnedClock = Annotated[bool, typer.Option("--turned-clock", help="Business time is what requests say by Everloop-Now.")]
HERE = Path()


def main() -> None:
    """Run the command line; errors of ours become one message and exit code 2."""
    # Before numerical libraries are loaded: threads that wait by spinning take the cores from everybody else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except EverloopError as error:
        typer.echo(f"everloop: {error}", err=True)
        sys.exit(2)


def _open(project: Path, house: Path | None, stage: str) -> House:
    from everloop.loop.house import open_house

    return open_house(project, folder=house, stage=stage or None)


def _open_light(project: Path, house: Path | None, stage: str) -> House:
    """The house for a verb that learns and answers nothing: the libraries the project learns with are not loaded."""
    from functools import partial

    from everloop.loop.house import open_house
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.training.stand_in import opened

    without_pandas()
    return open_house(opened(partial(open_project, project)), folder=house, stage=stage or None)


def _say(value: Record | Iterable[Record] | dict[str, Any] | list[Any], sentence: str, as_json: bool) -> None:
    """The sentence for people, or the same as data."""
    if not as_json:
        typer.echo(sentence)
        return
    from everloop.registry.written import as_data

    typer.echo(json.dumps(as_data(value), ensure_ascii=False, indent=2, default=str))


def _instant(text: str | None) -> datetime:
    from everloop.clock import instant, wall

    return instant(text) if text else wall()


def _span(text: str | None) -> timedelta | None:
    """A span such as 0, 90s, 10m, 6h or 2d."""
    from everloop.settings import span

    return None if text is None else span(text)


# -- the project ---------------------------------------------------------------------------------------------------------------


@app.command()
def init(
    kind: Annotated[str, typer.Argument(help="shop, churn, fraud, price or recommend.")] = "shop",
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = HERE,
) -> None:
    """Write a project that runs at once: the project file, settings, made-up data and a test."""
    from everloop.clock import wall
    from everloop.loop.start import start_project

    written = start_project(kind, folder, end=wall())
    typer.echo(f"Wrote {', '.join(str(p.relative_to(folder)) for p in written)} in {folder.resolve()}.")
    where = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    typer.echo(f"Next: {where}everloop explain && everloop ingest && everloop turn")


@app.command()
def explain(model: Annotated[str | None, typer.Argument(help="A model; all of them if not said.")] = None, project: Project = HERE) -> None:
    """Read a model aloud, as the house understands it. Mistakes are told all at once."""
    from everloop.loop.project_file import open_project
    from everloop.project.spoken import explain as read_aloud

    opened = open_project(project)
    models = [opened.model(model)] if model else list(opened.models.values())
    typer.echo("\n\n".join(read_aloud(m, pending=True) for m in models))


@app.command()
def ingest(
    source: Annotated[str | None, typer.Argument(help="The source; every source with files in everloop.toml if not said.")] = None,
    files: Annotated[list[Path] | None, typer.Argument(help="CSV, Parquet or Arrow files.")] = None,
    known_after: Annotated[
        str | None,
        typer.Option("--known-after", help="History: how long after it happened a row was known (0, 10m, 1d). Default: known now."),
    ] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Take files in. A file enters once; rows that come twice are harmless; rows that cannot be read are named."""
    from everloop.loop.arrivals import columns_told, ingest_files

    opened = _open_light(project, house, stage)
    received = ingest_files(opened, source, files or [], now=_instant(now), known_after=_span(known_after))
    lines = [
        f"{r.source}: {r.kept:,} rows kept"
        + (f", {r.duplicates:,} already known" if r.duplicates else "")
        + (f", {r.refused:,} refused:\n  " + "\n  ".join(r.examples) if r.refused else "")
        + "."
        for r in received
    ]
    lines += [told for r in received if (told := columns_told(opened, r.source))]
    named = opened.settings.sources
    if known_after is None and any(r.kept and (files or r.source not in named or named[r.source].known_after is None) for r in received):
        lines.append("They count as known from now on. If they are history, say how soon they were known: --known-after 0")
    _say(list(received), "\n".join(lines), as_json)
    raise typer.Exit(1 if any(r.refused for r in received) else 0)


@app.command()
def deliveries(source: Source, project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """What came in of a source, delivery by delivery, and which were taken back."""
    from everloop.loop.arrivals import delivered
    from everloop.loop.spoken import spoken_delivery

    found = delivered(_open_light(project, house, stage), source)
    said = "\n".join(map(spoken_delivery, found)) or f"Nothing of {source} has come in yet. Say: everloop ingest {source} FILES…"
    _say([vars(d) for d in found], said, as_json)


@app.command()
def withdraw(
    source: Source,
    number: Annotated[int, typer.Argument(help="The delivery's number, as everloop deliveries tells it.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Take a delivery back: what stood before stands again. What was trained on it can still be read."""
    from everloop.loop.arrivals import take_back

    answered = take_back(_open_light(project, house, stage), source, number, now=_instant(now))
    _say([answered], f"{source}: delivery {number} is taken back; {answered.kept:,} rows were answered.", as_json)


@app.command()
def accept(source: Source, project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Say that the columns a delivery brought, and nobody declared, are as they should be."""
    from everloop.loop.arrivals import accept as agree

    names = agree(_open_light(project, house, stage), source)
    typer.echo(
        f"{source}: {', '.join(names)} may come from now on." if names else f"{source}: no delivery brought a column nobody declared."
    )


# -- the ring ------------------------------------------------------------------------------------------------------------------


def _models(opened: House, name: str | None) -> list[Any]:
    return [opened.project.model(name)] if name else list(opened.project.models.values())


@app.command()
def turn(
    model: Annotated[str | None, typer.Argument(help="A model; all of them if not said.")] = None,
    demand: Annotated[bool, typer.Option("--retrain", help="Retrain even if nothing asks for it.")] = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Go once round the ring: watch, decide, and do what was decided."""
    from everloop.loop.resume import go_round
    from everloop.loop.spoken import story

    opened, at = _open(project, house, stage), _instant(now)
    decisions = [go_round(opened, m, at, "demand" if demand else "schedule") for m in _models(opened, model)]
    _say(decisions, "\n\n".join(story(opened, d) for d in decisions), as_json)


@app.command()
def score(
    model: Annotated[str | None, typer.Argument(help="A model; all of them if not said.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Answer every question that has come due since the last time."""
    from everloop.loop.answers import answer_due

    opened, at = _open(project, house, stage), _instant(now)
    counts = {m.name: answer_due(opened, m, at) for m in _models(opened, model)}
    _say(counts, "\n".join(f"{name}: {count:,} answers." for name, count in counts.items()), as_json)


@app.command()
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

    opened = _open(project, house, stage)
    declared = opened.project.model(model)
    prediction = answer_one(opened, declared, keys, _instant(now))
    _say(prediction, spoken_answer(opened, prediction), as_json)  # type: ignore[arg-type]


@app.command()
def check(
    model: Annotated[str | None, typer.Argument(help="A model; all of them if not said.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Is what has happened fit to learn from?"""
    from everloop.loop.spoken import spoken_report
    from everloop.loop.steps import check_now

    opened, at = _open(project, house, stage), _instant(now)
    reports = [check_now(opened, m, at) for m in _models(opened, model)]
    _say(reports, "\n\n".join(spoken_report(r) for r in reports), as_json)
    raise typer.Exit(0 if all(r.passed for r in reports) else 1)


@app.command()
def watch(model: Name, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False) -> None:
    """What watching finds right now; decides nothing and keeps nothing."""
    from everloop.loop.spoken import spoken_signals
    from everloop.loop.steps import watch_now

    opened = _open(project, house, stage)
    signals = watch_now(opened, opened.project.model(model), _instant(now))
    _say(signals, spoken_signals(signals), as_json)


@app.command()
def train(model: Name, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None, as_json: Json = False) -> None:
    """Learn a candidate from everything known now, and stop there."""
    from everloop.loop.spoken import spoken_record
    from everloop.loop.steps import train_now

    opened = _open(project, house, stage)
    record = train_now(opened, opened.project.model(model), _instant(now))
    _say(record, spoken_record(record), as_json)
    raise typer.Exit(0 if type(record).__name__ == "Candidate" else 1)


@app.command()
def judge(
    model: Name,
    candidate: Annotated[str | None, typer.Argument(help="A candidate's id; the newest if not said.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Judge a candidate against the champion on the newest mature truth. Nothing takes over."""
    from everloop.loop.spoken import spoken_record
    from everloop.loop.steps import judge_now

    opened = _open(project, house, stage)
    verdict = judge_now(opened, opened.project.model(model), candidate, _instant(now))
    _say(verdict, spoken_record(verdict), as_json)
    raise typer.Exit(0 if verdict.passed else 1)


# -- people --------------------------------------------------------------------------------------------------------------------


@app.command()
def approve(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Say yes to what the model is waiting for."""
    from everloop.loop.people import answer_question

    opened = _open(project, house, stage)
    typer.echo(answer_question(opened, opened.project.model(model), True, by=by, reason=reason, now=_instant(now)))


@app.command()
def reject(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "", now: At = None) -> None:
    """Say no to what the model is waiting for."""
    from everloop.loop.people import answer_question

    opened = _open(project, house, stage)
    typer.echo(answer_question(opened, opened.project.model(model), False, by=by, reason=reason, now=_instant(now)))


@app.command()
def admit(
    file: Annotated[Path, typer.Argument(help="A model trained elsewhere: .skops, .txt (LightGBM) or .joblib.")],
    model: Annotated[str, typer.Option("--model", help="The model it is a candidate for.")],
    override: Annotated[bool, typer.Option("--override", help="Let it in although the gate does not; needs --by and --reason.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Load a pickle: it runs whatever code is in it.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """Let a model trained elsewhere in as a candidate, through the same gates."""
    from everloop.loop.people import admit_file
    from everloop.loop.spoken import spoken_record

    opened = _open(project, house, stage)
    declared = opened.project.model(model)
    verdict = admit_file(opened, declared, file, _instant(now), override=override, trust=trust, by=by, reason=reason)
    _say(verdict, spoken_record(verdict), as_json)
    raise typer.Exit(0 if verdict.passed else 1)


@app.command()
def undo(
    model: Name,
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "somebody at the terminal",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "undo",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
) -> None:
    """Take it back: the version before answers again, at once, beside any running turn."""
    from everloop.loop.people import undo as take_back

    opened = _open_light(project, house, stage)
    typer.echo(take_back(opened, opened.project.model(model), by=by, reason=reason, now=_instant(now)))


@app.command()
def cancel(model: Name, by: By, reason: Reason, project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """End the turn under way, its training included. What answers stays as it was."""
    from everloop.loop.control.cancel import cancel as end_turn

    opened = _open_light(project, house, stage)
    typer.echo(end_turn(opened, opened.project.model(model), by=by, reason=reason))


# -- serving -------------------------------------------------------------------------------------------------------------------


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Answer over HTTP, by workers that share one address. Nobody turns the house; see run."""
    _serve(project, house, stage, host, port, workers, turned_clock, as_json, controller=False)


@app.command()
def run(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    turned_clock: TurnedClock = False,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Answer over HTTP, and turn the house whenever that is due."""
    _serve(project, house, stage, host, port, workers, turned_clock, as_json, controller=True)


def _serve(
    project: Path,
    house: Path | None,
    stage: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    turned: bool,
    as_json: bool,
    *,
    controller: bool,
) -> None:
    from everloop.loop.serve.supervise import Serving, supervise
    from everloop.settings import read_settings

    file = project / "project.py" if project.is_dir() else project
    if not file.is_file():
        raise EverloopError(f"There is no project file {file}. Write one with: everloop init shop")
    settings = read_settings(file.parent, stage=stage or None, house=house)
    said = settings.serving
    serving = Serving(
        project=file,
        settings=settings,
        house=house,
        stage=stage or None,
        host=said.host if host is None else host,
        port=said.port if port is None else port,
        workers=said.workers if workers is None else workers,
        turned=turned,
        controller=controller,
        as_json=as_json,
    )
    raise typer.Exit(supervise(serving))


keys = typer.Typer(help="Keys for whoever asks over HTTP from beyond this machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="key")


@keys.command("add")
def key_add(
    name: Annotated[str, typer.Argument(help="Who will use it, such as till-3.")],
    scopes: Annotated[list[str], typer.Argument(help="What it is for: predict, ingest, operate.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
) -> None:
    """Make a key. Its secret is shown once, here, and kept nowhere."""
    from everloop.loop.serve.keys import add_key

    typer.echo(add_key(_open_light(project, house, stage), name, scopes, _instant(None)))
    typer.echo("Keep it now: it is not shown again. Send it as Authorization: Bearer ev_…", err=True)


@keys.command("list")
def key_list(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Every key there ever was, without its secret."""
    from everloop.clock import said
    from everloop.loop.serve.keys import list_keys

    kept = list_keys(_open_light(project, house, stage))
    rows = [{"id": k.id, "name": k.name, "scopes": list(k.scopes), "made_at": k.made_at, "revoked_at": k.revoked_at} for k in kept]
    lines = [
        f"{k.name} ({k.id}): {', '.join(k.scopes)}; made {said(k.made_at)}" + (f"; revoked {said(k.revoked_at)}." if k.revoked_at else ".")
        for k in kept
    ]
    sentence = "\n".join(lines) or "There is no key. Make one with: everloop key add NAME predict"
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str) if as_json else sentence)


@keys.command("revoke")
def key_revoke(
    key: Annotated[str, typer.Argument(help="Its name or its id.")], project: Project = HERE, house: Folder = None, stage: Stage = ""
) -> None:
    """End a key; within a second no worker takes it any more."""
    from everloop.loop.serve.keys import revoke_key

    gone = revoke_key(_open_light(project, house, stage), key, _instant(None))
    typer.echo(f"The key {gone.name} ({gone.id}) opens nothing any more.")


alerts = typer.Typer(help="Who is told what goes wrong, and whether they are.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(alerts, name="alert")


@alerts.command("test")
def alert_test(
    name: Annotated[str, typer.Argument(help="Somebody in [people] of everloop.toml.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
) -> None:
    """Write to somebody now, and say what came of it."""
    from everloop.loop.news.deliver import try_out

    typer.echo(try_out(_open_light(project, house, stage), name))


@alerts.command("list")
def alert_list(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """The newest alerts, whether they were delivered, and what is wrong with the addresses."""
    from everloop.clock import wall
    from everloop.loop.news.deliver import spoken_outbox
    from everloop.loop.news.recipients import check_people

    opened = _open_light(project, house, stage)
    newest = opened.outbox.all()
    lines = [*check_people(opened.settings), *spoken_outbox(opened, wall())]
    lines += [
        f"{kept.raised_at:%Y-%m-%d %H:%M} {kept.alert.severity}: {kept.alert.sentence}" + (" (delivered)" if kept.delivered_at else "")
        for kept in newest
    ]
    rows = [vars(kept.alert) | {"raised_at": kept.raised_at, "delivered_at": kept.delivered_at} for kept in newest]
    _say(rows, "\n".join(lines) or "No news.", as_json)


# -- looking -------------------------------------------------------------------------------------------------------------------


@app.command()
def status(project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False) -> None:
    """Each model on one line: champion, what is rolling out, what it waits for."""
    from everloop.clock import wall
    from everloop.loop.look import status as now_standing
    from everloop.loop.news.deliver import spoken_outbox

    opened = _open_light(project, house, stage)
    rows = now_standing(opened)
    _say([r.__dict__ for r in rows], "\n".join([*map(str, rows), *spoken_outbox(opened, wall())]), as_json)


@app.command()
def history(
    model: Name,
    at: Annotated[str | None, typer.Option("--at", help="What was live at this instant, and why.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Who answered, since when, and why."""
    from everloop.loop.look import history as told

    opened = _open_light(project, house, stage)
    lines, records = told(opened, opened.project.model(model), _instant(at) if at else None)
    _say(records, "\n".join(lines), as_json)


@app.command()
def why(
    id: Annotated[str, typer.Argument(help="Any record's id, a version such as demand@3, or a prediction's id.")],
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """The chain of records behind a decision, a version or an answer."""
    from everloop.loop.look import why as because

    lines, records = because(_open_light(project, house, stage), id)
    _say(records, "\n".join(lines), as_json)


@app.command()
def verify(project: Project = HERE, house: Folder = None, stage: Stage = "") -> None:
    """Check the journal's chain from its first record to its head."""
    from everloop.loop.look import verify as chain

    typer.echo(chain(_open_light(project, house, stage)))


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the demo's house and report go (default: ./everloop-demo).")
    ] = None,
    as_json: Json = False,
) -> None:
    """The whole story on a year of orders, offline, in about two minutes."""
    from importlib import import_module

    # The demo is a customer of the house, like any other: the terminal only opens its door.
    tell: Callable[..., None] = import_module("everloop.demo.story").tell
    tell(folder or Path("everloop-demo"), as_json=as_json)


if __name__ == "__main__":
    main()
