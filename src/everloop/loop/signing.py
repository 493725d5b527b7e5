"""Signatures of what answers: made where a version is let in, proven before it is loaded to answer. Without ``[signing]`` nobody is asked.

A signature is of an artefact's bytes, named by the artefact's SHA-256. It is kept in the house's database, where every machine of the house
finds it, and lies in ``signatures/`` of each house folder, where workers find it without the database: whoever writes the routes puts it
there before they name what it signs. A baseline builds nothing and is made of the house's own figures: nobody signs it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.clock import EPOCH
from everloop.connect.whole import put
from everloop.errors import ArtefactBroken, EverloopError
from everloop.records import Candidate
from everloop.settings import Settings

if TYPE_CHECKING:
    from everloop.loop.house import House

UNSIGNED = ("baseline", "elsewhere")
SIGNATURE = "signature"
"""What the name of the fact that holds a signature begins with; the SHA-256 of the artefact follows."""


def sign_artefact(house: House, candidate: Candidate) -> None:
    """Sign what is about to be let in, where this house has a private key; where it only asks for signatures, require one.

    Raises ArtefactBroken where the key this house asks for has not signed it, Missing without the library.
    """
    if _unsigned(candidate):
        return
    if house.settings.signing.private_key is not None and not signature_here(house, candidate).exists():
        sign_now(house, candidate)
    proven_here(house, candidate, name=f"A candidate for {candidate.model}")


def sign_now(house: House, candidate: Candidate) -> Path:
    """Sign a candidate's artefact by the private key of this house; where the signature lies. Raises EverloopError without such a key."""
    keys = house.settings.signing
    if keys.private_key is None:
        raise EverloopError('Nothing is signed here: everloop.toml names no key. Say private_key = "release.key" in [signing].')
    from everloop.connect.model_signing import sign

    return keep_signature(house, candidate.artefact, sign(house.blobs.read(candidate.artefact), keys.private_key, keys.password))


def proven_here(house: House, candidate: Candidate, *, name: str = "") -> None:
    """As ``proven``, wherever in the house it was signed. Raises ArtefactBroken."""
    if house.settings.signing.key is not None:
        signature_here(house, candidate)
    proven(house.settings, candidate, house.blobs.read, name=name)


def proven(settings: Settings, candidate: Candidate, open: Callable[[str], bytes], *, name: str = "") -> None:
    """Raise ArtefactBroken unless the artefact is as the key this house asks for signed it; nothing where it asks for none.

    ``open`` gives the bytes of a SHA-256, ``name`` is what an error calls the candidate.
    """
    key = settings.signing.key
    if key is None or _unsigned(candidate):
        return
    name = name or f"Candidate {candidate.id} of {candidate.model}"
    path = signature_file(settings, candidate.artefact)
    try:
        signature = path.read_bytes()
    except OSError as error:
        raise ArtefactBroken(
            f"{name} has no signature, and everloop.toml lets nothing answer here that was not signed by the owner of {key.name}. "
            "Sign it where it was learnt ([signing] private_key there), export it again, and admit it here."
        ) from error
    from everloop.connect.model_signing import verify

    verify(open(candidate.artefact), signature, key, where=name)


def _unsigned(candidate: Candidate) -> bool:
    """Whether there is nothing to sign: figures that the house made itself. A baseline that another model learnt was signed for that."""
    return candidate.format in UNSIGNED and candidate.stored is None


def signature_file(settings: Settings, artefact: str) -> Path:
    """Where the signature of an artefact lies, or would."""
    return settings.signatures / f"{artefact}.sig"


def signature_here(house: House, candidate: Candidate) -> Path:
    """Where the signature of a candidate's artefact lies in this folder, put there where another machine signed it; or would lie.

    Raises EverloopError where the folder cannot be written.
    """
    path = signature_file(house.settings, candidate.artefact)
    if _unsigned(candidate):
        return path
    fact = house.facts.latest("", f"{SIGNATURE} {candidate.artefact}")
    if fact is not None:
        signature = b64decode(fact.body["signature"])
        if not path.exists() or path.read_bytes() != signature:
            put(path, signature)
    return path


def keep_signature(house: House, artefact: str, signature: bytes) -> Path:
    """Keep a signature for every machine of the house, and put it where the workers of this one look for it; where that is.

    Raises EverloopError where the folder cannot be written.
    """
    with house.store.transaction() as t:
        house.facts.put(t, "", f"{SIGNATURE} {artefact}", EPOCH, {"signature": b64encode(signature).decode()})
    return put(signature_file(house.settings, artefact), signature)
