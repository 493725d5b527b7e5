"""``POST /invocations`` as MLflow's scoring server and SageMaker's clients speak it: bodies become requests, answers become predictions.

The shapes are those of mlflow/pyfunc/scoring_server of MLflow 3: ``dataframe_split``, ``dataframe_records``, ``instances``, ``inputs`` and
CSV in; ``{"predictions": […]}`` or ``{"error_code", "message"}`` out. Values in, values out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct

from everloop.serving import asks
from everloop.serving.bodies import json_value, said_type
from everloop.serving.doors import Row
from everloop.serving.fits import Fit
from everloop.serving.refused import RefusedError, did_you_mean, short
from everloop.serving.tabular import csv_rows, records, requests_of

CSV = "text/csv"


class InvocationsReply(Struct):
    """What MLflow's scoring server replies. A prediction is a number, a chance, shares by label, quantiles step by step, or items, best
    first; ``prediction_ids`` are the answers' ids, by which truths and outcomes are told."""

    predictions: list[Any]
    prediction_ids: list[str]


class InvocationsError(Struct):
    """Why not, as MLflow says it."""

    error_code: str
    message: str


def requests(fit: Fit, content_type: str, body: bytes) -> list[Row]:
    """The requests of a body. Raises RefusedError (400, 413, 422)."""
    return requests_of(fit, csv_rows(body, fit) if content_type == CSV else rows_of(json_value(body)))


def reply(answers: Sequence[asks.Answered]) -> InvocationsReply:
    """The answers as predictions. Raises RefusedError (503) where nobody could answer one of them."""
    all_answered(answers)
    return InvocationsReply([prediction(answer) for answer in answers], [answer.id for answer in answers])


def error(refused: RefusedError) -> InvocationsError:
    """A refusal as MLflow says it.

    >>> error(RefusedError("unknown", "There is no model 'chrun'."))
    InvocationsError(error_code='RESOURCE_DOES_NOT_EXIST', message="There is no model 'chrun'.")
    """
    other = "BAD_REQUEST" if refused.status < 500 else "INTERNAL_ERROR"
    return InvocationsError(_CODES.get(refused.status, other), refused.message)


_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}


def asked_of(said: str | None, models: Collection[str]) -> str:
    """Which model is meant: the one said, or the only one there is. Raises RefusedError (422) where neither is so."""
    if said is not None:
        return said
    if len(models) != 1:
        there = ", ".join(sorted(models)) or "none"
        raise RefusedError("invalid", f"Which model? Say /invocations?model=NAME. There is {there}.", field="model")
    return next(iter(models))


def all_answered(answers: Sequence[asks.Answered]) -> None:
    """Raises RefusedError (422) where nobody could answer one of several: these protocols have no word for half an answer, and whoever
    asked the same again would be told the same."""
    failed = [(at, answer) for at, answer in enumerate(answers) if answer.error is not UNSET]
    if failed:
        at, answer = failed[0]
        which = f" {len(failed)} of {len(answers)} rows; row {at}:" if len(answers) > 1 else ""
        raise RefusedError("unanswered", f"Nobody could answer{which or ':'} {answer.error}")


def prediction(answer: asks.Answered) -> Any:
    """An answer as one value: a number, a chance, shares by label, quantiles, or items, best first; of a path a list, step by step."""
    if isinstance(answer, asks.NumberAnswer | asks.ChanceAnswer):
        return answer.value
    if isinstance(answer, asks.SharesAnswer):
        return answer.shares
    if isinstance(answer, asks.QuantilesAnswer):
        return answer.quantiles
    if isinstance(answer, asks.PathAnswer):
        return values_of(answer)
    assert isinstance(answer, asks.RankingAnswer)
    return [item.item for item in answer.items or ()]


def values_of(path: asks.PathAnswer) -> list[Any]:
    """What is said of each step: a number or a chance, or a list of quantiles."""
    return [step.value if step.quantiles is UNSET else step.quantiles for step in path.steps or ()]


# -- bodies --------------------------------------------------------------------------------------------------------------------------


def rows_of(value: Any, forms: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows of a body in one of these forms (of all there are, where none is named). Raises RefusedError (400, 422)."""
    forms = forms or list(FORMS)
    words = ", ".join(forms)
    if not isinstance(value, dict):
        raise RefusedError("invalid", f"The body is {said_type(value)}. Say an object with one of {words}.")
    for word in value:
        if word not in forms:
            raise RefusedError("invalid", f"There is no {short(word)}.{did_you_mean(word, list(forms))} Say {words}.", field=word[:60])
    if len(value) != 1:
        raise RefusedError("invalid", f"The body has {len(value)} of {words}. Say exactly one.")
    [(word, said)] = value.items()
    return FORMS[word](word, said)


def _split(word: str, said: Any) -> list[dict[str, Any]]:
    if not isinstance(said, dict) or not isinstance(said.get("columns"), list) or not isinstance(said.get("data"), list):
        raise RefusedError("invalid", f'{word} is not {{"columns": […], "data": [[…], …]}}, as pandas says orient="split".', field=word)
    extra = next((key for key in said if key not in ("columns", "data", "index")), None)
    if extra is not None:
        raise RefusedError(
            "invalid", f"{word} has {short(extra)} beside columns, data and index. Leave it out.", field=f"{word}.{extra[:60]}"
        )
    return records(said["columns"], said["data"], word)


def _records(word: str, said: Any) -> list[dict[str, Any]]:
    wrong = [row for row in said if not isinstance(row, dict)][:1] if isinstance(said, list) else [said]
    if wrong:
        what = (
            f"{word} is or holds {said_type(wrong[0])}. Say a list of objects, column by column: a model here knows columns by their names."
        )
        raise RefusedError("invalid", what, field=word)
    rows: list[dict[str, Any]] = said
    return rows


def _inputs(word: str, said: Any) -> list[dict[str, Any]]:
    if isinstance(said, list):
        return _records(word, said)
    if not isinstance(said, dict) or not all(isinstance(values, list) for values in said.values()):
        raise RefusedError("invalid", f'{word} is not {{"column": [value, …], …}}. Say a list for each column.', field=word)
    lengths = {name: len(values) for name, values in said.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{count:,} of {short(name)}" for name, count in list(lengths.items())[:10])
        raise RefusedError("invalid", f"{word} has lists of different lengths: {told}. Give each row a value of each.", field=word)
    return [dict(zip(said, row, strict=True)) for row in zip(*said.values(), strict=True)]


FORMS: Mapping[str, Callable[[str, Any], list[dict[str, Any]]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _records,
    "inputs": _inputs,
}
