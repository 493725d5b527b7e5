"""Datadog's own OpenMetrics check reads what a house tells of itself, figure by figure."""

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


def test_its_agents_check_reads_every_figure(opened, doors):
    house, model = opened("shop")
    with served(house, doors) as (url, _):
        for request in some_requests(house, model, 10):
            assert httpx.post(f"{url}/v1/models/{model.name}/predict", json=request).status_code == 200
        told = httpx.get(f"{url}/metrics").text
        command = [environment("datadog"), Path(__file__).with_name("in_datadog.py"), f"{url}/metrics"]
        done = subprocess.run(command, capture_output=True, text=True, env=apart(), timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    sent = json.loads(done.stdout)
    names = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE everloop_")}
    heard = {one["name"].removeprefix("everloop.") for one in sent}
    samples = {line.partition("{")[0].split()[0] for line in told.splitlines() if line.startswith("everloop_")}
    missed = {name for name in names if samples & endings(name) and not heard & datadogs(name.removeprefix("everloop_"))}
    assert missed == set()
    answers = [one for one in sent if one["name"] == "everloop.requests.count" and "route:/v1/models/{model}/predict" in one["tags"]]
    assert sum(one["value"] for one in answers) == 10


def endings(name):
    return {name, *(f"{name}{ending}" for ending in ("_total", "_bucket", "_count", "_sum"))}


def datadogs(name):
    """What Datadog calls a metric of that name: counters end in .count, histograms in three."""
    plain = name.removesuffix("_total")
    return {plain, f"{plain}.count", f"{plain}.sum", f"{plain}.bucket"}
