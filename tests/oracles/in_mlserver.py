"""Runs in MLServer's own environment: ``in_mlserver.py HTTP GRPC METRICS`` (ports) serves one model, ``demand``, without a pool.

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


async def main() -> None:
    settings = Settings(
        host="127.0.0.1", http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), metrics_port=int(sys.argv[3]), parallel_workers=0
    )
    inputs = [MetadataTensor(name="product_id", datatype="BYTES", shape=[-1, 1])]
    outputs = [MetadataTensor(name="value", datatype="FP64", shape=[-1, 1])]
    model = ModelSettings(name="demand", implementation=Demand, inputs=inputs, outputs=outputs, parameters=ModelParameters(version="3"))
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main())
