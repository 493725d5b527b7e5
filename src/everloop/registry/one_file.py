"""A version as one file: its artefact, golden rows, card, and what the journal says of it and of all it was made from. No clock, no disk.

In: bodies and rows of a journal. Out: bytes, and the same back. The file is a ZIP in which nothing is compressed, so that no small file
becomes a large one, with a ``manifest.json`` of each part's SHA-256. It is read by the names of its parts and never unpacked onto a disk.
Whatever is not as it was written is ArtefactBroken, with a sentence. Nothing of it is believed because it says so: the hashes find mistakes
and damage; who made the file is known by its signature alone.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from sqlalchemy import select

from everloop.errors import ArtefactBroken, EverloopError
from everloop.records import Candidate, Record, Verdict, Version
from everloop.registry.journal import JOURNAL, seal
from everloop.registry.store import Store
from everloop.registry.written import read_back, written

ENDING: Final = ".everloop"
FORM: Final = 1
MOST: Final = 4 << 30
"""Bytes of a file that is looked at, at most."""
MANIFEST, ARTEFACT, GOLDEN, RECORDS, CARD, EXPLAINED = (
    "manifest.json",
    "artefact",
    "golden.parquet",
    "records.jsonl",
    "card.md",
    "explained.txt",
)
OF_ARTEFACT, OF_MANIFEST = "artefact.sig", "manifest.sig"
PARTS: Final = (ARTEFACT, GOLDEN, RECORDS, CARD, EXPLAINED, OF_ARTEFACT)
R = TypeVar("R", bound=Record)


class Part(msgspec.Struct, frozen=True):
    """One part of the file: what its bytes hash to, and how many they are."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """What the file says it holds. ``head`` is where the journal ended that its records are from."""

    form: int
    everloop: str
    model: str
    version: str
    head: str
    parts: dict[str, Part]


class Line(msgspec.Struct, frozen=True):
    """One row of a journal, with the hash it was sealed with."""

    seq: int
    id: str
    model: str | None
    turn: str | None
    verb: str
    kind: str
    at: int
    body: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Carried:
    """A version out of its house. ``manifest`` are the bytes that ``manifest_signature`` is of."""

    said: Manifest
    lines: tuple[Line, ...]
    version: Version
    candidate: Candidate
    verdict: Verdict | None
    artefact: bytes
    golden: bytes | None
    manifest: bytes
    records: bytes
    artefact_signature: bytes | None = None
    manifest_signature: bytes | None = None


def lines_of(store: Store, ids: Sequence[str]) -> list[Line]:
    """The journal's rows of these records, in the order they were kept; what the journal does not have is left out."""
    with store.reading() as connection:
        found = {
            row.seq: Line(**row._mapping)
            for id in dict.fromkeys(ids)
            for row in connection.execute(select(JOURNAL).where(JOURNAL.c.id == id))
        }
    return [found[seq] for seq in sorted(found)]


def manifest_of(version: Version, bodies: Mapping[str, bytes], *, head: str, release: str) -> bytes:
    """What ``packed`` writes about these parts; whoever signs signs this."""
    parts = {name: Part(hashlib.sha256(body).hexdigest(), len(body)) for name, body in bodies.items()}
    said = Manifest(form=FORM, everloop=release, model=version.model, version=version.name, head=head, parts=parts)
    return msgspec.json.format(msgspec.json.encode(said, order="sorted"), indent=1) + b"\n"


def packed(manifest: bytes, bodies: Mapping[str, bytes], signature: bytes | None = None) -> bytes:
    """The file: the manifest, the parts it names, and the manifest's signature, if there is one. The same parts are the same bytes."""
    whole = {MANIFEST: manifest, **bodies, **({OF_MANIFEST: signature} if signature is not None else {})}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:
        for name, body in whole.items():
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), body)
    return sink.getvalue()


def records_text(lines: Sequence[Line]) -> bytes:
    """Rows of a journal, one a line."""
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def records_in(body: bytes) -> list[Record]:
    """The records of such text: what a lineage that was kept says. Those of a kind this release does not know are left out."""
    found: list[Record] = []
    for line in lines_in(body):
        with suppress(EverloopError):
            found.append(read_back(line.kind, line.body))
    return found


def lines_in(body: bytes) -> list[Line]:
    """The rows such text holds, as they stand there; none is held against its hash, for it was when it came in."""
    return [msgspec.json.decode(line, type=Line) for line in body.splitlines()]


def unpacked(data: bytes, where: str) -> Carried:
    """What a file holds, every part as its manifest says and every record as it was sealed. ``where`` is what an error calls the file.

    Raises ArtefactBroken for anything else: damage, parts nobody knows, compressed ones, other bytes, records that do not fit.
    """
    bodies = _bodies(data, where)
    said = _decoded(bodies[MANIFEST], Manifest, where)
    if said.form != FORM:
        _broken(where, f"it has form {said.form}, and this release reads form {FORM}: pip install --upgrade everloop")
    missing = {ARTEFACT, RECORDS} - said.parts.keys()
    if missing:
        _broken(where, f"it has no {' and no '.join(sorted(missing))}")
    if (there := bodies.keys() - {MANIFEST, OF_MANIFEST}) != said.parts.keys():
        _broken(where, f"its manifest does not name what it holds ({', '.join(sorted(there ^ said.parts.keys()))})")
    for name, part in said.parts.items():
        if (len(bodies[name]), hashlib.sha256(bodies[name]).hexdigest()) != (part.bytes, part.sha256):
            _broken(where, f"{name} is not what its manifest says: it was cut off or changed")
    lines = _lines(bodies[RECORDS], where)
    version = _record(lines, where, Version, lambda one: (one.model, one.name) == (said.model, said.version), said.version)
    candidate = _record(lines, where, Candidate, lambda one: one.id == version.candidate, f"the candidate of {said.version}")
    verdict = None
    if version.verdict is not None:
        verdict = _record(lines, where, Verdict, lambda one: one.id == version.verdict, f"the verdict on {said.version}")
    _fits(candidate, version, said, where)
    return Carried(
        said=said,
        lines=lines,
        version=version,
        candidate=candidate,
        verdict=verdict,
        artefact=bodies[ARTEFACT],
        golden=bodies.get(GOLDEN),
        manifest=bodies[MANIFEST],
        records=bodies[RECORDS],
        artefact_signature=bodies.get(OF_ARTEFACT),
        manifest_signature=bodies.get(OF_MANIFEST),
    )


def _bodies(data: bytes, where: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            there = file.infolist()
            _plain(there, len(data), where)
            return {one.filename: file.read(one) for one in there}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        _broken(where, f"it cannot be read ({error})")


def _plain(there: Sequence[zipfile.ZipInfo], size: int, where: str) -> None:
    """Refuse what a file of ours never holds, before a byte of it is read."""
    names = [one.filename for one in there]
    strange = sorted({*names} - {MANIFEST, OF_MANIFEST, *PARTS})
    if strange:
        _broken(where, f"it holds {strange[0][:80]!r}, which no version has")
    if len({*names}) != len(names):
        _broken(where, "it holds a part twice")
    if MANIFEST not in names:
        _broken(where, f"it has no {MANIFEST}")
    if any(one.compress_type != zipfile.ZIP_STORED or one.file_size != one.compress_size for one in there):
        _broken(where, "something in it is compressed, and nothing in a file of ours is")
    if sum(one.file_size for one in there) > size:
        _broken(where, "its parts are larger than the file")


def _lines(body: bytes, where: str) -> tuple[Line, ...]:
    lines = tuple(_decoded(line, Line, where) for line in body.splitlines())
    for line in lines:
        if seal({**msgspec.structs.asdict(line)}) != line.hash:
            _broken(where, f"what record {line.id[:32]!r} says is not what was sealed")
    return lines


def _record(lines: Sequence[Line], where: str, kind: type[R], is_it: Any, what: str) -> R:
    for line in lines:
        if line.kind != kind.__name__:
            continue
        try:
            record = read_back(line.kind, line.body)
            written(record)  # what could not be kept here is refused: instants without a zone, numbers that are none
        except (EverloopError, RecursionError) as error:
            _broken(where, f"a record of it cannot be read ({error})")
        if isinstance(record, kind) and record.id == line.id and is_it(record):
            return record
    raise _refused(where, f"its records do not tell of {what}")


def _fits(candidate: Candidate, version: Version, said: Manifest, where: str) -> None:
    golden = said.parts.get(GOLDEN)
    if candidate.model != version.model:
        _broken(where, f"its version is of {version.model}, and its candidate of {candidate.model}")
    if candidate.artefact != said.parts[ARTEFACT].sha256:
        _broken(where, "its artefact is not the one its candidate was recorded with")
    if candidate.golden != (golden.sha256 if golden else None):
        _broken(where, "its golden rows are not those its candidate was recorded with")


T = TypeVar("T")


def _decoded(body: bytes, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _broken(where, f"what it says cannot be read ({error})")


def _broken(where: str, why: str) -> NoReturn:
    raise _refused(where, why)


def _refused(where: str, why: str) -> ArtefactBroken:
    return ArtefactBroken(f"{where} is no version that could be let in: {why}. Export it again: everloop export version VERSION --to FILE")
