"""Runs of MLflow: one for each candidate, found again by its tag, so that telling twice is telling once. No clock, no house."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from everloop.connect.mlflow.rest import Refused, Tracking

ID: Final = "everloop_id"
"""The tag by which a run is found again: the id of the candidate's record."""
MOST_AT_ONCE: Final = 100
LONGEST_PARAM, LONGEST_TAG, LONGEST_NAME = 6000, 5000, 250


@dataclass(frozen=True)
class Run:
    """A run as the server knows it; ``files`` is the artifact URI below which its files lie."""

    id: str
    files: str


def experiment(server: Tracking, name: str) -> str:
    """The id of the experiment of this name, made where there is none."""
    try:
        return str(server.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
    except Refused as refused:
        if refused.code != "RESOURCE_DOES_NOT_EXIST":
            raise
    return str(server.post("experiments/create", name=name)["experiment_id"])


def find(server: Tracking, experiment: str, id: str) -> Run | None:
    """The run of this candidate; None where nobody has told of it yet."""
    found = server.post("runs/search", experiment_ids=[experiment], filter=f"tags.{ID} = '{id}'", max_results=1).get("runs", ())
    return _run(found[0]) if found else None


def begin(server: Tracking, experiment: str, id: str, *, name: str, at: datetime, tags: Mapping[str, str]) -> Run:
    """The run of this candidate, begun at that instant where nobody has told of it yet."""
    there = find(server, experiment, id)
    if there is not None:
        return there
    told = [{"key": key, "value": str(value)[:LONGEST_TAG]} for key, value in {**tags, ID: id}.items()]
    return _run(server.post("runs/create", experiment_id=experiment, run_name=name, start_time=ms(at), tags=told)["run"])


def say(
    server: Tracking,
    run: Run,
    *,
    at: datetime,
    params: Mapping[str, object] | None = None,
    metrics: Mapping[str, float | None] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Parameters, figures and tags of a run. A figure that could not be worked out is left out: MLflow would make it NaN."""
    figures = [
        {"key": named(key), "value": float(value), "timestamp": ms(at), "step": 0}
        for key, value in (metrics or {}).items()
        if value is not None and math.isfinite(value)
    ]
    words = [{"key": named(key), "value": str(value)[:LONGEST_PARAM]} for key, value in (params or {}).items()]
    marks = [{"key": named(key), "value": str(value)[:LONGEST_TAG]} for key, value in (tags or {}).items()]
    for place in range(0, max(len(figures), len(words), len(marks)), MOST_AT_ONCE):
        part = slice(place, place + MOST_AT_ONCE)
        server.post("runs/log-batch", run_id=run.id, metrics=figures[part], params=words[part], tags=marks[part])


def measured(server: Tracking, run: Run, metrics: Iterable[tuple[str, float, int, int]]) -> None:
    """Figures with their own instants (milliseconds) and steps, as a learner told them."""
    told = [{"key": key, "value": value, "timestamp": at, "step": step} for key, value, at, step in metrics]
    for place in range(0, len(told), MOST_AT_ONCE):
        server.post("runs/log-batch", run_id=run.id, metrics=told[place : place + MOST_AT_ONCE], params=[], tags=[])


def end(server: Tracking, run: Run, *, at: datetime) -> None:
    """It is finished."""
    server.post("runs/update", run_id=run.id, status="FINISHED", end_time=ms(at))


def learnt_from(server: Tracking, run: Run, *, name: str, digest: str, source: Mapping[str, Any], rows: int) -> None:
    """The data pointer of a run: which training set of which snapshot."""
    dataset = {
        "name": name,
        "digest": digest[:36],
        "source_type": "everloop",
        "source": json.dumps(source, sort_keys=True),
        "profile": json.dumps({"num_rows": rows}),
    }
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    server.post("runs/log-inputs", run_id=run.id, datasets=[{"tags": tags, "dataset": dataset}])


def keep(server: Tracking, run: Run, files: Mapping[str, bytes]) -> None:
    """Files of a run, by their paths below it."""
    for path, body in files.items():
        server.put_file(f"{run.files}/{path}", body)


def named(name: str) -> str:
    """A name as MLflow allows it.

    >>> named("champion's wape (7 days)")
    'champion s wape _7 days_'
    """
    kept = "".join(c if c.isalnum() or c in "_-. /" else "_" if c in "()[]" else " " for c in name)
    return " ".join(kept.split()).strip("/. ")[:LONGEST_NAME] or "_"


def ms(at: datetime) -> int:
    """Milliseconds since 1970, as MLflow counts instants."""
    return round(at.timestamp() * 1000)


def _run(said: Mapping[str, Any]) -> Run:
    return Run(str(said["info"]["run_id"]), str(said["info"]["artifact_uri"]))
