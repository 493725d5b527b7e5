"""What every pod of a house has in common: who it runs as, what it may write to, its secrets by reference, and how it ends."""

from __future__ import annotations

from typing import Any

from everloop.connect.kubernetes.facts import APP, BAKED, BEFORE_IT_ENDS, HOUSE, USER, Deployed, Room


def pod(said: Deployed, component: str, container: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The template of a pod with one container, which may write to its house folder and to /tmp and to nothing else."""
    volumes: list[dict[str, Any]] = [
        {"name": "house", "persistentVolumeClaim": {"claimName": f"{said.name}-house"}}
        if said.local
        else {"name": "house", "emptyDir": {"sizeLimit": "2Gi"} if said.baked else {}},
        {"name": "tmp", "emptyDir": {}},
        # Processes that learn hand arrays to one another there, and a container has 64 MB of it unless it is said.
        {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
    ]
    spec: dict[str, Any] = {
        "serviceAccountName": said.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [unpack(said)] if said.baked else None,
        "containers": [container],
        "volumes": volumes,
        **more,
    }
    return {"metadata": {"labels": {**said.labels, **said.selects(component)}}, "spec": spec}


def container(said: Deployed, name: str, image: str, words: list[str], room: Room, **more: Any) -> dict[str, Any]:
    """A container that runs a verb of Everloop. Root's rights, and a file system it could change, it has not."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*words, "--project", APP, "--house", HOUSE, *(["--stage", said.stage] if said.stage else [])],
        "env": environment(said) or None,
        "resources": room.resources,
        "securityContext": locked(),
        "volumeMounts": [
            {"name": "house", "mountPath": HOUSE},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
        **more,
    }


def environment(said: Deployed) -> list[dict[str, Any]]:
    """The secrets, each by reference: none of them is in the image or in a manifest."""
    return [{"name": name, "valueFrom": {"secretKeyRef": {"name": said.secret, "key": name}}} for name in said.secrets]


def locked() -> dict[str, Any]:
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def unpack(said: Deployed) -> dict[str, Any]:
    """The house that was baked into the image, copied to where it may be written to."""
    return {
        "name": "unpack",
        "image": f"{said.name}-serving",
        "command": ["cp", "-a", f"{BAKED}/.", HOUSE],
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": locked(),
        "volumeMounts": [{"name": "house", "mountPath": HOUSE}],
    }


def probes() -> dict[str, Any]:
    """Asked at the house's own routes. A pod that is not ready is sent nobody; only one that is not alive is started again, since loading a
    new version takes a while and is no reason to lose those that answer."""
    ready, live = ({"httpGet": {"path": path, "port": "http"}} for path in ("/health/ready", "/health/live"))
    return {
        "startupProbe": {**ready, "periodSeconds": 2, "failureThreshold": 90},
        "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 2},
        "livenessProbe": {**live, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
    }


def ends(said: Deployed) -> dict[str, Any]:
    """What a container does before it is told to end: nothing where the house drains by itself ([serving] drain)."""
    return {} if said.drain else {"lifecycle": {"preStop": {"exec": {"command": ["sleep", str(BEFORE_IT_ENDS)]}}}}
