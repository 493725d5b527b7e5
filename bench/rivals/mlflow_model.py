"""The model as MLflow keeps it, for ``mlflow models serve``. Run with its own Python: ``mlflow_model.py FOLDER``."""

import os
import sys

import lightgbm
import mlflow.lightgbm

if __name__ == "__main__":
    booster = lightgbm.Booster(model_file=os.environ["BENCH_MODEL"])
    # Asked for none, it would look for them by loading the model in a child.
    mlflow.lightgbm.save_model(booster, sys.argv[1], pip_requirements=["lightgbm"])
