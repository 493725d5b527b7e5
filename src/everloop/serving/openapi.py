"""The OpenAPI 3.1 document of one house: its paths, its records, and what each of its models and sources takes. Values in, a value out.

Everything is read from where it is meant: paths from ``paths.py``, replies from the records of ``asks.py``, errors from ``refused.py``,
requests from the project file's own words. Nothing is said twice, so nothing can be said differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

import msgspec

from everloop.project.columns import Kind, money, text, unit
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.serving import asks, inference, invocations, tensorflow, verdicts
from everloop.serving.bodies import ARROW, JSON, NDJSON
from everloop.serving.fits import CART, LARGEST_CART, LONGEST_KEY, MOST_REQUESTS, NEWCOMER, Fit, fit_of
from everloop.serving.paths import PATHS, Path
from everloop.serving.refused import KINDS

Json: TypeAlias = dict[str, Any]

_ASKS: dict[str, type] = {
    "features": asks.OnlineFeaturesAsk, "beside": asks.BesideAsk, "infer": inference.InferAsk, "infer_by": inference.InferAsk,
    "truths": asks.Truth, "outcomes": asks.Outcome, "predictions": asks.ForeignPrediction, "turn": asks.TurnAsk, "score": asks.ScoreAsk,
    "undo": asks.WordAsk, "approve": asks.AnswerAsk, "reject": asks.AnswerAsk, "cancel": asks.WordAsk,
    "hold": asks.WordAsk, "release": asks.WordAsk, "share": asks.ShareAsk, "forget": asks.ForgetAsk, "known": asks.PersonAsk,
    "acknowledge": asks.WordAsk, "snooze": asks.SnoozeAsk, "gate": verdicts.GateAsk,
}  # fmt: skip
_NAMING = ("features", "invocations", "turn", "score", "truths", "outcomes", "predictions", "incidents", "forget", "known")
"""Paths whose body or query names what may not be there."""
_REPLIES: dict[str, type] = {
    "features": asks.OnlineFeaturesReply,
    "beside": asks.BesideReply,
    "events": asks.ReceivedReply, "truths": asks.ReceivedReply, "outcomes": asks.ReceivedReply, "predictions": asks.ReceivedReply,
    "arrivals": asks.ArrivalsReply,
    "turn": asks.TurnsReply, "score": asks.ScoreReply, "undo": asks.SentenceReply, "approve": asks.SentenceReply,
    "reject": asks.SentenceReply, "cancel": asks.SentenceReply, "status": asks.StatusReply,
    "hold": asks.SentenceReply, "release": asks.SentenceReply, "share": asks.SentenceReply,
    "forget": asks.ForgetReply, "known": asks.KnownReply,
    "history": asks.HistoryReply, "incidents": asks.IncidentsReply, "acknowledge": asks.IncidentReply, "snooze": asks.IncidentReply,
    "verdict": verdicts.VerdictReply, "gate": verdicts.VerdictReply,
    "live": asks.LiveReply,
    "ready": asks.ReadyReply, "infer": inference.InferReply, "infer_by": inference.InferReply, "oip_model": inference.InferenceModel,
    "oip_version": inference.InferenceModel, "oip_model_ready": inference.InferenceModelReady,
    "oip_version_ready": inference.InferenceModelReady, "oip_live": inference.InferenceLive, "oip_ready": inference.InferenceReady,
    "oip_server": inference.InferenceServer, "invocations": invocations.InvocationsReply,
    "tf_predict": tensorflow.TensorflowReply, "tf_model": tensorflow.TensorflowModel,
}  # fmt: skip
_MEDIA = {"metrics": "text/plain", "docs": "text/html", "home": "text/html", "openapi": JSON, "version": "text/plain"}
_ERRORS: dict[str, type] = {"/v2": inference.InferError, "/invocations": invocations.InvocationsError}
"""How errors are said below a path; elsewhere by ``ErrorReply``."""
_OTHER = (*_ERRORS.values(), asks.ErrorReply, asks.Item)
_RECORDS = tuple(dict.fromkeys((*asks.ANSWERS.values(), *_ASKS.values(), *_REPLIES.values(), *_OTHER)))


def _parameter(place: str, name: str, description: str, **schema: str) -> dict[str, Any]:
    """One parameter of a route; those in a path have to be said."""
    schema = schema or {"type": "string"}
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


_MODEL = _parameter("path", "model", "The model's name.")
_SOURCE = _parameter("path", "source", "The source's name.")
_VERSION = _parameter("path", "version", "A version in force: 3, or demand@3.")
_INCIDENT = _parameter("path", "incident", "The incident's id, or the first four letters of it or more.")
_ROLLOUT = _parameter("path", "rollout", "A roll-out: its model, or its version, such as demand@4.")
_OF_MODEL = _parameter("query", "model", "Those of this model alone.")
_AFTER = _parameter("query", "after", "What was kept beyond this number; unsaid: only how far the journal goes.", type="integer")
_ALL = _parameter("query", "all", "Also those that are over.", type="boolean")
_EXPLAIN = _parameter("query", "explain", "Say with each answer which columns moved it most.", type="boolean")
_WHICH = _parameter("query", "model", "The model's name; where there is one model it need not be said.")
_GATE = _parameter("query", "gate", "Which gate is asked for.", type="string", pattern=f"^({'|'.join(verdicts.GATES)})$") | {
    "required": True
}
_KNOWN_AFTER = _parameter(
    "query",
    "known_after",
    "These rows are history: each was known so long after it happened. Say 0, 90s, 10m, 1h or 2d.",
    type="string",
    pattern=r"^(\d+(\.\d+)?[smhd]|0)$",
)


def document(models: Mapping[str, Model], sources: Mapping[str, Source], *, turned: bool = False) -> Json:
    """What this house takes and replies, path by path. ``turned``: its clock is turned, so requests must say ``Everloop-Now``.

    >>> document({}, {})["paths"]["/health/live"]["get"]["operationId"]
    'live'
    """
    paths: Json = {}
    for path in PATHS:
        paths.setdefault(path.path, {})[path.method.lower()] = _operation(path, turned)
    schemas = _schemas()
    for name, model in models.items():
        fit = fit_of(model)
        schemas[f"{name}.request"] = _request(fit)
        paths[f"/v1/models/{name}/predict"] = {"post": _predicts(name, model, turned)}
    for name, source in sources.items():
        schemas[f"{name}.row"] = _row(source)
        paths[f"/v1/events/{name}"] = {"post": _takes_rows(name, turned)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Everloop", "version": "1", "summary": "A house over HTTP", "description": _WHOLE},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}}},
    }


_WHOLE = (
    "From this machine itself no key is needed as long as the house has none. "
    "Every error is an ErrorReply: a kind, and a message that says what, where, and what to do next."
)
_KEY = "Authorization: Bearer ev_…, a key with the scope named; everloop key add makes one."


def statuses(path: Path) -> tuple[int, ...]:
    """The statuses of errors a path can reply with, beside 404 and 405 for what is no path at all.

    >>> statuses(next(p for p in PATHS if p.name == "status"))
    (400, 401, 403, 409, 422, 429, 500, 503)
    """
    found: set[int] = set()
    if path.scope is not None:
        found |= {400, 401, 403, 429, 500}
    if path.method == "POST":
        found |= {408, 413, 415, 422, 503}
    if path.scope == "operate" and path.name != "metrics":
        found |= {409, 422, 503}
    if path.timed:
        found |= {409}
    if "{" in path.path or path.name in _NAMING:
        found |= {404}
    return tuple(sorted(found | _NOT_READY.get(path.name, set())))


_NOT_READY: dict[str, set[int]] = {
    "ready": {503}, "ping": {503}, "health": {503}, "oip_ready": {400}, "oip_model_ready": {400}, "oip_version_ready": {400},
    "oip_model": {404, 422, 503}, "oip_version": {404, 422, 503}, "verdict": {503}, "gate": {verdicts.SHUT},
}  # fmt: skip


def _operation(path: Path, turned: bool) -> Json:
    said: Json = {"operationId": path.name, "summary": path.says, "tags": [_tag(path)]}
    parameters = [p for p in (_MODEL, _SOURCE, _VERSION, _INCIDENT, _ROLLOUT) if f"{{{p['name']}}}" in path.path]
    parameters += _QUERIES.get(path.name, [])
    if path.timed:
        parameters.append(_now(turned))
    if parameters:
        said["parameters"] = parameters
    if path.scope is not None:
        said["security"] = [{"key": [path.scope]}, {}]
        said["description"] = f"Needs a key with the scope {path.scope}; from this machine itself, none."
    if path.method == "POST":
        said["requestBody"] = _body(path)
    said["responses"] = {**_fine(path), **_errors(path)}
    return said


_QUERIES = {
    "events": [_KNOWN_AFTER], "predict": [_EXPLAIN], "invocations": [_WHICH], "incidents": [_OF_MODEL, _ALL], "history": [_AFTER],
    "gate": [_GATE],
}  # fmt: skip


def _tag(path: Path) -> str:
    return path.scope if path.scope is not None else "open to all"


def _now(turned: bool) -> Json:
    what = "The instant at which this happens. " + (
        "This house has a clock that is turned: say it always." if turned else "This house goes by the wall clock: leave it out."
    )
    return {
        "name": "Everloop-Now",
        "in": "header",
        "required": turned,
        "schema": {"type": "string", "format": "date-time"},
        "description": what,
    }


def _body(path: Path) -> Json:
    if path.name == "predict":
        schema: Json = _one_or_requests({"type": "object"})
    elif path.name == "events" or path.name == "arrivals":
        schema = _one_or_list({"type": "object"})
    elif path.name == "invocations":
        schema = {"type": "object", "properties": {word: {"type": ["object", "array"]} for word in invocations.FORMS}, "maxProperties": 1}
    elif path.name == "tf_predict":
        schema = {"type": "object", "properties": {word: {"type": ["object", "array"]} for word in tensorflow.FORMS}}
        schema["properties"]["signature_name"] = {"const": tensorflow.SIGNATURE}
    else:
        ref = _ref(_ASKS[path.name].__name__)
        schema = _one_or_list(ref) if path.name in ("truths", "outcomes", "predictions") else ref
    content: Json = {JSON: {"schema": schema}}
    if path.takes == "rows":
        content |= {NDJSON[0]: {"schema": {"type": "string"}}, ARROW: {"schema": {"type": "string", "format": "binary"}}}
    if path.takes == "notice":
        content |= {"text/plain": {"schema": {"type": "string"}}}
    if path.takes == "table":
        content |= {invocations.CSV: {"schema": {"type": "string"}}}
    return {"required": path.name not in ("turn", "score"), "content": content}


def _fine(path: Path) -> Json:
    if path.name == "predict":
        schema: Json = _answers([_ref(kind.__name__) for kind in asks.ANSWERS.values()])
    elif path.name in _REPLIES:
        schema = _ref(_REPLIES[path.name].__name__)
    else:
        schema = {"type": "object" if path.name == "openapi" else "null" if path.name in ("ping", "health") else "string"}
    return {"200": {"description": "Done.", "content": {_MEDIA.get(path.name, JSON): {"schema": schema}}}}


def _errors(path: Path) -> Json:
    other = {"events": asks.ReceivedReply, "truths": asks.ReceivedReply, "outcomes": asks.ReceivedReply, "predictions": asks.ReceivedReply}
    error, found = _error(path), Json()
    for status in statuses(path):
        whys = [f"{kind}: {why}" for kind, (of, why) in KINDS.items() if of == status]
        schema = error
        if status == 422 and path.name in other:
            schema, whys = {"anyOf": [schema, _ref("ReceivedReply")]}, [*whys, "Or every row was refused."]
        if status == 503 and path.name == "predict":
            schema = {"anyOf": [schema, *(_ref(kind.__name__) for kind in asks.ANSWERS.values())]}
        if status == verdicts.SHUT:
            schema, whys = _ref("VerdictReply"), ["The gate is shut."]
        if path.name == "ready":
            schema, whys = _ref("ReadyReply"), ["It cannot; why says why."]
        elif path.name in _NOT_READY and path.scope is None and status in _NOT_READY[path.name]:
            schema, whys = _fine(path)["200"]["content"][JSON]["schema"], ["It cannot."]
        found[str(status)] = {"description": " ".join(whys), "content": {JSON: {"schema": schema}}}
        if status == 503:
            found[str(status)]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until it is worth another try."}
            }
    found["default"] = {"description": "No such path (404) or method (405).", "content": {JSON: {"schema": error}}}
    return found


def _error(path: Path) -> Json:
    if path.path in tensorflow.PATHS:
        return _ref(inference.InferError.__name__)
    kind = next((kind for start, kind in _ERRORS.items() if f"{path.path}/".startswith(f"{start}/")), asks.ErrorReply)
    return _ref(kind.__name__)


# -- this house ----------------------------------------------------------------------------------------------------------------------


def _predicts(name: str, model: Model, turned: bool) -> Json:
    path = next(p for p in PATHS if p.name == "predict")
    said = _operation(path, turned) | {
        "operationId": f"predict.{name}",
        "summary": model.about or f"Ask {name}.",
        "parameters": [_EXPLAIN, _now(turned)],
    }
    said["requestBody"] = {"required": True, "content": {JSON: {"schema": _one_or_requests(_ref(f"{name}.request"))}}}
    said["responses"]["200"]["content"] = {JSON: {"schema": _answers([_ref(asks.reply_of(model.shape).__name__)])}}
    return said


def _takes_rows(name: str, turned: bool) -> Json:
    path = next(p for p in PATHS if p.name == "events")
    said = _operation(path, turned) | {
        "operationId": f"events.{name}",
        "summary": f"Rows of {name}.",
        "parameters": [_KNOWN_AFTER, _now(turned)],
    }
    body = _body(path)
    body["content"][JSON] = {"schema": _one_or_list(_ref(f"{name}.row"))}
    return said | {"requestBody": body}


def _request(fit: Fit) -> Json:
    columns: Json = {
        name: _of_kind(kind, null=name not in fit.unit)
        | ({"maxLength": LONGEST_KEY, "minLength": 1} if name in fit.unit and kind is str else {})
        for name, kind in fit.columns.items()
    }
    if fit.model.kind != "ranking" and fit.model.steps == 1 and "features" not in columns:
        given = {name: {"type": _FEATURE.get(kind, ["number", "null"])} for name, kind in fit.features.items()}
        what = "All columns of the model, instead of looking them up; null: not known."
        columns["features"] = {
            "type": "object", "properties": given, "required": list(given), "additionalProperties": False, "description": what,
        }  # fmt: skip
    if fit.model.kind == "ranking" and CART not in columns:
        what = "What the customer has chosen already: it is not listed, and goes with what is."
        columns[CART] = {"type": "array", "items": {"type": "string"}, "maxItems": LARGEST_CART, "description": what}
    if fit.model.kind == "ranking" and NEWCOMER not in columns:
        what = "Answer also where nothing is known of the unit yet, from what everybody shares."
        columns[NEWCOMER] = {"type": "boolean", "description": what}
    return {"type": "object", "properties": columns, "required": list(fit.model.unit), "additionalProperties": False}


_FEATURE = {
    "category": ["string", "null"],
    "text": ["string", "null"],
    "yes or no": ["boolean", "number", "null"],
}


def _row(source: Source) -> Json:
    columns: dict[str, Kind] = {name: source.columns.get(name, str) for name in source.id}
    columns |= {name: source.columns.get(name, datetime) for name in source.time}
    for name, kind in ((source.apart, str), (source.version, int), (source.known, datetime), (source.deleted, bool)):
        if name is not None:
            columns.setdefault(name, source.columns.get(name, kind))
    columns |= {name: kind for name, kind in source.columns.items() if name not in columns}
    properties = {name: _of_kind(kind, null=name not in source.id) for name, kind in columns.items()}
    return {"type": "object", "properties": properties, "required": list(source.id)}


def _of_kind(kind: Kind, *, null: bool) -> Json:
    plain = kind if isinstance(kind, type) else type(kind)
    said = dict(_JSON_OF.get(plain, {"type": "string"}))
    if isinstance(kind, money):
        said["description"] = f"Whole minor units of {kind.currency or kind.column}."
    if isinstance(kind, unit):
        said["description"] = f"In {kind.symbol}."
    return said | ({"type": [said["type"], "null"]} if null else {})


_JSON_OF: dict[type, Json] = {
    str: {"type": "string"},
    text: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
    money: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    unit: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}


# -- schemas -------------------------------------------------------------------------------------------------------------------------


def _schemas() -> Json:
    _, found = msgspec.json.schema_components(_RECORDS, ref_template="#/components/schemas/{name}")
    schemas: Json = dict(found)
    schemas["ErrorReply"]["properties"]["error"] = {"type": "string", "enum": list(KINDS)}
    return schemas


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _one_or_list(one: Json) -> Json:
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _one_or_requests(one: Json) -> Json:
    several = {"type": "array", "items": one, "maxItems": MOST_REQUESTS}
    return {
        "anyOf": [one, {"type": "object", "properties": {"requests": several}, "required": ["requests"], "additionalProperties": False}]
    }


def _answers(kinds: Iterable[Json]) -> Json:
    of = list(kinds)
    one: Json = of[0] if len(of) == 1 else {"anyOf": of}
    return {"anyOf": [one, {"type": "object", "properties": {"answers": {"type": "array", "items": one}}, "required": ["answers"]}]}
