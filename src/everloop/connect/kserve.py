"""KServe: a house as an InferenceService, asked in the Open Inference Protocol, which the house speaks at ``/v2``. In: facts. Out: files.

One container of ours is the predictor: it answers for the champion and the candidate alike and splits by unit, so KServe's own canary,
which splits requests at random, is left to images. Source: KServe, custom predictors
(https://kserve.github.io/website/docs/model-serving/predictive-inference/frameworks/custom-predictor).
"""

from __future__ import annotations

from typing import Any

from everloop.connect.kubernetes import learning, network
from everloop.connect.kubernetes.facts import Deployed
from everloop.connect.kubernetes.folder import built
from everloop.connect.kubernetes.overlays import base
from everloop.connect.kubernetes.pod import container, ends, pod, probes
from everloop.connect.kubernetes.runbook import runbook
from everloop.connect.kubernetes.written import Manifest, yaml_text

MARK = "everloop export kserve"


def files(said: Deployed, folder: str, *, from_files: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file, by path below the folder it is written to."""
    parts: dict[str, tuple[str, Manifest]] = {
        "account.yaml": ("Rights in the cluster: none.", network.account(said)),
        "inferenceservice.yaml": (f"Who answers, at /v2 and at the house's own paths.\nRoom: {said.serving.seen}", service(said)),
    }
    if not said.baked:
        parts["worker.yaml"] = (f"Who turns the house.\nRoom: {said.learning.seen}", learning.worker(said))
        parts["retrain.yaml"] = ("Learning when somebody says so (see README.md).", learning.cron(said))
    return {
        "README.md": runbook(said, MARK, folder, answers=f"{said.name}-predictor", overlays=False, from_files=from_files) + _asked(said),
        **built(said, MARK),
        "base/kustomization.yaml": yaml_text(MARK, "What there is.", base(said, list(parts))),
        **{f"base/{name}": yaml_text(MARK, why, manifest) for name, (why, manifest) in parts.items()},
    }


def service(said: Deployed) -> dict[str, Any]:
    """The InferenceService: standard deployments, as many replicas as the CPU asks for."""
    ports = [{"containerPort": said.port, "name": "http", "protocol": "TCP"}]  # KServe reads the first port of the first container
    one = container(said, "kserve-container", f"{said.name}-serving", said.answers, said.serving, ports=ports, **probes(), **ends(said))
    predictor = pod(said, "serving", one, terminationGracePeriodSeconds=said.grace)["spec"]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": said.name,
            "labels": dict(said.labels),
            "annotations": {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "hpa"},
        },
        "spec": {
            "predictor": {
                "minReplicas": said.least,
                "maxReplicas": said.most,
                "scaleMetric": "cpu",
                "scaleTarget": 70,
                "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                **predictor,
            }
        },
    }


def _asked(said: Deployed) -> str:
    model = said.baked.model if said.baked else said.models[0]
    return f"""
## Asked by KServe's clients

```sh
URL=$(kubectl -n {said.namespace} get inferenceservice {said.name} -o jsonpath='{{.status.url}}')
curl -s $URL/v2/models/{model}/ready
curl -s $URL/v2/models/{model}/infer -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d @request.json
```
"""
