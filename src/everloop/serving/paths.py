"""The paths of the app: one table that routing, keys, metrics and the OpenAPI document are all read from. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from everloop.serving.keys import Scope

Takes: TypeAlias = Literal["json", "rows", "table", "notice", "nothing"]
"""What a body may be: one JSON value; rows (also NDJSON and Arrow); a table (also CSV); a notice
(JSON that may call itself text); nothing at all."""

OTHER = "other"
"""How metrics call every path that is none of these."""


@dataclass(frozen=True)
class Path:
    """One method on one path. ``name`` is what it is called inside; ``scope`` what a key needs (None: open to all)."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    says: str
    scope: Scope | None = None
    takes: Takes = "nothing"
    timed: bool = False  # it happens at an instant of business time


PATHS = (
    Path("predict", "POST", "/v1/models/{model}/predict", "Ask a model: one request, or up to 1,000.", "predict", "json", True),
    Path("beside", "POST", "/v1/models/{model}/beside", "What goes with a product, or with what lies in a cart.", "predict", "json", True),
    Path("features", "POST", "/get-online-features", "What models know of units now, in Feast's own shape.", "predict", "json", True),
    Path("events", "POST", "/v1/events/{source}", "Rows of a source: what happened.", "ingest", "rows", True),
    Path("truths", "POST", "/v1/truth", "Truths that are no event.", "ingest", "json", True),
    Path("outcomes", "POST", "/v1/outcomes", "Named outcomes of an answer or a unit: click, order, rating.", "ingest", "json", True),
    Path("predictions", "POST", "/v1/predictions", "Answers another service gave, to be watched.", "ingest", "json", True),
    Path("arrivals", "POST", "/v1/arrivals", "Objects that were written to a store, as S3 tells of them.", "ingest", "notice", True),
    Path("infer", "POST", "/v2/models/{model}/infer", "Ask a model, in the Open Inference Protocol.", "predict", "json", True),
    Path("infer_by", "POST", "/v2/models/{model}/versions/{version}/infer", "The same, by a version in force.", "predict", "json", True),
    Path("oip_model", "GET", "/v2/models/{model}", "What a model takes and gives, in the Open Inference Protocol.", "predict"),
    Path("oip_version", "GET", "/v2/models/{model}/versions/{version}", "The same, of a version in force.", "predict"),
    Path("oip_model_ready", "GET", "/v2/models/{model}/ready", "Can this worker answer for a model?"),
    Path("oip_version_ready", "GET", "/v2/models/{model}/versions/{version}/ready", "Does a version answer anybody?"),
    Path("oip_live", "GET", "/v2/health/live", "Is this process alive, in the Open Inference Protocol?"),
    Path("oip_ready", "GET", "/v2/health/ready", "Can this worker answer, in the Open Inference Protocol?"),
    Path("oip_server", "GET", "/v2", "Which server this is, in the Open Inference Protocol."),
    Path("invocations", "POST", "/invocations", "Ask a model, as MLflow's and SageMaker's clients do.", "predict", "table", True),
    Path("tf_predict", "POST", "/v1/models/{model}:predict", "Ask a model, as TensorFlow Serving's clients do.", "predict", "json", True),
    Path("tf_model", "GET", "/v1/models/{model}", "Which versions answer, as TensorFlow Serving tells.", "predict"),
    Path("ping", "GET", "/ping", "Can this worker answer, as SageMaker asks?"),
    Path("health", "GET", "/health", "Can this worker answer, as MLflow asks?"),
    Path("version", "GET", "/version", "Everloop's version, as MLflow tells its own."),
    Path("turn", "POST", "/v1/turn", "Go round the ring, for one model or all; replies when that is done.", "operate", "json", True),
    Path("score", "POST", "/v1/score", "Answer every question that has come due.", "operate", "json", True),
    Path("undo", "POST", "/v1/models/{model}/undo", "The version before answers again, at once.", "operate", "json", True),
    Path("approve", "POST", "/v1/models/{model}/approve", "Say yes to what a model waits for.", "operate", "json", True),
    Path("reject", "POST", "/v1/models/{model}/reject", "Say no to what a model waits for.", "operate", "json", True),
    Path("hold", "POST", "/v1/models/{model}/hold", "No candidate answers anybody, until it is released.", "operate", "json", True),
    Path("release", "POST", "/v1/models/{model}/release", "Roll-outs may begin and go on again.", "operate", "json", True),
    Path("share", "POST", "/v1/models/{model}/share", "Set the share of the units a candidate answers.", "operate", "json", True),
    Path("cancel", "POST", "/v1/models/{model}/cancel", "End the turn under way, its training included.", "operate", "json"),
    Path("forget", "POST", "/v1/forget", "Erase what is known of one person, in every version there is.", "operate", "json", True),
    Path("known", "POST", "/v1/known", "Everything that is known of one person.", "operate", "json"),
    Path("status", "GET", "/v1/status", "Each model's standing.", "operate"),
    Path("verdict", "GET", "/v1/rollouts/{rollout}/verdict", "How a roll-out stands, as Argo Rollouts reads it.", "look"),
    Path("gate", "POST", "/v1/rollouts/{rollout}/verdict", "May a roll-out go on? As Flagger's webhooks ask.", "look", "json"),
    Path("history", "GET", "/v1/history", "What the journal kept after a number: who answers whom, and what went wrong.", "operate"),
    Path("incidents", "GET", "/v1/incidents", "What is wrong now, with which model, since when, and who is at it.", "operate"),
    Path("acknowledge", "POST", "/v1/incidents/{incident}/acknowledge", "Say that somebody is at an incident.", "operate", "json", True),
    Path("snooze", "POST", "/v1/incidents/{incident}/snooze", "Tell nobody of an incident before a moment.", "operate", "json", True),
    Path("metrics", "GET", "/metrics", "Counters and latencies of all workers, as Prometheus reads them.", "operate"),
    Path("live", "GET", "/health/live", "Is this process alive?"),
    Path("ready", "GET", "/health/ready", "Can this worker answer, and if not, why?"),
    Path("openapi", "GET", "/openapi.json", "This description, for programs."),
    Path("docs", "GET", "/docs", "This description, for people."),
    Path("home", "GET", "/", "Where to go from here."),
)


def _key(path: str) -> tuple[str | None, ...]:
    return tuple(_place(part) for part in path.split("/")[1:])


def _place(part: str) -> str | None:
    """None for a name; for a name with a verb behind it the verb, spelled as no part of a path can be."""
    if not part.startswith("{"):
        return part
    _, _, verb = part.partition("}:")
    return f"/{verb}" if verb else None


_BY_KEY: dict[tuple[str | None, ...], dict[str, Path]] = {}
for _path in PATHS:
    _BY_KEY.setdefault(_key(_path.path), {})[_path.method] = _path


def at(path: str) -> tuple[Mapping[str, Path], str, str]:
    """The methods of a path, the name in it (of a model, a source, a roll-out or an incident), and the version; no methods: there is
    no such path.

    >>> methods, name, _ = at("/v1/models/churn/predict")
    >>> methods["POST"].name, name
    ('predict', 'churn')
    >>> at("/v2/models/churn/versions/3/ready")[1:]
    ('churn', '3')
    >>> at("/v1/models/churn/predict/"), at("/v1/events/")
    (({}, '', ''), ({}, '', ''))
    >>> at("/v1/models/churn:predict")[1], at("/v1/models/churn:explain")[1]
    ('churn', 'churn:explain')
    """
    parts = path.split("/")[1:]
    found = _BY_KEY.get(tuple(parts))
    if found is not None:
        return found, "", ""
    if len(parts) > 2 and parts[2]:
        name, colon, verb = parts[2].rpartition(":")
        if colon and name and (called := _BY_KEY.get((*parts[:2], f"/{verb}", *parts[3:]))) is not None:
            return called, name, ""
        named = _BY_KEY.get((*parts[:2], None, *parts[3:]))
        if named is not None:
            return named, parts[2], ""
        if len(parts) > 4 and parts[4]:
            versioned = _BY_KEY.get((*parts[:2], None, parts[3], None, *parts[5:]))
            if versioned is not None:
                return versioned, parts[2], parts[4]
    return {}, "", ""


def route_of(path: str) -> str:
    """A path as metrics and traces call it: with the place of each name instead of the name.

    >>> route_of("/v1/models/churn/predict"), route_of("/favicon.ico")
    ('/v1/models/{model}/predict', 'other')
    """
    return next((one.path for one in at(path)[0].values()), OTHER)
