"""Runs: parameters that were noted as Python writes them ("60", "'absolute_error'") become the number or the text that they are."""

import ast
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LONGEST = 200


def upgrade() -> None:
    """No table changes: what the runs of before were told is read again from the journal, and what they measured stays."""
    here = op.get_bind()
    kept: dict[str, str] = {row.candidate: row.said for row in here.execute(sa.text("SELECT candidate, said FROM runs"))}
    told: list[dict[str, str]] = []
    for (body,) in here.execute(sa.text("SELECT body FROM journal WHERE kind = 'Candidate' ORDER BY seq")):
        record = json.loads(body)
        if record["id"] in kept:
            said = json.loads(kept[record["id"]])
            said["parameters"] |= _told(record)
            told.append({"id": record["id"], "as_it_is": json.dumps(said, sort_keys=True, separators=(",", ":"))})
    if told:
        here.execute(sa.text("UPDATE runs SET said = :as_it_is WHERE candidate = :id"), told)


def _told(record: dict[str, Any]) -> dict[str, object]:
    """What the learner was told; what a training noted stays as it was noted, also where both have a name."""
    try:
        said = json.loads(record.get("parameters") or "{}")
    except ValueError:
        return {}
    told = {**said.get("parameters", {}), **said.get("settings", {})} if "identity" in said else dict(said)
    noted = dict(record.get("notes") or ())
    own = {"learner", "columns", *(name for name, value in noted.items() if isinstance(value, str))}
    return {name: _short(_plain(value)) for name, value in told.items() if name not in own}


def _plain(value: object) -> object:
    try:
        found = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    finite = isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 2**53
    return found if finite or isinstance(found, str) else value


def _short(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:LONGEST]
