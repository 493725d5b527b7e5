"""Take: messages of a stream come in, each once, in the order of their partitions. In: rows of each message, and how far it was taken.

How far each partition has been taken stands in the log, in the transaction in which the rows arrive: a message is in it or is read again,
and never both, whatever dies in between. That is what Kafka's own documentation calls storing the offset with the output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from everloop.errors import EverloopError
from everloop.lake.arrive import Coming, Marks, arrive_together, read
from everloop.lake.few import Few
from everloop.lake.place import Lake
from everloop.lake.rows import Kept, Offered, Rows, offered
from everloop.project.source import Source
from everloop.records import Received
from everloop.records.data import by_reason


@dataclass(frozen=True)
class Looked:
    """Messages that were looked at: what can be kept of those that are ``good`` (their numbers, from 0), and why not all of each that is
    ``bad``."""

    good: tuple[int, ...]
    kept: Kept | Few | None
    bad: Mapping[int, str]


def look(source: Source, messages: Sequence[Rows]) -> Looked:
    """Read messages as their source declares them; nothing is kept yet, so whoever has to can be told first what will not be.

    >>> orders = Source("orders", id="line_id", columns={"quantity": int})
    >>> found = look(orders, [[{"line_id": "l1", "quantity": 2}], [{"line_id": "l2", "quantity": "two"}], ["l3"]])
    >>> found.good, found.bad[1]
    ((0, 1), "row 1 (l2): quantity is 'two', no whole number")
    >>> found.bad[2]
    'Row 1 is str and no row. Give dicts such as {"line_id": "l1"}, or an Arrow table.'
    """
    bad: dict[int, str] = {}
    good: dict[int, Offered] = {}
    for number, rows in enumerate(messages):
        try:
            good[number] = offered(rows)
        except EverloopError as error:
            bad[number] = str(error)
    try:
        kept = read(source, list(good.values())) if good else None
    except Exception:
        # Something in one of them that no reader foresaw: each stands for itself.
        bad |= {number: why for number, rows in good.items() if (why := _unread(source, rows))}
        good = {number: rows for number, rows in good.items() if number not in bad}
        kept = read(source, list(good.values())) if good else None
    for number, brought in zip(good, kept.brought if kept else (), strict=True):
        if brought.refused:
            bad[number] = "; ".join(brought.examples)
    return Looked(tuple(good), kept, bad)


def _unread(source: Source, rows: Offered) -> str | None:
    try:
        read(source, [rows])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def take(lake: Lake, source: Source, looked: Looked, *, now: datetime, marks: Marks) -> tuple[Received, Mapping[str, int]]:
    """Keep what was looked at, and with it how far the stream is taken; what became of it, and how far that is now.

    ``now`` (aware) is when the messages arrive, each as a single event. Raises Overtaken where somebody else has taken the stream further
    meanwhile, HouseFull or HouseBusy where the log could not: then nothing came in.
    """
    if looked.kept is None:
        last = lake.log.counters(source.name).last_seq
        return Received(source=source.name, kept=0, duplicates=0, refused=len(looked.bad), through_seq=last), marks.before
    coming = [Coming(now, single=True) for _ in looked.good]
    several = arrive_together(lake, source, looked.kept, coming, marks=marks)
    total = Received(
        source=source.name,
        kept=sum(one.kept for one in several),
        duplicates=sum(one.duplicates for one in several),
        refused=sum(one.refused for one in several) + len(looked.bad.keys() - set(looked.good)),
        examples=tuple(looked.bad.values())[:5],
        reasons=by_reason(reason for one in several for reason in one.reasons),
        through_seq=several[-1].through_seq,
        ahead=sum(one.ahead for one in several),
    )
    # Before anything was ever kept there is nothing to note it with: such messages are read again.
    return total, marks.after if total.through_seq or marks.before else marks.before


def taken(lake: Lake, source: Source) -> Mapping[str, int]:
    """How far each partition of the streams of a source has been taken: the position of the last message that is in; none: it never was.

    Raises StoreError.
    """
    found = lake.log.deliveries(source.name)
    return dict(found[-1].marks) if found else {}
