"""River's side of the truth bench. Runs in river's own environment, imports nothing of ours, prints one line of JSON.

Streams of losses (0 or 1), and where ADWIN and Page-Hinkley, as river sets them, say that losses rose. A stream has ``REFERENCE`` losses
that are known to be fine, ``STRETCH`` that are fine too, and as many after the change; all are shown to both detectors. The generators'
streams are answered by a Hoeffding tree that learnt from examples before them and learns no more, as a champion does; the change is
another concept, at once or over ``GRADUAL`` examples.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import river
from river.datasets import synth
from river.drift import ADWIN, PageHinkley
from river.tree import HoeffdingTreeClassifier

REFERENCE, STRETCH, LEARNT, GRADUAL, RUNS, RATES = 10_000, 5000, 4000, 1000, 4, 60
SEED = 5_000  # none of what was developed on

Concept = Callable[[int, int], Any]


def concepts() -> dict[str, Concept]:
    """A generator for each concept (0: before, 1: after) and seed."""
    return {
        "SEA": lambda which, seed: synth.SEA(variant=(2, 3)[which], noise=0.1, seed=seed),
        "Agrawal": lambda which, seed: synth.Agrawal(classification_function=(0, 1)[which], seed=seed),
        "STAGGER": lambda which, seed: synth.STAGGER(classification_function=(0, 1)[which], seed=seed),
        "Hyperplane": lambda which, seed: _hyperplane(which, seed),
    }


def _hyperplane(which: int, seed: int) -> Iterator[tuple[dict[Any, float], int]]:
    """The same plane throughout one seed; after the change half of its features count the other way round."""
    for x, y in synth.Hyperplane(seed=seed, n_features=10, noise_percentage=0.05).take(LEARNT + REFERENCE + 2 * STRETCH):
        yield ({k: (1 - v if which and k < 5 else v) for k, v in x.items()}, y)


def take(concept: Any, count: int) -> list[tuple[Any, Any]]:
    return list(islice(concept.take(count) if hasattr(concept, "take") else concept, count))


def losses(concept: Concept, seed: int, gradual: bool) -> list[int]:
    """What a champion loses that learnt the first concept."""
    whole = LEARNT + REFERENCE + 2 * STRETCH
    old, new = take(concept(0, seed), whole), take(concept(1, seed), whole)
    champion, draw = HoeffdingTreeClassifier(), random.Random(seed)
    for x, y in old[:LEARNT]:
        champion.learn_one(x, y)
    made = []
    for i in range(LEARNT, whole):
        since = i - LEARNT - REFERENCE - STRETCH
        other = since >= 0 and (not gradual or draw.random() < since / GRADUAL)
        x, y = (new if other else old)[i]
        made.append(int(champion.predict_one(x) != y))
    return made


def rises(detector: Any, stream: list[int]) -> list[int]:
    """Where a detector says that the mean changed and is higher than it was on average before; a fall is not held against it."""
    found, total = [], 0
    for i, loss in enumerate(stream):
        detector.update(loss)
        if detector.drift_detected and (not hasattr(detector, "estimation") or detector.estimation > total / max(i, 1)):
            found.append(i)
        total += loss
    return found


def looked_at(stream: list[int]) -> dict[str, Any]:
    return {"losses": "".join(map(str, stream)), "adwin": rises(ADWIN(), stream), "page_hinkley": rises(PageHinkley(mode="up"), stream)}


def main() -> None:
    streams: dict[str, list[dict[str, Any]]] = {}
    for rate in (0.15, 0.20):
        draw = random.Random(SEED + int(rate * 100))
        rates = [0.10] * (REFERENCE + STRETCH) + [rate] * STRETCH
        streams[f"0.10 to {rate:.2f}"] = [looked_at([int(draw.random() < p) for p in rates]) for _ in range(RATES)]
    for name, concept in concepts().items():
        for way in ("at once", "gradually"):
            streams[f"{name} {way}"] = [looked_at(losses(concept, seed, way == "gradually")) for seed in range(SEED + 1, SEED + RUNS + 1)]
    print(json.dumps({"reference": REFERENCE, "stretch": STRETCH, "streams": streams, "version": river.__version__}))


if __name__ == "__main__":
    main()
