"""A house: one project, its stores, and what can be asked of them. Opening it makes what is not there; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Connection

from everloop.clock import said
from everloop.errors import ClockWentBack, StoreError
from everloop.lake import Lake
from everloop.loop import keep as keeping
from everloop.loop.adopt import adopt
from everloop.loop.project_file import Project, open_project
from everloop.project.heard import hear
from everloop.project.model import Model
from everloop.project.reading import AnyReading
from everloop.project.unbuilt import require_built
from everloop.records import Candidate, Record, Traffic, Verdict, Version
from everloop.registry.approvals import Approvals
from everloop.registry.blobs import Blobs
from everloop.registry.facts import Facts
from everloop.registry.journal import Journal
from everloop.registry.outbox import Outbox
from everloop.registry.store import Store, open_store
from everloop.registry.traffic import Pointers
from everloop.registry.turns import Turns
from everloop.registry.versions import Versions
from everloop.serving.log import AnswerLog
from everloop.settings import Settings, read_settings
from everloop.training import artefact
from everloop.training.predictor import Predictor


def awake(_moment: str) -> None:
    """Nothing happens between two commits; a test of crashes puts something else here."""


@dataclass(frozen=True)
class House:
    """One project and where it lives. Stores are split by noun; each is a small frozen value over the same database."""

    project: Project
    settings: Settings
    store: Store
    lake: Lake
    pause: Callable[[str], None] = awake
    predictors: dict[str, Predictor] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.store)

    @cached_property
    def pointers(self) -> Pointers:
        return Pointers(self.store)

    @cached_property
    def versions(self) -> Versions:
        return Versions(self.store)

    @cached_property
    def turns(self) -> Turns:
        return Turns(self.store)

    @cached_property
    def approvals(self) -> Approvals:
        return Approvals(self.store)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.store)

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.store)

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.settings.blobs)
