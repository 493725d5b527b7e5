"""A version goes to another house as one file, and is a candidate there like any other."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import ArtefactBroken, EverloopError, LearnerFailed, Unknown
from everloop.loop.adopt import adopt
from everloop.loop.handover import copy, from_file, to_file
from everloop.loop.house import open_house
from everloop.loop.lineage import handover_of, version_named
from everloop.loop.look import why as because
from everloop.loop.reproduce import reproduce
from everloop.loop.turn import turn
from everloop.records import Candidate
from everloop.registry.history import told, why
from everloop.registry.journal import seal
from everloop.registry.one_file import MANIFEST, RECORDS, Line, lines_in, manifest_of, packed, records_text, unpacked
from everloop.registry.written import read_back, written
from tests.ring.conftest import END

LATER = END + timedelta(hours=1)


@pytest.fixture(scope="session")
def turned(prepared, tmp_path_factory):
    """The folder of a house with one version, learnt once."""
    folder = tmp_path_factory.mktemp("turned") / "shop"
    shutil.copytree(prepared("shop"), folder)
    project = folder / "project.py"
    project.write_text(project.read_text().replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]"))
    house = open_house(project)
    (model,) = house.project.models.values()
    turn(house, model, END)
    house.store.close()
    return folder


@pytest.fixture
def staging(turned, tmp_path):
    """A house with one version, and its model."""
    shutil.copytree(turned, tmp_path / "shop")
    house = open_house(tmp_path / "shop" / "project.py")
    (model,) = house.project.models.values()
    return house, model


@pytest.fixture
def prod(prepared, tmp_path):
    """Another house of the same project: its own folder, its own journal, its own copy of the orders."""
    shutil.copytree(prepared("shop"), tmp_path / "prod")
    house = open_house(tmp_path / "prod" / "project.py")
    (model,) = house.project.models.values()
    return house, model


@pytest.fixture
def file(staging, tmp_path):
    to_file(*staging, "demand@1", tmp_path / "demand-1.everloop", LATER)
    return tmp_path / "demand-1.everloop"


def parts_of(file):
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def remade(file, **changed):
    """The file with other parts, under a manifest that fits them: whoever is hostile writes one."""
    carried, bodies = unpacked(file.read_bytes(), file.name), parts_of(file)
    bodies.pop(MANIFEST)
    bodies |= changed
    manifest = manifest_of(carried.version, bodies, head=carried.said.head, release="0.1.0")
    file.write_bytes(packed(manifest, bodies))
    return file


def with_candidate(file, change, **changed):
    """The file with another candidate's record, sealed anew."""
    carried = unpacked(file.read_bytes(), file.name)
    lines = list(carried.lines)
    for place, line in enumerate(lines):
        if line.id == carried.candidate.id:
            body = written(change(read_back(line.kind, line.body)))
            row = {name: getattr(line, name) for name in Line.__struct_fields__} | {"body": body}
            lines[place] = Line(**row | {"hash": seal(row)})
    return remade(file, **{RECORDS: records_text(lines)}, **changed)


def test_a_version_of_one_house_is_a_candidate_of_another_and_answers_the_same(staging, prod, file):
    there, here = staging[0], prod[0]
    came, verdict = from_file(*prod, file, LATER, trust=True)
    assert (came.version, came.way, came.signed) == ("demand@1", "in", False)
    assert verdict.outcome in ("passed", "failed", "not enough evidence")
    candidate = here.candidate(verdict.candidate)
    first = there.candidate(version_named(*staging, "demand@1").candidate)
    assert (candidate.artefact, candidate.golden, candidate.columns) == (first.artefact, first.golden, first.columns)
    assert (candidate.learner, candidate.parameters, candidate.seed, candidate.learnt_until) == (
        first.learner,
        first.parameters,
        first.seed,
        first.learnt_until,
    )
    assert handover_of(here, candidate) == came
    here.journal.verify()


def test_it_is_judged_by_what_it_has_not_learnt_from(prod, staging, file):
    here, model = prod
    _, verdict = from_file(here, model, file, LATER, trust=True)
    contest = here.journal.get(verdict.made_from[0])
    candidate = here.candidate(verdict.candidate)
    assert contest.rows > 0
    assert contest.first_at >= candidate.learnt_until + model.matures_after


def test_both_houses_remember_it_and_why_tells_what_it_was_judged_there(staging, prod, file):
    (left,) = [e.record for e in staging[0].journal.read(kind="Handover")]
    assert (left.way, left.version, left.place) == ("out", "demand@1", file.name)
    _, verdict = from_file(*prod, file, LATER, trust=True)
    (came,) = [e.record for e in prod[0].journal.read(kind="Handover")]
    assert (came.file, came.head) == (left.file, left.head)
    assert came.judged.startswith("passed")
    assert any("demand@1 of another house came as the file" in line for line in told(why(prod[0].journal, verdict.candidate)))
    # The records of its lineage are kept with it, each as it was sealed there.
    lines = [json.loads(line) for line in prod[0].blobs.read(came.lineage).splitlines()]
    assert {"Candidate", "Verdict", "Version", "TrainingSet", "Snapshot", "Contest"} <= {line["kind"] for line in lines}
    by_id = {entry.record.id: entry.hash for entry in staging[0].journal.read()}
    assert all(by_id[line["id"]] == line["hash"] for line in lines)


def test_the_records_of_the_other_house_are_not_taken_for_this_ones(prod, file):
    here, model = prod
    from_file(here, model, file, LATER, trust=True)
    assert all(entry.record.made_at == LATER for entry in here.journal.read(kind="Verdict"))
    assert len(here.journal.read(kind="Snapshot")) == 1


def test_the_same_version_exported_twice_says_the_same_but_for_the_head(staging, tmp_path, file):
    to_file(*staging, "demand@1", tmp_path / "again.everloop", LATER)
    one, other = unpacked(file.read_bytes(), "a"), unpacked((tmp_path / "again.everloop").read_bytes(), "b")
    assert (one.artefact, one.golden, one.records, one.candidate) == (other.artefact, other.golden, other.records, other.candidate)


def test_what_came_from_elsewhere_is_not_made_again_here(prod, file):
    here, model = prod
    from_file(here, model, file, LATER, trust=True, override=True, by="Kim", reason="staging said yes")
    with pytest.raises(Unknown, match="learnt elsewhere, as demand@1: reproduce it there"):
        reproduce(here, model, "demand@1")


def test_a_house_without_new_truths_finds_not_enough_evidence(staging, prod, file):
    seen = with_candidate(file, lambda c: replace(c, learnt_until=END))
    _, verdict = from_file(*prod, seen, LATER, trust=True)
    assert verdict.outcome == "not enough evidence"


def test_a_baseline_stays_where_it_is(staging, tmp_path):
    with pytest.raises(Unknown, match="every house makes it of its own figures"):
        to_file(*staging, "demand@0", tmp_path / "a.everloop", LATER)
    with pytest.raises(Unknown, match=r"\.everloop"):
        to_file(*staging, "demand@1", tmp_path / "a.zip", LATER)


def test_a_copy_is_journalled_on_both_sides_and_needs_no_file(staging, prod):
    came, verdict = copy(staging[0], prod[0], staging[1], "demand@1", LATER)
    assert came.way == "in"
    assert [e.record.way for e in staging[0].journal.read(kind="Handover")] == ["out"]
    assert prod[0].journal.get(verdict.candidate).made_from[1] == came.id


# -- hostile files -------------------------------------------------------------------------------------------------------------------


def refused(prod, file, why, error=ArtefactBroken, **words):
    here, model = prod
    before = here.journal.head()
    with pytest.raises(error, match=why):
        from_file(here, model, file, LATER, **words)
    kept = [e for e in here.journal.read() if e.seq > before.seq and e.kind in ("Candidate", "Handover", "Version")]
    assert [e for e in kept if not (isinstance(e.record, Candidate) and e.record.format == "baseline") and e.kind != "Version"] == []


def test_any_changed_byte_is_refused(prod, file):
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        broken = bytearray(whole)
        broken[place] ^= 0x40
        try:
            same = unpacked(bytes(broken), "x")
        except ArtefactBroken:
            continue
        # A byte of the container that says nothing, such as a date: what is in it is the same.
        assert parts_of(io.BytesIO(bytes(broken))) == parts_of(file), place
        assert same.artefact == unpacked(whole, "y").artefact
    file.write_bytes(whole[: len(whole) // 2])
    refused(prod, file, "cannot be read")
    file.write_bytes(b"PK\x03\x04" + b"\0" * 100)
    refused(prod, file, "cannot be read")


def test_a_small_file_that_would_become_a_large_one_is_refused(prod, file):
    bodies = parts_of(file) | {"card.md": b"0" * (64 << 20)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name, body in bodies.items():
            bomb.writestr(name, body)
    refused(prod, file, "compressed")


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "artefact/../../x", "..\\x", "readme.txt"])
def test_a_part_that_leads_elsewhere_is_refused(prod, file, name):
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as opened:
        opened.writestr(name, b"x")
    refused(prod, file, "which no version has")


def test_a_part_that_is_there_twice_is_refused(prod, file):
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as opened, pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("artefact", b"x")
    refused(prod, file, "twice")


def test_a_part_that_the_manifest_does_not_name_is_refused(prod, file):
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as opened:
        opened.writestr("artefact.sig", b"x")
    refused(prod, file, "does not name what it holds")


def test_another_artefact_under_a_manifest_that_fits_is_refused(prod, file):
    artefact = parts_of(file)["artefact"]
    refused(prod, remade(file, artefact=artefact + b" "), "not the one its candidate was recorded with")


def test_a_record_that_was_written_over_is_refused(prod, file):
    lines = parts_of(file)[RECORDS].replace(b'\\"seed\\":', b'\\"seed\\":1', 1)
    refused(prod, remade(file, **{RECORDS: lines}), "not what was sealed")


def test_columns_of_another_model_are_refused(prod, file):
    refused(prod, with_candidate(file, lambda c: replace(c, columns=("what", "ever"))), "knows what, ever", LearnerFailed)


def test_columns_that_only_the_record_names_as_ours_are_refused(prod, file):
    columns = prod[1].columns
    body = parts_of(file)["artefact"].replace(columns[0].encode(), b"x" * len(columns[0]), 1)
    sha = hashlib.sha256(body).hexdigest()
    refused(prod, with_candidate(file, lambda c: replace(c, artefact=sha), artefact=body), "fed or answers otherwise", trust=True)


def test_a_version_of_another_model_is_refused(file, opened):
    house, model = opened("churn")
    with pytest.raises(LearnerFailed, match=r"is a version of demand, not of churn. Say --model demand"):
        from_file(house, model, file, LATER)


def test_a_pickle_is_refused_unless_the_house_and_the_person_both_say_so(prod, file):
    pickled = with_candidate(file, lambda c: replace(c, format="pickle"))
    refused(prod, pickled, "runs whatever code is in it")
    refused(prod, pickled, "runs whatever code is in it", trust=True)


def test_types_that_skops_does_not_trust_are_refused_also_those_of_scikit_learn(prod, file):
    refused(prod, file, r"wants to build sklearn\.ensemble.*TreePredictor.*--trust")
    refused(prod, with_candidate(file, lambda c: replace(c, needs=(*c.needs, "os.system"))), r"wants to build .*os\.system")


def test_a_version_that_answers_its_golden_rows_otherwise_is_refused(prod, staging, file):
    table = pq.read_table(io.BytesIO(parts_of(file)["golden.parquet"]))
    answers = [one | {"value": one["value"] + 1} for one in table["answer"].to_pylist()]
    wrong = table.set_column(table.column_names.index("answer"), "answer", pa.array(answers, table.schema.field("answer").type))
    sink = pa.BufferOutputStream()
    pq.write_table(wrong, sink)
    golden = bytes(sink.getvalue())
    sha = hashlib.sha256(golden).hexdigest()
    refused(prod, with_candidate(file, lambda c: replace(c, golden=sha), **{"golden.parquet": golden}), "golden rows otherwise", trust=True)


def test_a_reading_that_is_code_is_refused(prod, file):
    evil = with_candidate(file, lambda c: replace(c, knows=("__import__('os').system('true')",) * len(c.knows)))
    refused(prod, evil, "import", EverloopError)


# -- the terminal --------------------------------------------------------------------------------------------------------------------


def test_the_terminal_takes_a_version_from_one_house_to_another(staging, prod, tmp_path):
    def said(house, *words):
        where = ["--project", str(house.project.path), "--house", str(house.settings.house)]
        house.store.close()
        return CliRunner().invoke(app, [*words, *where])

    file = tmp_path / "v.everloop"
    done = said(staging[0], "export", "version", "demand@1", "--to", str(file))
    assert done.exit_code == 0, done.output
    assert "everloop admit v.everloop --model demand" in done.stdout
    done = said(prod[0], "admit", str(file), "--model", "demand", "--trust", "--now", LATER.isoformat())
    assert done.exit_code in (0, 1), done.output
    assert "demand@1 of another house came as the file" in done.stdout


def test_what_was_carried_is_built_in_a_child_and_what_dies_there_is_a_sentence(staging, prod, file, monkeypatch):
    from everloop.loop import handover

    house = replace(prod[0], settings=replace(prod[0].settings, child=True))
    came, verdict = from_file(house, prod[1], file, LATER, trust=True)
    assert verdict.made_from
    assert came.way == "in"
    monkeypatch.setattr(handover, "_answers_golden", dies)
    with pytest.raises(LearnerFailed):
        from_file(house, prod[1], file, LATER + timedelta(hours=1), trust=True)


def dies(*_):
    import os

    os._exit(7)


# -- a third house, and what versions are called ---------------------------------------------------------------------------------------


def test_a_version_that_went_through_two_houses_brings_the_lineage_of_both(staging, prod, prepared, tmp_path):
    """Dev learnt it, staging judged it anew, production tells of both, down to the snapshot that dev took."""
    copy(staging[0], prod[0], staging[1], "demand@1", LATER, override=True, by="Kim", reason="to be tried there")
    shutil.copytree(prepared("shop"), tmp_path / "last")
    last = open_house(tmp_path / "last" / "project.py")
    (model,) = last.project.models.values()
    (name,) = [v.name for v in prod[0].versions.all("demand") if prod[0].candidate(v.candidate).format != "baseline"]
    to_file(*prod, name, tmp_path / "twice.everloop", LATER)
    came, verdict = from_file(last, model, tmp_path / "twice.everloop", LATER, trust=True)
    lineage = last.blobs.read(came.lineage)
    there = {entry.record.id: entry.hash for entry in staging[0].journal.read()}
    assert {line.id for line in lines_in(lineage) if there.get(line.id) == line.hash} > {staging[0].versions.named("demand@1").id}
    lines, _ = because(last, verdict.candidate)
    assert [line for line in lines if line.startswith("In the house it came from")] == [
        "In the house it came from (twice.everloop):",
        "In the house it came from:",
    ]
    taken = [entry.record.id for entry in staging[0].journal.read(kind="Snapshot")]
    assert any(f"[{id}]" in line for id in taken for line in lines)
    last.store.close()


def test_a_version_may_be_called_by_its_place(staging, prod):
    house, model = staging
    traffic = house.pointers.current("demand")
    assert version_named(house, model, "demand@champion") == house.versions.get(traffic.champion)
    for name in ("demand@staging", "demand@candidate"):
        assert version_named(house, model, name) == house.versions.named("demand@1")
    with pytest.raises(Unknown, match=r"no version 'demand@elsewhere'"):
        version_named(house, model, "demand@elsewhere")
    with pytest.raises(Unknown, match="No candidate is being rolled out"):
        version_named(began(prod), prod[1], "demand@candidate")


def test_a_house_calls_its_champion_as_its_settings_say(staging):
    house, model = staging
    house = replace(house, settings=replace(house.settings, aliases={"live": "champion"}))
    assert version_named(house, model, "demand@live") == version_named(house, model, "demand@champion")
    with pytest.raises(Unknown):
        version_named(house, model, "demand@production")  # what a house does not say, it does not mean


def test_what_is_copied_by_its_place_is_journalled_by_its_number(staging, prod):
    came, _ = copy(staging[0], prod[0], staging[1], "demand@staging", LATER)
    assert came.version == "demand@1"
    (left,) = [e.record for e in staging[0].journal.read(kind="Handover")]
    assert left.version == "demand@1"


def began(prod):
    adopt(*prod, END)
    return prod[0]
