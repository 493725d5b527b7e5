"""Runs in the environment of Great Expectations: a suite made and saved by it, run over rows as everloop.connect runs it, and in a turn."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from everloop.connect.great_expectations import run
from everloop.errors import EverloopError
from everloop.loop.house import open_house
from everloop.loop.resume import go_round
from everloop.loop.start import start_project
from everloop.records import Report

ROWS = {"line_id": ["a", "b", "c", "d"], "sku": ["x", None, "y", "z"], "quantity": [1, 0, 5, 6], "mail": ["q@w.e", "r", "t@y.u", "s"]}


def suite() -> str:
    """As its users save one."""
    import great_expectations as gx

    gx.get_context(mode="ephemeral")
    made = gx.ExpectationSuite(name="orders")
    say = gx.expectations
    for one in (
        say.ExpectColumnValuesToNotBeNull(column="sku"),
        say.ExpectColumnValuesToBeBetween(column="quantity", min_value=1, mostly=0.75),
        say.ExpectColumnValuesToBeBetween(column="quantity", min_value=1, mostly=0.8),
        say.ExpectColumnValuesToBeUnique(column="line_id"),
        say.ExpectColumnValuesToMatchRegex(column="mail", regex="@"),
        say.ExpectTableRowCountToBeBetween(min_value=5),
        say.ExpectColumnMeanToBeBetween(column="quantity", min_value=2, max_value=4),
        say.ExpectColumnValuesToNotBeNull(column="colour"),
    ):
        made.add_expectation(one)
    return json.dumps(made.to_json_dict())


def refused(text: str) -> str:
    try:
        run(text, pa.table(ROWS), source="orders", names=ROWS["line_id"])
    except EverloopError as error:
        return str(error)
    return "it was judged"


def turned(folder: Path, most: int) -> dict[str, object]:
    """A turn of a tiny shop whose orders must meet a suite that allows so many pieces a line."""
    import great_expectations as gx

    end = datetime(2026, 11, 1, tzinfo=UTC)
    start_project("shop", folder, end=end)
    made = gx.ExpectationSuite(name="orders")
    made.add_expectation(gx.expectations.ExpectColumnValuesToBeBetween(column="quantity", min_value=1, max_value=most))
    (folder / "orders.json").write_text(json.dumps(made.to_json_dict()))
    project = folder / "project.py"
    text, many = re.subn(r"must=.*\n", 'must=meets("orders.json"),\n', project.read_text(), count=1)
    assert many == 1
    project.write_text(text.replace("    every,\n", "    every,\n    meets,\n", 1))
    house = open_house(project, ingest=end)
    decision = go_round(house, house.project.model("demand"), end)
    report = next(e.record for e in house.journal.read(kind="Report", newest_first=True) if isinstance(e.record, Report))
    wrong = [finding.sentence for finding in report.findings if finding.outcome == "failed"]
    learnt = len(house.journal.read(kind="Candidate", model="demand"))
    house.store.close()
    return {"decided": decision.action, "passed": report.passed, "wrong": wrong, "candidates": learnt}


def main() -> None:
    warnings.simplefilter("ignore")
    found = run(suite(), pa.table(ROWS), source="orders", names=ROWS["line_id"], private=frozenset({"mail"}))
    empty = run(suite(), pa.table(ROWS).slice(0, 0), source="orders", names=[])
    said = {
        "found": [[f.clause.split("(")[0], f.outcome, f.rows, f.broken, list(f.examples), f.sentence] for f in found],
        "empty": [f.outcome for f in empty],
        "refused": [refused(text) for text in ("", "[]", '{"expectations": []}', '{"expectations": [{"type": "expect_wonders"}]}')],
    }
    with tempfile.TemporaryDirectory() as folder:
        said["fit"], said["unfit"] = turned(Path(folder, "fit"), 1_000_000), turned(Path(folder, "unfit"), 1)
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
