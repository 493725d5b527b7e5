"""Feast's online request: what it means here, and the reply in Feast's own shape. Values in, values out; absent: clock, disk, Feast.

A model is a feature service and a feature view of its name; a feature is a column the model knows; the entities are its unit's columns.
The shape is that of ``POST /get-online-features`` of Feast 0.67's feature server (feast/feature_server.py); its errors are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from everloop.clock import EPOCH
from everloop.errors import Unknown
from everloop.project.model import Model
from everloop.project.reading import column_names
from everloop.serving.asks import FeatureNames, FeatureVector, FeatureView, OnlineFeaturesAsk, OnlineFeaturesReply
from everloop.serving.doors import Row
from everloop.serving.fits import MOST_REQUESTS, fit_of
from everloop.serving.refused import RefusedError, did_you_mean, short

Status: TypeAlias = Literal["present", "missing", "expired", "unseen"]
"""What became of a value: it is there; it is empty; it is older than it may be; nothing is known of the unit."""

NAMED: Final[Mapping[Status, str]] = {
    "present": "PRESENT",
    "missing": "NULL_VALUE",
    "expired": "OUTSIDE_MAX_AGE",
    "unseen": "NOT_FOUND",
}
"""How Feast calls each."""
NEVER: Final = "1970-01-01T00:00:00Z"
"""The instant Feast gives for what has none: entities, and units it does not find."""
MOST_FEATURES: Final = 1_000


@dataclass(frozen=True)
class Wanted:
    """What is wanted of one model: these columns, for these requests (the unit's columns and what else they carry)."""

    model: Model
    features: tuple[str, ...]
    requests: tuple[Row, ...]


@dataclass(frozen=True)
class Looked:
    """What was found for one ``Wanted``: for each column a value and a status for each request, and the instant it is as of (microseconds
    UTC)."""

    values: Mapping[str, Sequence[object]]
    statuses: Mapping[str, Sequence[Status]]
    as_of: Mapping[str, Sequence[int]]


def features_of(model: Model) -> tuple[str, ...]:
    """The columns a model knows of a unit, in order.

    >>> from everloop import Source, days, every
    >>> orders = Source("orders", id="order_id", time="at", columns={"customer_id": str})
    >>> features_of(Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...                   knows=orders.count(last=days(28)), learner=print))
    ('orders_count_last_28d',)
    """
    return tuple(name for reading in model.knows for name in column_names(reading))


def wanted(asked: OnlineFeaturesAsk, models: Mapping[str, Model]) -> tuple[Wanted, ...]:
    """What a request wants, model by model, in its order.

    Raises Unknown for a feature service or view nobody knows; RefusedError (422) for a feature or an entity that the models have not, for
    lists of different lengths, for a value that fits no unit, and for models that answer with a list; 413 for more than ``MOST_REQUESTS``.
    """
    columns = _columns(asked, models)
    _entities(asked, [models[name] for name in columns])
    found = []
    for name, features in columns.items():
        model = models[name]
        fit = fit_of(model)
        carried = {column: asked.entities[column] for column in model.request if column in asked.entities}
        requests = [dict(zip(carried, row, strict=True)) for row in zip(*carried.values(), strict=True)]
        for number, request in enumerate(requests):
            fit.check(request, f"entities[{number}]")
        found.append(Wanted(model, tuple(features), tuple(requests)))
    return tuple(found)


def reply(asked: OnlineFeaturesAsk, found: Sequence[tuple[Wanted, Looked]]) -> OnlineFeaturesReply:
    """The reply as Feast gives it: a vector for each entity, then one for each feature, each with a value for each row that was asked."""
    joined = dict.fromkeys(column for one, _ in found for column in one.model.request if column in asked.entities)
    names, results = list(joined), [_of_entity(asked.entities[column]) for column in joined]
    for one, looked in found:
        for feature in one.features:
            names.append(f"{one.model.name}__{feature}" if asked.full_feature_names else feature)
            results.append(_of_feature(looked.values[feature], looked.statuses[feature], looked.as_of[feature]))
    metadata = FeatureNames(names)
    if asked.include_feature_view_version_metadata:
        metadata = FeatureNames(names, [FeatureView(one.model.name) for one, _ in found])
    return OnlineFeaturesReply(metadata, results)


def stamp(at: int) -> str:
    """An instant (microseconds UTC) as Feast writes it: no fraction, three digits, or six.

    >>> stamp(0), stamp(1_500_000), stamp(1)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500Z', '1970-01-01T00:00:00.000001Z')
    """
    instant: datetime = (EPOCH + timedelta(microseconds=at)).astimezone(UTC)
    precision = "seconds" if not instant.microsecond else "microseconds" if instant.microsecond % 1000 else "milliseconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")


# -- what is meant -------------------------------------------------------------------------------------------------------------------


def _columns(asked: OnlineFeaturesAsk, models: Mapping[str, Model]) -> dict[str, list[str]]:
    """The columns wanted of each model; a feature service wins over features, as in Feast."""
    if asked.feature_service:
        model = _model("feature service", asked.feature_service, models)
        return {model.name: list(features_of(model))}
    if not asked.features:
        raise RefusedError("invalid", 'Nothing is asked for. Say "feature_service", or "features": ["model:feature", …].', field="features")
    if len(asked.features) > MOST_FEATURES:
        raise RefusedError("too_large", f"{len(asked.features):,} features. Ask for at most {MOST_FEATURES:,}.", field="features")
    found: dict[str, list[str]] = {}
    for number, (view, feature) in enumerate(_references(asked.features)):
        model = _model("feature view", view, models)
        known = features_of(model)
        if feature not in known:
            what = f"{model.name} has no feature {short(feature)}.{did_you_mean(feature, known)} It has {', '.join(known)}."
            raise RefusedError("invalid", what, field=f"features[{number}]")
        found.setdefault(model.name, []).append(feature)
    _once(found, asked.full_feature_names)
    return found


def _references(features: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, said in enumerate(features):
        view, colon, feature = said.partition(":")
        if not colon or not view or not feature:
            what = f'{short(said)} is no feature. Say "model:feature", such as "churn:orders_count_last_28d".'
            raise RefusedError("invalid", what, field=f"features[{number}]")
        yield view, feature


def _once(columns: Mapping[str, Sequence[str]], full: bool) -> None:
    """Two features must not come back under one name."""
    seen: set[str] = set()
    for model, features in columns.items():
        for feature in features:
            name = f"{model}__{feature}" if full else feature
            if name in seen:
                cure = "Ask for it once." if full or features.count(feature) > 1 else 'Say "full_feature_names": true.'
                raise RefusedError("invalid", f"Two features would be named {short(name)}. {cure}", field="features")
            seen.add(name)


def _model(noun: str, name: str, models: Mapping[str, Model]) -> Model:
    model = models.get(name)
    if model is None:
        raise Unknown(noun, name[:60], sorted(models))
    if model.kind == "ranking":
        what = f"{model.name} answers with a list, and what it knows belongs to each candidate. Ask it at /v1/models/{model.name}/predict."
        raise RefusedError("invalid", what, field="feature_service" if noun == "feature service" else "features")
    return model


def _entities(asked: OnlineFeaturesAsk, models: Sequence[Model]) -> None:
    """Every column of every unit is there, no other, and all are of one length."""
    known = dict.fromkeys(column for model in models for column in model.request)
    for column in asked.entities:
        if column not in known:
            what = f"There is no entity {short(column)}.{did_you_mean(column, list(known))} There is {', '.join(known)}."
            raise RefusedError("invalid", what, field=f"entities.{column[:60]}")
    for model in models:
        missing = next((column for column in model.unit if column not in asked.entities), None)
        if missing is not None:
            what = f"{model.name} is asked about by {' and '.join(model.unit)}, and {missing} is missing. Give a list of them."
            raise RefusedError("invalid", what, field=f"entities.{missing}")
    lengths = {column: len(values) for column, values in asked.entities.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{count:,} of {column}" for column, count in lengths.items())
        raise RefusedError("invalid", f"Entities are of different lengths: {said}. Give each row a value of each.", field="entities")
    if max(lengths.values(), default=0) > MOST_REQUESTS:
        raise RefusedError("too_large", f"{max(lengths.values()):,} entities. Ask for at most {MOST_REQUESTS:,} at once.", field="entities")


# -- the reply -----------------------------------------------------------------------------------------------------------------------


def _of_entity(values: Sequence[object]) -> FeatureVector:
    return FeatureVector(list(values), ["PRESENT"] * len(values), [NEVER] * len(values))


def _of_feature(values: Sequence[object], statuses: Sequence[Status], as_of: Sequence[int]) -> FeatureVector:
    kept = [value if status == "present" else None for value, status in zip(values, statuses, strict=True)]
    at = [NEVER if status == "unseen" else stamp(instant) for instant, status in zip(as_of, statuses, strict=True)]
    return FeatureVector(kept, [NAMED[status] for status in statuses], at)
