"""Lineage: what a version was learnt from, read from the journal. Changes nothing."""

from __future__ import annotations

from typing import cast

from everloop.errors import Unknown
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.records import Candidate, Handover, Snapshot, TrainingSet, Version
from everloop.settings import Place


def version_named(house: House, model: Model, name: str) -> Version:
    """The version of this model that is called so: by number, id, or a place it has, such as ``demand@champion``. Raises Unknown."""
    version = house.versions.named(by_number(house, name))
    if version.model != model.name:
        raise Unknown("version", name, [v.name for v in house.versions.all(model.name)], where=model.name)
    return version


def training_set_of(house: House, candidate: Candidate, name: str) -> TrainingSet:
    """What a candidate was learnt from; ``name`` is what an error calls it. Raises Unknown where it was not learnt here."""
    found = house.learnt_from(candidate)
    if found is None:
        raise Unknown("training set of", name, next="Nothing of this house was learnt for it.")
    return found


def snapshot_of(house: House, training_set: TrainingSet) -> Snapshot | None:
    """What had happened when a training set was made; None where nobody took it down."""
    return next((record for record in map(house.journal.find, training_set.made_from) if isinstance(record, Snapshot)), None)


def handover_of(house: House, candidate: Candidate) -> Handover | None:
    """How a candidate came here from another house; None where it was learnt here."""
    return next((record for record in map(house.journal.find, candidate.made_from) if isinstance(record, Handover)), None)


def by_number(house: House, name: str) -> str:
    """What somebody calls a version, by its number: ``demand@production`` is ``demand@3`` where that is the champion and ``[aliases]`` of
    everloop.toml say so. Whatever names no place of a model stays as it is. Raises Unknown where nobody is at that place."""
    model, at, called = name.rpartition("@")
    places = {"champion": "champion", "candidate": "candidate"} | dict(house.settings.aliases)
    if not at or called not in places or model not in house.project.models:
        return name
    traffic = house.pointers.current(model)
    version = None if traffic is None else traffic.at(cast(Place, places[called]))
    if version is None:
        next_ = "No candidate is being rolled out." if traffic else f"{model} has not begun: everloop turn {model}"
        raise Unknown("version", name, [v.name for v in house.versions.all(model)], next=next_)
    return house.versions.get(version).name
