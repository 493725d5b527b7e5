"""Exports of a house: rows that are what training read, pins that are read again byte for byte."""

from __future__ import annotations

import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.connect import dvc
from everloop.connect.feast.online import features_of
from everloop.errors import EverloopError, Unknown
from everloop.features.as_of import live
from everloop.features.compile import features
from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.export import spoken_assignment, spoken_dvc, spoken_feast, to_assignment, to_dvc, to_feast
from everloop.loop.people import undo
from everloop.loop.steps import train_now, training_table
from tests.ring.conftest import END
from tests.ring.test_doors import new_row

LATER = END + timedelta(hours=1)


def trained(house, model):
    train_now(house, model, LATER)


def rows_at(table, moment):
    return table.filter([instant == moment for instant in table["event_timestamp"].to_pylist()])


# -- Feast ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["shop", "churn"])
def test_rows_are_what_is_known_now_and_what_training_read_then(opened, tmp_path, kind):
    house, model = opened(kind)
    done = to_feast(house, model, tmp_path / "feast", LATER)
    table = pq.read_table(done.files[0])
    assert (done.rows, done.last_at) == (len(table), LATER)
    due = live(model.but(model.name, among=()), house.tables(model), moment=LATER)
    now = rows_at(table, LATER)
    assert len(due) > 1
    for name in (*model.unit, *features_of(model)):
        assert now[name].to_pylist() == due[name].to_pylist()
    learnt = training_table(house, model, LATER)
    wanted = {(r["moment"], *(r[u] for u in model.unit)): [r[f] for f in features_of(model)] for r in learnt.to_pylist()}
    written = table.set_column(table.column_names.index("event_timestamp"), "moment", table["event_timestamp"].cast("int64"))
    found = {(r["moment"], *(r[u] for u in model.unit)): [r[f] for f in features_of(model)] for r in written.to_pylist()}
    assert wanted.items() <= found.items()


def test_a_moment_at_which_everybody_is_asked_has_each_unit_once(opened, tmp_path):
    house, model = opened("shop")
    tick = training_table(house, model, LATER)["moment"][-1].as_py()
    from everloop.clock import from_microseconds

    table = pq.read_table(to_feast(house, model, tmp_path / "feast", from_microseconds(tick)).files[0])
    keys = list(zip(table["product_id"].to_pylist(), table["event_timestamp"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_the_rows_of_a_source_are_written_once_each_at_their_own_moment(opened, tmp_path):
    house, model = opened("fraud")
    table = pq.read_table(to_feast(house, model, tmp_path / "feast", LATER).files[0])
    assert len(set(table[model.unit[0]].to_pylist())) == len(table) > 100
    asked = table.select(list(model.unit)).slice(0, 50)
    asked = asked.append_column("moment", table["event_timestamp"].cast("int64").slice(0, 50)).append_column("row", asked[model.unit[0]])
    due = features(model.knows, asked, house.tables(model), model=model)
    for name in features_of(model):
        assert table[name].slice(0, 50).to_pylist() == due[name].to_pylist()


def test_a_list_has_no_rows_for_feast(opened, tmp_path):
    house, model = opened("recommend")
    with pytest.raises(EverloopError, match="answers with a list"):
        to_feast(house, model, tmp_path, LATER)


def test_a_house_nothing_has_happened_in_writes_no_row(opened, tmp_path):
    house, model = opened("shop")
    done = to_feast(house, model, tmp_path / "feast", END - timedelta(days=20_000))
    assert (done.rows, done.first_at) == (0, None)
    assert "no row yet" in spoken_feast(done, tmp_path / "feast")


# -- DVC -----------------------------------------------------------------------------------------------------------------------------


def test_a_training_set_and_its_snapshot_are_read_again_byte_for_byte(after, tmp_path):
    house, model = after(trained, "shop")
    done = to_dvc(house, model, tmp_path / "out")
    assert (done.files, done.same) == (("sources/orders.parquet", "training.parquet"), None)
    record = next(e.record for e in house.journal.read(kind="TrainingSet", newest_first=True))
    assert (tmp_path / "out" / "demand" / "training.parquet").read_bytes() == house.blobs.read(record.body)
    # More happens, and is trained on: what was pinned stays what it was.
    receive(house.lake, model.sources[0], [new_row(house, model, 0, LATER)], now=LATER + timedelta(minutes=1))
    train_now(house, model, LATER + timedelta(days=2))
    kept = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    again = to_dvc(house, model, tmp_path / "out", again=True)
    assert (again.same, again.changed, again.snapshot) == (True, (), done.snapshot)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == kept
    newer = to_dvc(house, model, tmp_path / "out")
    assert (newer.same, newer.changed) == (False, ("sources/orders.parquet", "training.parquet"))
    assert "These differ: sources/orders.parquet, training.parquet" in spoken_dvc(newer, tmp_path / "out")


def test_what_git_brings_back_without_its_data_is_read_from_the_house(after, tmp_path):
    house, model = after(trained, "shop")
    to_dvc(house, model, tmp_path / "one")
    (tmp_path / "two").mkdir()
    for name in ("demand.dvc", "demand.pins.toml", ".gitignore"):
        (tmp_path / "two" / name).write_bytes((tmp_path / "one" / name).read_bytes())
    assert to_dvc(house, model, tmp_path / "two", again=True).same
    for name in ("training.parquet", "sources/orders.parquet"):
        assert (tmp_path / "two" / "demand" / name).read_bytes() == (tmp_path / "one" / "demand" / name).read_bytes()


def test_pins_name_the_model_the_training_set_and_how_far_each_table_counts(after, tmp_path):
    house, model = after(trained, "shop")
    done = to_dvc(house, model, tmp_path / "out")
    pins = dvc.pinned(tmp_path / "out", "demand")
    snapshot = house.journal.get(done.snapshot)
    extent = snapshot.extent("orders")
    assert (pins["model"], pins["training_set"], pins["snapshot"]) == ("demand", done.training_set, snapshot.id)
    assert pins["sources"]["orders"] == {"delta_version": extent.version, "through_seq": extent.through_seq, "rows": extent.rows}
    assert pq.read_table(tmp_path / "out" / "demand" / "sources" / "orders.parquet").num_rows == extent.rows


def test_a_version_names_what_it_learnt_from(opened, tmp_path):
    house, model = opened("shop")
    adopt(house, model, LATER)
    train_now(house, model, LATER)
    baseline = to_dvc(house, model, tmp_path / "zero", version="demand@0")
    newest = to_dvc(house, model, tmp_path / "newest")
    assert baseline.training_set != newest.training_set
    assert baseline.snapshot is None  # a baseline learns from what is there, without a snapshot
    with pytest.raises(Unknown, match="demand@7"):
        to_dvc(house, model, tmp_path / "out", version="demand@7")


def test_pins_of_another_house_are_refused(after, tmp_path):
    house, model = after(trained, "shop")
    to_dvc(house, model, tmp_path / "out")
    path = tmp_path / "out" / "demand.pins.toml"
    kept = path.read_text()
    for was, broken in (("training_set = ", 'training_set = "x" #'), ("body = ", 'body = "x" #')):
        path.write_text(kept.replace(was, broken))
        with pytest.raises(Unknown, match="another house"):
            to_dvc(house, model, tmp_path / "out", again=True)


def test_nothing_learnt_yet_is_nothing_to_pin(opened, tmp_path):
    house, model = opened("shop")
    with pytest.raises(Unknown, match="everloop train demand"):
        to_dvc(house, model, tmp_path / "out")


# -- arms elsewhere ------------------------------------------------------------------------------------------------------------------


def test_a_roll_out_is_exported_as_it_is_in_force(rolling, tmp_path):
    house, model = rolling
    traffic = house.traffic(model)
    done = to_assignment(house, tmp_path / "out")
    assert sorted(path.name for path in done.files) == sorted(path.name for path in (tmp_path / "out").iterdir())
    (told,) = json.loads((tmp_path / "out" / "everloop-rollouts.json").read_text())["models"].values()
    assert (told["stage"], told["salt"], told["share"]) == ("canary", traffic.salt, traffic.share)
    assert (told["champion"], told["candidate"]) == tuple(house.version(id).name for id in (traffic.champion, traffic.candidate))
    assert told["unit"] == list(model.unit)
    snippet = (tmp_path / "out" / f"everloop-arm-{model.name}.liquid").read_text()
    assert f"salt: '{traffic.salt}', covered: {told['covered']}, given: {told['given']}" in snippet
    assert f"{told['candidate']} answers 50 % by {model.unit[0]}." in spoken_assignment(done, tmp_path / "out")


def test_only_what_tells_of_the_roll_out_changes_with_it(rolling, tmp_path):
    house, model = rolling
    files = to_assignment(house, tmp_path).files
    before = {path.name: path.read_bytes() for path in files}
    undo(house, model, by="Kim", reason="no", now=LATER)
    to_assignment(house, tmp_path)
    changed = {path.name for path in files if path.read_bytes() != before[path.name]}
    assert changed == {"everloop-rollouts.json", f"everloop-arm-{model.name}.liquid"}


# -- in a terminal -------------------------------------------------------------------------------------------------------------------


def test_the_verbs_say_what_was_written_and_what_to_do_next(after, tmp_path):
    house, _ = after(trained, "shop")
    house.store.close()
    at = ["--project", str(house.project.path), "--to", str(tmp_path / "out")]
    said = CliRunner().invoke(app, ["export", "feast", "demand", *at, "--now", LATER.isoformat()])
    assert said.exit_code == 0, said.output
    assert "feast apply && feast materialize" in said.output
    said = CliRunner().invoke(app, ["export", "feast", "demand", *at, "--now", LATER.isoformat(), "--json"])
    assert str(tmp_path / "out" / "everloop_demand.py") in json.loads(said.output)["files"]
    said = CliRunner().invoke(app, ["export", "dvc", "demand", *at])
    assert "dvc add demand" in said.output
    said = CliRunner().invoke(app, ["export", "dvc", "demand", *at, "--again", "--json"])
    assert (said.exit_code, json.loads(said.output)["same"]) == (0, True)
    (tmp_path / "out" / "demand.dvc").write_text("outs:\n- md5: 0.dir\n")
    said = CliRunner().invoke(app, ["export", "dvc", "demand", *at, "--again"])
    assert (said.exit_code, "It is not what demand.dvc pinned" in said.output) == (1, True)


def test_the_assignment_is_told_in_a_terminal_and_a_folder_of_somebody_else_is_left_alone(opened, tmp_path):
    house, model = opened("shop")
    at = ["export", "assignment", "--project", str(house.project.path), "--to", str(tmp_path / "out")]
    said = CliRunner().invoke(app, at)
    assert (said.exit_code, "No model has begun" in said.output) == (0, True)
    adopt(house, model, LATER)
    house.store.close()
    said = CliRunner().invoke(app, at)
    assert said.exit_code == 0, said.output
    assert "everloop-arm.mjs" in said.output
    assert "demand: demand@0 answers everybody (steady)." in said.output
    said = CliRunner().invoke(app, [*at, "--json"])
    assert json.loads(said.output)["rollouts"]["demand"]["stage"] == "steady"
    (tmp_path / "out" / "everloop-arm.liquid").write_text("mine")
    said = CliRunner().invoke(app, at)
    assert said.exit_code != 0
    assert (tmp_path / "out" / "everloop-arm.liquid").read_text() == "mine"
