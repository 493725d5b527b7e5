"""A shop for tests: units of very different size, with what was sold and what two versions said. Seeded."""

import numpy as np

from everloop.records import Shape
from everloop.stats.shapes import Answers, Paired

DAY = 86_400_000_000
NUMBER = Shape(kind="number")
CHANCE = Shape(kind="chance", yes_above=0.5)


def words(values):
    return np.array([*map(str, values), None], dtype=object)[:-1]


def numbers(values):
    return Answers(NUMBER, np.asarray(values, dtype=np.float64))


def chances(values, yes_above=0.5):
    return Answers(Shape(kind="chance", yes_above=yes_above), np.asarray(values, dtype=np.float64))


def shop(units=300, weeks=2, *, champion=0.3, candidate=0.3, factor=1.0, spread=1.0, seed=0, first_week=0):
    """``champion`` and ``candidate`` are how far (in logarithms) their answers scatter around what is to be expected."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(2.0, spread, units))
    unit = np.tile(np.arange(units), weeks)
    expected = size[unit]
    truth = rng.poisson(expected * rng.gamma(8.0, 1 / 8, len(unit))).astype(np.float64)
    said = [numbers(expected * np.exp(rng.normal(0, s, len(unit)))) for s in (champion, candidate)]
    moments = (np.repeat(np.arange(weeks), units) + first_week) * 7 * DAY
    groups = {"department": words(np.where(np.arange(units)[unit] % 3 == 0, "grocery", "drugs"))}
    return Paired(words(unit), moments.astype(np.int64), truth, said[0], numbers(said[1].value * factor), groups)
