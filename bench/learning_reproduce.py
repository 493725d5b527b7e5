"""Made again: versions of tiny projects, learnt in children, let in, and made again from their record. How many answers differ in any bit?

Beside them stands a learner that draws by chance, which has to be found out, and LightGBM told not to repeat itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.goal import Goal, at_least, at_most

END = datetime(2026, 11, 1, tzinfo=UTC)
DEMAND = 'HistGradientBoostingRegressor(loss="absolute_error", max_iter=60)'
BOOSTED = "LGBMRegressor(n_estimators=80, subsample=0.7, subsample_freq=1, colsample_bytree=0.7, n_jobs=2, verbose=-1{})"
RANGES = "max_leaf_nodes=(7, 63), learning_rate=(0.01, 0.5)"
BY_CHANCE = """
class ByChance:
    def fit(self, X, y):
        self.by = float(np.random.default_rng().random())
        return self

    def predict(self, X):
        return np.full(len(X), self.by)


"""
#: What else learns, by how it is said in the shop's project file.
OTHERS: Final = {
    "a forest": "RandomForestRegressor(n_estimators=60, n_jobs=2)",
    "quantiles": '{q: HistGradientBoostingRegressor(loss="quantile", quantile=q, max_iter=30) for q in (0.1, 0.5, 0.9)}',
    "settings that were searched": f"HistGradientBoostingRegressor(max_iter=20), tune=search(8, {RANGES})",
    "trees that went on": DEMAND + ", learns_from=only_new()",
    "boosted trees that went on": BOOSTED.format("") + ", learns_from=only_new()",
}


def reproduced() -> Iterator[Goal]:
    """Each learner's version made again, twice."""
    trees, boosted = made_again(DEMAND), made_again(BOOSTED.format(""))
    yield at_most("made again, HistGradientBoosting: answers that differ", trees.differing, 0, "answers", trees.beside)
    yield at_most("made again, LightGBM: answers that differ", boosted.differing, 0, "answers", boosted.beside)
    others = {name: made_again(learner, turns=2 if "went on" in name else 1) for name, learner in OTHERS.items()}
    beside = "; ".join(f"{name}: {one.differing:,} {one.beside}" for name, one in others.items())
    worst = sum(one.differing for one in others.values())
    yield at_most("made again, five other ways to learn: answers that differ", worst, 0, "answers", beside)
    chance = made_again("ByChance()")
    yield at_least("made again, a learner by chance: found out", chance.differing / chance.asked, 1.0, "share")


@dataclass(frozen=True)
class Made:
    """Rows ``asked``, answers ``differing`` in any bit and by how much at most: the worse of two times."""

    asked: int
    differing: int
    largest: float

    @property
    def beside(self) -> str:
        return f"of {self.asked:,}, by {self.largest:g} at most"


def made_again(learner: str, *, turns: int = 1) -> Made:
    """The newest version, made again two times."""
    from everloop.loop.arrivals import ingest_files
    from everloop.loop.house import open_house
    from everloop.loop.reproduce import reproduce
    from everloop.loop.start import start_project
    from everloop.loop.turn import turn

    with tempfile.TemporaryDirectory() as folder:
        start_project("shop", Path(folder), end=END)
        file = Path(folder) / "project.py"
        file.write_text(said(file.read_text(), learner))
        house = open_house(file)
        ingest_files(house, None, [], now=END)
        model = house.project.model("demand")
        for back in (45, 1, 0) if turns > 1 else (0,):  # the one in between ends the first one's bake
            turn(house, model, END - timedelta(days=back), "demand")
        version = house.version(house.traffic(model).champion)
        found = [reproduce(house, model, version.name) for _ in range(2)]
        house.store.close()
    assert version.number >= turns, f"{version.name} answers, and it should have gone on from another"
    return Made(found[0].asked, max(one.differing for one in found), max(one.largest or 0.0 for one in found))


def said(text: str, learner: str) -> str:
    """The shop's project file with another learner, and every candidate let in at once."""
    assert DEMAND in text
    text = text.replace(DEMAND, learner).replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]")
    text = text.replace("roll_out=[shadow(days(1)), canary(0.25, every=days(2))]", "roll_out=[]")
    heads = "import numpy as np\nfrom lightgbm import LGBMRegressor\nfrom sklearn.ensemble import RandomForestRegressor\n"
    text = text.replace("from everloop import", f"{heads}from everloop import only_new, search\nfrom everloop import", 1)
    text = text.replace('roll_back_when=worse_than_champion("wape", by=0.10)', "roll_back_when=[]")
    if learner.startswith("{"):
        text = text.replace('retrain_when=[drifted(), slipped("wape", by=0.10), every(days(28))]', "retrain_when=every(days(28))")
    return text.replace("demand = Model(", BY_CHANCE + "demand = Model(")
