"""A version as a run of Weights & Biases. In: a house. Out: a folder of its client's, sent by whoever wants it sent."""

from __future__ import annotations

from pathlib import Path

from everloop.connect import wandb
from everloop.loop.carded import card_of
from everloop.loop.handover import file_of
from everloop.loop.house import House
from everloop.loop.lineage import version_named
from everloop.project.model import Model
from everloop.project.spoken import explain
from everloop.registry.card import markdown
from everloop.registry.one_file import ENDING
from everloop.registry.runs import by_name, params_of


def to_wandb(house: House, model: Model, name: str, folder: Path) -> Path:
    """A version as a run of Weights & Biases, in its offline directory below a folder; the run's own folder. Raises Unknown, Missing."""
    version = version_named(house, model, name)
    candidate, verdict = house.candidate(version.candidate), house.verdict(version.verdict)
    data, _ = file_of(house, model, name, baseline=True)
    figures = {"rows": float(candidate.rows), "seconds": candidate.seconds}
    for measure, opinion in by_name(verdict.opinions if verdict else ()):
        measured = {measure: opinion.candidate, f"{measure} gain": opinion.effect}
        figures |= {key: value for key, value in measured.items() if value is not None}
    return wandb.write(
        folder,
        project=model.name,
        id=candidate.id,
        name=name,
        about=explain(model),
        config=params_of(candidate) | dict(candidate.notes or ()),
        figures=figures,
        tags=[candidate.format, *([verdict.outcome] if verdict else [])],
        files={f"{model.name}-{version.number}{ENDING}": data, "card.md": markdown(card_of(house, model, name)).encode()},
    )
