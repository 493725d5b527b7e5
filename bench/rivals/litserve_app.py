"""LitServe, one worker, as its first page says. Run with its own Python: ``litserve_app.py PORT``."""

import os
import sys

import lightgbm
import litserve
import numpy as np


class Model(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.booster = lightgbm.Booster(model_file=os.environ["BENCH_MODEL"])

    def decode_request(self, request: dict) -> np.ndarray:
        return np.array([request["features"]])

    def predict(self, x: np.ndarray) -> float:
        return float(self.booster.predict(x, num_threads=1, validate_features=False)[0])

    def encode_response(self, output: float) -> dict:
        return {"value": output}


if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning", access_log=False
    )
