"""Lineage: what a version was learnt from, read from the journal. Changes nothing."""

from __future__ import annotations

from everloop.errors import Unknown
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.records import Candidate, Handover, Snapshot, TrainingSet, Version


def version_named(house: House, model: Model, name: str) -> Version:
    """The version of this model that is called so. Raises Unknown."""
    version = house.versions.named(name)
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
