"""What belongs to one house: its database of decisions, its event log, its lake, its bodies, and a folder on each machine. Each carries the
house's mark, so that none is ever taken for another's because a URL was changed.

A house has its mark from when it is first opened, or first opened again after a release that knew none; a house made of a backup has one of
its own. In the folder ``house.json`` says besides where the others are: as long as settings say the same, nobody else is asked.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from everloop.clock import EPOCH
from everloop.connect.objects import without_secret
from everloop.disk import put_whole
from everloop.errors import StoreError
from everloop.loop.stored import owned_by, owner_of
from everloop.serving.segment import segments
from everloop.settings import Settings

if TYPE_CHECKING:
    from everloop.loop.house import House

MARK = "house"
"""The fact that says a house's mark, and whether all that belongs to it has it."""
FILE = "house.json"
ANSWERS = "answers"
_TRIES = 20


class Known(msgspec.Struct, frozen=True):
    """What a folder knows of its house: its mark, and where the rest of it is, no secret of a URL included."""

    mark: str
    registry: str
    events: str
    lake: str
    blobs: str


class Belonging(NamedTuple):
    """Something that belongs to a house: what it is, where, whose mark it has (None: nobody's), and how it gets one."""

    what: str
    where: str
    owner: Callable[[], str | None]
    own: Callable[[str], str]


def together(house: House) -> None:
    """See to it that all of a house belongs together; what has no mark yet gets it while the house itself is new, or from before marks.

    Raises StoreError where something is another house's, or where a house that has its own is told of a place where nothing is.
    """
    settings = house.settings
    for _ in range(_TRIES):
        fact = house.facts.latest("", MARK)
        there = known_in(settings.house)
        if fact is not None and fact.body["settled"] and there == _known(fact.body["mark"], settings):
            return
        if _agree(house, there, fact.body if fact is not None else None):
            return
    raise StoreError(f"Other processes begin a house in {settings.house} over and over. Run it again.")


def _agree(house: House, there: Known | None, said: dict[str, object] | None) -> bool:
    """Whether all of a house agrees now; False: somebody else began it meanwhile. Raises StoreError where it cannot."""
    settings, mark = house.settings, None if said is None else str(said["mark"])
    if there is not None and there.mark != mark:
        return _unless_begun(house, said, _folder_of_another(settings, there))
    if there is None and (other := _other_house_in(settings, mark)) is not None:
        raise other
    belongings = list(_belongings(house))
    for one in belongings:
        owner = one.owner()
        if owner is not None and owner != mark:
            return _unless_begun(house, said, _of_another(one, settings))
        if owner is None and said is not None and said["settled"]:
            raise _nothing_there(one, there)
    if said is None:
        _require_decisions(house)
        mark = _begun(house)
    assert mark is not None
    if said is None or not said["settled"]:
        for one in belongings:
            if one.own(mark) != mark:
                raise _of_another(one, settings)
        _settled(house, mark)
    write_known(settings.house, mark, settings)
    return True


def _unless_begun(house: House, said: dict[str, object] | None, error: StoreError) -> bool:
    """False where the house was begun since its mark was looked for; else the error is raised."""
    fact = house.facts.latest("", MARK)
    if (None if fact is None else fact.body) == said:
        raise error
    return False


def _belongings(house: House) -> Iterator[Belonging]:
    settings, log = house.settings, house.lake.log
    yield Belonging("event log", settings.events, log.owner, log.owned_by)
    for what, place in (("lake", settings.lake), ("bodies", settings.blobs)):
        yield Belonging(
            what,
            place,
            lambda place=place: owner_of(place, settings.storage),
            lambda mark, place=place: owned_by(place, settings.storage, mark),
        )


def _begun(house: House) -> str:
    """The mark of a house that had none; of several processes the first says it."""
    with house.store.transaction() as t:
        fact = house.facts.latest("", MARK, within=t)
        if fact is None:
            mark = secrets.token_hex(8)
            house.facts.put(t, "", MARK, EPOCH, {"mark": mark, "settled": False})
            return mark
    return str(fact.body["mark"])


def _settled(house: House, mark: str) -> None:
    with house.store.transaction() as t:
        house.facts.put(t, "", MARK, EPOCH, {"mark": mark, "settled": True})


def marked_anew(house: House, settings: Settings) -> str:
    """Give a house that was made of a backup, and all of it, a mark of its own; ``settings`` say where it will be. Returns the mark."""
    mark = secrets.token_hex(8)
    marked_again(house, mark)
    _settled(house, mark)
    write_known(house.settings.house, mark, settings)
    return mark


def marked_again(house: House, mark: str) -> None:
    """Put a house's mark onto its event log, lake and bodies, whatever they have."""
    house.lake.log.owned_by(mark, instead=True)
    for place in (house.settings.lake, house.settings.blobs):
        owned_by(place, house.settings.storage, mark, instead=True)


# -- a folder --------------------------------------------------------------------------------------------------------------------------


def known_in(folder: Path) -> Known | None:
    """What a folder knows of its house; None where it knows of none. Raises StoreError for a file that says nothing."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Known)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"{folder / FILE} does not say whose folder this is: {error}. Bring it back from a copy of the folder.") from error


def mark_in(folder: Path) -> str:
    """The mark of the house a folder belongs to; nothing where it belongs to none yet."""
    known = known_in(folder)
    return "" if known is None else known.mark


def write_known(folder: Path, mark: str, settings: Settings) -> None:
    """Note in a folder which house it belongs to, and where the rest of that is."""
    known = _known(mark, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        put_whole(folder / FILE, msgspec.json.format(msgspec.json.encode(known)) + b"\n")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.") from error


def _known(mark: str, settings: Settings) -> Known:
    return Known(mark, *map(_aloud, (settings.registry, settings.events, settings.lake, settings.blobs)))


def _aloud(url: str) -> str:
    """A URL without what may be secret in it.

    >>> _aloud("postgresql://shop:hush@db:5432/house?sslpassword=x"), _aloud("sqlite:////shop/house.db")
    ('postgresql://db:5432/house', 'sqlite:////shop/house.db')
    """
    return url if url.startswith("sqlite:") else without_secret(url).partition("?")[0] if "://" in url else url


def _other_house_in(settings: Settings, mark: str | None) -> StoreError | None:
    """What is said of a folder from before marks in which another house's decisions lie; None where none do."""
    file = settings.house / "house.db"
    if settings.registry == f"sqlite:///{file}" or not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(file)) as connection:
            decided = connection.execute("SELECT count(*) FROM (SELECT 1 FROM journal LIMIT 1)").fetchone()[0]
            found = connection.execute("SELECT body FROM facts WHERE name = ?", (MARK,)).fetchone()
    except sqlite3.Error:
        return None
    if not decided or (found is not None and msgspec.json.decode(found[0])["mark"] == mark):
        return None
    return StoreError(
        f"In the folder {settings.house} lie the decisions of another house (house.db), and settings now say {_aloud(settings.registry)}. "
        f"Nothing was changed. {BRING} If that house is gone, move its house.db away."
    )


def _require_decisions(house: House) -> None:
    """Raises StoreError where answers are there and no decision: they are those of a house whose decisions are elsewhere."""
    if house.journal.head().seq:
        return
    there = [where for where, any_ in _answered(house) if any_]
    if there:
        raise StoreError(
            f"{_aloud(house.settings.registry)} holds no decision, and {there[0]} holds answers: they are of a house whose decisions are "
            f"elsewhere. {BRING}"
        )


def _answered(house: House) -> Iterator[tuple[str, bool]]:
    yield str(house.settings.answers), bool(segments(house.settings.answers))
    yield _aloud(house.settings.lake), house.lake.tables.version(ANSWERS) is not None


# -- what is said ----------------------------------------------------------------------------------------------------------------------

BRING = (
    "Where a house is is said before there is one. To bring it elsewhere: everloop backup TO as it was, then everloop restore TO with the "
    "new URLs and a new folder (--house NEW)."
)


def _folder_of_another(settings: Settings, there: Known) -> StoreError:
    return StoreError(
        f"The folder {settings.house} belongs to the house whose decisions are at {there.registry}, and settings now say "
        f"{_aloud(settings.registry)}. Nothing was changed. {BRING} To begin another house beside it, say another folder: --house NEW."
    )


def _of_another(one: Belonging, settings: Settings) -> StoreError:
    return StoreError(
        f"The {one.what} at {_aloud(one.where)} is another house's than the decisions at {_aloud(settings.registry)} are. "
        f"Nothing was changed. Mend the URL. {BRING}"
    )


def _nothing_there(one: Belonging, there: Known | None) -> StoreError:
    field = {"event log": "events", "lake": "lake", "bodies": "blobs"}[one.what]
    before = f" It was at {getattr(there, field)} when this folder was last opened." if there is not None else ""
    return StoreError(
        f"This house has its {one.what} elsewhere: at {_aloud(one.where)} there is nothing of it.{before} Nothing was changed. "
        f"Mend the URL. {BRING}"
    )
