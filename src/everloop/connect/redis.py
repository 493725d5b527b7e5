"""Redis or Valkey: the online state where several machines share it.

In: bytes with their sequence numbers. Out: the same bytes. A state is one hash (packed rows by key, rows by id, its mark) and one sorted
set (the ids of each key's rows, in order). Every write compares sequence numbers on the server, so that what is told twice, or by two
writers, is told once; and a state that a server lost, or that has gone back, is not written on as if it were whole. Absent: what the bytes
mean; the wall clock.
"""

from __future__ import annotations

import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from everloop.connect.redis_client import evicting, is_trouble, open_client, trouble, unknown_script, where
from everloop.connect.redis_scripts import BEGIN, FORGET, PUT, SWAP, Script
from everloop.errors import Overtaken, SettingsError
from everloop.features.store import Changes, Mark, Members, Packed, Seen

if TYPE_CHECKING:
    from redis import Redis

LOOK_SECONDS: Final = 10.0
"""How often a server is asked whether it still keeps what it is given."""
CHUNK_BYTES, CHUNK_WORDS = 4_000_000, 40_000
"""What one script is given at most: while it runs, everybody else waits."""
FIELDS: Final = 10_000
LONG: Final = 2**63
NUMBER: Final = struct.Struct(">Q")
SAID_MARK: Final = struct.Struct(">QQ")
MARK, MADE, KEY, ROW = b"m", b"g", b"k", b"r"
"""Fields of a state's hash: its mark, its making; what stands before a key, and before an id."""
ANY: Final = b"*"


Name: TypeAlias = Callable[[str], str]


class _Guard(NamedTuple):
    """What must still hold of a state when something is written: its mark is no lower, and it is of this making."""

    name: str
    least: bytes = b""
    made: bytes = ANY


class _Basis(NamedTuple):
    """What a thread works out changes of a state from: the mark it had, and the verb that asked last."""

    seq: int
    verb: str


class _Item(NamedTuple):
    """A compare-and-set: a field of a hash, what it becomes (sequence number first), and which members a sorted set gains and loses."""

    name: str
    field: bytes
    value: bytes
    set: str
    members: Sequence[bytes] = ()


class RedisTiles:
    """An ``OnlineStore`` on one Redis (6.2 or newer) or Valkey server. Safe between threads; any number of processes may share it.

    ``house`` parts the keys of one event log from all others on the server: two logs must never share it. Nothing is connected before the
    first verb. Every verb raises StoreError where the server cannot do it: HouseBusy where it can later, HouseFull without memory,
    Overtaken where a state was lost, forgotten or made anew meanwhile (read it again). Whatever failed is safe to tell again.

    >>> RedisTiles("redis://:hush@127.0.0.1:6379/0", house="shop")
    RedisTiles('redis://127.0.0.1:6379/0', house='shop')
    """

    def __init__(self, server: str | Redis, *, house: str) -> None:
        """``server`` is a URL (redis://, rediss:// with TLS, unix://) or a client. Raises SettingsError; Missing without redis-py."""
        if not house:
            raise SettingsError("The online state on Redis needs a name for its house, so that several can share a server.")
        self._client: Any = open_client(server)
        self._where, self._house = where(self._client), house
        # The braces keep a house's keys together where a server is one of a cluster.
        self._prefix = f"everloop:{{{quote(house, safe='')}}}:"
        self._kept = f"{self._prefix}kept"
        self._seen: dict[str, int] = {}
        self._folding = threading.local()
        self._lock = threading.Lock()
        self._looked = -LOOK_SECONDS

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._where!r}, house={self._house!r})"

    def close(self) -> None:
        """Let go of the connections; the next verb makes new ones."""
        self._client.close()

    # -- reading -------------------------------------------------------------------------------------------------------------------

    def read(self, states: Sequence[str], places: Sequence[tuple[str, str]]) -> Seen:
        """How far these states have come, and the packed rows of these (state, key), in the order asked for and as of one instant."""
        fields: dict[str, list[bytes]] = {state: [MARK] for state in states}
        at = []
        for state, key in places:
            asked = fields.setdefault(state, [MARK])
            at.append((state, len(asked)))
            asked.append(KEY + key.encode())
        with self._server():
            pipe = self._client.pipeline(transaction=len(fields) > 1)
            for state, asked in fields.items():
                pipe.hmget(self._hash(state), asked)
            found = dict(zip(fields, pipe.execute(), strict=True))
        marks = {state: _mark(values[0]) for state, values in found.items()}
        self._saw(marks, "read")
        return Seen([marks[state] for state in states], [_body(found[state][i]) for state, i in at])

    def marks(self) -> dict[str, Mark]:
        """Every state that is kept, and how far it has come."""
        with self._server():
            states = [name.decode() for name in self._client.zrange(self._kept, 0, -1)]
            pipe = self._client.pipeline(transaction=True)
            for state in states:
                pipe.hget(self._hash(state), MARK)
            marks = {state: _mark(said) for state, said in zip(states, pipe.execute(), strict=True)}
        self._saw(marks)
        return {state: mark for state, mark in marks.items() if mark is not None}

    def rows(self, state: str, ids: Sequence[str]) -> list[bytes | None]:
        """The row last folded of each id, deleted ones too. Raises Overtaken as ``put`` does."""
        fields = [ROW + id.encode() for id in ids]
        found: list[bytes | None] = []
        with self._server():
            for start in range(0, len(fields), FIELDS):
                mark, *rows = self._client.hmget(self._hash(state), [MARK, *fields[start : start + FIELDS]])
                self._saw({state: _mark(mark)}, "rows")
                found += map(_body, rows)
        return found

    def members(self, state: str, key: str, start: int | None, stop: int | None, newest: int | None = None) -> list[str]:
        """The ids of a key's rows from ``start`` up to, not including, ``stop`` (None: no end), in order; of those the ``newest`` last."""
        if newest is not None and newest < 1:
            return []
        prefix = _prefix(key)
        low, high = b"[" + _edge(prefix, start, prefix), b"(" + _edge(prefix, stop, prefix[:-1] + b";")
        with self._server():
            pipe = self._client.pipeline(transaction=True)
            pipe.hget(self._hash(state), MARK)
            if newest is None:
                pipe.zrangebylex(self._set(state), low, high)
            else:
                pipe.zrevrangebylex(self._set(state), high, low, 0, newest)
            mark, found = pipe.execute()
        self._saw({state: _mark(mark)}, "members")
        found = found if newest is None else found[::-1]
        return [member[len(prefix) + NUMBER.size :].decode() for member in found]

    # -- writing -------------------------------------------------------------------------------------------------------------------

    def put(self, changes: Changes) -> None:
        """Keep these, all or nothing; what is there already with a sequence number as high stays as it is. Marks never go back, and make a
        state kept.

        Raises Overtaken, and keeps nothing, where a state is no longer as far as this thread or process last saw it: fold again.
        """
        marks = [_Item(self._hash(s), MARK, _said(mark), self._kept, [b"+" + s.encode()]) for s, mark in changes.marks.items()]
        items = [*self._key_items(changes, self._hash, self._set), *self._row_items(changes, self._hash, self._set), *marks]
        guards = [_Guard(self._hash(state), self._least(state)) for state in changes.marks]
        calls = [_call(guards, chunk) for chunk in _chunks(items)]
        with self._server():
            held = all(self._script(PUT, calls, whole=True))
        if not held:
            raise self._overtaken(changes.marks)
        with self._lock:
            self._seen |= {state: max(self._seen.get(state, 0), mark.seq) for state, mark in changes.marks.items()}

    def replace(self, states: Mapping[str, Mark], changes: Iterable[Changes]) -> None:
        """Make states anew, beside what they have; at one instant it takes its place, with the marks. Killed before, it changes nothing.

        Raises Overtaken where another process began later to make one of these states anew.
        """
        if not states:
            return
        making = secrets.token_hex(8).encode()
        news = [(self._new_hash(state), self._new_set(state)) for state in states]
        words = [word for state, mark in states.items() for word in (_said(mark), state.encode())]
        with self._server():
            self._script(BEGIN, [([name for new in news for name in new], [making])])
        guards = [_Guard(name, made=making) for name, _ in news]
        for some in changes:
            if strange := {state for state, _ in [*some.packed, *some.members, *some.rows]} - states.keys():
                raise ValueError(f"replace was given changes of other states: {', '.join(sorted(strange))}")
            items = [item for make in (self._key_items, self._row_items) for item in make(some, self._new_hash, self._new_set)]
            with self._server():
                if not all(self._script(PUT, [_call(guards, chunk) for chunk in _chunks(items)])):
                    raise self._overtaken(states)
        names = [name for state, new in zip(states, news, strict=True) for name in (*new, self._hash(state), self._set(state))]
        with self._server():
            if not self._script(SWAP, [([self._kept, *names], [making, *words])])[0]:
                raise self._overtaken(states)
        self._saw(states)

    def forget(self, states: Sequence[str]) -> None:
        """Keep these states no longer."""
        if not states:
            return
        names = [make(state) for state in states for make in (self._hash, self._set, self._new_hash, self._new_set)]
        with self._server():
            self._script(FORGET, [([self._kept, *names], [state.encode() for state in states])])
        self._saw(dict.fromkeys(states))

    # -- keys and words ------------------------------------------------------------------------------------------------------------

    def _hash(self, state: str) -> str:
        return f"{self._prefix}state:{state}"

    def _set(self, state: str) -> str:
        return f"{self._prefix}members:{state}"

    def _new_hash(self, state: str) -> str:
        return f"{self._prefix}new-state:{state}"

    def _new_set(self, state: str) -> str:
        return f"{self._prefix}new-members:{state}"

    def _key_items(self, changes: Changes, hash: Name, set: Name) -> list[_Item]:
        items = []
        for place in dict.fromkeys([*changes.packed, *changes.members]):
            (state, key), packed = place, changes.packed.get(place)
            field, value = (b"", b"") if packed is None else (KEY + key.encode(), _value(packed))
            items.append(_Item(hash(state), field, value, set(state), _member_words(key, changes.members.get(place))))
        return items

    def _row_items(self, changes: Changes, hash: Name, set: Name) -> list[_Item]:
        return [_Item(hash(state), ROW + id.encode(), _value(row), set(state)) for (state, id), row in changes.rows.items()]

    # -- the server ----------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _server(self) -> Iterator[None]:
        """What goes wrong with the server, in words. What redis-py says is left out: it quotes rows."""
        try:
            self._look()
            yield
        except Exception as error:
            if not is_trouble(error):
                raise
            raise trouble(error, self._where) from None

    def _look(self) -> None:
        """Now and then: does the server keep what it is given?"""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            if (refused := evicting(self._client.info("memory"), self._where)) is not None:
                raise refused
            self._looked = now

    def _saw(self, marks: Mapping[str, Mark | None], verb: str = "") -> None:
        with self._lock:
            for state, mark in marks.items():
                if mark is None:
                    self._seen.pop(state, None)
                else:
                    self._seen[state] = mark.seq
        # A fold asks for rows, then reads, then perhaps for members and rows once more, then puts: all of one mark, or it would work out
        # something of which nobody knows what it is. Who only reads is never overtaken.
        bases = vars(self._folding)
        for state, mark in marks.items():
            seq, was = -1 if mark is None else mark.seq, bases.pop(state, None)
            begins = was is None or was.verb == "read"
            if (verb == "rows" and begins) or (verb and was is not None and was.seq == seq):
                bases[state] = _Basis(seq, verb)
            elif verb and was is not None and (not begins or verb == "members"):
                raise self._overtaken([state])

    def _least(self, state: str) -> bytes:
        """The mark below which a state has lost what this thread's changes were worked out from."""
        basis: _Basis | None = vars(self._folding).pop(state, None)
        seq = self._seen.get(state, -1) if basis is None else basis.seq
        return NUMBER.pack(seq) if seq >= 0 else b""

    def _script(self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[bytes]]], *, whole: bool = False) -> list[int]:
        """Run a script once for each call, ``whole``: at one instant; a server that was started anew is taught it again."""
        try:
            return self._run(script, calls, whole)
        except Exception as error:
            if not unknown_script(error):
                raise
        self._client.script_load(script.text)
        return self._run(script, calls, whole)

    def _run(self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[bytes]]], whole: bool) -> list[int]:
        pipe = self._client.pipeline(transaction=whole and len(calls) > 1)
        for names, words in calls:
            pipe.evalsha(script.sha, len(names), *names, *words)
        return list(map(int, pipe.execute()))

    def _overtaken(self, states: Iterable[str]) -> Overtaken:
        return Overtaken(
            f"Redis at {self._where} no longer has {', '.join(sorted(states))} as they were read: it lost what it was told, or another "
            "process forgot them or made them anew. Read how far they have come, and fold on from there."
        )


def _call(guards: Sequence[_Guard], items: Sequence[_Item]) -> tuple[list[str], list[bytes]]:
    """Keys and words of one ``PUT``."""
    names: dict[str, bytes] = {}
    words = [b"%d" % len(guards)]

    def number(name: str) -> bytes:
        return names.setdefault(name, b"%d" % (len(names) + 1))

    for guard in guards:
        words += (number(guard.name), guard.least, guard.made)
    for item in items:
        words += (number(item.name), item.field, item.value, number(item.set), b"%d" % len(item.members), *item.members)
    return list(names), words


def _chunks(items: Sequence[_Item]) -> list[list[_Item]]:
    """Items in their order, so many together as one script is given. An item is never parted."""
    chunks: list[list[_Item]] = []
    size = words = 0
    for item in items:
        more, long = len(item.field) + len(item.value) + sum(map(len, item.members)), 5 + len(item.members)
        if not chunks or size + more > CHUNK_BYTES or words + long > CHUNK_WORDS:
            chunks.append([])
            size = words = 0
        chunks[-1].append(item)
        size, words = size + more, words + long
    return chunks


def _member_words(key: str, members: Members | None) -> list[bytes]:
    """What a key's set loses and gains, lost first; what is needed no longer last."""
    if members is None:
        return []
    prefix = _prefix(key)
    words = [b"-" + _edge(prefix, at, b"") + id.encode() for at, id in sorted(members.lost)]
    words += [b"+" + _edge(prefix, at, b"") + id.encode() for at, id in sorted(members.gained)]
    if members.since is not None:
        words.append(b"<" + struct.pack(">I", len(prefix)) + prefix + _edge(prefix, members.since, b""))
    return words


def _prefix(key: str) -> bytes:
    """What a key's members begin with, and no other key's: the key after its length."""
    said = key.encode()
    return b"%d:%b:" % (len(said), said)


def _edge(prefix: bytes, at: int | None, beyond: bytes) -> bytes:
    """Where a moment begins among a key's members; ``beyond`` where it has no moment. Moments out of reach are the nearest within."""
    return beyond if at is None else prefix + NUMBER.pack(min(max(at, -LONG), LONG - 1) + LONG)


def _value(packed: Packed) -> bytes:
    return NUMBER.pack(_sequence(packed.seq)) + packed.body


def _body(value: bytes | None) -> bytes | None:
    return None if value is None else value[NUMBER.size :]


def _said(mark: Mark) -> bytes:
    return SAID_MARK.pack(_sequence(mark.seq), mark.known_at + LONG)


def _mark(value: bytes | None) -> Mark | None:
    if value is None:
        return None
    seq, known_at = SAID_MARK.unpack(value)
    return Mark(seq, known_at - LONG)


def _sequence(seq: int) -> int:
    if not 0 <= seq < LONG:
        raise ValueError(f"a sequence number is 0 or more, and below 2**63: {seq}")
    return seq
