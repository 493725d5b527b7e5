"""MLflow itself: its own client of its scoring server asks this house, and is told what this house's own door says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest
from bench.peers import apart, environment
from tests.oracles.test_feast import served
from tests.ring.test_doors import some_requests

pytestmark = pytest.mark.slow


def test_mlflows_own_client_asks_this_house(opened, doors):
    house, model = opened("shop")
    units = [one["product_id"] for one in some_requests(house, model, 10)]
    with served(house, doors) as (url, _):
        due = [one["value"] for one in httpx.post(f"{url}/v1/models/{model.name}/predict", json=asked(units)).json()["answers"]]
        command = [environment("mlflow"), Path(__file__).with_name("in_mlflow.py"), url.rpartition(":")[2]]
        done = subprocess.run(command, input=json.dumps(units), capture_output=True, text=True, env=apart(), timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["frame"] == said["rows"] == said["csv"] == due
    assert said["version"][0].isdigit()
    assert "422" in said["refused"]
    assert "has no column 'nothing'" in said["refused"]


def asked(units):
    return {"requests": [{"product_id": unit} for unit in units]}
