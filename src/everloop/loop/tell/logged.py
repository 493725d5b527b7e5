"""What a service elsewhere answered, as one side of a contest: its logged answers to the same questions.

In: a holdout. Out: who answers it. Nothing is asked anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from everloop.loop.answers import answers_of
from everloop.loop.house import House
from everloop.project.model import Model
from everloop.project.source import Source
from everloop.records import Shape, Traffic
from everloop.stats.shapes import Answers
from everloop.training.rehearse import Side
from everloop.training.rows import first_rows, group_sizes

NONE_LOGGED = "the champion answers elsewhere, and told no answer to any of the questions that are held out"


@dataclass(frozen=True)
class Logged:
    """Answers that were given: ``place`` of each by moment (0 where a unit is asked about once) and unit."""

    given: Answers
    place: dict[tuple[int, str], int]
    by_unit: bool = False
    columns: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        return self.given.shape

    def rows(self, features: pa.Table) -> NDArray[np.int64]:
        """Where the answer to each question is; -1 where there is none."""
        asked = features.take(pa.array(first_rows(features)))
        moments = [0] * len(asked) if self.by_unit else asked.column("moment").to_pylist()
        keys = zip(moments, asked.column("unit").to_pylist(), strict=True)
        return np.array([self.place.get(key, -1) for key in keys], dtype=np.int64)

    def answer(self, features: pa.Table) -> Answers:
        """The answer given to each question; every one of them was answered."""
        return self.given.take(self.rows(features))


def side(house: House, model: Model, traffic: Traffic, holdout: pa.Table) -> tuple[Side, pa.Table]:
    """The champion as a side of a contest, and what it can be asked: all, or what a service elsewhere is known to have answered."""
    champion = house.champion(traffic)
    if champion.format != "elsewhere":
        return Side(champion.id, house.predictor(champion)), holdout
    logged = logged_answers(house, model, traffic.champion, champion.shape)
    if not len(holdout):
        return Side(champion.id, logged), holdout
    there = np.repeat(logged.rows(holdout) >= 0, group_sizes(holdout))
    return Side(champion.id, logged), holdout.filter(pa.array(there))


def logged_answers(house: House, model: Model, version: str, shape: Shape) -> Logged:
    """Everything one version answered, failures aside."""
    given = answers_of(house, model)
    mine = given.filter((pc.field("version") == version) & pc.field("error").is_null())
    once = isinstance(model.per, Source)
    moments = [0] * len(mine) if once else mine.column("moment").to_pylist()
    place = {key: i for i, key in enumerate(zip(moments, mine.column("unit").to_pylist(), strict=True))}
    return Logged(Answers.from_arrow(shape, mine.column("answer")), place, once)
