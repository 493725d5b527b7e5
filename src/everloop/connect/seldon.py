"""Seldon Core 2: a version as a Model that Seldon's own MLServer loads and asks in the Open Inference Protocol. In: facts. Out: files.

Seldon loads models into servers by itself and moves them about, so what goes there is a version, as the folder MLflow reads
(``connect/mlflow/folder.py``), and a Server that has Everloop installed to read it. The house stays where it is: it learns and judges,
and is told of the answers if it should watch them. Source: Seldon Core 2, Model, Server and Experiment
(https://docs.seldon.ai/seldon-core-2/user-guide/models).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from everloop.connect.kubernetes.facts import Room
from everloop.connect.kubernetes.written import yaml_text

MARK = "everloop export seldon"
CAPABLE = "everloop"
"""What a Model asks of a Server beside MLflow: that Everloop is installed there."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A version as Seldon is given it. ``storage`` is where the folder ``model/`` is copied to, as Seldon's rclone reads it."""

    name: str
    namespace: str
    model: str
    version: str
    number: int
    storage: str
    image: str
    base: str
    locked: str
    serving: Room
    least: int = 2
    most: int = 6


def files(said: Placed, folder: str) -> dict[str, str]:
    """Every file but those of ``model/``, by path below the folder it is written to."""
    return {
        "README.md": _page(said, folder),
        "Dockerfile": _dockerfile(said),
        "kustomization.yaml": yaml_text(MARK, "What there is.", kustomization(said)),
        "model.yaml": yaml_text(MARK, f"{said.version}, asked at /v2/models/{said.name}/infer.", model(said)),
        "server.yaml": yaml_text(MARK, f"Where it is loaded: MLServer with Everloop in it.\nRoom: {said.serving.seen}", server(said)),
    }


def settings(said: Placed) -> str:
    """What MLServer reads beside the folder: which runtime loads it."""
    return json.dumps(
        {
            "name": said.name,
            "implementation": "mlserver_mlflow.MLflowRuntime",
            "parameters": {"uri": ".", "version": f"v{said.number}"},
        },
        indent=1,
    )


def model(said: Placed) -> dict[str, Any]:
    """The Model: where it lies, what it needs, how many of it."""
    return {
        "apiVersion": "mlops.seldon.io/v1alpha1",
        "kind": "Model",
        "metadata": {"name": said.name, "labels": {"everloop-version": said.version.replace("@", ".")}},
        "spec": {
            "storageUri": said.storage,
            "requirements": ["mlflow", CAPABLE],
            "memory": f"{said.serving.asked_mebi}Mi",
            "minReplicas": said.least,
            "maxReplicas": said.most,
        },
    }


def server(said: Placed) -> dict[str, Any]:
    """The Server that is able to load it."""
    return {
        "apiVersion": "mlops.seldon.io/v1alpha1",
        "kind": "Server",
        "metadata": {"name": f"{said.name}-server"},
        "spec": {
            "serverConfig": "mlserver",
            "capabilities": ["mlflow", CAPABLE],
            "minReplicas": said.least,
            "maxReplicas": said.most,
            "podSpec": {
                "containers": [
                    {
                        "name": "mlserver",
                        "image": f"{said.name}-mlserver",
                        "resources": said.serving.resources,
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    }
                ]
            },
        },
    }


def kustomization(said: Placed) -> dict[str, Any]:
    """What there is, and which image; and that Kustomize finds the image in a Server, which it does not know."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": said.namespace,
        "resources": ["model.yaml", "server.yaml"],
        "images": [{"name": f"{said.name}-mlserver", "newName": f"{said.image}-mlserver"}],
    }


def _dockerfile(said: Placed) -> str:
    return f"""\
# syntax=docker/dockerfile:1
# Written by {MARK}
# MLServer as Seldon makes it, and Everloop as it is locked for it.
ARG BASE={said.base}
FROM ${{BASE}}
COPY {said.locked} /tmp/requirements.txt
RUN pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r /tmp/requirements.txt
"""


def _page(said: Placed, folder: str) -> str:
    return f"""\
<!-- Written by {MARK} -->
# {said.version} in Seldon Core 2

```sh
docker build -f {folder}/Dockerfile -t {said.image}-mlserver:v{said.number} . && docker push {said.image}-mlserver:v{said.number}
(cd {folder} && kustomize edit set image {said.name}-mlserver={said.image}-mlserver@sha256:…)   # what push said
rclone copy {folder}/model {said.storage.replace("s3://", "s3:").replace("gs://", "gs:")}        # or aws s3 cp --recursive
kubectl apply -k {folder}
kubectl -n {said.namespace} wait --for condition=ready --timeout=600s model/{said.name}
```

It is asked by its features, as MLflow's models are: `POST /v2/models/{said.name}/infer`, a tensor for each column. What is
known of a unit is not looked up there: only the house does that (`everloop export kserve`). To let the house watch it, tell it the
answers: `POST /v1/predictions`.

How it stands: `kubectl -n {said.namespace} get model,server`. Taking it back: export the version before it into the same
folder, and apply again; Seldon goes on answering by the one that is loaded until the other one is ready.
"""
