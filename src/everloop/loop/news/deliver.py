"""Delivering: what waits in the outbox goes out into the world, each alert to each of its people, though processes die on the way.

``deliver`` goes one round and returns; the controller calls it again and again. Before a message is sent, its letters are noted as being
sent; afterwards, as sent. A process that dies in between leaves a claim that ends after ``CLAIM``, and the message is sent again: at least
once, with the same key both times, so that a receiver who looks at keys acts once. One slow or broken address never delays another.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection

from everloop.clock import monotonic, said, wall
from everloop.connect.message import Message
from everloop.errors import EverloopError, SettingsError, Unknown
from everloop.loop.house import House
from everloop.loop.news.compose import composed
from everloop.loop.news.lines import SendsTo, opened
from everloop.loop.news.recipients import Recipient, recipient, recipients
from everloop.loop.news.round import Outgoing, is_hopeless, messages, wait
from everloop.records import identity
from everloop.registry.letters import ENDED, Letter, Letters, Trouble
from everloop.registry.outbox import Kept

CLAIM = timedelta(seconds=60)
SEND_SECONDS = 20.0
"""How long one message may take in all, whatever the other side does."""
LATE = f"no answer within {SEND_SECONDS:g} seconds"
ROUND_SECONDS = 30.0
"""After this long a round begins no more messages; what is left is for the next one."""
AT_ONCE = 16
"""Addresses written to at the same time."""
TOLD_FOR = timedelta(days=30)


Opens: TypeAlias = Callable[[str], SendsTo]


def deliver(house: House, now: datetime, *, opens: Opens | None = None) -> int:
    """Send what waits to whom it is for; how many alerts reached a person (one alert told to two people counts twice).

    ``now`` is wall time. Takes at most ``ROUND_SECONDS`` + ``SEND_SECONDS``, and no time at all where nothing is due. What a recipient does
    is noted, never raised; StoreError where the house cannot be read or written. Safe beside another delivering process.
    """
    if not house.settings.people or _nothing_to_do(_look(house, now)):
        return 0
    opens = opens or _loaded()
    with house.store.transaction() as t:
        look = _look(house, now, t)
        _open(house, t, look, now)
    round_ = _Round(house, now, opens, deque(_Lane(r, deque(m)) for r, m in look.lanes.items()))
    return round_.go()


# -- what there is to do -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    """The outbox at a glance: letters to write, to withdraw, to give up; alerts that are over; and what each address is sent."""

    new: list[Letter]
    gone: list[Letter]
    hopeless: list[Letter]
    unwanted: list[str]
    over: list[str]
    lanes: dict[Recipient, list[Outgoing]]


def _nothing_to_do(look: _Look) -> bool:
    return not (look.new or look.gone or look.hopeless or look.unwanted or look.over or look.lanes)


def _look(house: House, now: datetime, within: Connection | None = None) -> _Look:
    letters = Letters(house.store)
    waiting = {kept.alert.key: kept for kept in house.outbox.waiting(within=within)}
    look = _Look([], [], [], [], [], {})
    if not waiting:
        return look
    there: dict[str, dict[str, Letter]] = {key: {} for key in waiting}
    for letter in letters.of_waiting(within=within):
        there.get(letter.alert, {})[letter.address] = letter
    troubles = letters.troubles(within=within)
    lanes: dict[Recipient, list[Letter]] = {}
    for key, kept in waiting.items():
        _look_at(kept, there[key], recipients(kept.alert, house.settings.people, house.salt), troubles, now, look, lanes)
    sent = letters.messages(now - timedelta(minutes=1), now, within=within)
    for to, mine in lanes.items():
        if out := messages(to, mine, waiting, troubles.get(to.id), sent.get(to.id, 0), now):
            look.lanes[to] = out
    return look


def _look_at(
    kept: Kept,
    there: dict[str, Letter],
    wanted: tuple[Recipient, ...] | None,
    troubles: dict[str, Trouble],
    now: datetime,
    look: _Look,
    lanes: dict[Recipient, list[Letter]],
) -> None:
    """One alert's part of the look."""
    key, under_way = kept.alert.key, 0
    ended = any(letter.state in ("sent", "given up") for letter in there.values())
    ids = {to.id for to in wanted or ()}
    look.gone.extend(letter for letter in there.values() if letter.address not in ids and letter.state not in ENDED)
    for to in wanted or ():
        letter = there.get(to.id)
        if letter is None or letter.state == "withdrawn":
            letter = Letter(alert=key, address=to.id, person=to.person, first_at=now, due_at=now)
            look.new.append(letter)
        if letter.state in ENDED:
            continue
        if is_hopeless(letter, kept, troubles.get(to.id), now):
            look.hopeless.append(letter)
            continue
        under_way += 1
        lanes.setdefault(to, []).append(letter)
    # Letters that were all withdrawn reached nobody, and nobody waits for them: what is for no one of the people is wanted by none.
    if wanted == () and not ended:
        look.unwanted.append(key)
    elif not under_way and ended:
        look.over.append(key)


def _open(house: House, t: Connection, look: _Look, now: datetime) -> None:
    """What a look found, written down."""
    letters = Letters(house.store)
    for letter in look.new:
        letters.open(t, letter)
    for letter in look.gone:
        letters.withdraw(t, letter.address, [letter.alert], at=now)
    for letter in look.hopeless:
        letters.give_up(t, letter.address, [letter.alert], at=now, why=letter.why or "its address could not be reached")
    for key in look.unwanted:
        house.outbox.end(t, key, "unwanted")
    for key in dict.fromkeys([*look.over, *(letter.alert for letter in look.hopeless)]):
        _settle(house, t, key, now)


def _settle(house: House, t: Connection, key: str, at: datetime) -> None:
    """An alert is delivered when none of its letters is under way and one arrived; given up where none did. Withdrawn ones do not count."""
    states = {letter.state for letter in Letters(house.store).of(key, within=t)}
    if states & {"waiting", "sending"}:
        return
    if "sent" in states:
        house.outbox.delivered(t, key, at=at)
    elif "given up" in states:
        house.outbox.end(t, key, "given up")


# -- sending -------------------------------------------------------------------------------------------------------------------------


@dataclass
class _Lane:
    """What one address is sent in this round, one message after the other; the line is opened once and kept."""

    to: Recipient
    left: deque[Outgoing]
    line: SendsTo | None = None
    under_way: Outgoing | None = None
    thread: threading.Thread | None = None
    until: float = 0.0


@dataclass
class _Round:
    """One round: a thread for each message under way, and one thread, this one, that notes what came of it."""

    house: House
    now: datetime
    opens: Opens
    waiting: deque[_Lane]
    begun: float = field(default_factory=monotonic)
    came: queue.SimpleQueue[tuple[_Lane, Outgoing, str | None]] = field(default_factory=queue.SimpleQueue)
    reached: int = 0

    def go(self) -> int:
        busy: list[_Lane] = []
        while self.waiting or busy:
            while self.waiting and len(busy) < AT_ONCE:
                lane = self.waiting.popleft()
                if self._begin(lane):
                    busy.append(lane)
            if not busy:
                continue
            lane, outgoing, why = self._next(busy)
            if lane.under_way is not outgoing:
                continue  # it was taken for lost before
            lane.under_way = None
            if lane.thread is not None:
                lane.thread.join(timeout=0.0 if why == LATE else 1.0)
            self._note(lane, outgoing, why)
            if why is not None or not self._begin(lane):
                busy.remove(lane)
        return self.reached

    @property
    def at(self) -> datetime:
        """Wall time, as far as this round has come."""
        return self.now + timedelta(seconds=monotonic() - self.begun)

    def _begin(self, lane: _Lane) -> bool:
        """Claim the next message of an address and set it on its way; False where there is none, or no time left."""
        while lane.left and monotonic() - self.begun < ROUND_SECONDS:
            outgoing, letters = lane.left.popleft(), Letters(self.house.store)
            self.house.pause("before a claim")
            with self.house.store.transaction() as t:
                mine = letters.claim(t, lane.to.id, outgoing.alerts, message=outgoing.key, now=self.at, until=self.at + CLAIM)
            if not mine:
                continue  # another process has them
            self.house.pause("claimed")
            message = composed(self.house, outgoing)
            lane.under_way, lane.until = outgoing, monotonic() + SEND_SECONDS
            name = f"everloop tells {lane.to.id}"
            hangs = any(thread.name == name for thread in threading.enumerate())
            lane.thread = threading.Thread(target=self._send, args=(lane, outgoing, message, hangs), daemon=True, name=name)
            lane.thread.start()
            return True
        return False

    def _send(self, lane: _Lane, outgoing: Outgoing, message: Message, hangs: bool) -> None:
        try:
            lane.line = lane.line or self.opens(lane.to.url)
            # One thread that hangs is enough: nobody can end it from outside.
            why = "an earlier message is still under way" if hangs else lane.line.send(message)
        except Exception as error:  # a thread that died silently would leave its round waiting
            why = str(error) if isinstance(error, EverloopError) else type(error).__name__
        self.came.put((lane, outgoing, why))

    def _next(self, busy: list[_Lane]) -> tuple[_Lane, Outgoing, str | None]:
        """What came of a message; one that takes too long has failed, and its thread is left to itself."""
        first = min(busy, key=lambda lane: lane.until)
        try:
            return self.came.get(timeout=max(0.0, first.until - monotonic()))
        except queue.Empty:
            assert first.under_way is not None
            return first, first.under_way, LATE

    def _note(self, lane: _Lane, outgoing: Outgoing, why: str | None) -> None:
        self.house.pause("sent, not noted" if why is None else "failed, not noted")
        letters, at, to = Letters(self.house.store), self.at, lane.to
        with self.house.store.transaction() as t:
            if why is None:
                letters.sent(t, to.id, outgoing.alerts, at=at)
                for alert in outgoing.alerts:
                    _settle(self.house, t, alert, at)
                self.reached += len(outgoing.alerts)
                return
            before = letters.troubles(within=t).get(to.id)
            failures = before.failures + 1 if before else 1
            again = at + wait(failures, identity(to.id, failures))
            letters.trouble(t, Trouble(to.id, to.person, failures, before.since if before else at, again, why))
            for letter in outgoing.letters:
                tries = letter.attempts + 1
                letters.failed(t, to.id, [letter.alert], why=why, due_at=at + wait(tries, identity(to.id, letter.alert, tries)))


def _loaded() -> Opens:
    # Loaded before anything is claimed, since it may take as long as a message.
    import everloop.connect.apprise  # noqa: F401

    return opened


# -- trying it out, and looking ------------------------------------------------------------------------------------------------------


def try_out(house: House, name: str, *, opens: Opens | None = None) -> str:
    """Write to every address of one person, now; what came of each, a line each. Nothing is kept, but that an address is well again.

    Raises Unknown for who is not in [people], SettingsError where an address is none, EverloopError where one could not be reached.
    """
    people = house.settings.people
    if name not in people:
        raise Unknown("person", name, sorted(people), where="[people] of everloop.toml")
    lines, failed, opens = [], 0, opens or _loaded()
    for to in (recipient(name, address.to, house.salt) for address in people[name]):
        at = wall()
        message = Message(
            key=identity("try", to.id, at.isoformat()),
            severity="info",
            title="everloop: a try",
            body=f"everloop writes to {name} here. Nothing happened; somebody tried it out.\nNext: everloop status",
            facts={"alerts": []},
        )
        why = within_time(lambda to=to, message=message: opens(to.url).send(message))
        if why is None:
            with house.store.transaction() as t:
                Letters(house.store).well(t, to.id)
        failed += why is not None
        lines.append(f"{to}: it was taken." if why is None else f"{to}: not reached: {why}")
    if failed:
        raise EverloopError("\n".join([*lines, "Mend [people] in everloop.toml, and try again."]))
    return "\n".join(lines)


def within_time(work: Callable[[], str | None], *, name: str = "") -> str | None:
    """What ``work`` says of a send, or that it took too long; it is then left to itself, and nothing of its name begins before it ends."""
    if name and any(thread.name == name for thread in threading.enumerate()):
        return "an earlier message is still under way"
    came: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            came.put(work())
        except Exception as error:
            came.put(error)

    threading.Thread(target=run, daemon=True, name=name or "everloop tries").start()
    try:
        what = came.get(timeout=SEND_SECONDS)
    except queue.Empty:
        return LATE
    if isinstance(what, SettingsError):
        raise what
    return type(what).__name__ if isinstance(what, Exception) else what


def spoken_outbox(house: House, now: datetime) -> list[str]:
    """What is to say of the outbox, a sentence each: who cannot be reached, what nobody is told, what was given up. Often nothing."""
    people, letters = house.settings.people, Letters(house.store)
    waiting = house.outbox.waiting()
    lost = [kept.alert for kept in waiting if recipients(kept.alert, people, "") is None]
    lines = []
    if lost:
        owners = sorted({alert.owner for alert in lost if alert.owner})
        who = f" ({', '.join(owners)})" if owners else ""
        lines.append(
            f"{_alerts(len(lost))} reach{'es' * (len(lost) == 1)} nobody: no owner{who} is in [people] of everloop.toml. "
            "Name them there, or somebody as everybody."
        )
    if len(waiting) > len(lost):
        lines.append(f"{_alerts(len(waiting) - len(lost))} wait{'s' * (len(waiting) - len(lost) == 1)} to be delivered.")
    known = {to.id: to for person, all in people.items() for to in (recipient(person, address.to, house.salt) for address in all)}
    lines += [
        f"{known[t.address]} cannot be reached since {said(t.since)}: {t.why.rstrip('.')}. "
        f"Next try {said(t.paused_until)}. Try it: everloop alert test {t.person}"
        for t in letters.troubles().values()
        if t.address in known
    ]
    if given_up := letters.given_up(now - TOLD_FOR):
        newest = given_up[-1]
        lines.append(
            f"{_alerts(len(given_up))} for {', '.join(sorted({x.person for x in given_up}))} could not be delivered in time and "
            f"{'was' if len(given_up) == 1 else 'were'} given up, the last one: everloop why {newest.alert}"
        )
    return lines


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count:,} alerts"
