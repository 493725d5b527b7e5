"""Unusual: what of a question its version has never met, or its source does not allow. In: features. Out: sentences; nothing is refused.

A category that is none of those learnt from counts as empty, and a number beyond every bound as what lies at the edge: the answer is as
good as that. It is told where reasons are asked for, never where somebody only waits for an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from everloop.project.conditions import at_least, at_most
from everloop.project.model import Model
from everloop.project.resolve import readings_in
from everloop.project.source import Source
from everloop.serving.answered import private_columns
from everloop.training.predictor import Answering

LONGEST = 60
"""Letters of a value that a sentence repeats."""


def unusual(model: Model, predictor: Answering, features: Mapping[str, object]) -> tuple[str, ...]:
    """What is unusual about a question of these features: a word that is none of those the version learnt from, or a given number outside
    what its source must hold. Private columns, of which only a hash is known, are passed over."""
    private = private_columns(model)
    found = []
    for name, words in getattr(predictor, "vocabulary", {}).items():
        value = features.get(name)
        if name not in private and isinstance(value, str) and value not in words:
            shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
            found.append(f"{name}: {shown!r} is none of the {len(words):,} it learnt from")
    if isinstance(model.per, Source):
        found += _out_of_bounds(model, model.per, {n: v for n, v in features.items() if n not in private})
    return tuple(found)


def _out_of_bounds(model: Model, source: Source, features: Mapping[str, object]) -> list[str]:
    given = {reading.column: reading.name for reading in readings_in(model.knows) if reading.verb == "given"}
    found = []
    for bound in source.must:
        if not isinstance(bound, at_least | at_most) or bound.what not in given:
            continue
        value = features.get(given[bound.what])
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if value < bound.value if isinstance(bound, at_least) else value > bound.value:
            says = "least" if isinstance(bound, at_least) else "most"
            found.append(f"{bound.what}: {value:g} is not at {says} {bound.value:g}, as must hold in {source.name}")
    return found
