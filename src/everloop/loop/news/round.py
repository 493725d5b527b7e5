"""A round of the outbox: which messages go to whom now. Pure arithmetic on what is kept; the wall clock is an argument.

Messages go in the order the news came. One address gets at most ``PER_MINUTE`` messages a minute, the last of which sums up what is
left. An address that cannot be reached is left alone for 30 s, then longer each time, up to an hour; when it is tried again, what was
tried least goes first, so that one message nobody takes does not hold up the others. All instants are wall time, aware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everloop.loop.news.recipients import Recipient
from everloop.records import identity
from everloop.registry.letters import Letter, Trouble
from everloop.registry.outbox import Kept
from everloop.settings import SEVERITIES

PER_MINUTE = 10
MOST_IN_ONE = 5_000
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(hours=1)
PATIENCE = {"info": timedelta(days=1), "warning": timedelta(days=1), "critical": timedelta(days=7)}
"""How long after it was first put on its way a letter is still tried."""


@dataclass(frozen=True)
class Outgoing:
    """One message about to be sent: what it is about, and the letters it carries. More than one letter: a sum of many."""

    key: str
    news: tuple[Kept, ...]
    letters: tuple[Letter, ...]

    @property
    def alerts(self) -> list[str]:
        return [letter.alert for letter in self.letters]

    @property
    def attempts(self) -> int:
        return min(letter.attempts for letter in self.letters)


def wait(failures: int, chance: str) -> timedelta:
    """How long to leave alone what failed so often in a row; up to a quarter longer by chance, which is the same for the same text.

    >>> [round(wait(n, "a") / wait(1, "a"), 1) for n in (1, 2, 3)]
    [1.0, 2.0, 4.0]
    >>> SHORTEST <= wait(1, "a") <= wait(100, "a") <= LONGEST
    True
    """
    drawn = int(identity("wait", chance)[:8], 16) / 2**32
    steps: int = 2 ** min(failures - 1, 20)
    return min(SHORTEST * steps, LONGEST * 0.8) * (1 + drawn / 4)


def is_due(letter: Letter, now: datetime) -> bool:
    """Whether a letter may be tried: its time has come, or a clock that was set back has put it off for longer than anything can be."""
    return letter.state in ("waiting", "sending") and not now < letter.due_at <= now + LONGEST


def paused(trouble: Trouble | None, now: datetime) -> bool:
    """Whether an address is left alone."""
    return trouble is not None and now < trouble.paused_until <= now + LONGEST


def is_hopeless(letter: Letter, kept: Kept, trouble: Trouble | None, now: datetime) -> bool:
    """Whether a letter has been tried for long enough: only where trying was not enough, never because nobody was there to try."""
    tried = letter.state == "waiting" and (letter.attempts > 0 or trouble is not None)
    return tried and now - letter.first_at >= PATIENCE[kept.alert.severity]


def messages(
    recipient: Recipient, letters: Sequence[Letter], news: Mapping[str, Kept], trouble: Trouble | None, sent: int, now: datetime
) -> list[Outgoing]:
    """What one address is sent now, in order, if it was sent so many messages in the last minute."""
    if paused(trouble, now):
        return []
    due = sorted((x for x in letters if is_due(x, now)), key=lambda x: (news[x.alert].raised_at, x.alert))
    room = PER_MINUTE - sent
    if room <= 0 or not due:
        return []
    alone, rest = due, []
    if len(due) > room:
        urgent = sorted(due, key=lambda x: -SEVERITIES.index(news[x.alert].alert.severity))[: room - 1]
        alone = [x for x in due if x in urgent]
        rest = [x for x in due if x not in urgent][:MOST_IN_ONE]
    out = [Outgoing(identity("letter", recipient.id, x.alert), (news[x.alert],), (x,)) for x in alone]
    if rest:
        key = identity("letters", recipient.id, *(x.alert for x in rest))
        out.append(Outgoing(key, tuple(news[x.alert] for x in rest), tuple(rest)))
    return out if trouble is None else sorted(out, key=lambda m: m.attempts)
