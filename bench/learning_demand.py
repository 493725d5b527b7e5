"""Demand of 1,303 products in weeks 49 to 52, all four weeks foretold when week 49 begins, by models as a project file says them.

Four models, one for each week ahead: the total of so many weeks less that of one week fewer. Beside them the mean of eight weeks and the
seasonal naive forecast, and how far even somebody who knew each product's rate would miss.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import nbinom, poisson

from bench.goal import Goal, at_least, at_most
from bench.learning_shop import END, events, lines, offers
from everloop import Model, days, every
from everloop.demo.shop import HERE, starts
from everloop.features.as_of import as_of
from everloop.records import Shape, TrainingSet
from everloop.registry.blobs import Blobs
from everloop.stats.measures import pinball_of
from everloop.stats.shapes import Answers, Floats, Strings
from everloop.training.artefact import load
from everloop.training.demand import Demand
from everloop.training.predictor import Answering
from everloop.training.rows import holdout
from everloop.training.train import train

FIRST, WEEKS, LEARNT_FROM = 49, 4, 10
LEVELS: Final = tuple(round(0.1 * n, 1) for n in range(1, 10))
PAST: Final = 8
"""Weeks whose mean, and whose empirical quantiles, are the floor."""


def model_of(week: int, learner: object, *, offered: bool) -> Model:
    """What is sold in the ``week``-th week from the question on, counted from 1; with ``offered`` what was announced for it is known."""
    total = lines.total("quantity", next=days(7 * week))
    recent, month, quarter, usual = lines.total("quantity", last=[days(7), days(28), days(91), days(56)])
    before = [lines.total("quantity", last=days(7), ago=days(7 * n)) for n in range(1, PAST)]
    alike = lines.total("quantity", last=[days(7), days(28), days(56)], per="category")
    known = [
        usual.named("usual"),
        *((one / usual).named(f"week_{n}") for n, one in enumerate([recent, *before])),
        (month / usual).named("month"),
        (quarter / usual).named("quarter"),
        (alike[0] / alike[2]).named("category_week"),
        (alike[1] / alike[2]).named("category_month"),
        (usual / lines.count(last=days(56))).named("a_line"),
        (lines.mean("price", last=days(7)) / lines.mean("price", last=days(56))).named("price"),
    ]
    if offered:
        known += [offers.planned("mailed"), offers.planned("displayed"), *_offers_before()]
    return Model(
        f"demand_{week}",
        predicts=total if week == 1 else total - lines.total("quantity", next=days(7 * week - 7)),
        per="product_id",
        asked=every(days(7), at="00:00", zone=HERE),
        knows=known,
        learner=learner,
        learns_from=days(7 * (FIRST - LEARNT_FROM)),
        holdout=timedelta(days=6),
    )


def _offers_before() -> list[object]:
    return [offers.total(column, last=days(56)).named(f"usually_{column}") for column in ("mailed", "displayed")]


@dataclass(frozen=True)
class Foretold:
    """Units by product and week ahead, (products, 4), with quantiles (products, 4, levels) where the model answers with some."""

    units: Strings
    categories: Strings
    truth: Floats
    said: Floats
    quantiles: Floats | None = None


@cache
def tables(offered: bool) -> tuple[tuple[TrainingSet, pa.Table], ...]:
    """The training table of each week ahead, learnt up to week 49, its one judged moment the beginning of week 49."""
    found = []
    for week in range(1, WEEKS + 1):
        model = model_of(week, Demand(), offered=offered)
        with tempfile.TemporaryDirectory() as folder:
            blobs = Blobs(Path(folder))
            made = as_of(model, events(), now=starts(FIRST + week), id="demand", save=blobs.save)
            found.append((made, pq.read_table(pa.BufferReader(blobs.read(made.body)))))
    return tuple(found)


def foretold(learner: object, *, offered: bool) -> Foretold:
    """What this learner says of the four weeks."""
    said, truths, quantiles, units = [], [], [], None
    for week, (made, table) in enumerate(tables(offered), 1):
        asked = holdout(table, made)
        assert set(asked.column("moment").to_pylist()) == {int(starts(FIRST).timestamp()) * 1_000_000}
        answers = _learnt(model_of(week, learner, offered=offered), table, made).answer(asked)
        units = asked.column("unit").to_pylist()
        said.append(answers.value)
        truths.append(asked.column("truth").to_numpy())
        quantiles.append(answers.values)
    assert units is not None
    whose = dict(zip(events()["products"]["product_id"].to_pylist(), events()["products"]["category"].to_pylist(), strict=True))
    kinds = np.array([whose.get(unit) or "" for unit in units], dtype=object)
    levels = None if quantiles[0] is None else np.stack(quantiles, axis=1)
    return Foretold(np.array(units, dtype=object), kinds, np.stack(truths, axis=1), np.stack(said, axis=1), levels)


def _learnt(model: Model, table: pa.Table, made: TrainingSet) -> Answering:
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder))
        return load(train(model, table, made, seed=0, id="demand", now=END, save=blobs.save), blobs.read)


def wape(truth: Floats, said: Floats) -> float:
    """The sum of absolute errors over that of truths."""
    return float(np.abs(truth - said).sum() / np.abs(truth).sum())


def by_category(found: Foretold, values: Floats) -> Floats:
    """Units (products, weeks) added up by category."""
    _, where = np.unique(found.categories.astype(str), return_inverse=True)
    return np.stack([np.bincount(where, column) for column in values.T], axis=1)


def past_weeks(found: Foretold) -> Floats:
    """Units of the eight weeks before week 49, (products, 8), the newest last."""
    (_, table) = tables(False)[0]
    asked = holdout(table, tables(False)[0][0])
    usual = asked.column("usual").to_numpy()
    return np.stack([asked.column(f"week_{n}").to_numpy() * usual for n in reversed(range(PAST))], axis=1).round(6)


def pinball(truth: Floats, quantiles: Floats) -> float:
    """The mean pinball loss over nine quantiles (products, weeks, levels)."""
    flat = quantiles.reshape(-1, len(LEVELS))
    return float(pinball_of(truth.ravel(), Answers(Shape(kind="quantiles", levels=LEVELS), flat[:, 4], values=flat)).mean())


def noise_floor(found: Foretold, past: Floats) -> Mapping[str, float]:
    """The WAPE of the median of somebody who knew each product's mean of these four weeks (and of the eight before), where weeks vary by
    chance alone: as Poisson counts, and as negative binomial ones with each product's own spread."""
    mean = np.maximum(np.concatenate([past, found.truth], axis=1).mean(axis=1), 1e-9)
    spread = np.maximum(np.concatenate([past, found.truth], axis=1).var(axis=1, ddof=1), mean * 1.0001)
    size = mean**2 / (spread - mean)
    rng = np.random.default_rng(0)
    worlds = {"Poisson": poisson(mean), "negative binomial": nbinom(size, size / (size + mean))}
    rounds = (400, len(mean))
    off = {name: np.abs(world.rvs(size=rounds, random_state=rng) - world.median()).sum() for name, world in worlds.items()}
    return {name: float(total / (rounds[0] * mean.sum())) for name, total in off.items()}


def demand() -> Iterator[Goal]:
    """How near the forecasts come, with what was announced and without."""
    median, plain = foretold(Demand(0.5), offered=True), foretold(Demand(0.5), offered=False)
    past = past_weeks(plain)
    usual = np.repeat(past.mean(axis=1)[:, None], WEEKS, axis=1)
    floor = noise_floor(plain, past)
    rules = f"8-week mean {wape(plain.truth, usual):.4f}, seasonal naive {wape(plain.truth, np.repeat(past[:, -1:], WEEKS, axis=1)):.4f}"
    floors = ", ".join(f"{name} {value:.3f}" for name, value in floor.items())
    without = wape(plain.truth, plain.said)
    beside = f"without it {without:.4f}; {rules}; by chance alone: {floors}"
    yield at_most("demand, median, mailer and displays known, weeks 49-52", wape(median.truth, median.said), 0.44, "WAPE", beside)
    yield at_most("demand, median, nothing announced known, weeks 49-52", without, wape(plain.truth, usual), "WAPE", rules)
    mean = foretold(Demand(), offered=True)
    bias = float((mean.said.sum() - mean.truth.sum()) / mean.truth.sum())
    biased = float((median.said.sum() - median.truth.sum()) / median.truth.sum())
    yield at_most("demand, mean, bias either way", abs(bias), 0.03, "share", f"{bias:+.3f}; the median {biased:+.3f}")
    yield at_most("demand, mean", wape(mean.truth, mean.said), 0.456, "WAPE", rules)
    whole = [by_category(mean, values) for values in (mean.truth, mean.said, usual)]
    kinds = f"8-week mean {wape(whole[0], whole[2]):.4f}, {len(whole[0])} categories"
    yield at_most("demand by category, mean", wape(whole[0], whole[1]), 0.18, "WAPE", kinds)
    yield from spread(usual, past)


def spread(usual: Floats, past: Floats) -> Iterator[Goal]:
    """What the quantiles promise, and how sharp they are."""
    found = foretold({level: Demand(level) for level in LEVELS}, offered=True)
    assert found.quantiles is not None
    truth, low, high = found.truth, found.quantiles[:, :, 0], found.quantiles[:, :, -1]
    covered = float(((low <= truth) & (truth <= high)).mean())
    yield at_least("demand, 80 % interval covers at least", covered, 0.76, "share")
    yield at_most("demand, 80 % interval covers at most", covered, 0.84, "share")
    empirical = np.repeat(np.quantile(past, LEVELS, axis=1).T[:, None, :], WEEKS, axis=1)
    mine, theirs = pinball(truth, found.quantiles), pinball(truth, empirical)
    said = f"pinball loss {mine:.3f}, of the empirical quantiles of eight weeks {theirs:.3f}"
    yield at_least("demand, nine quantiles below the empirical ones", 1 - mine / theirs, 0.05, "share", said)
