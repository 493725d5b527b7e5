"""The Open Inference Protocol, version 2, over REST: tensors become requests, answers become tensors. Values in, values out.

The shapes are those of open-inference-protocol's inference_rest.md. A model's inputs are its columns, one tensor for each, of the shape
``[n]`` or ``[n, 1]``; its outputs are what it answers, and who answered. Data may be nested or flat; the binary extension is not spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from everloop.project.model import Model
from everloop.serving import asks
from everloop.serving.bodies import json_value, said_type
from everloop.serving.doors import InForce, Row
from everloop.serving.fits import MOST_REQUESTS, Fit
from everloop.serving.invocations import all_answered, values_of
from everloop.serving.refused import RefusedError, did_you_mean, short
from everloop.serving.tabular import inputs_of, requests_of

PLATFORM = "everloop"
DATATYPE = {"text": "BYTES", "yes or no": "BOOL", "whole": "INT64", "number": "FP64"}


class InferenceServer(Struct):
    """Which server this is."""

    name: str
    version: str
    extensions: list[str] = []


class InferenceLive(Struct):
    """The server lives."""

    live: bool


class InferenceReady(Struct):
    """Whether the server can answer. The protocol's own text calls this ``live`` in one place and ``ready`` in another; both are said."""

    ready: bool
    live: bool


class InferenceModelReady(Struct):
    """Whether a model can answer."""

    name: str
    ready: bool


class TensorColumn(Struct):
    """One tensor a model takes or gives; -1 is any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class InferenceModel(Struct):
    """What a model takes and gives. ``versions``: the champion, and the candidate where a roll-out is under way."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorColumn]
    outputs: list[TensorColumn]


class Tensor(Struct):
    """Values of one column, row by row, nested as ``shape`` says or flat."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class WantedTensor(Struct):
    """An output that is wanted."""

    name: str
    parameters: dict[str, Any] = {}


class InferAsk(Struct):
    """What is asked: a tensor for each column, and which outputs are wanted (none said: all). Parameters change nothing here."""

    inputs: list[Tensor]
    id: str | UnsetType = UNSET
    outputs: list[WantedTensor] = []
    parameters: dict[str, Any] = {}


class TensorReply(Struct):
    """Values of one output, flat, row by row."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferReply(Struct):
    """What is answered. ``model_version``, and in ``parameters`` ``arm``, ``rollout`` and ``prediction_id``, are said where they are the
    same for every row; the outputs ``version``, ``arm`` and ``prediction_id`` say them row by row."""

    model_name: str
    outputs: list[TensorReply]
    model_version: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    parameters: dict[str, str] | UnsetType = UNSET


class InferError(Struct):
    """Why not."""

    error: str


# -- what there is -------------------------------------------------------------------------------------------------------------------


def server(version: str) -> InferenceServer:
    """This server."""
    return InferenceServer("everloop", version)


def metadata(fit: Fit, force: InForce) -> InferenceModel:
    """What a model takes and gives."""
    inputs = [TensorColumn(name, DATATYPE[kind], [-1, 1]) for name, kind in inputs_of(fit).items()]
    outputs = [TensorColumn(name, datatype, _dimensions(fit, name)) for name, datatype in _gives(fit)]
    return InferenceModel(fit.model.name, [number(name) for name in force.names], PLATFORM, inputs, outputs)


def number(version: str) -> str:
    """A version as the protocol says it: without its model's name.

    >>> number("demand@3")
    '3'
    """
    return version.rpartition("@")[2]


def version_in(model: Model, force: InForce, said: str) -> str:
    """The version that is meant, as people call it. Raises RefusedError (404) for one that answers nobody now."""
    for name in force.names:
        if said in (name, number(name)):
            return name
    there = " and ".join(number(name) for name in force.names)
    raise RefusedError("unknown", f"Version {short(said)} of {model.name} answers nobody now. In force: {there}. Ask without a version.")


def all_by(model: Model, version: str, assigned: Sequence[str]) -> None:
    """Raises RefusedError (404) unless this version is the one that answers every row: who answers whom is the roll-out's to say."""
    for at, name in enumerate(assigned):
        if name != version:
            what = f"Row {at} is answered by version {number(name)} of {model.name}, not by {number(version)}."
            raise RefusedError("unknown", f"{what} A roll-out says who answers whom: ask /v2/models/{model.name}/infer.")


# -- what is asked -------------------------------------------------------------------------------------------------------------------


def meant(fit: Fit, body: bytes) -> tuple[InferAsk, list[Row]]:
    """What a body asks: itself, and its rows as requests. Raises RefusedError (400, 413, 422)."""
    try:
        ask = msgspec.convert(json_value(body), InferAsk)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        at = where.strip(".`") or "The body"
        raise RefusedError("invalid", f"{at}: {what}. Say id, parameters, inputs and outputs as the protocol has them.") from None
    for wanted in ask.outputs:
        known = [name for name, _ in _gives(fit)]
        if wanted.name not in known:
            near = did_you_mean(wanted.name, known)
            raise RefusedError("invalid", f"{fit.model.name} has no output {short(wanted.name)}.{near} It has {', '.join(known)}.")
    return ask, requests_of(fit, _rows(ask.inputs))


def _rows(inputs: Sequence[Tensor]) -> list[dict[str, Any]]:
    columns: dict[str, list[Any]] = {}
    for tensor in inputs:
        if tensor.name in columns:
            raise RefusedError("invalid", f"The input {short(tensor.name)} comes twice. Say it once.")
        columns[tensor.name] = _values(tensor)
    lengths = {name: len(values) for name, values in columns.items()}
    if not columns or len(set(lengths.values())) > 1:
        told = ", ".join(f"{count:,} of {short(name)}" for name, count in list(lengths.items())[:10]) or "there are none"
        raise RefusedError("invalid", f"Each input has one value for each row: {told}. Send one tensor for each column, all of one length.")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(tensor: Tensor) -> list[Any]:
    """The values of one column, each of the datatype it says (null: not known), as many as its shape says."""
    named, shape = f"The input {short(tensor.name)}", tensor.shape
    if len(shape) not in (1, 2) or shape[0] < 0 or shape[1:] not in ([], [1]):
        raise RefusedError("invalid", f"{named} has the shape {shape[:8]}. Send one tensor for each column, of the shape [n] or [n, 1].")
    if shape[0] > MOST_REQUESTS:
        raise RefusedError("too_large", f"{named} has {shape[0]:,} rows. Send at most {MOST_REQUESTS:,}.")
    data = tensor.data
    if shape[1:] and data and all(isinstance(one, list) and len(one) == 1 for one in data):
        data = [one[0] for one in data]
    if len(data) != shape[0]:
        raise RefusedError("invalid", f"{named} has the shape {shape} and {len(data):,} values. Send as many as the shape says.")
    right = _DATATYPES.get(tensor.datatype)
    if right is None:
        raise RefusedError("invalid", f"{named} has the datatype {short(tensor.datatype)}. There is {', '.join(_DATATYPES)}.")
    wrong = next((one for one in data if one is not None and not right(one)), None)
    if wrong is not None:
        raise RefusedError("invalid", f"{named} is {tensor.datatype} and holds {said_type(wrong)} that is none.")
    return data


def _between(least: int, most: int) -> Callable[[object], bool]:
    return lambda one: type(one) is int and least <= one <= most


_DATATYPES: Mapping[str, Callable[[object], bool]] = {
    "BOOL": lambda one: isinstance(one, bool),
    **{f"UINT{bits}": _between(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": _between(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": lambda one: type(one) in (int, float) for bits in (16, 32, 64)},
    "BYTES": lambda one: isinstance(one, str),
}


# -- what is answered ----------------------------------------------------------------------------------------------------------------

_OF_THE_MODEL = ("labels", "levels")
"""Outputs that are the model's and have no rows."""
_DIMENSIONS = {"labels": [-1], "levels": [-1], "shares": [-1, -1], "items": [-1, -1], "scores": [-1, -1], "quantiles": [-1, -1, -1]}
"""The shape of each output that has not one value for each row."""
_OWN = {
    "number": (("value", "FP64"),),
    "chance": (("value", "FP64"), ("says", "BYTES")),
    "shares": (("shares", "FP64"), ("labels", "BYTES"), ("says", "BYTES")),
    "quantiles": (("quantiles", "FP64"), ("levels", "FP64")),
    "ranking": (("items", "BYTES"), ("scores", "FP64")),
}
_WHO = (("version", "BYTES"), ("arm", "BYTES"), ("prediction_id", "BYTES"))


def _dimensions(fit: Fit, name: str) -> list[int]:
    several = fit.model.steps > 1 and name in ("value", "says")
    return [-1, fit.model.steps] if several else _DIMENSIONS.get(name, [-1, 1])


def _gives(fit: Fit) -> tuple[tuple[str, str], ...]:
    own = _OWN[fit.model.kind]
    if fit.model.kind == "chance" and fit.model.shape.yes_above is None:
        own = own[:1]
    return (*own, *_WHO)


def reply(fit: Fit, ask: InferAsk, answers: Sequence[asks.Answered], force: InForce) -> InferReply:
    """The answers as tensors, with the ``id`` that was asked under. Raises RefusedError (503) where nobody could answer one of them."""
    all_answered(answers)
    wanted = {one.name for one in ask.outputs}
    outputs = [_tensor(name, datatype, answers) for name, datatype in _gives(fit) if not wanted or name in wanted]
    version, arm, id = (
        next(iter(said)) if len(said) == 1 else None
        for said in ({number(one.version) for one in answers}, {str(one.arm) for one in answers}, {one.id for one in answers})
    )
    parameters = {"arm": arm, "rollout": number(force.candidate) if force.candidate else None, "prediction_id": id}
    return InferReply(
        fit.model.name,
        outputs,
        UNSET if version is None else version,
        ask.id,
        {name: value for name, value in parameters.items() if value is not None},
    )


def _tensor(name: str, datatype: str, answers: Sequence[asks.Answered]) -> TensorReply:
    if name in _OF_THE_MODEL:
        said = list(_OF_EACH[name](answers[0])) if answers else []
        return TensorReply(name, [len(said)], datatype, said)
    rows = [_OF_EACH[name](answer) for answer in answers]
    width = max(map(len, rows), default=1)
    # A list that is shorter than the longest one ends in empty names, which have no score.
    data = [value for row in rows for value in (*row, *(("" if datatype == "BYTES" else None,) * (width - len(row))))]
    shape = [len(rows), width]
    if name == "quantiles" and answers:
        levels = len(_OF_EACH["levels"](answers[0]))
        shape = [len(rows), width // levels, levels]
    return TensorReply(name, shape, datatype, data)


_OF_EACH: Mapping[str, Callable[[Any], Sequence[Any]]] = {
    "value": lambda answer: values_of(answer) if isinstance(answer, asks.PathAnswer) else (answer.value,),
    "says": lambda answer: [step.says for step in answer.steps or ()] if isinstance(answer, asks.PathAnswer) else (answer.says,),
    "shares": lambda answer: tuple(answer.shares.values()),
    "labels": lambda answer: tuple(answer.shares),
    "quantiles": lambda answer: tuple(value for step in _quantiles(answer) for value in step),
    "levels": lambda answer: tuple(answer.levels),
    "items": lambda answer: tuple(item.item for item in answer.items),
    "scores": lambda answer: tuple(item.score for item in answer.items),
    "version": lambda answer: (number(answer.version),),
    "arm": lambda answer: (answer.arm,),
    "prediction_id": lambda answer: (answer.id,),
}


def _quantiles(answer: Any) -> Sequence[Sequence[float]]:
    return values_of(answer) if isinstance(answer, asks.PathAnswer) else answer.quantiles


def error(refused: RefusedError) -> InferError:
    """A refusal as the protocol says it.

    >>> error(RefusedError("unknown", "There is no model 'chrun'."))
    InferError(error="There is no model 'chrun'.")
    """
    return InferError(refused.message)
