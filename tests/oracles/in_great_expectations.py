"""Runs in the environment of Great Expectations: a suite made and saved by it, run over rows as everloop.connect runs it."""

from __future__ import annotations

import json
import sys
import warnings

import pyarrow as pa

from everloop.connect.great_expectations import run
from everloop.errors import EverloopError

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


def main() -> None:
    warnings.simplefilter("ignore")
    found = run(suite(), pa.table(ROWS), source="orders", names=ROWS["line_id"], private=frozenset({"mail"}))
    empty = run(suite(), pa.table(ROWS).slice(0, 0), source="orders", names=[])
    said = {
        "found": [[f.clause.split("(")[0], f.outcome, f.rows, f.broken, list(f.examples), f.sentence] for f in found],
        "empty": [f.outcome for f in empty],
        "refused": [refused(text) for text in ("", "[]", '{"expectations": []}', '{"expectations": [{"type": "expect_wonders"}]}')],
    }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
