"""Ray Serve, one replica, its defaults. Run with its own Python: ``ray_app.py PORT``; it says ``ready`` and stays until it is ended."""

import os
import signal
import sys

import lightgbm
import numpy as np
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment
class Model:
    def __init__(self, path: str) -> None:
        self.booster = lightgbm.Booster(model_file=path)

    async def __call__(self, request: Request) -> dict:
        row = np.array([(await request.json())["features"]])
        return {"value": float(self.booster.predict(row, num_threads=1, validate_features=False)[0])}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config={"enable_access_log": False})
    serve.run(Model.options(logging_config={"enable_access_log": False}).bind(os.environ["BENCH_MODEL"]), route_prefix="/predict")
    print("ready", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        signal.pause()
    finally:
        ray.shutdown()
