"""Who may speak to whom: the Service, the account nobody needs rights for, and what is let in and out."""

from __future__ import annotations

from typing import Any

from everloop.connect.kubernetes.facts import Deployed

METADATA = "169.254.169.254/32"


def account(said: Deployed) -> dict[str, Any]:
    """An account without a single right in the cluster; a cloud's own (for buckets) is bound to it by an annotation."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "automountServiceAccountToken": False,
    }


def service(said: Deployed) -> dict[str, Any]:
    """One address for all that answer, the canary's pod among them."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "spec": {"selector": said.selects("serving"), "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def policy(said: Deployed) -> dict[str, Any]:
    """In come pods that carry ``NAME-client: "true"``, from whatever namespace; out go questions of names, and what the house's own URLs
    ask for. A cloud's metadata, which hands out the node's rights, is not reached."""
    client = {"namespaceSelector": {}, "podSelector": {"matchLabels": {f"{said.name}-client": "true"}}}
    names = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    out = {
        "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [METADATA]}}, {"ipBlock": {"cidr": "::/0"}}],
        "ports": [{"protocol": "TCP", "port": port} for port in said.reaches],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": said.name, "labels": dict(said.labels)},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": said.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [client], "ports": [{"protocol": "TCP", "port": said.port}]}],
            "egress": [names, *([out] if said.reaches else [])],
        },
    }


def let_in(said: Deployed, namespace: str) -> dict[str, Any]:
    """Who asks how roll-outs stand is let in as well: the controllers of a namespace."""
    asking = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{said.name}-{namespace}", "labels": dict(said.labels)},
        "spec": {
            "podSelector": {"matchLabels": said.selects("serving")},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [asking], "ports": [{"protocol": "TCP", "port": said.port}]}],
        },
    }
