"""The terminal on bad input: a message that says what, where and what next; exit code 2; no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import EverloopError
from everloop.loop.house import open_house
from everloop.loop.project_file import open_project


def run(*words):
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, EverloopError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def shop(opened):
    house, _ = opened("shop")
    house.store.close()
    return str(house.project.path)


def test_a_unit_nobody_has_seen_gets_no_confident_answer(shop):
    code, said = run("answer", "demand", "nope", "-p", shop)
    assert (code, "nope" in said) == (2, True)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["turn", "dmand"], "no model"),
        (["why", "nothing"], "no record"),
        (["ingest", "odrers", "x.csv"], "no source"),
        (["ingest", "orders", "nowhere.csv"], "nowhere.csv"),
        (["turn", "demand", "--now", "yesterday"], "no instant"),
        (["judge", "demand"], "no candidate"),
        (["admit", "nowhere.joblib", "--model", "demand"], "nowhere.joblib"),
        (["approve", "demand", "--by", "Kim", "--reason", "yes"], "not waiting"),
    ],
)
def test_what_cannot_be_done_says_what_where_and_what_next(shop, words, what):
    code, said = run(*words, "-p", shop)
    assert code == 2
    assert what in said


def test_a_half_written_file_leaves_nothing_behind(shop, tmp_path):
    file = tmp_path / "half.parquet"
    file.write_bytes(b"PAR1 and then the power went")
    code, said = run("ingest", "orders", str(file), "-p", shop)
    assert code == 2
    assert "half.parquet" in said


def test_a_file_with_a_misspelt_column_is_told_at_once(shop, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("line_id,ordered_at,prod,quantity,price\nx1,2026-10-31T10:00:00Z,p01,1,100\n" * 1)
    _, said = run("ingest", "orders", str(file), "--known-after", "0", "-p", shop)
    assert "lacks product_id" in said
    assert "brings prod" in said


def test_rows_that_cannot_be_read_are_named_and_the_others_are_kept(shop, tmp_path):
    file = tmp_path / "orders.csv"
    good = "\n".join(f"g{i},2026-10-31T10:00:00Z,p01,1,100" for i in range(3))
    file.write_text(f"line_id,ordered_at,product_id,quantity,price\n{good}\nbad,not a time,p01,1,100\n")
    code, said = run("ingest", "orders", str(file), "--known-after", "0", "-p", shop)
    assert code == 1
    assert "1 refused" in said
    assert "3 rows kept" in said
    again = "ingest", "orders", str(file), "--known-after", "0", "-p", shop
    assert [run(*again, "--most-refused", share)[0] for share in ("0.2", "0.25")] == [1, 0]


def test_rows_of_another_time_zone_are_told(shop, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("line_id,ordered_at,product_id,quantity,price\nz1,2026-10-31T10:00:00Z,p01,1,100\nz2,2026-10-31T16:00:00Z,p01,1,100\n")
    code, said = run("ingest", "orders", str(file), "--now", "2026-10-31T12:00Z", "-p", shop)
    told = "orders: 2 rows kept.\n  1 row says it happened after it was known; it counts as happened when it was known. Is its time"
    assert (code, told in said) == (0, True)


def test_a_bad_delivery_is_seen_in_the_list_and_taken_back(shop, tmp_path):
    file = tmp_path / "more.csv"
    file.write_text("line_id,ordered_at,product_id,quantity,price,colour\nx1,2026-10-31T10:00:00Z,p01,1,100,red\n")
    run("ingest", "orders", str(file), "--known-after", "0", "-p", shop)
    _, said = run("deliveries", "orders", "-p", shop)
    assert "more.csv" in said
    number = said.splitlines()[-1].split()[0]
    assert "colour may come" in run("accept", "orders", "-p", shop)[1]
    assert "no delivery brought" in run("accept", "orders", "-p", shop)[1]
    code, said = run("withdraw", "orders", number, "--by", "Ada", "--reason", "red again", "-p", shop)
    assert (code, "1 rows were answered" in said) == (0, True)
    assert "taken back" in run("deliveries", "orders", "-p", shop)[1].splitlines()[-1]
    (kept,) = open_house(open_project(Path(shop))).journal.read(kind="Withdrawal")
    assert (kept.record.by, kept.record.reason, kept.record.rows) == ("Ada", "red again", 1)
    assert run("withdraw", "orders", "99", "-p", shop)[0] == 2


def test_the_package_run_as_a_module_is_the_command():
    said = subprocess.run([sys.executable, "-m", "everloop", "status", "--help"], capture_output=True, text=True, check=True).stdout
    assert said.split()[:3] == ["Usage:", "everloop", "status"]
