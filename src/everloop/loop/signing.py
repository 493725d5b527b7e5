"""Signatures of what answers: made where a version is let in, proven before it is loaded to answer. Without ``[signing]`` nobody is asked.

A signature is of an artefact's bytes and lies in ``signatures/`` of the house, named by the artefact's SHA-256, where workers find it
without the house's database. A baseline builds nothing and is made of the house's own figures: nobody signs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from everloop.errors import ArtefactBroken, EverloopError
from everloop.records import Candidate
from everloop.settings import Settings

if TYPE_CHECKING:
    from everloop.loop.house import House

UNSIGNED = ("baseline", "elsewhere")


def sign_artefact(house: House, candidate: Candidate) -> None:
    """Sign what is about to be let in, where this house has a private key; where it only asks for signatures, require one.

    Raises ArtefactBroken where the key this house asks for has not signed it, Missing without the library.
    """
    if candidate.format in UNSIGNED:
        return
    if house.settings.signing.private_key is not None and not signature_file(house.settings, candidate.artefact).exists():
        sign_now(house, candidate)
    proven(house.settings, candidate, house.blobs.read, name=f"A candidate for {candidate.model}")


def sign_now(house: House, candidate: Candidate) -> Path:
    """Sign a candidate's artefact by the private key of this house; where the signature lies. Raises EverloopError without such a key."""
    keys = house.settings.signing
    if keys.private_key is None:
        raise EverloopError('Nothing is signed here: everloop.toml names no key. Say private_key = "release.key" in [signing].')
    from everloop.connect.model_signing import sign

    keep_signature(house.settings, candidate.artefact, sign(house.blobs.read(candidate.artefact), keys.private_key, keys.password))
    return signature_file(house.settings, candidate.artefact)


def proven(settings: Settings, candidate: Candidate, open: Callable[[str], bytes], *, name: str = "") -> None:
    """Raise ArtefactBroken unless the artefact is as the key this house asks for signed it; nothing where it asks for none.

    ``open`` gives the bytes of a SHA-256, ``name`` is what an error calls the candidate.
    """
    key = settings.signing.key
    if key is None or candidate.format in UNSIGNED:
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


def signature_file(settings: Settings, artefact: str) -> Path:
    """Where the signature of an artefact lies, or would."""
    return settings.signatures / f"{artefact}.sig"


def keep_signature(settings: Settings, artefact: str, signature: bytes) -> None:
    """Put a signature where workers look for it, whole or not at all. Raises EverloopError where the folder cannot be written."""
    from everloop.connect.whole import put

    put(signature_file(settings, artefact), signature)
