"""One client of the Open Inference Protocol over REST, as the protocol's own text has it; it does not know whom it asks.

``asked(url, model, unit, units, version)`` asks everything the protocol has, and raises AssertionError where the server keeps to less.
What it returns is what two servers can be compared by.
"""

from __future__ import annotations

import math
from typing import Any

import httpx

DATATYPES = {"BOOL", "BYTES", *(f"{kind}{bits}" for kind in ("UINT", "INT") for bits in (8, 16, 32, 64)), "FP16", "FP32", "FP64"}


def asked(url: str, model: str, unit: str, units: list[str], version: str) -> dict[str, Any]:
    """Everything there is to ask, in order."""
    with httpx.Client(base_url=url, timeout=30) as client:
        healthy(client, model, version)
        said = described(client, model, version)
        by = inferred(client, model, unit, units, version)
        refused(client, model, unit)
    return {"inputs": said["inputs"], "outputs": said["outputs"], "version": by}


def healthy(client: httpx.Client, model: str, version: str) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{model}/ready", f"/v2/models/{model}/versions/{version}/ready"):
        assert client.get(path).status_code == 200, path
    server = client.get("/v2").json()
    assert isinstance(server["name"], str)
    assert isinstance(server["version"], str)
    assert isinstance(server["extensions"], list)


def described(client: httpx.Client, model: str, version: str) -> dict[str, Any]:
    said: dict[str, Any] = client.get(f"/v2/models/{model}").json()
    assert said["name"] == model
    assert isinstance(said["platform"], str)
    for tensor in (*said["inputs"], *said["outputs"]):
        assert tensor["datatype"] in DATATYPES
        assert all(isinstance(wide, int) for wide in tensor["shape"])
    assert client.get(f"/v2/models/{model}/versions/{version}").json()["name"] == model
    return said


def inferred(client: httpx.Client, model: str, unit: str, units: list[str], version: str) -> str:
    """Flat and nested data, with and without a version, all and chosen outputs."""
    found = []
    flat = {"name": unit, "shape": [len(units), 1], "datatype": "BYTES", "parameters": {"content_type": "str"}, "data": units}
    nested = flat | {"data": [[one] for one in units]}
    for path in (f"/v2/models/{model}/infer", f"/v2/models/{model}/versions/{version}/infer"):
        for tensor in (flat, nested) if "versions" not in path else (flat,):
            reply = client.post(path, json={"id": "a-1", "parameters": {"trace": True}, "inputs": [tensor], "outputs": [{"name": "value"}]})
            assert reply.status_code == 200, reply.text
            said = reply.json()
            assert (said["model_name"], said["id"]) == (model, "a-1")
            assert all(isinstance(value, str | int | float | bool) for value in (said.get("parameters") or {}).values())
            [value] = said["outputs"]
            assert (value["name"], value["datatype"], value["shape"]) == ("value", "FP64", [len(units), 1])
            assert len(value["data"]) == math.prod(value["shape"])
            assert all(isinstance(one, float | int) for one in value["data"])
            found.append((said["model_version"], value["data"]))
    assert all(one == found[0] for one in found)
    by: str = found[0][0]
    return by


EXAMPLES = {"BYTES": lambda n: f"u{n}", "BOOL": lambda n: n % 2 == 0, "INT64": lambda n: 100 + n, "FP64": lambda n: n + 0.5}
"""A value of each datatype for row ``n``, as JSON has it."""


def by_its_own_word(url: str, model: str, rows: int) -> dict[str, str]:
    """Ask with one tensor for each input that a model says it takes, of the datatype and shape it says; its inputs' datatypes by name."""
    with httpx.Client(base_url=url, timeout=30) as client:
        said = client.get(f"/v2/models/{model}").json()
        tensors = [
            {**one, "shape": [rows, *one["shape"][1:]], "data": [EXAMPLES[one["datatype"]](n) for n in range(rows)]}
            for one in said["inputs"]
        ]
        reply = client.post(f"/v2/models/{model}/infer", json={"inputs": tensors})
        assert reply.status_code == 200, reply.text
        told = {one["name"]: one["datatype"] for one in said["outputs"]}
        for one in reply.json()["outputs"]:
            assert (one["datatype"], one["shape"][0], len(one["data"])) == (told.get(one["name"], one["datatype"]), rows, rows)
        assert any(one["name"] == "value" or one["name"] in told for one in reply.json()["outputs"])
    return {one["name"]: one["datatype"] for one in said["inputs"]}


def refused(client: httpx.Client, model: str, unit: str) -> None:
    """Errors are from 400 to 499 and say why in ``error``."""
    for path, body in (
        ("/v2/models/nobody/infer", {"inputs": [{"name": unit, "shape": [1], "datatype": "BYTES", "data": ["u"]}]}),
        (f"/v2/models/{model}/versions/999/infer", {"inputs": [{"name": unit, "shape": [1], "datatype": "BYTES", "data": ["u"]}]}),
    ):
        reply = client.post(path, json=body)
        assert 400 <= reply.status_code < 500, (path, reply.status_code)
        assert isinstance(reply.json()["error"], str), reply.text
    for bad in ({}, {"inputs": "none"}, {"inputs": [{"name": unit}]}):
        assert 400 <= client.post(f"/v2/models/{model}/infer", json=bad).status_code < 500
