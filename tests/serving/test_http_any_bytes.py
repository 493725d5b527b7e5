"""Any bytes to any path are replied to, and never with 500; and whoever sends them is never let past a guard."""

from __future__ import annotations

import asyncio
import json

import pytest
from everloop_front import FakeDoors, Front, stream
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import table

from everloop.serving.paths import PATHS, at

KINDS = [b"application/json", b"application/x-ndjson", b"application/vnd.apache.arrow.stream", b"text/csv", b"text/plain", b""]
HEADERS = [b"everloop-now", b"authorization", b"content-length", b"origin", b"x"]
NAMES = ["demand", "churn", "fraud", "orders", "x", "%2e%2e", "..", "é", "\ud800", "a" * 5000]
json_ = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["2026-11-02", "c1", "\x1f"]),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["customer_id", "product_id", "payment_id", "requests", "features", "amount", "due", "model", "by", "reason"])
            | st.text(max_size=5),
            inside,
            max_size=4,
        )
    ),
    max_leaves=12,
)
words_of_others = st.sampled_from(
    [
        "inputs",
        "name",
        "shape",
        "datatype",
        "data",
        "outputs",
        "id",
        "dataframe_split",
        "dataframe_records",
        "instances",
        "columns",
        "value",
    ]
)
foreign = st.recursive(
    st.none() | st.integers(-2, 3) | st.sampled_from(["customer_id", "product_id", "BYTES", "FP64", "INT64", "BOOL", "c1"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(words_of_others, inside, max_size=5),
    max_leaves=20,
)
tensors = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["customer_id", "product_id", "payment_id", "amount", "zzz"]), "shape": foreign | st.just([1]),
         "datatype": st.sampled_from(["BYTES", "FP64", "INT8", "BOOL", "X"]), "data": foreign | st.just(["c1"])}
    ),
    max_size=3,
)  # fmt: skip
bodies = st.one_of(
    foreign.map(lambda value: json.dumps(value).encode()),
    tensors.map(lambda value: json.dumps({"inputs": value}).encode()),
    st.binary(max_size=80),
    json_.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.integers(0, 400), st.integers(0, 255)).map(lambda at: _broken(*at)),
)
WHOLE = stream(table({"line_id": ["l1"], "quantity": [1]}))


def _broken(at, byte):
    held = bytearray(WHOLE)
    held[at % len(held)] = byte
    return bytes(held)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    return Front(tmp_path_factory.mktemp("m"), doors=FakeDoors())


async def asked(front, method, path, headers, parts, query):
    sent, left = [], [{"type": "http.request", "body": p, "more_body": True} for p in parts]

    async def receive():
        return left.pop(0) if left else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "headers": [(b"host", b"localhost"), *headers],
    }  # fmt: skip
    await front.app(scope, receive, send)
    return sent


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(PATHS),
    st.sampled_from(["GET", "POST", "HEAD", "PUT", "\x00"]),
    st.sampled_from(NAMES),
    st.sampled_from(KINDS),
    bodies,
    st.integers(0, 80),
    st.lists(st.tuples(st.sampled_from(HEADERS), st.binary(max_size=30)), max_size=2),
    st.binary(max_size=20),
)  # fmt: skip
def test_any_bytes_are_replied_to_and_never_with_500(front, path, method, name, kind, body, cut, headers, query):
    where = path.path.format(model=name, source=name, incident=name, rollout=name, version="3")
    sent = asyncio.run(asked(front, method, where, [(b"content-type", kind), *headers], [body[:cut], body[cut:]], query))
    status = sent[0]["status"]
    assert status < 500
    assert len(sent) == 2
    if status >= 400 and method != "HEAD":
        said = json.loads(sent[1]["body"])
        assert said.get("message") or said.get("refused") or said["error"] or said["ready"] is False
    assert front.app.desk.under_way.taken == front.app.desk.turns.taken == front.app.bodies.held == 0


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_path_is_404_or_known(front, path):
    sent = asyncio.run(asked(front, "GET", "/" + path, [], [], b""))
    assert sent[0]["status"] in (404, 405) or at("/" + path)[0]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([p for p in PATHS if p.scope]), st.binary(max_size=80), bodies)
def test_from_afar_no_bytes_open_a_door(front, path, authorization, body):
    before = len(front.doors.asked)
    where = path.path.format(model="churn", source="orders", incident="41c9", rollout="churn@4", version="3")
    headers = [(b"content-type", b"application/json"), (b"authorization", authorization)]
    sent = asyncio.run(asked(front, path.method, where, [(b"x-forwarded-for", b"::1"), *headers], [body], b""))
    assert sent[0]["status"] == 401
    assert len(front.doors.asked) == before
