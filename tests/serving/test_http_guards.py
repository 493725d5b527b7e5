"""What stands before the doors: keys, hosts, content types, sizes, places, and the clock. Each guard beside the mutant that lacks it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from everloop_front import JSON, FakeDoors, Front, part

from everloop.serving import app as app_module
from everloop.serving import arriving, keys
from everloop.serving.desk import Places
from everloop.serving.doors import Ready
from everloop.serving.keys import new_key
from everloop.serving.paths import PATHS, at

ONE = {"customer_id": "c1"}
ASKING, ASKING_SECRET = new_key("till", ["predict"])
TELLING, TELLING_SECRET = new_key("shop", ["ingest"])
RUNNING, RUNNING_SECRET = new_key("ann", ["operate"])
LOOKING, LOOKING_SECRET = new_key("argo", ["look"])
SECRETS = {"predict": ASKING_SECRET, "ingest": TELLING_SECRET, "operate": RUNNING_SECRET, "look": LOOKING_SECRET}
PREDICT = "/v1/models/churn/predict"
WORD = {"by": "ann", "reason": "it slipped"}


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


def concrete(path):
    return path.path.format(
        model="picks" if path.name == "beside" else "churn", source="orders", incident="41c9", rollout="churn@4", version="3"
    )


def told(reply, path, kind):
    """Whether an error is told; where the path speaks another tool's protocol, in that one's shape."""
    if path.path.startswith("/v2") or path.name in ("tf_predict", "tf_model"):
        return set(reply.json()) == {"error"} and len(reply.json()["error"]) > 20
    if path.name == "invocations":
        return set(reply.json()) == {"error_code", "message"}
    return reply.json()["error"] == kind


@pytest.fixture
def front(tmp_path):
    return Front(tmp_path)


@pytest.fixture
def keyed(tmp_path):
    """The front of a house that has keys."""
    return Front(tmp_path, keys=(ASKING, TELLING, RUNNING, LOOKING))


# -- keys ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [p for p in PATHS if p.scope], ids=lambda p: p.name)
def test_from_afar_every_path_needs_a_key_with_its_own_scope(keyed, path):
    where, body = concrete(path), b"{}" if path.method == "POST" else b""
    ask = {"peer": "203.0.113.9", "base": "http://shop.example", "content": body}
    nobody = keyed.ask(path.method, where, headers=JSON, **ask)
    assert nobody.status_code == 401
    assert told(nobody, path, "no_key")
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    for scope, secret in SECRETS.items():
        reply = keyed.ask(path.method, where, headers=JSON | bearer(secret), **ask)
        may = {path.scope, "operate"} if path.scope == "look" else {path.scope}
        assert (reply.status_code == 403) == (scope not in may)
        assert reply.status_code != 401
    assert all(secret not in nobody.text for secret in SECRETS.values())


@pytest.mark.parametrize("path", [p for p in PATHS if not p.scope], ids=lambda p: p.name)
def test_what_is_open_is_open_from_afar(front, path):
    assert front.get(concrete(path), peer="203.0.113.9", base="http://shop.example").status_code == 200


ELSEWHERE = {
    "another peer": {"peer": "203.0.113.9"},
    "another host": {"base": "http://evil.example:8321"},
    "forwarded": {"headers": {"forwarded": "for=10.0.0.1"}},
    "x-forwarded-for": {"headers": {"x-forwarded-for": "127.0.0.1"}},
    "x-forwarded-proto": {"headers": {"x-forwarded-proto": "https"}},
    "x-real-ip": {"headers": {"x-real-ip": "127.0.0.1"}},
    "a page of somebody else's": {"headers": {"origin": "https://evil.example"}},
    "a page whose name begins as ours": {"headers": {"origin": "http://localhost.evil.example"}},
    "a page of nowhere": {"headers": {"origin": "null"}},
    "a bad key": {"headers": bearer(ASKING_SECRET[:-1] + "!")},
    "an empty key": {"headers": {"authorization": ""}},
}


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_is_not_surely_from_here_is_from_afar(front, words):
    assert front.post(PREDICT, ONE, **words).status_code == 401
    assert front.doors.asked == []


def test_once_there_is_a_key_this_machine_shows_one_too(keyed):
    assert keyed.post(PREDICT, ONE).status_code == 401
    assert keyed.post(PREDICT, ONE, headers=bearer(ASKING_SECRET)).status_code == 200


def test_two_hosts_are_none(front):
    sent, _ = front.raw(part(b"{}"), headers=[(b"host", b"localhost")])
    assert sent[0]["status"] == 401


def test_two_authorizations_are_refused(front):
    value = b"Bearer " + ASKING_SECRET.encode()
    sent, _ = front.raw(part(b"{}"), headers=[(b"authorization", value), (b"authorization", value)])
    assert sent[0]["status"] == 400


def test_over_a_unix_socket_is_from_here_and_from_nobody_known_is_not(front):
    body = part(b'{"product_id":"p1"}')
    assert front.raw(body, client=None, server=("/run/everloop.sock", None))[0][0]["status"] == 200
    assert front.raw(body, client=None)[0][0]["status"] == 401


@pytest.mark.parametrize(
    ("place", "name", "mutant", "words"),
    [
        (keys, "is_here", lambda peer: True, ELSEWHERE["another peer"]),
        (keys, "_HERE", __import__("re").compile(".*"), ELSEWHERE["another host"]),
        (arriving, "_FORWARDED", (), ELSEWHERE["forwarded"]),
        (arriving, "_HERE", (b"http", b"null"), {"headers": {"origin": "http:evil"}}),
        (app_module, "allowed", lambda *_, **__: None, ELSEWHERE["a bad key"]),
    ],
)
def test_each_mutant_that_lacks_a_guard_lets_in_what_the_guard_keeps_out(front, monkeypatch, place, name, mutant, words):
    assert front.post(PREDICT, ONE, **words).status_code == 401
    monkeypatch.setattr(place, name, mutant)
    assert front.post(PREDICT, ONE, **words).status_code == 200


def test_no_key_is_ever_logged(keyed, caplog):
    caplog.set_level(0)
    keyed.doors.fails = {"predict": ZeroDivisionError("oh")}
    keyed.post(PREDICT, ONE, headers=bearer(ASKING_SECRET))
    keyed.post(PREDICT, ONE, headers=bearer(TELLING_SECRET))
    assert "oh" in caplog.text
    assert "ev_" not in caplog.text.replace(" ", "")


def test_a_revoked_key_is_none_from_the_next_request_on(tmp_path):
    known = [ASKING]
    front = Front(tmp_path, keys=known)
    assert front.post(PREDICT, ONE, headers=bearer(ASKING_SECRET)).status_code == 200
    front.app.keys = lambda: keys.Keys()
    assert front.post(PREDICT, ONE, headers=bearer(ASKING_SECRET)).status_code == 401


# -- paths and content types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1",
        "/v1/",
        "/v1/models/churn/ask",
        "/v1/models//predict",
        "/v1/models/churn/predict/",
        "/v1/models/a/b/predict",
        "/v1/events/",
    ],
)
def test_what_is_no_path_is_404_in_json(front, path):
    reply = front.post(path, ONE)
    assert (reply.status_code, reply.json()["error"]) == (404, "no_such_path")
    assert 'everloop_requests_total{route="other",status="404"} 1' in front.metrics.said()


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/truth", "/v2/models/", "/v2/models/churn/versions/", "/v2/models/churn/versions//infer", "/v2/repository"]
)
def test_what_is_no_path_of_the_inference_protocol_is_404_in_its_own_shape(front, path):
    reply = front.post(path, ONE)
    assert (reply.status_code, set(reply.json())) == (404, {"error"})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW"])
def test_another_method_is_405_and_says_which_there_is(front, method):
    reply = front.ask(method, PREDICT)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert method == "HEAD" or reply.json()["error"] == "no_such_method"
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_every_path_is_found_and_only_once():
    found = {(p.method, concrete(p)): at(concrete(p))[0][p.method].name for p in PATHS}
    assert len(found) == len(PATHS)
    assert set(found.values()) == {p.name for p in PATHS}


def test_head_is_get_without_a_body(front):
    reply = front.ask("HEAD", "/health/live")
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("path", [p for p in PATHS if p.method == "POST"], ids=lambda p: p.name)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_a_form_a_browser_could_send_is_415_everywhere(front, path, headers):
    reply = front.ask("POST", concrete(path), content=b'{"customer_id":"c1"}', headers=headers)
    assert reply.status_code == 415
    assert told(reply, path, "content_type")
    assert front.doors.asked == []


def test_arrow_and_ndjson_are_for_events_alone(front):
    for kind in ("application/x-ndjson", "application/vnd.apache.arrow.stream"):
        assert front.ask("POST", PREDICT, content=b"{}", headers={"content-type": kind}).status_code == 415


# -- sizes and slowness --------------------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_not_read(tmp_path):
    front = Front(tmp_path, largest_body=100)
    sent, left = front.raw(part(b"x"), headers=[(b"content-length", b"101")])
    assert (sent[0]["status"], len(left)) == (413, 1)
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_body_that_does_not_say_is_read_up_to_there_and_no_further(tmp_path):
    front = Front(tmp_path, largest_body=100)
    sent, left = front.raw(*[part(b"x" * 40, True)] * 10, headers=[(b"transfer-encoding", b"chunked")])
    assert (sent[0]["status"], len(left)) == (413, 7)
    assert front.app.bodies.held == 0


def test_a_body_as_large_as_may_be_is_taken(tmp_path):
    body = b'{"product_id":"p1"}'
    front = Front(tmp_path, largest_body=len(body))
    assert front.raw(part(body[:5], True), part(body[5:]))[0][0]["status"] == 200
    assert Front(tmp_path, largest_body=len(body) - 1).raw(part(body))[0][0]["status"] == 413


@pytest.mark.parametrize("length", [b"-1", b"x", b"", b"1" * 5000, "٣".encode()])
def test_a_length_that_is_none_changes_nothing(tmp_path, length):
    sent, _ = Front(tmp_path, largest_body=100).raw(part(b'{"product_id":"p1"}'), headers=[(b"content-length", length)])
    assert sent[0]["status"] == 200


def test_half_read_bodies_are_bounded_together(tmp_path):
    front = Front(tmp_path, largest_body=100)
    front.app.bodies.held = 490
    sent, left = front.raw(part(b"x" * 5, True), part(b"x" * 6))
    assert (sent[0]["status"], len(left)) == (503, 0)
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert front.app.bodies.held == 490


LARGEST = 100_000
ROW = b'{"line_id":"l1","kind":"' + b"x" * 80_000 + b'"}'


def large_and_small_at_once(front, hold):
    """Five large bodies, one after the other while none is done with, and a small one: their statuses, and that of the small one."""

    async def play():
        async with front.client() as client:
            large = [asyncio.create_task(client.post("/v1/truth", content=b"[" + ROW + b"]", headers=JSON)) for _ in range(5)]
            for _ in range(4):
                await asyncio.to_thread(front.doors.at_the_door.acquire, timeout=10)
            small = await client.post(PREDICT, json=ONE)
            hold.set()
            return [await task for task in large], small

    return asyncio.run(play())


@pytest.fixture
def holding(tmp_path, monkeypatch):
    """A front whose truths wait at their door until told."""
    hold, front = threading.Event(), Front(tmp_path, largest_body=LARGEST)
    monkeypatch.setattr(front.app.bodies, "most", 4 * len(ROW) + 100)

    def truths(told, now, kept=front.doors.truths):
        received = kept(told, now)
        hold.wait(10)
        return received

    monkeypatch.setattr(front.doors, "truths", truths)
    return front, hold


def test_whole_bodies_that_wait_are_bounded_together_and_a_small_one_still_finds_room(holding):
    front, hold = holding
    large, small = large_and_small_at_once(front, hold)
    assert sorted(reply.status_code for reply in large) == [200] * 4 + [503]
    [refused] = [reply for reply in large if reply.status_code == 503]
    assert (refused.json()["error"], refused.headers["retry-after"]) == ("overloaded", "1")
    assert small.status_code == 200
    assert front.app.bodies.held == 0


def test_the_mutant_that_counts_a_body_only_while_it_is_read_takes_them_all(holding, monkeypatch):
    front, hold = holding
    read = front.app.bodies.whole

    async def let_go_at_once(receive, heads):
        body = await read(receive, heads)
        front.app.bodies.held -= len(body)
        return body

    monkeypatch.setattr(front.app.bodies, "whole", let_go_at_once)
    large, _ = large_and_small_at_once(front, hold)
    assert [reply.status_code for reply in large] == [200] * 5


def test_the_mutant_without_bounds_takes_a_body_of_any_size(tmp_path, monkeypatch):
    body = b'{"product_id":"p1"}'
    front = Front(tmp_path, largest_body=len(body) - 1)
    assert front.raw(part(body))[0][0]["status"] == 413
    monkeypatch.setattr(front.app.bodies, "largest", 10**9)
    monkeypatch.setattr(front.app.bodies, "most", 10**9)
    assert front.raw(part(body))[0][0]["status"] == 200


def test_the_mutant_that_hears_json_in_everything_takes_a_form(front, monkeypatch):
    form = {"content-type": "text/plain"}
    assert front.ask("POST", PREDICT, json=ONE, headers=form).status_code == 415
    heard = app_module.heads_of
    monkeypatch.setattr(app_module, "heads_of", lambda headers: heard(headers)._replace(content_type="application/json"))
    assert front.ask("POST", PREDICT, json=ONE, headers=form).status_code == 200


def drip(front, *, most):
    """A body of which a byte comes now and then, without end; what is sent back, if anything is within ``most`` bytes."""
    sent, given = [], 0

    async def receive():
        nonlocal given
        given += 1
        if given > most:
            raise ConnectionError("it is still read")
        await asyncio.sleep(0.001)
        return part(b" ", True)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": PREDICT, "client": ("127.0.0.1", 1), "headers": headers}
    asyncio.run(front.app(scope, receive, send))
    return sent


def test_a_body_that_comes_too_slowly_is_408_though_something_comes_all_the_time(tmp_path):
    front = Front(tmp_path)
    front.app.bodies.slowest = 0.01
    sent = drip(front, most=10_000)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert front.app.bodies.held == 0


def test_the_mutant_that_does_not_look_at_the_time_reads_a_slow_body_to_its_end(tmp_path, monkeypatch):
    front = Front(tmp_path)
    front.app.bodies.slowest = 0.01
    monkeypatch.setattr(arriving.Bodies, "_look", lambda _: None)
    sent = drip(front, most=200)
    assert sent[0]["status"] == 500, "it read until the sender gave up"


def test_whoever_hangs_up_before_the_end_is_not_answered_and_leaves_nothing(front):
    sent, _ = front.raw(part(b'{"product', True), {"type": "http.disconnect"})
    assert sent == []
    assert front.doors.asked == []
    assert front.app.bodies.held == 0
    assert 'status="499"} 1' in front.metrics.said()


# -- places --------------------------------------------------------------------------------------------------------------------------


def test_whoever_sends_slowly_holds_no_place_and_whoever_is_at_the_door_does(tmp_path):
    hold = threading.Event()
    doors = FakeDoors(hold=hold)
    front = Front(tmp_path, doors=doors, in_flight=2)

    async def slow(parts):
        yield b'{"customer_id":'
        await parts.wait()
        yield b'"c1"}'

    async def play():
        parts = asyncio.Event()
        async with front.client() as client:
            slowly = [asyncio.create_task(client.post(PREDICT, content=slow(parts), headers=JSON)) for _ in range(5)]
            await asyncio.sleep(0)
            waiting = [asyncio.create_task(client.post(PREDICT, json=ONE)) for _ in range(2)]
            for _ in range(2):
                await asyncio.to_thread(doors.at_the_door.acquire, timeout=10)
            over = await client.post(PREDICT, json=ONE)
            told = await client.post("/v1/truth", json=ONE)
            free = [
                await client.post("/v1/models/churn/undo", json=WORD),
                await client.get("/health/live"),
                await client.get("/health/ready"),
                await client.get("/v1/incidents"),
                await client.get("/metrics"),
            ]
            hold.set()
            done = [await task for task in waiting]
            parts.set()
            late = [await task for task in slowly]
            return over, told, free, done, late

    over, told, free, done, late = asyncio.run(play())
    assert (over.status_code, over.json()["error"], over.headers["retry-after"]) == (503, "overloaded", "1")
    assert told.status_code == 503
    assert [r.status_code for r in free] == [200] * 5
    assert [r.status_code for r in done] == [200] * 2
    # Two places for five that come at once: none of them broke anything, and all places are free again.
    assert {r.status_code for r in late} <= {200, 503}
    assert front.app.desk.under_way.taken == 0


def test_an_undo_is_heard_while_more_look_on_than_there_are_threads(tmp_path):
    hold = threading.Event()
    front = Front(tmp_path, doors=FakeDoors(hold=hold))

    async def play():
        async with front.client() as client:
            looking = [asyncio.create_task(client.get("/v1/status")) for _ in range(30)]
            await asyncio.to_thread(front.doors.at_the_door.acquire, timeout=10)
            undone = await asyncio.wait_for(client.post("/v1/models/churn/undo", json=WORD), 5)
            hold.set()
            return undone, await asyncio.gather(*looking)

    undone, looked = asyncio.run(play())
    assert undone.status_code == 200
    assert {r.status_code for r in looked} == {200}


def test_the_mutant_without_places_takes_everybody(tmp_path, monkeypatch):
    monkeypatch.setattr(Places, "__enter__", lambda self: None)
    front = Front(tmp_path, in_flight=1)
    front.app.desk.under_way.taken = 1
    assert front.post(PREDICT, ONE).status_code == 200


def test_a_place_is_given_back_whatever_the_door_raises(tmp_path):
    front = Front(tmp_path, doors=FakeDoors(fails={"predict": ValueError(), "receive": ValueError(), "turn": ValueError()}))
    for path in (PREDICT, "/v1/events/orders", "/v1/turn"):
        assert front.post(path, ONE if path == PREDICT else {}).status_code == 500
    assert front.app.desk.under_way.taken == front.app.desk.turns.taken == 0


# -- the clock -----------------------------------------------------------------------------------------------------------------------

NOON = "2026-11-02T12:00:00Z"


@pytest.mark.parametrize("path", [p for p in PATHS if p.scope and p.name != "metrics"], ids=lambda p: p.name)
def test_a_turned_house_is_told_the_instant_and_no_other_house_may_be(tmp_path, path):
    tensor = {"inputs": [{"name": "customer_id", "shape": [1], "datatype": "BYTES", "data": ["c1"]}]}
    bodies = {"predict": {"customer_id": "c1"}, "features": {"features": ["churn:x"], "entities": {"customer_id": ["c1"]}}}
    bodies |= {"beside": {"items": ["p1"]}, "infer": tensor, "infer_by": tensor, "invocations": {"inputs": {"customer_id": ["c1"]}}}
    bodies |= {"tf_predict": bodies["invocations"]}
    bodies |= {"snooze": WORD | {"until": "2d"}}
    bodies |= {"share": WORD | {"share": 0.1}}
    bodies |= {"arrivals": {"Records": []}}
    person = {"column": "customer_id", "value": "c1"}
    bodies |= {"forget": WORD | person, "known": person}
    body = WORD if path.name in ("undo", "approve", "reject", "cancel", "acknowledge", "hold", "release") else bodies.get(path.name, {})
    words = {"json": body} if path.method == "POST" else {}
    words |= {"params": {"invocations": {"model": "churn"}, "gate": {"gate": "rollout"}}.get(path.name, {})}
    turned, wall = Front(tmp_path, doors=FakeDoors(turned=True)), Front(tmp_path)
    without = turned.ask(path.method, concrete(path), **words)
    assert (without.status_code == 400) == path.timed
    said = turned.ask(path.method, concrete(path), headers={"everloop-now": NOON}, **words)
    assert said.status_code == 200
    assert not path.timed or NOON[:13] in str([str(x).replace(" ", "T") for x in turned.doors.asked[-1]])
    refused = wall.ask(path.method, concrete(path), headers={"everloop-now": NOON}, **words)
    assert refused.status_code == 400
    assert told(refused, path, "bad_time")


@pytest.mark.parametrize("now", ["", "noon", "2026-13-01", "9" * 10_000, "0001-01-01T00:00+14:00", "2026-11-02T12:00:00Z, 2026", "\xff"])
def test_what_is_no_instant_is_400(tmp_path, now):
    reply = Front(tmp_path, doors=FakeDoors(turned=True)).post(PREDICT, ONE, headers={"everloop-now": now.encode("latin-1")})
    assert (reply.status_code, reply.json()["error"]) == (400, "bad_time")


# -- health, start and stop ----------------------------------------------------------------------------------------------------------


def test_ready_says_by_what_it_answers_and_if_not_why(front):
    assert front.get("/health/ready").json() == {"ready": True, "why": "", "generations": {"demand": 3}}
    front.doors.is_ready = Ready(False, "demand@3 is being loaded")
    reply = front.get("/health/ready")
    assert (reply.status_code, reply.json()["why"], reply.headers["retry-after"]) == (503, "demand@3 is being loaded", "1")
    assert front.get("/health/live").json() == {"live": True}


def lifespan(front, *kinds):
    sent = []

    async def play():
        left = list(kinds)

        async def receive():
            return {"type": left.pop(0)}

        async def send(message):
            sent.append(message)

        await front.app({"type": "lifespan"}, receive, send)

    asyncio.run(play())
    return sent


def test_a_worker_that_stops_is_ready_no_more(tmp_path):
    seen = []

    async def stopping():
        seen.append("stop")

    front = Front(tmp_path, on_start=lambda: seen.append("start"), on_stop=stopping)
    sent = lifespan(front, "lifespan.startup", "lifespan.shutdown")
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen == ["start", "stop"]
    assert front.get("/health/ready").status_code == 503


def test_a_worker_that_cannot_start_says_so(tmp_path):
    def broken():
        raise RuntimeError("no predictor")

    sent = lifespan(Front(tmp_path, on_start=broken), "lifespan.startup")
    assert sent == [{"type": "lifespan.startup.failed", "message": "RuntimeError: no predictor"}]


def test_a_websocket_is_turned_away(front):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(front.app({"type": "websocket", "path": "/"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
