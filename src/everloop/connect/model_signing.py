"""Signatures by OpenSSF model-signing: bytes and a key in, a Sigstore bundle out; and back. The only file that imports it.

Source: OpenSSF Model Signing Specification 1.0, https://github.com/ossf/model-signing-spec. A bundle is what
``model_signing sign key`` writes and ``model_signing verify key`` reads: the SHA-256 of a file in an in-toto statement, signed by an
elliptic key. Absent: clock, house.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from everloop.errors import ArtefactBroken, EverloopError, Missing

NAME = "model"
"""What a signed file is called within its bundle, wherever it lies."""


def sign(body: bytes, private_key: Path, password: str | None = None) -> bytes:
    """The bundle that says: whoever has this private key (PEM, elliptic) has signed these bytes.

    Raises Missing without the library, EverloopError where the key cannot be read.
    """
    try:
        from model_signing import signing
    except ImportError as error:
        raise Missing("model-signing", "signing", "[signing] private_key") from error

    secret: Any = None if password is None else password.encode()  # it says text and takes bytes
    with tempfile.TemporaryDirectory() as folder:
        model, bundle = _placed(Path(folder), body)
        try:
            signing.Config().use_elliptic_key_signer(private_key=private_key, password=secret).sign(model, bundle)
        except (OSError, ValueError, TypeError) as error:
            raise EverloopError(f"Nothing can be signed by {private_key}: {error}. It has to be an elliptic key in PEM.") from error
        return bundle.read_bytes()


def verify(body: bytes, signature: bytes, key: Path, *, where: str) -> None:
    """Raise ArtefactBroken unless the bundle is of these bytes, by the private key to this public one. ``where`` is what errors call them.

    Raises Missing without the library, EverloopError where the key cannot be read.
    """
    try:
        from model_signing import verifying
    except ImportError as error:
        raise Missing("model-signing", "signing", "[signing] key") from error

    with tempfile.TemporaryDirectory() as folder:
        model, bundle = _placed(Path(folder), body)
        bundle.write_bytes(signature)
        try:
            asked = verifying.Config().use_elliptic_key_verifier(public_key=key)
        except (OSError, ValueError, TypeError) as error:
            raise EverloopError(f"No signature can be proven by {key}: {error}. It has to be a public elliptic key in PEM.") from error
        try:
            asked.verify(model, bundle)
        except Exception as error:  # whatever a bundle somebody else wrote makes of the library
            raise ArtefactBroken(
                f"{where} is not as the owner of {key.name} signed it ({type(error).__name__}: {error}). Do not use it: "
                "take it from where it was signed."
            ) from error


def _placed(folder: Path, body: bytes) -> tuple[Path, Path]:
    model = folder / NAME
    model.write_bytes(body)
    return model, folder / "bundle.json"
