"""Answers of a release that did not note how features were read: its segments and its table are read as before, beside new ones."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pytest

from everloop.errors import StoreError
from everloop.lake.delta import append_once, read_table
from everloop.serving import SCHEMA, seal, unsealed
from everloop.serving.answered import LATER, requests_said
from everloop.serving.frames import frame
from everloop.serving.log import AnswersLog
from everloop.serving.payload import decoded, encoded

BEFORE = pa.schema([field for field in SCHEMA if field.name not in LATER])
ONE = {
    "id": "a1", "model": "m", "version": "v", "arm": "champion", "unit": "u", "moment": 1, "answered_at": 2,
    "answer": {"value": 1.5, "values": None, "items": None}, "features": '{"x":1.0}', "microseconds": 3,
}  # fmt: skip
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def older(*ids):
    return pa.Table.from_pylist([{**ONE, "id": id} for id in ids], schema=BEFORE)


def newer(*ids):
    said = {"as_of": '{"orders":7}', "definition": "abcdef", "request": '{"amount":3}'}
    return pa.Table.from_pylist([{**ONE, "id": id, **said} for id in ids], schema=SCHEMA)


def test_what_was_written_before_has_nothing_in_the_new_columns():
    found = decoded(encoded(older("a1", "a2")))
    assert found.schema == SCHEMA
    assert found.select(LATER).to_pylist() == [dict.fromkeys(LATER)] * 2
    assert found.drop_columns(LATER).equals(older("a1", "a2"))


def test_what_is_written_now_comes_back_whole():
    assert decoded(encoded(newer("a1"))).equals(newer("a1"))


def test_a_frame_that_lacks_a_column_of_old_is_still_damaged():
    columns = msgspec.msgpack.decode(encoded(newer("a1")))
    del columns["columns"]["unit"]
    with pytest.raises(StoreError, match="no answers"):
        decoded(msgspec.msgpack.encode(columns))


def test_a_segment_of_before_is_read_and_sealed_into_a_table_of_before(tmp_path):
    folder, lake = tmp_path / "answers", str(tmp_path / "lake")
    append_once(lake, "answers", older("a1"), marker="old", seq=1)
    with AnswersLog(folder) as log:
        log.write(newer("a3"))
        segment = next(folder.iterdir())
        with segment.open("ab") as file:  # the release before wrote on in its own segment
            file.write(frame(encoded(older("a2"))))
    assert [row["as_of"] for row in unsealed(folder).to_pylist()] == ['{"orders":7}', None]
    seal(folder, lambda table, rows, marker, seq: append_once(lake, table, rows, marker=marker, seq=seq))
    kept = read_table(lake, "answers").sort_by("id")
    assert kept.column("id").to_pylist() == ["a1", "a2", "a3"]
    assert kept.column("as_of").to_pylist() == [None, None, '{"orders":7}']
    assert kept.column("request").to_pylist() == [None, None, '{"amount":3}']


def test_requests_say_what_is_beyond_their_unit_and_private_words_as_hashes():
    requests = pa.table({"id": ["a", "b"], "amount": [3, None], "mail": ["x@y", None], "on": [True, False]})
    said = [msgspec.json.decode(text) for text in requests_said(requests, ["id"], {"mail"}, "salt")]
    assert said[1] == {"amount": None, "mail": None, "on": False}
    assert said[0]["amount"] == 3
    assert len(said[0]["mail"]) == 16
    assert requests_said(pa.table({"id": ["a"]}), ["id"], (), "salt") == [None]
