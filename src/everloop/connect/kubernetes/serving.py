"""Who answers: a Deployment, how many of it there are, and how many may be away at once."""

from __future__ import annotations

from typing import Any

from everloop.connect.kubernetes.facts import Deployed
from everloop.connect.kubernetes.pod import container, ends, pod, probes

STABLE, CANARY = "stable", "canary"


def deployment(said: Deployed, track: str = STABLE) -> dict[str, Any]:
    """The pods that answer; of the ``canary`` one, of an image of its own, behind the same Service."""
    canary = track == CANARY
    name, image = (f"{said.name}-canary", f"{said.name}-canary") if canary else (said.name, f"{said.name}-serving")
    one = container(
        said, "serving", image, said.answers, said.serving, ports=[{"name": "http", "containerPort": said.port}], **probes(), **ends(said)
    )
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": said.selects("serving")},
    }
    template = pod(said, "serving", one, terminationGracePeriodSeconds=said.grace, topologySpreadConstraints=[spread])
    if canary:
        template["spec"]["initContainers"] = [
            {**each, "image": image} for each in template["spec"]["initContainers"] or ()
        ] or None  # it unpacks what is in its own image
    template["metadata"]["labels"]["track"] = track
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": dict(said.labels)},
        "spec": {
            # Elsewhere the autoscaler says how many; whoever applies this again must not say otherwise.
            "replicas": 1 if canary or said.local else None,
            "revisionHistoryLimit": 5,
            "selector": {"matchLabels": {**said.selects("serving"), "track": track}},
            "strategy": {"type": "Recreate"} if said.local else rolling,
            "template": template,
        },
    }


def autoscaler(said: Deployed) -> dict[str, Any]:
    """As many as keep the CPU at 70 % of what is asked for; more of them at once, fewer only after five calm minutes."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": said.name},
            "minReplicas": said.least,
            "maxReplicas": said.most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}},
        },
    }


def disruption(said: Deployed) -> dict[str, Any]:
    """Who drains nodes takes one pod at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": said.selects("serving")}},
    }


def volume(said: Deployed) -> dict[str, Any]:
    """Where the house itself lies, where its decisions are in a file."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{said.name}-house", "labels": dict(said.labels)},
        "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "20Gi"}}},
    }
