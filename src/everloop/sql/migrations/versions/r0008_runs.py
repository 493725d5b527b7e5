"""Runs: every training with its parameters and measures in a table of its own; and the journal found by the kind of its records."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LONGEST = 200
TOLD = ("Candidate", "Verdict", "Version")


def upgrade() -> None:
    """One table more, filled from the journal; and two indexes."""
    runs = op.create_table(
        "runs",
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("learner", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("candidate", name="pk_runs"),
    )
    op.create_index("ix_runs_at", "runs", ["at"])
    op.create_index("ix_runs_model_at", "runs", ["model", "at"])
    op.create_index("ix_journal_kind_seq", "journal", ["kind", "seq"])
    op.create_index("ix_errands_asked_at", "errands", ["asked_at"])
    kept = list(_of_before())
    if kept:
        op.bulk_insert(runs, kept)


def _of_before() -> Iterator[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    query = sa.text("SELECT kind, at, body FROM journal WHERE kind IN ('Candidate', 'Verdict', 'Version') ORDER BY seq")
    for kind, at, body in op.get_bind().execute(query):
        record = json.loads(body)
        if kind == "Candidate" and record["format"] != "baseline":
            row = {"candidate": record["id"], "model": record["model"], "at": at, "learner": record["learner"]}
            found[record["id"]] = {**row, "outcome": None, "version": None, "said": _learnt(record)}
        elif kind == "Verdict" and record["candidate"] in found:
            run = found[record["candidate"]]
            run["outcome"] = record["outcome"]
            run["said"]["measures"].update(_measured(record))
        elif kind == "Version" and record["candidate"] in found:
            found[record["candidate"]]["version"] = f"{record['model']}@{record['number']}"
    for run in found.values():
        yield {**run, "said": json.dumps(run["said"], sort_keys=True, separators=(",", ":"))}


def _learnt(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    try:
        said = json.loads(record.get("parameters") or "{}")
    except ValueError:
        said = {}
    told = {**said.get("parameters", {}), **said.get("settings", {})} if "identity" in said else dict(said)
    noted, cost = dict(record.get("notes") or ()), record.get("cost") or {}
    words = {"seed": record.get("seed", 0), **told, **{name: value for name, value in noted.items() if isinstance(value, str)}}
    measures = {
        "rows": record.get("rows", 0),
        "columns": len(record.get("columns") or ()),
        "seconds": record.get("seconds", 0.0),
        "cpu_seconds": cost.get("cpu_seconds", record.get("cpu_seconds", 0.0)),
        **({"money": cost["money"]} if cost.get("money") is not None else {}),
        **{name: value for name, value in noted.items() if isinstance(value, float)},
    }
    return {"parameters": {name: _short(value) for name, value in words.items()}, "measures": measures}


def _measured(record: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float | None] = {}
    taken: set[str] = set()
    for opinion in record.get("opinions") or ():
        measure = opinion.get("measure")
        name = measure if measure is not None and measure not in taken else opinion["clause"]
        taken.add(name)
        found |= {name: opinion.get("candidate"), f"{name} of the champion": opinion.get("champion"), f"{name} gain": opinion.get("effect")}
    return {name: value for name, value in found.items() if value is not None}


def _short(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:LONGEST]
