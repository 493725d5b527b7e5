"""Runs in MLflow's own environment: ``in_mlflow.py PORT``, with units as a JSON list on stdin: MLflow's own client asks the house there.

On stdout: what it was told by its ``ping`` and ``get_version``, and the predictions for a data frame, a list of rows and CSV.
"""

from __future__ import annotations

import json
import sys

import pandas as pd
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

client = ScoringServerClient("127.0.0.1", int(sys.argv[1]))
units = json.load(sys.stdin)
client.wait_server_ready(timeout=10)
frame = pd.DataFrame({"product_id": units})
replies = {"frame": client.invoke(frame), "rows": client.invoke(frame.to_dict("records"))}
said = {name: reply.get_predictions()[0].tolist() for name, reply in replies.items()}
csv = requests.post(f"{client.url_prefix}/invocations", data=frame.to_csv(index=False), headers={"Content-Type": "text/csv"}, timeout=30)
try:
    client.invoke(pd.DataFrame({"nothing": units}))
except Exception as error:
    refused = str(error)
print(json.dumps(said | {"csv": csv.json()["predictions"], "version": client.get_version(), "refused": refused}))
