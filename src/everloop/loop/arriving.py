"""Files that arrive: what lies where ``[sources]`` says, taken in once each; what was due and has not come. In: a house. Out: rows, news.

A file is known again by where it lies, its size and when it was written; one that an object store told of, by what the store calls its
content. Either way the same bytes enter once, for the log knows them by their SHA-256: whoever tells of a file only makes it come sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from everloop.clock import from_microseconds, microseconds
from everloop.connect.lying import Lying, at_hand, looked_up, lying, matches
from everloop.connect.objects import is_url
from everloop.errors import EverloopError, HouseBusy, StoreError
from everloop.lake.files import TooMuch
from everloop.lake.ingest import ingest
from everloop.lake.tables import Delivery, Origin
from everloop.loop.expected import Due, due, looked_at_since, overdue_sentence
from everloop.loop.house import House
from everloop.loop.news.alerts import asks_to_confirm, came_late, not_taken_in, overdue
from everloop.loop.news.put import put_news
from everloop.project.source import Source
from everloop.records import Alert, Received

if TYPE_CHECKING:
    from everloop.serving.notices import Notices

DELIVERIES = 50  # that are read at once, by whoever asks what came of late
QUIET = timedelta(seconds=5)
"""A file of a folder that was written less long ago may be written still."""


def expects_files(house: House) -> list[Source]:
    """The sources that say when their rows arrive."""
    return [source for source in house.project.sources.values() if source.arrives is not None]


def in_folders(house: House) -> dict[str, tuple[str, ...]]:
    """The sources whose files are looked for in folders of a machine, with where that is."""
    said = {source.name: house.settings.sources.get(source.name) for source in expects_files(house)}
    there = {name: tuple(file for file in one.files if not is_url(file)) for name, one in said.items() if one is not None}
    return {name: files for name, files in there.items() if files}


@dataclass
class Arriving:
    """Looks where files arrive, and at what is due. ``known`` are files there that are not to be looked at again, by source; ``late`` what
    people were told is overdue."""

    house: House
    told: Callable[[str], object]
    known: dict[str, set[Lying]] = field(default_factory=dict)
    late: dict[str, datetime] = field(default_factory=dict)

    def look(self, now: datetime) -> list[Received]:
        """Take in what has come by ``now`` (aware), and tell of what is overdue. Nothing where business time is turned by hand.

        A file that cannot be taken in is told of, once, and holds up no other. Raises StoreError where a place does not answer, or the
        house is busy or full: it is looked again.
        """
        done: list[Received] = []
        if self.house.turned:
            return done
        for source in expects_files(self.house):
            if source.name in self.house.settings.sources:
                done += self._take_in(source, now)
            self._tell(source, now)
        return done

    def _take_in(self, source: Source, now: datetime) -> Iterator[Received]:
        storage, patterns = self.house.settings.storage, self.house.settings.sources[source.name].files
        there = [one for pattern in patterns for one in lying(pattern, storage)]
        known = self.known[source.name] = self.known.get(source.name, set()) & set(there)
        new = [one for one in there if one not in known]
        came = {(o.url, o.size, o.written_at) for o in origins(self.house, source)} if new else set()
        for one in sorted(new, key=lambda one: (one.written_at, one.url)):
            if "://" not in one.url and now - from_microseconds(one.written_at) < QUIET:
                continue
            if (one.url, one.size, one.written_at) not in came:
                try:
                    received = take_file(self.house, source, one, now)
                except StoreError:
                    raise
                except EverloopError as error:
                    self._news(not_taken_in(source.name, one.name, str(error)), now)
                else:
                    if received.refused:
                        why = f"{received.refused:,} of its rows are refused: {'; '.join(received.examples)}"
                        self._news(not_taken_in(source.name, one.name, why), now)
                    yield received
            known.add(one)

    def _tell(self, source: Source, now: datetime) -> None:
        found = due_of(self.house, source, now)
        if found is None:
            return
        if found.came_at is None and self.late.get(source.name) != found.at:
            self.late[source.name] = found.at
            self._news(overdue(source.name, overdue_sentence(found, source), found.at), now)
        elif found.came_at is not None and self.late.get(source.name) == found.at:
            del self.late[source.name]
            self._news(came_late(source.name, found.at, found.came_at), now)

    def _news(self, alert: Alert, now: datetime) -> None:
        if put_news(self.house, alert, now):
            self.told(alert.sentence)


def take_file(
    house: House, source: Source, one: Lying, now: datetime, known_after: timedelta | None = None, *, most: int | None = None
) -> Received:
    """Take one file in, from wherever it lies; rows of one that came in before are all duplicates. ``known_after``, ``most``: as for
    ``ingest``; known after unsaid: as ``[sources]`` says.

    Raises StoreError where its place does not answer, EverloopError where it is refused or cannot be read; then nothing of it came in.
    """
    said = house.settings.sources.get(source.name)
    with at_hand(one, house.settings.storage) as (path, etag):
        origin = Origin(url=one.url, size=one.size, written_at=one.written_at, etag=etag)
        after = said.known_after if said and known_after is None else known_after
        try:
            return ingest(house.lake, source, path, now=now, known_after=after, origins={path: origin}, most=most)
        except (StoreError, TooMuch):
            raise
        except EverloopError as error:
            # Where it was put to be read is another place each time: the news would be other news, too.
            aloud = str(error).replace(str(path), one.url)
            if aloud == str(error):
                raise
            raise EverloopError(aloud) from error


# -- what is told of ---------------------------------------------------------------------------------------------------------------------

MOST_AT_THE_DOOR: Final = 256 << 20
"""Bytes of an object, and of all objects of one notice together, that are taken in by the process that answers; what is larger, or unpacks
to nobody knows what, is for who leads."""
MOST_UNPACKED: Final = 1 << 30
"""Bytes that one object may come to once it is unpacked."""
_PACKED: Final = (".gz", ".bz2", ".zst", ".lz4", ".br")
_UNDER_WAY: set[str] = set()


@dataclass
class Room:
    """Bytes of objects that one process that answers takes in for one notice; ``over``: some were left for another time."""

    left: int = field(default_factory=lambda: MOST_AT_THE_DOOR)
    over: bool = False


def take_told(house: House, url: str, etag: str | None, now: datetime, room: Room | None = None) -> Received | None:
    """Take in a file that somebody tells lies there, in the source whose ``[sources]`` line it is of; None where it is of none, or gone
    again, or too large for here or compressed, and so is left to who looks where files arrive. ``etag``: what its store calls its content;
    the same content at the same place is not fetched twice. ``room``: what several may have together; one that has none left is left too.

    Raises HouseBusy where it is being fetched already, StoreError where its place does not answer, EverloopError where it is refused,
    cannot be read, or is too large or compressed and nobody looks for this source's files.
    """
    source = source_of(house, url)
    if source is None:
        return None
    there = origins(house, source)
    if any(came.url == url and etag is not None and came.etag == etag for came in there):
        return _there_already(house, source)
    with _once_at_a_time(url):
        one = looked_up(url, house.settings.storage)
        if one is None:
            return None
        if one.size > MOST_AT_THE_DOOR or one.name.lower().endswith(_PACKED):
            _left(source, "is compressed" if one.size <= MOST_AT_THE_DOOR else f"has {one.size:,} bytes")
            return None
        if any((came.url, came.size, came.written_at) == (one.url, one.size, one.written_at) for came in there):
            return _there_already(house, source)
        room = room or Room()
        if one.size > room.left:
            room.over = room.over or source.arrives is None
            return None
        room.left -= one.size
        try:
            return take_file(house, source, one, now, most=MOST_UNPACKED)
        except TooMuch:
            _left(source, f"holds more than {MOST_UNPACKED:,} bytes")
            return None


def _there_already(house: House, source: Source) -> Received:
    through = house.lake.log.counters(source.name).last_seq
    return Received(source=source.name, kept=0, duplicates=1, refused=0, through_seq=through)


def _left(source: Source, what: str) -> None:
    """An object is left to who looks where files arrive. Raises EverloopError where nobody does."""
    if source.arrives is None:
        raise EverloopError(f"it {what}, so it is not taken in where it is told of. Run: everloop ingest {source.name}")


def take_all(house: House, said: Notices, now: datetime) -> list[Received]:
    """Take in every object of notices that is of a source; what became of each. One that cannot be read is told people of, and holds up no
    other. Raises HouseBusy, also where there were too many at once and some are left, and StoreError where a place does not answer, for the
    notice to come again: what was taken in is not fetched again then."""
    if said.confirm:
        put_news(house, asks_to_confirm(said.confirm), now)
    done, room = [], Room()
    for notice in said.written:
        try:
            received = take_told(house, notice.url, notice.etag, now, room)
        except StoreError:
            raise
        except EverloopError as error:
            source = source_of(house, notice.url)
            put_news(house, not_taken_in(source.name if source else "", notice.url, str(error)), now)
            continue
        if received is not None:
            done.append(received)
            if received.refused:
                why = f"{received.refused:,} of its rows are refused: {'; '.join(received.examples)}"
                put_news(house, not_taken_in(received.source, notice.url, why), now)
    if room.over:
        aloud = "These are too many bytes at once; some were taken in. Tell of the same again."
        raise HouseBusy(f"More than {MOST_AT_THE_DOOR:,} bytes were told of at once; {len(done)} objects were taken in.", aloud=aloud)
    return done


def source_of(house: House, url: str) -> Source | None:
    """The source whose files lie there."""
    for name, said in house.settings.sources.items():
        if any(matches(pattern, url) for pattern in said.files) and name in house.project.sources:
            return house.project.sources[name]
    return None


def origins(house: House, source: Source) -> list[Origin]:
    """Where the files lay that came in."""
    return [one.origin for one in house.lake.log.deliveries(source.name) if one.origin is not None]


@contextmanager
def _once_at_a_time(url: str) -> Iterator[None]:
    if url in _UNDER_WAY:
        raise HouseBusy(f"{url} is being taken in already. Tell of it again in a while.", aloud="This file is being taken in already.")
    _UNDER_WAY.add(url)
    try:
        yield
    finally:
        _UNDER_WAY.discard(url)


# -- what is due -------------------------------------------------------------------------------------------------------------------------


def due_of(house: House, source: Source, now: datetime) -> Due | None:
    """What was due last of a source, and whether it came."""
    if source.arrives is None:
        return None
    return due(source, arrived(house, source, since=looked_at_since(source.arrives, now)), now)


def arrived(house: House, source: Source, *, since: datetime | None = None) -> list[datetime]:
    """When deliveries of a source came; single rows of a day are one, so the newest row counts beside them. Of those before ``since`` no
    more than one has to be there."""
    most = None if since is None else DELIVERIES
    while True:
        kept = house.lake.log.deliveries(source.name, newest=most)
        found: list[Delivery] = [one for one in kept if one.withdrawn_at is None]
        if most is None or since is None or len(kept) < most or (found and found[0].at < since):
            break
        most *= 8
    last = house.lake.log.counters(source.name).last_known
    singles = [from_microseconds(last)] if found and found[-1].singles and last >= microseconds(found[-1].at) else []
    return [one.at for one in found] + singles
