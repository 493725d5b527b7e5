"""The house and the model of ``bench.serving``: 200 trees of 31 leaves over 20 numbers, learnt once by Everloop, exported for everybody.

A canary is in force: the champion and another version of the same size share the units by halves. In: a folder. Out: a house that can be
served, its booster as LightGBM's own text, and requests as bytes.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

WIDTH = 20  # features
ROWS = 6_000
ASKED = 512  # different requests; a load sends them again and again
COLUMNS = tuple(f"x{n:02}" for n in range(WIDTH))
PROJECT = '''"""A number from twenty others, all of which the request carries."""

from lightgbm import LGBMRegressor

from everloop import Model, Source, beats_champion, canary, days

COLUMNS = [f"x{n:02}" for n in range(20)]
rows = Source("rows", id="row_id", columns=dict.fromkeys([*COLUMNS, "y"], float))
number = Model(
    "number",
    predicts=rows.outcome("y"),
    per=rows,
    knows=rows.given(*COLUMNS),
    learner=LGBMRegressor(n_estimators=200, num_leaves=31, n_jobs=1, verbose=-1),
    holdout=0.2,
    promote_when=beats_champion("mae", by=0.02),
    roll_out=canary(0.5, every=days(7)),
    autonomy="act",
)
'''


@cache
def the_house() -> Served:
    """The house all sections serve copies of; it is gone with this process."""
    folder = tempfile.mkdtemp(prefix="everloop-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return prepared(Path(folder) / "project")


@dataclass(frozen=True)
class Served:
    """A project folder with its house in it, and the same champion as LightGBM's own text beside it."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project.py"

    @property
    def house(self) -> Path:
        return self.folder / "house"

    def copied(self, folder: Path) -> Served:
        """The same in a folder that is not there yet: who serves writes into it."""
        return Served(Path(shutil.copytree(self.folder, folder)))

    @property
    def booster(self) -> Path:
        """The champion's trees, which every rival answers with."""
        return self.folder / "model.txt"

    @property
    def other(self) -> Path:
        """The trees of the canary."""
        return self.folder / "other.txt"


def table(rows: int, seed: int) -> pa.Table:
    """Rows of twenty numbers and what they say together: sums, a product and a step, with noise."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(rows, WIDTH)), 4)
    y = x[:, :6] @ np.arange(1.0, 7.0) + 3 * x[:, 6] * x[:, 7] + 4 * (x[:, 8] > 0.5) + rng.normal(size=rows)
    columns = {name: x[:, n] for n, name in enumerate(COLUMNS)}
    return pa.table({"row_id": [f"r{seed}-{n}" for n in range(rows)], **columns, "y": y})


def prepared(folder: Path) -> Served:
    """A house that has learnt, with a champion in force and a canary beside it.

    The first version is learnt and rolled out to the end, on days that are over; then another one, learnt elsewhere from other rows, is let
    in by a person and gets half of the units.
    """
    import pyarrow.parquet as pq

    from everloop.loop.arrivals import ingest_files
    from everloop.loop.house import open_house
    from everloop.loop.people import admit_file
    from everloop.loop.resume import go_round

    folder.mkdir(parents=True)
    served = Served(folder)
    served.project.write_text(PROJECT)
    pq.write_table(table(ROWS, seed=0), folder / "rows.parquet")
    began = datetime.now(UTC) - timedelta(days=60)
    house = open_house(served.project, folder=served.house)
    model = house.project.model("number")
    ingest_files(house, "rows", [folder / "rows.parquet"], now=began, known_after=timedelta(0))
    go_round(house, model, began, "demand")
    for days in (8, 16):
        go_round(house, model, began + timedelta(days=days))
    _export(house, served.booster)
    _learn(served.other, seed=1)
    why = {"by": "the bench", "reason": "two models of one size"}
    admit_file(house, model, served.other, began + timedelta(days=24), override=True, **why)
    traffic = house.traffic(model)
    house.store.close()
    if (traffic.stage, traffic.share) != ("canary", 0.5):
        raise RuntimeError(f"the house is in {traffic.stage} with {traffic.share}, not in a canary of one half")
    return served


def _export(house: Any, path: Path) -> None:
    """The champion's trees as LightGBM's own text."""
    from everloop.training.artefact import load

    champion = house.champion(house.traffic(house.project.model("number")))
    if champion.format != "lightgbm":
        raise RuntimeError(f"the champion is a {champion.format}: nothing better than it was learnt")
    load(champion, house.blobs.read).fitted.booster.save_model(str(path))


def _learn(path: Path, seed: int) -> None:
    """Another model of the same size, from other rows."""
    import lightgbm

    rows = table(ROWS, seed)
    x = np.column_stack([rows.column(name).to_numpy() for name in COLUMNS])
    data = lightgbm.Dataset(x, rows.column("y").to_numpy(), feature_name=list(COLUMNS))
    said = {"objective": "regression", "num_leaves": 31, "num_threads": 1, "verbose": -1}
    lightgbm.train(said, data, num_boost_round=200).save_model(str(path))


def asked() -> list[list[float]]:
    """The features of the requests that everybody is sent."""
    rows = table(ASKED, seed=2)
    return [list(row) for row in zip(*(rows.column(name).to_pylist() for name in COLUMNS), strict=True)]


SLOW = '''

import time

from sklearn.ensemble import HistGradientBoostingRegressor as Trees


class Slow(Trees):
    """Takes five milliseconds to answer."""

    def predict(self, X):
        time.sleep(0.005)
        return super().predict(X)


seen_by_nobody = [shadow(days(7)), canary(0.5, every=days(7))]
number = number.but("number", learner=Slow(max_iter=20), promote_when=at_most("mae", 1_000), roll_out=seen_by_nobody)
'''


def in_shadow(folder: Path) -> tuple[Served, Served]:
    """The house with its champion alone, and the same where a version that takes five milliseconds answers everything in shadow."""
    from everloop.clock import wall
    from everloop.loop.house import open_house
    from everloop.loop.people import undo
    from everloop.loop.resume import go_round

    calm = the_house().copied(folder / "calm")
    house = open_house(calm.project, folder=calm.house)
    undo(house, house.project.model("number"), by="the bench", reason="the champion alone", now=wall())
    house.store.close()
    slow = calm.copied(folder / "slow")
    slow.project.write_text(PROJECT.replace("canary, days", "at_most, canary, days, shadow") + SLOW)
    house = open_house(slow.project, folder=slow.house)
    go_round(house, house.project.model("number"), wall(), "demand")
    traffic = house.traffic(house.project.model("number"))
    house.store.close()
    if traffic.stage != "shadow":
        raise RuntimeError(f"the house is in {traffic.stage}, not in shadow")
    return calm, slow
