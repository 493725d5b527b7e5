"""How an image is rolled out: Kustomize's base, an overlay for a canary, and one each for Argo Rollouts and Flagger, which ask the house.

Which version of a model answers whom is the house's own affair and needs none of this: it splits by unit, in every pod alike. What is
rolled out here is an image, so another project file or release of a library; a canary of it answers a share of the requests.
"""

from __future__ import annotations

from typing import Any

from everloop.connect.kubernetes.facts import Deployed
from everloop.connect.kubernetes.network import let_in
from everloop.connect.kubernetes.serving import CANARY, deployment
from everloop.connect.kubernetes.written import Manifest

KUSTOMIZE = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
AUTHORITY, PUT_IN = "gate.env", "authority"
WEIGHTS = (10, 50)
"""Percent of the requests at which a roll-out by Argo Rollouts stops and asks."""


def base(said: Deployed, resources: list[str]) -> dict[str, Any]:
    """What there is, and which images: ``kustomize edit set image NAME-serving=REPOSITORY@sha256:…`` pins what was pushed."""
    return {**KUSTOMIZE, "namespace": said.namespace, "resources": resources, "images": images(said)}


def images(said: Deployed, *more: str) -> list[dict[str, str]]:
    names = ["serving", *([] if said.baked or said.local else ["training"]), *more]
    return [{"name": f"{said.name}-{name}", "newName": f"{said.image}-{'serving' if name == CANARY else name}"} for name in names]


def canary(said: Deployed) -> dict[str, Manifest]:
    """One pod of a new image beside the others, behind the same Service."""
    return {
        "kustomization.yaml": {
            **KUSTOMIZE,
            "namespace": said.namespace,
            "resources": ["../../base", "deployment.yaml"],
            "images": images(said, CANARY),
        },
        "deployment.yaml": deployment(said, CANARY),
    }


def argo(said: Deployed, model: str) -> dict[str, Manifest]:
    """A Rollout over the Deployment, whose analysis asks the house how its roll-out of a model stands.

    What is *not enough evidence* is neither success nor failure: the analysis is inconclusive, and the Rollout pauses until somebody looks.
    """
    template = f"{said.name}-verdict"
    asks = {"analysis": {"templates": [{"templateName": template}], "args": [{"name": "rollout", "value": model}]}}
    steps = [step for weight in WEIGHTS for step in ({"setWeight": weight}, {"pause": {"duration": "10m"}}, asks)]
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "spec": {
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": said.name, "scaleDown": "onsuccess"},
            "revisionHistoryLimit": 5,
            "strategy": {"canary": {"maxUnavailable": 0, "maxSurge": 1, "steps": steps}},
        },
    }
    follows = [
        {"op": "replace", "path": "/spec/scaleTargetRef/apiVersion", "value": "argoproj.io/v1alpha1"},
        {"op": "replace", "path": "/spec/scaleTargetRef/kind", "value": "Rollout"},
    ]
    patch = {"target": {"kind": "HorizontalPodAutoscaler", "name": said.name}, "patch": _json_patch(follows)}
    return {
        "kustomization.yaml": {
            **KUSTOMIZE,
            "namespace": said.namespace,
            "resources": ["../../base", "rollout.yaml", "analysis.yaml", "network.yaml"],
            "images": images(said),
            "patches": [patch],
        },
        "rollout.yaml": rollout,
        "analysis.yaml": analysis(said, template),
        "network.yaml": let_in(said, "argo-rollouts"),
    }


def analysis(said: Deployed, template: str) -> dict[str, Any]:
    """An AnalysisTemplate over ``GET /v1/rollouts/{rollout}/verdict``; the key comes from the Secret. A verdict that does not follow from
    its own record counts as a failure. Source: Argo Rollouts, web metrics (https://argo-rollouts.readthedocs.io/en/stable/analysis/web/)."""
    metric = {
        "name": "verdict",
        "interval": "60s",
        "count": 5,
        "failureLimit": 0,
        "inconclusiveLimit": 4,
        "consecutiveErrorLimit": 4,
        "successCondition": "result.verdict == 'passed' && result.replays",
        "failureCondition": "result.verdict == 'failed' || !result.replays",
        "provider": {
            "web": {
                "url": f"http://{said.address}/v1/rollouts/{{{{args.rollout}}}}/verdict",
                "timeoutSeconds": 10,
                "headers": [{"key": "Authorization", "value": "Bearer {{args.key}}"}],
                "jsonPath": "{$}",
            }
        },
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": template, "labels": dict(said.labels)},
        "spec": {
            "args": [{"name": "rollout"}, {"name": "key", "valueFrom": {"secretKeyRef": {"name": said.secret, "key": "LOOK_KEY"}}}],
            "metrics": [metric],
        },
    }


def flagger(said: Deployed, model: str) -> dict[str, Manifest]:
    """A Canary over the Deployment, whose gates are the house's. Flagger can send no header and read no Secret, so the key is part of the
    address: it is taken from ``gate.env``, which is in no repository. Source: Flagger, webhooks (https://docs.flagger.app/usage/webhooks)."""
    where = f"http://{PUT_IN}/v1/rollouts/{model}/verdict?gate="
    gates = ("confirm-rollout", "rollout", "confirm-promotion", "rollback")
    hooks = [{"name": f"everloop {gate}", "type": gate, "url": where + gate, "timeout": "10s", "retries": 2} for gate in gates]
    resource = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "spec": {
            "provider": "kubernetes",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": said.name},
            "autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": said.name},
            "progressDeadlineSeconds": 600,
            "service": {"name": f"{said.name}-flagger", "port": 80, "targetPort": said.port},
            "analysis": {"interval": "1m", "threshold": 5, "iterations": 10, "webhooks": hooks},
        },
    }
    replacement = {
        "source": {"kind": "ConfigMap", "name": f"{said.name}-gate", "fieldPath": f"data.{PUT_IN}"},
        "targets": [
            {
                "select": {"kind": "Canary", "name": said.name},
                "fieldPaths": ["spec.analysis.webhooks.*.url"],
                "options": {"delimiter": "/", "index": 2},
            }
        ],
    }
    made = {"name": f"{said.name}-gate", "envs": [AUTHORITY], "options": {"disableNameSuffixHash": True}}
    return {
        "kustomization.yaml": {
            **KUSTOMIZE,
            "namespace": said.namespace,
            "resources": ["../../base", "canary.yaml", "network.yaml"],
            "images": images(said),
            "configMapGenerator": [made],
            "replacements": [replacement],
        },
        "canary.yaml": resource,
        "network.yaml": let_in(said, "flagger-system"),
    }


def _json_patch(operations: list[dict[str, str]]) -> str:
    return "\n".join(f"- op: {o['op']}\n  path: {o['path']}\n  value: {o['value']}" for o in operations) + "\n"
