"""A version as one file: what goes in comes out, and nothing else does."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everloop.clock import microseconds
from everloop.errors import ArtefactBroken
from everloop.records import Candidate, Shape, Verdict, Version
from everloop.registry.journal import seal
from everloop.registry.one_file import ARTEFACT, CARD, GOLDEN, RECORDS, Line, manifest_of, packed, records_text, unpacked
from everloop.registry.written import written

NOW = datetime(2026, 11, 2, tzinfo=UTC)
PASSED = Verdict(id="w", made_at=NOW, made_from=("c",), model="m", candidate="c", champion="b", opinions=(), outcome="passed")
THIRD = Version(id="v", made_at=NOW, made_from=("c", "w"), model="m", number=3, candidate="c", verdict="w")


def candidate_of(artefact, golden=None):
    sha = {"artefact": hashlib.sha256(artefact).hexdigest(), "golden": None if golden is None else hashlib.sha256(golden).hexdigest()}
    made = {"format": "skops", "columns": ("x",), "shape": Shape(kind="number"), "learner": "L", "parameters": "{}"}
    return Candidate(id="c", made_at=NOW, model="m", **sha, **made)


def line_of(record, seq):
    row = {
        "seq": seq, "id": record.id, "model": record.model, "turn": None, "verb": "", "kind": type(record).__name__,
        "at": microseconds(record.made_at), "body": written(record), "previous": "0" * 64,
    }  # fmt: skip
    return Line(**row, hash=seal(row))


def file_of(artefact, golden=None, card=b"", records=None, signature=None):
    records = [candidate_of(artefact, golden), PASSED, THIRD] if records is None else records
    bodies = {ARTEFACT: artefact, RECORDS: records_text([line_of(one, 1 + n) for n, one in enumerate(records)]), CARD: card}
    bodies |= {GOLDEN: golden} if golden is not None else {}
    return packed(manifest_of(THIRD, bodies, head="3:0", release="0.1.0"), bodies, signature)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300), st.none() | st.binary(max_size=100), st.binary(max_size=100), st.none() | st.binary(min_size=1, max_size=50)
)
def test_what_goes_in_comes_out(artefact, golden, card, signature):
    data = file_of(artefact, golden, card, signature=signature)
    out = unpacked(data, "x")
    assert (out.artefact, out.golden, out.manifest_signature) == (artefact, golden, signature)
    assert (out.candidate, out.verdict, out.version) == (candidate_of(artefact, golden), PASSED, THIRD)
    assert data == file_of(artefact, golden, card, signature=signature)  # the same parts are the same bytes


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.data())
def test_whatever_is_done_to_the_bytes_the_same_comes_out_or_a_sentence(artefact, data):
    whole = bytearray(file_of(artefact, b"golden"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    whole = whole[: data.draw(st.sampled_from([len(whole), len(whole) // 2, len(whole) - 1]))]
    said = None
    try:
        out = unpacked(bytes(whole), "x")
    except ArtefactBroken as error:
        said = str(error)
    if said is not None:
        assert said.startswith("x is no version that could be let in: ")
    else:
        assert (out.artefact, out.golden, out.candidate) == (artefact, b"golden", candidate_of(artefact, b"golden"))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_file_are_refused_in_a_sentence(data):
    with pytest.raises(ArtefactBroken, match="x is no version"):
        unpacked(data, "x")


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([PASSED, THIRD], "do not tell of the candidate of m@3"),
        ([candidate_of(b"a"), THIRD], "do not tell of the verdict on m@3"),
        ([candidate_of(b"a"), PASSED], "do not tell of m@3"),
        ([candidate_of(b"b"), PASSED, THIRD], "not the one its candidate was recorded with"),
        ([candidate_of(b"a", b"g"), PASSED, THIRD], "golden rows are not those"),
    ],
)
def test_records_that_do_not_fit_are_refused(records, why):
    with pytest.raises(ArtefactBroken, match=why):
        unpacked(file_of(b"a", records=records), "x")


def test_a_record_so_deep_that_nobody_could_read_it_is_refused():
    deep = line_of(THIRD, 3)
    row = {name: getattr(deep, name) for name in Line.__struct_fields__} | {"body": "[" * 100_000}
    lines = [line_of(candidate_of(b"a"), 1), line_of(PASSED, 2), Line(**row | {"hash": seal(row)})]
    bodies = {ARTEFACT: b"a", RECORDS: records_text(lines)}
    with pytest.raises(ArtefactBroken, match="cannot be read"):
        unpacked(packed(manifest_of(THIRD, bodies, head="", release="0"), bodies), "x")


def test_a_file_of_a_later_form_says_to_upgrade():
    bodies = {ARTEFACT: b"a", RECORDS: b""}
    later = manifest_of(THIRD, bodies, head="", release="9").replace(b'"form": 1', b'"form": 2')
    with pytest.raises(ArtefactBroken, match="pip install --upgrade everloop"):
        unpacked(packed(later, bodies), "x")
