"""Features looked up for whoever asks for them alone. In: a model, requests. Out: values, what became of each, and as of when.

They are read by the same path as for an answer (``Known.features``): what is told here is what a model would have been told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from everloop.connect.feast.online import Looked, Status, features_of
from everloop.errors import EverloopError
from everloop.features.questions import unit_text
from everloop.loop.serve.asked import asked_by_key
from everloop.loop.serve.known import Known
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.serving.doors import Row


def looked_up(known: Known, model: Model, requests: Sequence[Row], now: datetime) -> Looked:
    """What the model knows of each of these requests (all with the same columns) at this moment.

    Of a unit no source has a row of nothing is known, its count of 0 included; the rows of a source are asked about before they are known.
    Raises Unknown and EverloopError as ``asked_by_key`` does.
    """
    if model.steps > 1:
        raise EverloopError(f"{model.name} answers in {model.steps} steps, and knows of each what a vector of features has no place for.")
    names = features_of(model)
    if not requests:
        empty: dict[str, list[object]] = {name: [] for name in names}
        return Looked(empty, {name: [] for name in names}, {name: [] for name in names})
    asked = asked_by_key(model, requests)
    table, found = known.looked_up(model, asked, now)
    seen = [True] * len(requests)
    if not isinstance(model.per, Source):
        seen = known.ever_seen(model, unit_text(asked, model.unit).to_pylist())
    values = {name: table[name].to_pylist() for name in names}
    statuses = {name: [*map(_status, values[name], seen, found.get(name, seen))] for name in names}
    return Looked(values, statuses, dict.fromkeys(names, table["moment"].to_pylist()))


def _status(value: object, seen: bool, found: object) -> Status:
    if not seen:
        return "unseen"
    return "expired" if found == "expired" else "missing" if value is None else "present"
