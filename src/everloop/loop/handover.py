"""Handing a version over: out of this house as one file, and into another, where it is a candidate like any other.

What is in the file was written by somebody else: every part is held against its hash, the artefact is built in a child process from types
that are trusted here, it has to know what the model knows here, and to answer its golden rows. Its lineage and the verdict it brought are
kept beside it; this house judges it by its own truths, of which none is as old as what it has learnt from. Both houses journal it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib.metadata import version as release_of
from pathlib import Path

from everloop.connect.dvc import track
from everloop.connect.whole import put
from everloop.errors import ArtefactBroken, LearnerFailed, Unknown
from everloop.loop import wiring as do
from everloop.loop.carded import card_of
from everloop.loop.house import House
from everloop.loop.keep import Keep, Step, keep_record
from everloop.loop.lineage import version_named
from everloop.loop.people import let_in
from everloop.loop.signing import keep_signature, sign_now, signature_here
from everloop.project.model import Model
from everloop.project.spoken import explain
from everloop.records import Candidate, Handover, Shape, TrainingSet, Verdict, Version, identity
from everloop.registry.card import markdown
from everloop.registry.history import Reason, why
from everloop.registry.one_file import (
    ARTEFACT,
    CARD,
    ENDING,
    EXPLAINED,
    GOLDEN,
    MOST,
    OF_ARTEFACT,
    RECORDS,
    Carried,
    Line,
    lines_in,
    lines_of,
    manifest_of,
    packed,
    records_text,
    unpacked,
)
from everloop.registry.sentences import clause
from everloop.training.artefact import load, unframed
from everloop.training.golden import check_golden

MOST_GOLDEN = 64 << 20
"""Bytes of golden rows that are believed: 64 questions are never more."""
MOST_SAID = 4_000
"""Characters of the verdict it brought that are kept in the journal; the lineage has it whole."""


def to_file(house: House, model: Model, name: str, file: Path, now: datetime, *, tracked: bool = False) -> Handover:
    """Write a version into one file, where ``tracked`` also what DVC pins it by, and journal that it left.

    A baseline and what answers elsewhere have no artefact that could go: Unknown. Raises ArtefactBroken, and EverloopError where the file
    cannot be written.
    """
    if file.suffix != ENDING:
        raise Unknown("kind of file for a version", file.name, (ENDING,), next="Name a file that ends so.")
    name = version_named(house, model, name).name
    data, head = file_of(house, model, name)
    put(file, data)
    if tracked:
        track(file, data)
    return _left(house, model, name, data, head, place=file.name, now=now)


def from_file(
    house: House,
    model: Model,
    file: Path,
    now: datetime,
    *,
    override: bool = False,
    trust: bool = False,
    by: str = "",
    reason: str = "",
) -> tuple[Handover, Verdict]:
    """Let the version in a file in as a candidate: what it brought, and the verdict of this house.

    ``trust`` builds whatever types its artefact names, and loads a pickle. Raises ArtefactBroken for a file that is not as it was written,
    was not signed by the key this house asks for, or builds what nobody here trusts; LearnerFailed for one of another model.
    """
    try:
        if file.stat().st_size > MOST:
            raise ArtefactBroken(f"{file.name} is larger than {MOST >> 30} GB, which no version is.")
        data = file.read_bytes()
    except OSError as error:
        raise Unknown("file", str(file), next=f"It cannot be read: {error.strerror}.") from error
    return taken_over(house, model, data, now, place=file.name, override=override, trust=trust, by=by, reason=reason)


def copy(
    house: House, other: House, model: Model, name: str, now: datetime, *, override: bool = False, by: str = "", reason: str = ""
) -> tuple[Handover, Verdict]:
    """A version of this house into another one, without a file between them; both journal it. What one built, the other may."""
    name = version_named(house, model, name).name
    data, head = file_of(house, model, name)
    there = other.project.model(model.name)
    done = taken_over(other, there, data, now, place=house.settings.stage or "", override=override, trust=True, by=by, reason=reason)
    _left(house, model, name, data, head, place=other.settings.stage or "", now=now)
    return done


def taken_over(
    house: House,
    model: Model,
    data: bytes,
    now: datetime,
    *,
    place: str,
    override: bool = False,
    trust: bool = False,
    by: str = "",
    reason: str = "",
) -> tuple[Handover, Verdict]:
    """The version in these bytes as a candidate, judged here. ``place`` is where it came from, in the journal."""
    where = place or "The version"
    carried = unpacked(data, where)
    signed = _signed(house, carried, where)
    check_carried(house, model, carried, where, trust=trust, signed=signed)
    sha = hashlib.sha256(data).hexdigest()

    def take_over(step: Step) -> Handover:
        return came_in(house, model, carried, id=step.id, file=sha, place=place, now=now, signed=signed)

    def admit_carried(step: Step, training_set: TrainingSet, handover: Handover) -> Candidate:
        if carried.artefact_signature is not None and house.settings.signing.key is not None:
            keep_signature(house, carried.candidate.artefact, carried.artefact_signature)
        return as_candidate(house, carried, id=step.id, made_from=(training_set.id, handover.id), now=now)

    def learnt(keep: Keep) -> tuple[Candidate, TrainingSet]:
        handovers.append(keep(take_over))
        training_set = keep(do.as_of_after, keep(do.snapshot), carried.candidate.learnt_until)
        return keep(admit_carried, training_set, handovers[0]), training_set

    handovers: list[Handover] = []
    verdict = let_in(house, model, now, f"admit {carried.version.name} {sha[:16]}", learnt, override=override, by=by, reason=reason)
    return handovers[0], verdict


def came_in(
    house: House, model: Model, carried: Carried, *, id: str, file: str, place: str, now: datetime, signed: bool = False
) -> Handover:
    """That a version came in: what the journal says of it, by the hash of its ``file``; its lineage is a body of its own."""
    verdict = carried.verdict
    return Handover(
        id=id,
        made_at=now,
        model=model.name,
        version=carried.version.name,
        way="in",
        file=file,
        head=carried.said.head,
        place=place,
        lineage=house.blobs.save(carried.records),
        judged=clause(verdict)[:MOST_SAID] if verdict else "",
        signed=signed,
    )


def as_candidate(house: House, carried: Carried, *, id: str, made_from: tuple[str, ...], now: datetime) -> Candidate:
    """What was carried as a candidate of this house, its bodies kept here. What it cost was paid elsewhere."""
    return replace(
        carried.candidate,
        id=id,
        made_at=now,
        made_from=made_from,
        artefact=house.blobs.save(carried.artefact),
        golden=None if carried.golden is None else house.blobs.save(carried.golden),
        cost=None,
    )


def check_carried(house: House, model: Model, carried: Carried, where: str, *, trust: bool = False, signed: bool = False) -> None:
    """Raise LearnerFailed unless what was carried answers as this model does here, ArtefactBroken unless it can be built and answers its
    golden rows as it did."""
    candidate = carried.candidate
    if candidate.model != model.name:
        raise LearnerFailed(f"{where} is a version of {candidate.model}, not of {model.name}. Say --model {candidate.model}.")
    if candidate.columns != model.columns:
        raise LearnerFailed(
            f"{where} knows {', '.join(candidate.columns) or 'nothing'}; {model.name} knows {', '.join(model.columns)} here. "
            "Bring both project files to the same knows=."
        )
    if _unlabelled(candidate.shape) != _unlabelled(model.shape):
        raise LearnerFailed(f"{where} answers with {candidate.shape.kind}; {model.name} answers with {model.shape.kind} here.")
    house.readings(candidate)  # each has to be one that this project file can read
    if candidate.format == "pickle" and not (trust and house.settings.pickle):
        raise ArtefactBroken(
            f"{where} is stored by pickle, which runs whatever code is in it. If you know who made it, allow pickle = true in [artefacts] "
            "of everloop.toml and say --trust; else train it again with a learner that skops can store."
        )
    if candidate.needs and not (trust or signed):
        # Also types of scikit-learn itself: skops warns that a crafted tree may make it read memory that is not its own.
        raise ArtefactBroken(
            f"{where} wants to build {', '.join(candidate.needs)}, which skops does not trust by itself. Say --trust only if you know who "
            "made it, or let it be signed: [signing] key."
        )
    house.in_child(partial(_answers_golden, carried, where, house.settings.pickle))


def _answers_golden(carried: Carried, where: str, allow_pickle: bool) -> None:
    """In a child: it is built, fed what it says it is fed, and answers its golden rows."""
    candidate = carried.candidate
    header, _ = unframed(carried.artefact, where)
    if (header.shape, header.feed.columns) != (candidate.shape, candidate.columns):
        raise ArtefactBroken(f"The artefact in {where} is fed or answers otherwise than its candidate says. Export it again.")
    made = load(candidate, lambda _: carried.artefact, allow_pickle=allow_pickle)
    if carried.golden is None or len(carried.golden) > MOST_GOLDEN:
        raise ArtefactBroken(f"{where} has no golden rows that could be asked, so nobody can tell whether it answers as it did.")
    check_golden(made, carried.golden, where=where)


def _signed(house: House, carried: Carried, where: str) -> bool:
    """Whether the file was signed by the key this house asks for. Raises ArtefactBroken where it asks for one and it was not."""
    key = house.settings.signing.key
    if key is None:
        return False
    if carried.manifest_signature is None:
        raise ArtefactBroken(
            f"{where} is not signed, and everloop.toml asks for the signature of the owner of {key.name}. "
            "Export it again from a house with [signing] private_key."
        )
    from everloop.connect.model_signing import verify

    verify(carried.manifest, carried.manifest_signature, key, where=where)
    return True


def _unlabelled(shape: Shape) -> Shape:
    return replace(shape, labels=())


def file_of(house: House, model: Model, name: str, *, baseline: bool = False) -> tuple[bytes, str]:
    """A version as the bytes of one file, and the journal's head that it names; of a baseline only where that is wanted. Raises Unknown."""
    version = version_named(house, model, name)
    candidate = house.candidate(version.candidate)
    if candidate.format == "elsewhere" or (candidate.format == "baseline" and not baseline):
        raise Unknown("artefact of", name, next=f"It is {candidate.learner}: every house makes it of its own figures.")
    keys, head = house.settings.signing, str(house.journal.head())
    bodies = {ARTEFACT: house.blobs.read(candidate.artefact)}
    if candidate.golden is not None:
        bodies[GOLDEN] = house.blobs.read(candidate.golden)
    bodies[RECORDS] = records_text(_lineage(house, version))
    bodies[CARD] = markdown(card_of(house, model, name)).encode()
    bodies[EXPLAINED] = explain(model).encode()
    signature = None
    signed = signature_here(house, candidate)
    if keys.private_key is not None:
        from everloop.connect.model_signing import sign

        if not signed.exists():
            sign_now(house, candidate)
        bodies[OF_ARTEFACT] = signed.read_bytes()
        manifest = manifest_of(version, bodies, head=head, release=release_of("everloop"))
        signature = sign(manifest, keys.private_key, keys.password)
    else:
        if signed.exists():
            bodies[OF_ARTEFACT] = signed.read_bytes()
        manifest = manifest_of(version, bodies, head=head, release=release_of("everloop"))
    return packed(manifest, bodies, signature), head


def _lineage(house: House, version: Version) -> list[Line]:
    """The rows of this journal behind a version; then those of the houses it came from, which came with it."""
    own = lines_of(house.store, sorted(_ids(why(house.journal, version.id))))
    came = [record for line in own if isinstance(record := house.journal.find(line.id), Handover) and record.lineage is not None]
    further = [line for record in came for line in lines_in(house.blobs.read(str(record.lineage)))]
    return list({(line.id, line.hash): line for line in (*own, *further)}.values())


def _left(house: House, model: Model, name: str, data: bytes, head: str, *, place: str, now: datetime) -> Handover:
    version, sha = version_named(house, model, name), hashlib.sha256(data).hexdigest()
    left = Handover(
        id=identity("handover", version.id, sha, place),
        made_at=now,
        made_from=(version.id,),
        model=model.name,
        version=version.name,
        way="out",
        file=sha,
        head=head,
        place=place,
        signed=house.settings.signing.private_key is not None,
    )
    with house.store.transaction() as t:
        return keep_record(house, t, left, model=model, turn=None, verb="export")


def _ids(reason: Reason) -> set[str]:
    found = {reason.id}
    for parent in reason.parents:
        found |= _ids(parent)
    return found
