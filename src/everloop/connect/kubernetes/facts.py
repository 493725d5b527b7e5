"""What a deployment is made of: the facts every manifest is written from. Frozen values; nothing here reads anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MEBI: Final = 1 << 20
USER: Final = 10001
"""Who the processes in a container run as: nobody of the image's or the node's own."""
HOUSE, BAKED, APP = "/house", "/baked", "/app"
"""Where a container has its house folder, the house that was baked into the image, and the project."""
SECRET: Final = "predict_key"
"""What a builder calls the key that may ask a version in an image; the image holds its hash."""
ENDS_WITHIN: Final = 20
"""Seconds after the drain in which everything ends by itself (``PATIENCE`` of ``loop/serve/tree.py``)."""
BEFORE_IT_ENDS: Final = 10
"""Seconds a pod waits before it is told to end, where the house itself does not drain: as long as load balancers take to notice."""


@dataclass(frozen=True)
class Room:
    """What a container was seen to take, or somebody says it takes: cores on average, and the most bytes of memory at once."""

    cores: float
    peak_bytes: int
    seen: str
    """Where these figures are from, in a sentence."""

    @property
    def millicores(self) -> int:
        """What is asked for: a quarter more than was seen, in steps of 50, at least 100.

        >>> Room(0.3, 0, "").millicores, Room(0.01, 0, "").millicores
        (400, 100)
        """
        return max(100, 50 * math.ceil(self.cores * 1250 / 50 - 1e-9))

    @property
    def asked_mebi(self) -> int:
        """A tenth more than the most that was seen, in steps of 32."""
        return _mebi(self.peak_bytes * 1.1, 32)

    @property
    def most_mebi(self) -> int:
        """Half as much again as the most that was seen, in steps of 64: beyond it the kernel ends the container.

        >>> Room(0.3, 300 << 20, "").asked_mebi, Room(0.3, 300 << 20, "").most_mebi
        (352, 512)
        """
        return max(_mebi(self.peak_bytes * 1.5, 64), self.asked_mebi)

    @property
    def resources(self) -> Mapping[str, Mapping[str, str]]:
        """As a container says it. No limit of CPU: a container that is held back answers late while its node is idle."""
        asked = {"cpu": f"{self.millicores}m", "memory": f"{self.asked_mebi}Mi"}
        return {"requests": asked, "limits": {"memory": f"{self.most_mebi}Mi"}}


def _mebi(size: float, step: int) -> int:
    return max(step, step * math.ceil(size / MEBI / step))


@dataclass(frozen=True)
class Baked:
    """A version in the image itself: it answers without a database, and every replica is a house of its own."""

    version: str  # such as demand@3
    model: str
    file: str  # by path below the project's folder
    sha256: str
    trusted: bool = False  # it may build types that skops does not trust by itself


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A house as it is deployed. ``image`` is a repository without a tag, ``base`` what it is built on, with its digest."""

    name: str
    namespace: str
    image: str
    base: str
    stage: str | None
    models: tuple[str, ...]
    files: tuple[str, ...]
    """The project's files, by path below its folder."""
    libraries: tuple[str, ...] = ()
    """What of Debian the locked packages need."""
    serving: Room
    learning: Room
    workers: int = 1
    port: int = 8321
    drain: float = 0.0
    least: int = 2
    most: int = 6
    secrets: tuple[str, ...] = ()
    """Environment variables that everloop.toml asks for: each by reference, never by value."""
    locked: str = "requirements.txt"
    """What is installed, by path below the project's folder."""
    reaches: tuple[int, ...] = ()
    """The ports of databases, brokers and buckets that it speaks to."""
    retrain: str | None = None
    """When to learn whether or not anything asks for it, as cron says it; None: whenever the house itself decides."""
    baked: Baked | None = None
    local: bool = False
    """Decisions in a file: one replica, and a volume that stays."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What everything that belongs to it is called by."""
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/part-of": "everloop", "app.kubernetes.io/managed-by": "kustomize"}

    def selects(self, component: str) -> dict[str, str]:
        """The labels by which the pods of a component are known."""
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": component}

    @property
    def answers(self) -> list[str]:
        """What the container that answers runs. It shows no console: anybody who asks for that page would start one more process, and its
        hashing of passwords, in memory that was measured without them."""
        verb = "run" if self.local else "serve"
        return [verb, "--host", "0.0.0.0", "--port", str(self.port), "--workers", str(self.workers), "--no-console"]

    @property
    def secret(self) -> str:
        return f"{self.name}-secrets"

    @property
    def address(self) -> str:
        """Where it answers, from anywhere in the cluster."""
        return f"{self.name}.{self.namespace}.svc"

    @property
    def grace(self) -> int:
        """Seconds a pod may take to end: to drain, to end, and to spare."""
        waits = self.drain if self.drain else BEFORE_IT_ENDS
        return math.ceil(waits) + ENDS_WITHIN + 10
