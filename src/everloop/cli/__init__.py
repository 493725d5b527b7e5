"""The same verbs, spoken in a terminal: one human sentence first, ``--json`` for machines.

Exit code 0: done. 1: a record said no (a check failed, a verdict was not a pass). 2: it could not be done; stderr says what, where, and
the next step. One file for each noun; everything heavy is imported by the verb that needs it, so that ``everloop --help`` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer

from everloop.cli import (
    alerts,
    arrivals,
    backups,
    consoles,
    deciding,
    demo,
    drift,
    house,
    incidents,
    keys,
    looking,
    people,
    persons,
    project,
    reordering,
    ring,
    scoring,
    serving,
    skew,
    versions,
)  # fmt: skip
from everloop.cli.exports import exports
from everloop.cli.shopify import shopify
from everloop.errors import EverloopError

VERBS: tuple[Callable[..., None], ...] = (
    project.init,
    project.explain,
    arrivals.ingest,
    arrivals.deliveries,
    arrivals.withdraw,
    arrivals.accept,
    ring.turn,
    scoring.score,
    ring.answer,
    reordering.reorder,
    ring.check,
    ring.watch,
    drift.drift,
    skew.skew,
    ring.train,
    ring.judge,
    deciding.approve,
    deciding.reject,
    deciding.admit,
    deciding.undo,
    deciding.hold,
    deciding.release,
    deciding.share,
    deciding.advance,
    deciding.override,
    deciding.cancel,
    people.forget,
    people.known,
    serving.serve,
    serving.run,
    serving.worker,
    consoles.console,
    looking.status,
    incidents.incidents,
    incidents.acknowledge,
    incidents.snooze,
    looking.history,
    looking.why,
    looking.verify,
    versions.card,
    versions.reproduce,
    versions.copy,
    versions.sign,
    versions.bake,
    versions.mirror,
    house.clean,
    backups.backup,
    backups.restore,
    backups.autonomy,
    demo.demo,
)
"""Every verb, in the order help tells them; each is called by its function's name."""

GROUPS = {"key": keys.keys, "person": persons.persons, "alert": alerts.alerts, "export": exports, "shopify": shopify}
"""Verbs that are said with their noun first, such as ``everloop key add``."""

app = typer.Typer(
    name="everloop",
    help="Keeps production models right: learn, judge, roll out, answer, watch, decide, and learn again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in VERBS:
    app.command()(verb)
for noun, group in GROUPS.items():
    app.add_typer(group, name=noun)


def main() -> None:
    """Run the command line; errors of ours become one message and exit code 2."""
    # Before numerical libraries are loaded: threads that wait by spinning take the cores from everybody else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(prog_name="everloop")
    except EverloopError as error:
        typer.echo(f"everloop: {error}", err=True)
        sys.exit(2)
