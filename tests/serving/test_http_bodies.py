"""Bodies that are hostile, half or ambiguous; none of them is read as something it is not."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pytest
from everloop_front import Front, stream
from hypothesis import given
from hypothesis import strategies as st

from everloop.serving import bodies
from everloop.serving.bodies import ARROW, arrow_rows, json_value, ndjson_rows
from everloop.serving.refused import RefusedError

BAD = {
    "nothing": b"",
    "no JSON": b"customer_id=c1",
    "half": b'{"customer_id":',
    "two": b'{"customer_id":"c1"}{"customer_id":"c2"}',
    "a key twice": b'{"customer_id":"c1","customer_id":"c2"}',
    "a key twice, spelled otherwise": b'{"customer_id":"c1","custome\\u0072_id":"c2"}',
    "a key twice, deep": b'{"requests":[{"customer_id":"c1","customer_id":"c1"}]}',
    "NaN": b'{"customer_id":"c1","x":NaN}',
    "Infinity": b'{"customer_id":-Infinity}',
    "infinite": b'{"customer_id":1e999}',
    "no UTF-8": b'{"customer_id":"\xff"}',
    "UTF-16": '{"customer_id":"c1"}'.encode("utf-16"),
    "a mark before": b"\xef\xbb\xbf" + b'{"customer_id":"c1"}',
    "half a character": b'{"customer_id":"\\ud800"}',
    "half a character as a name": b'{"\\udc00":"c1"}',
    "deep": b'{"customer_id":' + b"[" * 40 + b"]" * 40 + b"}",
    "very deep": b"[" * 100_000 + b"]" * 100_000,
    "deep and never closed": b'{"a":' * 100_000,
    "deep in a name nobody knows": b'{"more":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    "a long number": b'{"customer_id":' + b"9" * 10_000 + b"}",
    "a control character": b'{"customer_id":"\n"}',
    "single quotes": b"{'customer_id':'c1'}",
    "a comment": b'{"customer_id":"c1"/**/}',
    "a comma too many": b'{"customer_id":"c1",}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
@pytest.mark.parametrize("path", ["/v1/models/churn/predict", "/v1/events/orders", "/v1/truth", "/v1/turn"])
def test_what_is_not_exactly_one_json_value_is_400_and_never_reaches_the_house(tmp_path, body, path):
    if path == "/v1/turn" and not body:
        return  # nothing at all is a turn of every model
    front = Front(tmp_path)
    reply = front.post(path, body)
    assert (reply.status_code, reply.json()["error"]) == (400, "malformed")
    assert front.doors.asked == []


def test_the_mutant_that_only_reads_json_lets_a_key_be_said_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(bodies, "_STRICT", json.JSONDecoder())
    assert Front(tmp_path).post("/v1/models/churn/predict", BAD["a key twice"]).status_code == 200


def test_the_mutant_that_only_reads_pairs_lets_nan_and_half_characters_in(tmp_path, monkeypatch):
    monkeypatch.setattr(bodies, "_FAST", json.JSONDecoder())
    monkeypatch.setattr(bodies._FAST, "decode", lambda body: None)
    front = Front(tmp_path)
    assert front.post("/v1/truth", BAD["NaN"]).status_code == 200
    assert front.post("/v1/truth", BAD["half a character"]).status_code == 200


def test_a_body_of_too_many_values_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_VALUES", 1000)
    monkeypatch.setattr(bodies, "_FAST", None)
    with pytest.raises(RefusedError, match="more than 1,000 values") as caught:
        json_value(b"[" + b"[]," * 2000 + b"[]]")
    assert caught.value.status == 413


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_whatever_json_can_say_is_read_as_it_was_said(value):
    assert json_value(json.dumps(value).encode()) == value


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: json.dumps(text).encode() + b"x"))
def test_any_bytes_are_a_value_or_refused(body):
    try:
        said = json_value(body)
    except RefusedError as refused:
        said = refused.status
    assert json.dumps(said, allow_nan=False).encode()


def test_depth_is_counted_where_brackets_are_only_text():
    assert json_value(json.dumps({"a": "[" * 1000}).encode()) == {"a": "[" * 1000}
    nested = "[" * 32 + "1" + "]" * 32
    assert json_value(nested.encode())
    with pytest.raises(RefusedError, match="nested more than 32 deep"):
        json_value(f"[{nested}]".encode())


# -- NDJSON --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [(b'{"a":1}\n{"a":', "Line 2"), (b'{"a":1}\n5', "Line 2 is a number"), (b'{"a":1,"a":2}', "Line 1"), (b'{"a":1} {"a":2}', "Line 1")],
)
def test_a_bad_line_is_named_and_nothing_is_taken(body, says):
    with pytest.raises(RefusedError, match=says):
        ndjson_rows(body)


# -- Arrow ---------------------------------------------------------------------------------------------------------------------------

TABLE = pa.table(
    {
        "line_id": ["l1", "l2"],
        "ordered_at": pa.array([1, 2], pa.timestamp("us", "UTC")),
        "quantity": [1, None],
        "paid": [True, None],
        "due": pa.array([1, 2], pa.date32()),
        "none": pa.nulls(2),
    }
)
WHOLE = stream(TABLE)


def test_a_whole_stream_is_its_table():
    assert arrow_rows(WHOLE).equals(TABLE)
    assert arrow_rows(stream(TABLE.schema.empty_table())).num_rows == 0


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, len(WHOLE) // 2, len(WHOLE) - 9, len(WHOLE) - 8, len(WHOLE) - 1])
def test_half_a_stream_is_none(length):
    with pytest.raises(RefusedError, match="cut off") as caught:
        arrow_rows(WHOLE[:length])
    assert caught.value.status == 400


def test_a_stream_cut_where_a_batch_ends_would_be_read_as_whole_by_arrow_itself():
    assert pa.ipc.open_stream(WHOLE[:-8]).read_all().equals(TABLE)


def test_what_follows_the_end_is_not_passed_over():
    with pytest.raises(RefusedError, match="more follows"):
        arrow_rows(WHOLE + WHOLE)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_few_bytes_that_would_become_very_many_are_refused(codec):
    bomb = stream(pa.table({"line_id": pa.array([0] * 500_000)}), compression=codec)
    assert len(bomb) < 100_000
    with pytest.raises(RefusedError, match="compressed") as caught:
        arrow_rows(bomb)
    assert caught.value.status == 415


def test_the_mutant_that_does_not_look_unpacks_it(monkeypatch):
    monkeypatch.setattr(bodies, "_plain", lambda source: None)
    assert arrow_rows(stream(pa.table({"a": [0] * 500_000}), compression="zstd")).nbytes == 4_000_000


@pytest.mark.parametrize(
    "column",
    [
        pa.array([["a"]]),
        pa.array([{"a": 1}]),
        pa.array(["a"]).dictionary_encode(),
        pa.array([b"a"]),
        pa.array(["a"], pa.string_view()),
        pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["a"])),
        pa.array([[1]], pa.list_(pa.int64(), 1)),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_that_could_be_larger_than_its_bytes_is_refused_by_name(column):
    with pytest.raises(RefusedError, match="'tags'") as caught:
        arrow_rows(stream(pa.table({"tags": column})))
    assert caught.value.status == 422


def test_rows_that_take_no_bytes_are_counted_before_they_are_taken():
    with pytest.raises(RefusedError, match="more than 1,000,000 rows"):
        arrow_rows(stream(pa.table({"a": pa.nulls(2_000_000)})))


def test_bytes_changed_anywhere_are_a_table_whose_every_value_is_there_or_refused():
    chance, read = random.Random(0), 0
    for _ in range(3000):
        held = bytearray(WHOLE)
        for _ in range(chance.randint(1, 4)):
            held[chance.randrange(len(held) - 8)] = chance.randrange(256)
        try:
            table = arrow_rows(bytes(held))
        except RefusedError:
            continue
        table.validate(full=True)
        read += 1
    assert 0 < read < 3000, "some are refused, and some are not"


def test_offsets_that_lead_outside_are_found(tmp_path):
    held = bytearray(stream(pa.table({"line_id": ["abcdefgh", "ijklmnop"]})))
    at = held.rindex(b"\x08\0\0\0\x10\0\0\0")
    held[at + 4 : at + 8] = b"\xff\xff\xff\x7f"
    reply = Front(tmp_path).ask("POST", "/v1/events/orders", content=bytes(held), headers={"content-type": ARROW})
    assert (reply.status_code, reply.json()["error"]) == (400, "malformed")
