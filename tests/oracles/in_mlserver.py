"""Runs in MLServer's own environment: ``in_mlserver.py HTTP GRPC METRICS`` (ports) serves two models, without a pool.

Its columns and outputs are those the client of ``test_inference_protocol.py`` reads; what it answers is how long a name is.
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor


class Demand(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        # Not by its StringCodec, which reads nested texts as empty ones.
        units = [str(unit) for one in payload.inputs if one.name == "product_id" for unit in np.ravel(np.array(one.data.root))]
        value = NumpyCodec.encode_output("value", np.array([[float(len(unit))] for unit in units]))
        return InferenceResponse(model_name=self.name, model_version="3", outputs=[value])


class Fraud(MLModel):
    """Its columns are of three datatypes; what it answers is the amount, or nothing where the payment was not made online."""

    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        said = {one.name: np.ravel(np.array(one.data.root)) for one in payload.inputs}
        value = NumpyCodec.encode_output("value", (said["amount"] * said["online"]).astype(float).reshape(-1, 1))
        return InferenceResponse(model_name=self.name, model_version="3", outputs=[value])


async def main() -> None:
    settings = Settings(
        host="127.0.0.1", http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), metrics_port=int(sys.argv[3]), parallel_workers=0
    )
    outputs = [MetadataTensor(name="value", datatype="FP64", shape=[-1, 1])]
    columns = {"demand": {"product_id": "BYTES"}, "fraud": {"payment_id": "BYTES", "card_id": "BYTES", "amount": "INT64", "online": "BOOL"}}
    models = [
        ModelSettings(
            name=name,
            implementation=Demand if name == "demand" else Fraud,
            inputs=[MetadataTensor(name=column, datatype=datatype, shape=[-1, 1]) for column, datatype in said.items()],
            outputs=outputs,
            parameters=ModelParameters(version="3"),
        )
        for name, said in columns.items()
    ]
    await MLServer(settings).start(models)


if __name__ == "__main__":
    asyncio.run(main())
