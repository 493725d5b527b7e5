"""Facts of deployments, of every kind there is."""

from __future__ import annotations

from everloop.connect.kubernetes.facts import Baked, Deployed, Room

BASE = "python:3.12-slim@sha256:" + "ab" * 32
ROOM = Room(0.3, 300 << 20, "seen on this machine: 300 MiB at most in 3 processes")


def facts(**words):
    said = {
        "name": "demand",
        "namespace": "shop",
        "image": "registry.example.com/shop/demand",
        "base": BASE,
        "stage": "prod",
        "models": ("demand", "churn"),
        "files": ("project.py", "everloop.toml", "shop/__init__.py", "shop/sizes.py"),
        "serving": ROOM,
        "learning": Room(1.0, 1 << 30, "seen in 3 trainings"),
        "secrets": ("PG_PASSWORD", "REDIS_PASSWORD"),
        "reaches": (443, 5432, 6379),
    }
    return Deployed(**(said | words))


SHARED = facts()
DRAINS = facts(drain=15.0, workers=4, retrain="0 3 * * *")
BAKED = facts(stage=None, models=("demand",), secrets=(), reaches=(), baked=Baked("demand@3", "demand", "demand-3.everloop", "5d" * 32))
LOCAL = facts(stage=None, secrets=(), reaches=(), local=True, least=1, most=1, libraries=("libgomp1",))
ALL = {"shared": SHARED, "drains": DRAINS, "baked": BAKED, "local": LOCAL}
