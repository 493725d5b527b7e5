"""The exported dashboard, read by the models Grafana itself publishes: they know every field of it, and say each again as it was."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from bench.peers import apart, environment

from everloop.connect.grafana import dashboard

pytestmark = pytest.mark.slow


def read(made):
    command = [environment("grafana"), Path(__file__).with_name("in_grafana.py")]
    done = subprocess.run(command, input=json.dumps(made), capture_output=True, text=True, env=apart(), timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def lost(ours, theirs, where=""):
    """What of ours they do not say again, or otherwise."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            x for key, value in ours.items() for x in (lost(value, theirs[key], f"{where}.{key}") if key in theirs else [f"{where}.{key}"])
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [x for n, pair in enumerate(zip(ours, theirs, strict=True)) for x in lost(*pair, f"{where}[{n}]")]
    return [] if ours == theirs else [where]


def test_grafana_knows_every_field_and_loses_none():
    made = dashboard()
    told = read(made)
    assert lost(made, told["again"]) == []
    assert {kind for kinds in told["kinds"] for kind in kinds} == {"prometheus"}
    broken = json.loads(json.dumps(made))
    broken["panels"][1]["gridPlace"] = broken["panels"][1].pop("gridPos")
    assert lost(broken, read(broken)["again"]) == [".panels[1].gridPlace"], "a field it does not know is noticed"
