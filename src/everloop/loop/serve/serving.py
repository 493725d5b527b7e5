"""Serving: what is to be served, where, and by how many. A record of settings only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from everloop.settings import Settings


@dataclass(frozen=True)
class Serving:
    """What is to be served: ``project`` and its settings, where to listen, how many workers, and whether a controller turns the house."""

    project: Path
    settings: Settings
    house: Path | None = None
    stage: str | None = None
    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1
    turned: bool = False
    controller: bool = False
    as_json: bool = False
