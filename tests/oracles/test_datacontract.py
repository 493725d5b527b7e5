"""datacontract-cli accepts what is exported, and agrees which rows keep it."""

from __future__ import annotations

import json
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from bench.peers import apart, environment
from tests.connect.test_odcs import judged

from everloop import Source, always, at_least, at_most, one_of
from everloop.connect import odcs

pytestmark = pytest.mark.slow
orders = Source(
    "orders",
    id="line_id",
    columns={"sku": str, "quantity": int, "price": float, "channel": str},
    must=[always("sku"), at_least("quantity", 1), at_most("price", 500), one_of("channel", "shop", "web")],
)
GOOD = {"line_id": "a", "sku": "x", "quantity": 1, "price": 5.0, "channel": "web"}
CASES = {
    "good": ([GOOD, GOOD | {"line_id": "b"}], set()),
    "empty": ([GOOD, GOOD | {"line_id": "b", "sku": None}], {"sku.required"}),
    "few": ([GOOD, GOOD | {"line_id": "b", "quantity": 0}], {"quantity.minimum"}),
    "dear": ([GOOD, GOOD | {"line_id": "b", "price": 501.0}], {"price.maximum"}),
    "twice": ([GOOD, GOOD], {"line_id.unique", "primaryKey"}),
    "other": ([GOOD, GOOD | {"line_id": "b", "channel": "fax"}], {"channel.quality[0] (invalidValues)"}),
}


@pytest.fixture
def datacontract(tmp_path):
    """Run its command line beside a contract and rows; says whether it was content, and what it said."""
    command = environment("datacontract").parent / "datacontract"

    def run(rows, *words):
        contract = yaml.safe_load(odcs.write("shop", [orders]))
        file = tmp_path / "orders.parquet"
        contract["servers"] = [{"server": "here", "type": "local", "path": str(file), "format": "parquet"}]
        (tmp_path / "shop.yaml").write_text(yaml.safe_dump(contract))
        pq.write_table(pa.Table.from_pylist(rows), file)
        asked = [command, *words, "shop.yaml"]
        done = subprocess.run(
            asked, cwd=tmp_path, capture_output=True, text=True, env=apart() | {"COLUMNS": "200"}, timeout=300, check=False
        )
        return done.returncode == 0, done.stdout + done.stderr

    return run


def test_it_accepts_what_is_exported(datacontract):
    content, said = datacontract([GOOD], "lint")
    assert content, said


@pytest.mark.parametrize("case", CASES)
def test_it_agrees_which_rows_keep_the_contract(datacontract, case):
    rows, wrong = CASES[case]
    content, said = datacontract(rows, "test")
    assert content == (not wrong), said
    # The rows as this house would have them in force; an id that came twice is there twice only if nobody takes the newer for the older.
    ours, _ = judged(odcs.write("shop", [orders]), *rows, source=orders)
    assert ours == wrong, json.dumps(sorted(ours))
