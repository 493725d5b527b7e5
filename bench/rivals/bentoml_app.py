"""BentoML, a service without batching, one worker, as its first page says: ``bentoml serve bentoml_app:Model``."""

import os

import bentoml
import lightgbm
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Model:
    def __init__(self) -> None:
        self.booster = lightgbm.Booster(model_file=os.environ["BENCH_MODEL"])

    @bentoml.api
    def predict(self, features: list[float]) -> float:
        return float(self.booster.predict(np.array([features]), num_threads=1, validate_features=False)[0])
