"""A predictor as bytes and back: skops by default, LightGBM's and XGBoost's own forms, pickle where the house allows it. No clock, no disk.

An artefact is one line of magic, a header in JSON (what it is fed, what it answers), and a body. Types are built on loading only if the
candidate names them in ``needs``, and only from bytes whose SHA-256 the candidate records; nothing is unpickled otherwise.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeAlias

import msgspec

from everloop.errors import ArtefactBroken, EverloopError, LearnerFailed
from everloop.records import Candidate, Shape
from everloop.training.boosted import Boosted, boosted_of, is_boosted
from everloop.training.feed import Feed
from everloop.training.onnxed import Onnx
from everloop.training.predictor import Fitted, Predictor
from everloop.training.settled import settled
from everloop.training.xgboosted import XGBoosted, is_xgboosted, xgboosted_of

Format: TypeAlias = Literal["baseline", "skops", "lightgbm", "xgboost", "onnx", "pickle"]
MAGIC = b"everloop artefact 1\n"


class Header(msgspec.Struct, frozen=True):
    """What stands before the body: what it is, what it is fed, what its answers look like."""

    format: Format
    shape: Shape
    feed: Feed


@dataclass(frozen=True)
class Artefact:
    """A predictor as bytes. ``needs`` names the types that are built on loading and are not among those skops trusts by itself."""

    body: bytes
    format: Format
    needs: tuple[str, ...] = ()


def dump(predictor: Predictor, *, allow_pickle: bool = False) -> Artefact:
    """A predictor as bytes, by the safest form that can hold it.

    Raises LearnerFailed where only pickle could hold it and the house does not allow that.

    >>> from sklearn.linear_model import Ridge
    >>> made = dump(Predictor(Shape(kind="number"), Feed(("x",)), Ridge().fit([[0.0], [1.0]], [0.0, 1.0])))
    >>> made.format, made.needs
    ('skops', ())
    """
    fitted = predictor.fitted
    if _all(is_boosted, fitted):
        return Artefact(_framed(predictor, "lightgbm", _boosted_text(fitted)), "lightgbm")
    if _all(is_xgboosted, fitted):
        return Artefact(_framed(predictor, "xgboost", _xgboosted_bytes(fitted)), "xgboost")
    if isinstance(fitted, Onnx):
        return Artefact(_framed(predictor, "onnx", _onnx_bytes(fitted)), "onnx")
    try:
        body, needs = _skops_of(fitted)
        return Artefact(_framed(predictor, "skops", body), "skops", needs)
    except Exception as error:
        if not allow_pickle:
            raise LearnerFailed(
                f"{type(fitted).__name__} cannot be stored without pickle ({type(error).__name__}: {error}). Define its class in a "
                "module, or allow "
                "pickle = true in [artefacts] of everloop.toml if everybody who can write to the house may run code in it."
            ) from error
    try:
        return Artefact(_framed(predictor, "pickle", pickle.dumps(fitted, protocol=5)), "pickle")
    except Exception as error:
        raise LearnerFailed(f"{type(fitted).__name__} cannot be stored: {error}. Define its class in a module.") from error


def load(candidate: Candidate, open: Callable[[str], bytes], *, allow_pickle: bool = False) -> Predictor:
    """The predictor a candidate's artefact holds. ``open`` gives the bytes of a SHA-256.

    Raises ArtefactBroken where the bytes are not those recorded, are no artefact, need a type that is not recorded, or need pickle
    where it is not allowed. Baselines are loaded by ``baseline.load_baseline``.
    """
    data = open(candidate.artefact)
    if hashlib.sha256(data).hexdigest() != candidate.artefact:
        _broken(candidate.id, "its SHA-256 is not the one recorded")
    header, body = unframed(data, candidate.id)
    recorded = candidate.stored or candidate.format
    if header.format != recorded:
        _broken(candidate.id, f"it is {header.format} where {recorded} was recorded")
    if header.format == "pickle" and not allow_pickle:
        raise ArtefactBroken(
            f"Candidate {candidate.id} is stored by pickle, which runs whatever code is in it. Say pickle = true in [artefacts] of "
            "everloop.toml if you "
            "trust who wrote it, or train again with a learner that skops can store."
        )
    return Predictor(header.shape, header.feed, thawed(header.format, body, candidate.needs, candidate.id))


def thawed(format: Format, body: bytes, needs: tuple[str, ...], where: str) -> Fitted:
    """The fitted object in a body; types beyond ``needs`` are refused. Raises ArtefactBroken."""
    try:
        if format == "lightgbm":
            return _boosted_from(body)
        if format == "xgboost":
            return _xgboosted_from(body)
        if format == "onnx":
            return _onnx_from(body)
        if format == "pickle":
            return pickle.loads(body)
        return _skops_from(body, needs, where)
    except EverloopError:
        raise
    except Exception as error:
        raise ArtefactBroken(
            f"{where} cannot be loaded: {type(error).__name__}: {error}. If its class moved or its library changed, bring that back; else "
            "train again."
        ) from error


def unframed(data: bytes, where: str) -> tuple[Header, bytes]:
    """Header and body of an artefact. Raises ArtefactBroken where it is none."""
    if not data.startswith(MAGIC):
        _broken(where, "it does not begin as an artefact does")
    start = len(MAGIC) + 8
    length = int.from_bytes(data[len(MAGIC) : start], "little")
    if start + length > len(data):
        _broken(where, "it ends before its header does")
    try:
        header = msgspec.json.decode(data[start : start + length], type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _broken(where, f"its header cannot be read ({error})")
    return header, data[start + length :]


def framed(header: Header, body: bytes) -> bytes:
    """A header and a body as one artefact."""
    said = msgspec.json.encode(header)
    return MAGIC + len(said).to_bytes(8, "little") + said + body


def _framed(predictor: Predictor, format: Format, body: bytes) -> bytes:
    return framed(Header(format, predictor.shape, predictor.feed), body)


def _broken(where: str, why: str) -> NoReturn:
    raise ArtefactBroken(f"The artefact of {where} is broken: {why}. Restore it from a backup, or train again.")


def _skops_of(fitted: Fitted) -> tuple[bytes, tuple[str, ...]]:
    import skops.io

    # skops knows lists, not dicts with numbers for keys.
    said = {"levels": list(fitted), "fitted": list(fitted.values())} if isinstance(fitted, Mapping) else fitted
    body = settled(skops.io.dumps(said))
    needs = tuple(sorted(skops.io.get_untrusted_types(data=body)))
    # What cannot be read back must not become a candidate.
    skops.io.loads(body, trusted=list(needs))
    return body, needs


def _skops_from(body: bytes, needs: tuple[str, ...], where: str) -> Fitted:
    import skops.io

    with zipfile.ZipFile(io.BytesIO(body)) as parts:
        if parts.testzip() is not None:
            _broken(where, "its bytes are damaged")
    unlisted = sorted(set(skops.io.get_untrusted_types(data=body)) - set(needs))
    if unlisted:
        raise ArtefactBroken(
            f"{where} wants to build {', '.join(unlisted)}, which nobody has recorded as needed. Do not load it; train again."
        )
    said = skops.io.loads(body, trusted=list(needs))
    if isinstance(said, dict) and set(said) == {"levels", "fitted"}:
        return dict(zip(said["levels"], said["fitted"], strict=True))
    return said


def _all(is_one: Callable[[object], bool], fitted: Fitted) -> bool:
    parts = fitted.values() if isinstance(fitted, Mapping) else [fitted]
    return all(is_one(part) for part in parts)


def _boosted_text(fitted: Fitted) -> bytes:
    parts = fitted if isinstance(fitted, Mapping) else {None: fitted}
    made = [(level, boosted_of(part)) for level, part in parts.items()]
    return json.dumps([{"level": level, "kind": b.kind, "classes": b.classes_, "text": b.text} for level, b in made]).encode()


def _boosted_from(body: bytes) -> Fitted:
    said: list[dict[str, Any]] = json.loads(body)
    made = {part["level"]: Boosted(part["kind"], part["text"], tuple(part["classes"])) for part in said}
    for part in made.values():
        part.booster  # noqa: B018 — read now, so that what is broken says so before anybody is answered
    return made[None] if set(made) == {None} else made


def _xgboosted_bytes(fitted: Fitted) -> bytes:
    parts = fitted if isinstance(fitted, Mapping) else {None: fitted}
    made = [(level, xgboosted_of(part)) for level, part in parts.items()]
    return msgspec.msgpack.encode([{"level": level, "kind": b.kind, "classes": b.classes_, "body": b.body} for level, b in made])


def _xgboosted_from(body: bytes) -> Fitted:
    said: list[dict[str, Any]] = msgspec.msgpack.decode(body)
    made = {part["level"]: XGBoosted(part["kind"], part["body"], tuple(part["classes"])) for part in said}
    for part in made.values():
        part.booster  # noqa: B018 — read now, so that what is broken says so before anybody is answered
    return made[None] if set(made) == {None} else made


def _onnx_bytes(fitted: Onnx) -> bytes:
    return msgspec.msgpack.encode({"columns": fitted.columns, "classes": fitted.classes_, "body": fitted.body})


def _onnx_from(body: bytes) -> Onnx:
    said = msgspec.msgpack.decode(body)
    made = Onnx(said["body"], tuple(said["columns"]), tuple(said["classes"]))
    made.session  # noqa: B018 — read now, so that what is broken says so before anybody is answered
    return made
