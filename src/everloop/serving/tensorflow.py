"""``POST /v1/models/{model}:predict`` as clients of TensorFlow Serving, and of KServe's first protocol, speak it. Values in, values out.

The shapes are those of TensorFlow Serving's REST API (tensorflow.org/tfx/serving/api_rest): rows as ``instances`` are told as
``predictions``, a list for each column as ``inputs`` is told as ``outputs``; ``{"error": "why"}`` where it cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from everloop.serving import asks
from everloop.serving.bodies import json_value
from everloop.serving.doors import Row
from everloop.serving.fits import Fit
from everloop.serving.invocations import all_answered, prediction, rows_of
from everloop.serving.refused import RefusedError
from everloop.serving.tabular import requests_of

PATHS = ("/v1/models/{model}:predict", "/v1/models/{model}")
SIGNATURE = "serving_default"
FORMS = ("instances", "inputs")


class TensorflowReply(Struct):
    """What TensorFlow Serving replies, and beside it the answers' ids, by which truths and outcomes are told. A prediction is as under
    ``/invocations``."""

    prediction_ids: list[str]
    predictions: list[Any] | UnsetType = UNSET
    outputs: list[Any] | UnsetType = UNSET


class TensorflowVersion(Struct):
    """One version that answers somebody."""

    version: str
    state: str
    status: Mapping[str, str]


class TensorflowModel(Struct):
    """The versions in force, as TensorFlow Serving tells them; ``name`` and ``ready`` as KServe's first protocol does."""

    name: str
    ready: bool
    model_version_status: list[TensorflowVersion]


def requests(fit: Fit, body: bytes) -> tuple[bool, list[Row]]:
    """Whether a body came column by column, and its requests. Raises RefusedError (400, 413, 422)."""
    value = json_value(body)
    if isinstance(value, dict) and "signature_name" in value:
        value = dict(value)
        if (signature := value.pop("signature_name")) not in ("", SIGNATURE):
            what = f"There is no signature {signature!r:.60}. Leave it out, or say {SIGNATURE}."
            raise RefusedError("invalid", what, field="signature_name")
    return isinstance(value, dict) and "inputs" in value, requests_of(fit, rows_of(value, FORMS))


def reply(by_column: bool, answers: Sequence[asks.Answered]) -> TensorflowReply:
    """The answers as they were asked for. Raises RefusedError (422) where nobody could answer one of them."""
    all_answered(answers)
    said, ids = [prediction(answer) for answer in answers], [answer.id for answer in answers]
    return TensorflowReply(ids, outputs=said) if by_column else TensorflowReply(ids, predictions=said)


def status(model: str, ready: bool, versions: Sequence[str]) -> TensorflowModel:
    """What answers for a model now, by number.

    >>> status("demand", True, ["3"]).model_version_status[0].state
    'AVAILABLE'
    """
    state = "AVAILABLE" if ready else "LOADING"
    fine = {"error_code": "OK" if ready else "UNAVAILABLE", "error_message": ""}
    return TensorflowModel(model, ready, [TensorflowVersion(one, state, fine) for one in versions])
