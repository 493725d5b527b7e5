"""Features: every reading that a model knows, read aloud; which models use it, how fresh it is, and whether it drifts or is skewed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from everloop.console.data import last_arrived
from everloop.console.page import Asking, Route, Shown
from everloop.loop.house import House
from everloop.loop.skewed import SKEW
from everloop.project.model import Model
from everloop.project.reading import AnyReading, column_names, leaves
from everloop.project.spoken import spoken_reading
from everloop.records import Signals

SCREEN = 25
FEW_MODELS = 6


@dataclass(frozen=True)
class Feature:
    """One reading: its columns, how it is written and read aloud, the sources it reads, and the models that know it."""

    columns: tuple[str, ...]
    written: str
    aloud: str
    sources: tuple[str, ...]
    models: tuple[str, ...]
    newest: datetime | None
    """When the newest row of the source that is furthest behind arrived; None where a source has none yet, or it reads none."""


@dataclass(frozen=True)
class Watched:
    """What is known of one model's features: when skew was last looked for, and how many values were compared; which differ; and what the
    newest look says of drift."""

    model: str
    looked_at: datetime | None
    values: int
    skewed: tuple[str, ...]
    drift_at: datetime | None
    drift: tuple[str, ...]
    drifted: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """A screenful of features."""

    features: tuple[Feature, ...]
    count: int
    page: int
    pages: int
    watched: Watched | None


def features_of(house: House, *, model: Model | None = None, text: str = "", page: int = 1) -> Known:
    """Every feature of the project, or of one model; whose name, or how it is written, has ``text`` in it."""
    used: dict[str, tuple[AnyReading, list[Model]]] = {}
    for one in [model] if model is not None else house.project.models.values():
        for reading in one.knows:
            used.setdefault(repr(reading), (reading, []))[1].append(one)
    if model is not None:
        for other in house.project.models.values():
            for reading in other.knows if other is not model else ():
                if (there := used.get(repr(reading))) is not None:
                    there[1].append(other)
    wanted = [written for written, (reading, _) in used.items() if _has(text, written, reading)]
    pages = max(1, -(-len(wanted) // SCREEN))
    page = min(max(1, page), pages)
    shown = tuple(_feature(house, written, *used[written]) for written in wanted[(page - 1) * SCREEN : page * SCREEN])
    return Known(shown, len(wanted), page, pages, watched(house, model) if model is not None else None)


def _has(text: str, written: str, reading: AnyReading) -> bool:
    return not text or text.lower() in written.lower() or any(text.lower() in name.lower() for name in column_names(reading))


def _feature(house: House, written: str, reading: AnyReading, models: list[Model]) -> Feature:
    sources = tuple(dict.fromkeys(leaf.source.name for leaf in leaves(reading)))
    arrived = [last_arrived(house, name) for name in sources]
    there = [at for at in arrived if at is not None]
    newest = min(there) if there and len(there) == len(arrived) else None
    aloud = spoken_reading(reading, models[0])
    return Feature(tuple(column_names(reading)), written, aloud, sources, tuple(dict.fromkeys(m.name for m in models)), newest)


def watched(house: House, model: Model) -> Watched:
    """What the last looks found of a model's features."""
    fact = house.facts.latest(model.name, SKEW)
    body: dict[str, Any] = fact.body if fact is not None else {"values": 0, "features": ()}
    newest = next((e.record for e in house.journal.read(kind="Signals", model=model.name, newest_first=True, limit=1)), None)
    signals = tuple(_drifts(newest)) if isinstance(newest, Signals) else ()
    return Watched(
        model.name,
        fact.at if fact is not None else None,
        int(body["values"]),
        tuple(body["features"]),
        newest.until if isinstance(newest, Signals) else None,
        tuple(dict.fromkeys(sentence for sentence, _ in signals)),
        tuple(about for _, about in signals if about is not None),
    )


def _drifts(look: Signals) -> Iterator[tuple[str, str | None]]:
    for signal in look.signals:
        if signal.kind == "drift":
            yield signal.sentence, signal.about if signal.fired else None


def shown(asking: Asking) -> Shown:
    """The page."""
    house, query = asking.house, asking.query
    name, text = query.get("model", "").strip(), query.get("q", "").strip()
    page = asking.number("page", 1)
    model = house.project.model(name) if name else None
    known = features_of(house, model=model, text=text, page=page)
    values = {"known": known, "model": name, "text": text, "few": FEW_MODELS, "words": {"model": name or None, "q": text or None}}
    return Shown("Features", "features.html", values)


ROUTES: tuple[Route, ...] = (Route("/features", shown, "viewer", name="features"),)
