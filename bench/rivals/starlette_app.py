"""A bare handler: JSON in, the model, JSON out, and nothing else: ``uvicorn starlette_app:app``."""

import os

import lightgbm
import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

booster = lightgbm.Booster(model_file=os.environ["BENCH_MODEL"])


async def predict(request: Request) -> Response:
    row = np.array([orjson.loads(await request.body())["features"]])
    said = booster.predict(row, num_threads=1, validate_features=False)
    return Response(orjson.dumps({"value": float(said[0])}), media_type="application/json")


app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
