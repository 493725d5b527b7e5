"""Registers a fitted scikit-learn model with MLflow. Run with its own Python: ``mlflow_register.py FOLDER HOW ROUNDS``.

``HOW`` is ``inferred``, as MLflow does by itself, ``example``, with an input example besides, or ``given``, told the requirements.
On stdout: the seconds of each round, as a JSON list.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import mlflow
import mlflow.sklearn
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

folder, how, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
logging.getLogger("mlflow").setLevel(logging.ERROR)
mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
rng = np.random.default_rng(7)
X = rng.normal(size=(5_000, 20))
fitted = HistGradientBoostingRegressor(max_iter=100, random_state=1).fit(X, X[:, 0] + rng.normal(size=len(X)))
words = {"inferred": {}, "example": {"input_example": X[:5]}, "given": {"pip_requirements": ["scikit-learn", "numpy"]}}[how]
words |= {"skops_trusted_types": ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]}  # or it refuses its own file
mlflow.create_experiment("register", artifact_location=f"file://{folder}/files")  # the database's tables are made before the clock runs
mlflow.set_experiment("register")
taken = []
for _ in range(rounds):
    begun = time.perf_counter()
    with mlflow.start_run():
        mlflow.sklearn.log_model(fitted, name="model", registered_model_name="register", **words)
    taken.append(time.perf_counter() - begun)
print(json.dumps(taken))
