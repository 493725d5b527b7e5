"""Runs in MLflow's own environment, with this product's source on its path: ``in_mlflow_client.py URL WHAT``, more as JSON on stdin.

``look``: everything the client knows of a model, and what its newest champion answers there. ``register``: a model of scikit-learn's own
flavour, under an alias. ``learn``: what a learner says with the client, to wherever the environment tells it.
"""

from __future__ import annotations

import json
import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

url, what = sys.argv[1:3]
asked = json.load(sys.stdin)


def look(name: str) -> dict[str, object]:
    client = MlflowClient()
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    versions = client.search_model_versions(f"name='{name}'")
    model = client.get_registered_model(name)
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    rows = pd.DataFrame(asked["rows"], columns=asked["columns"]) if asked.get("rows") else loaded.input_example
    return {
        "runs": [
            {
                "id": run.info.run_id,
                "status": run.info.status,
                "params": run.data.params,
                "metrics": run.data.metrics,
                "tags": run.data.tags,
                "inputs": [json.loads(one.dataset.source) for one in run.inputs.dataset_inputs],
                "files": sorted(one.path for one in client.list_artifacts(run.info.run_id)),
            }
            for run in runs
        ],
        "versions": [{"version": v.version, "tags": v.tags, "status": v.status, "run": v.run_id} for v in versions],
        "aliases": model.aliases,
        "answers": None if rows is None else np.asarray(loaded.predict(rows)).tolist(),
        "example": loaded.input_example.to_dict("split") if loaded.input_example is not None else None,
    }


def register(name: str) -> dict[str, object]:
    from sklearn.dummy import DummyRegressor

    columns = asked["columns"]
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(50, len(columns))), columns=columns)
    with mlflow.start_run():
        made = mlflow.sklearn.log_model(DummyRegressor().fit(X.to_numpy(), X.sum(axis=1)), name="theirs", pip_requirements=[])
    version = mlflow.register_model(made.model_uri, name)
    MlflowClient().set_registered_model_alias(name, asked["alias"], version.version)
    return {"version": version.version}


def learn(_: str) -> dict[str, object]:
    mlflow.log_param("rounds", 120)
    for step in range(3):
        mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    mlflow.set_tag("why", "a try")
    mlflow.log_text("hello", "notes/hello.txt")
    with mlflow.start_run(nested=True):
        mlflow.log_metric("inner/loss", 7.0)
    return {}


if what != "learn":
    mlflow.set_tracking_uri(url)
print(json.dumps({"look": look, "register": register, "learn": learn}[what](asked["name"])))
