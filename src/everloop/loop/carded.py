"""A version's card, gathered from the house. Changes nothing but what importance costs once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from everloop.errors import EverloopError, StoreError, Unknown
from everloop.loop.hints import importance_of
from everloop.loop.house import House
from everloop.loop.lineage import handover_of, version_named
from everloop.loop.serve.explained import reasons
from everloop.loop.spoken import spoken_lift, spoken_lists
from everloop.project.model import Model
from everloop.project.spoken import explain
from everloop.records import Candidate, Signals, Traffic, TrainingSet, Version
from everloop.registry.card import card, hub, page
from everloop.registry.written import as_data
from everloop.serving.answered import private_columns
from everloop.serving.asks import Because
from everloop.stats.summary import summaries
from everloop.training.compiled import compiled, load_compiled
from everloop.training.rows import holdout

ENDINGS = (".md", ".html", ".json")
LOW_USUAL_HIGH = (0.05, 0.5, 0.95)
"""Which answers are shown as examples: the shares of all that lie below them."""
LATELY = 200  # findings, newest first, among which that is looked for


def card_of(house: House, model: Model, name: str) -> dict[str, object]:
    """The card of the version of this name, as plain data. Raises Unknown."""
    version = version_named(house, model, name)
    candidate = house.candidate(version.candidate)
    training_set = house.learnt_from(candidate)
    called = {one.candidate: one.name for one in house.versions.all(model.name)}
    verdict = house.verdict(version.verdict)
    table = house.table(training_set) if training_set is not None and house.blobs.has(training_set.body) else None
    return card(
        version,
        candidate,
        replace(verdict, champion=called.get(verdict.champion, verdict.champion)) if verdict else None,
        training_set,
        explained=explain(model),
        head=str(house.journal.head()),
        moves=importance_of(house, model, candidate),
        sheet=summaries(table, [*candidate.columns, "relevant" if model.kind == "ranking" else "truth"]) if table is not None else (),
        worth=(*_lists(house, version), *_worth(house, version)),
        examples=_examples(house, model, candidate, training_set, table) if training_set is not None and table is not None else (),
        learnt_here=training_set is None or (candidate.rows > 0 and handover_of(house, candidate) is None),
    )


def write_card(house: House, model: Model, name: str, file: Path) -> Path:
    """Write it as Markdown with the Hub's metadata, as a page, or as data: what the file's ending says. Raises Unknown, StoreError."""
    if file.suffix not in ENDINGS:
        raise Unknown("kind of card", file.name, ENDINGS, next="Name a file that ends so.")
    found = card_of(house, model, name)
    text = {".md": hub, ".html": page}.get(file.suffix, lambda one: json.dumps(as_data(one), indent=2, ensure_ascii=False) + "\n")(found)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}. Name another file: --to") from error
    return file


def _examples(house: House, model: Model, candidate: Candidate, training_set: TrainingSet, table: pa.Table) -> tuple[Because, ...]:
    """A low, a usual and a high answer to what it was judged by, each with the columns that made it so; none where that cannot be told."""
    if candidate.shape.kind not in ("number", "chance"):
        return ()
    try:
        found = house.predictor(candidate)
        rows = house.as_fed(model, candidate, holdout(table, training_set)).select([*found.columns])
        body = compiled(found)
        predictor = found if body is None else load_compiled(body)
        answers = predictor.answer(rows).value
        if private_columns(model) & frozenset(predictor.columns) or answers is None:
            return ()
        known = np.flatnonzero(np.isfinite(answers))
        order = known[np.argsort(answers[known], kind="stable")]
        chosen = dict.fromkeys(int(order[int(share * (len(order) - 1))]) for share in LOW_USUAL_HIGH) if len(order) else {}
        return tuple(reasons(predictor, rows.slice(at, 1).to_pylist()[0], float(answers[at])) for at in chosen)
    except EverloopError:
        return ()


def _lists(house: House, version: Version) -> tuple[str, ...]:
    """How well its lists are made, by the contest it was let in by: one sentence with its protocol."""
    contest = house.contest_of(version)
    told = spoken_lists(contest) if contest is not None and contest.lists else ()
    return tuple(f"{told[0]} {line}" for line in told[1:])


def _worth(house: House, version: Version) -> tuple[str, ...]:
    """What was last found of it while it was champion, against the units that keep the baseline."""
    for entry in house.journal.read(kind="Signals", model=version.model, newest_first=True, limit=LATELY):
        if isinstance(entry.record, Signals) and entry.record.lifts:
            answered = (r for r in map(house.journal.find, entry.record.made_from) if isinstance(r, Traffic))
            if any(traffic.champion == version.id for traffic in answered):
                return tuple(map(spoken_lift, entry.record.lifts))
    return ()
