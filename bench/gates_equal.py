"""Equal candidates: let in by the gate, by a rival that wants a higher score, and by one that takes every question for a proof."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.gates_world import Shop, World, judged, of_rows
from bench.goal import Goal, at_least, at_most
from everloop import beats_champion

ALPHA: Final = 0.05
JUDGED, REIGNS, WEEKS = 2_000, 400, 10
#: Customers that keep their ways more or less, days that go on in the next by nothing or by much, short and long holdouts.
WORLDS: Final = tuple(
    World(customers=customers, held_out=held_out, weather=weather, lasting=lasting)
    for customers, held_out in ((60, 56), (200, 28), (200, 84))
    for weather, lasting in ((0.0, 0.0), (0.2, 0.0), (0.2, 0.4), (0.2, 0.7))
)


def equal() -> Iterator[Goal]:
    """One contest each, in every kind of shop."""
    rng = np.random.default_rng(61)
    ours, higher, by_row = np.zeros(JUDGED, dtype=bool), np.zeros(JUDGED, dtype=bool), np.zeros(JUDGED, dtype=bool)
    for run in range(JUDGED):
        world = WORLDS[run % len(WORLDS)]
        shop = Shop(world, rng)
        paired = shop.contest(shop.weather(world.held_out), 0)
        opinion = judged(paired, beats_champion("wape"))
        ours[run], higher[run], by_row[run] = opinion.outcome == "passed", (opinion.effect or 0) > 0, of_rows(paired)
    each = [float(ours[i :: len(WORLDS)].mean()) for i in range(len(WORLDS))]
    error = float(np.sqrt(ALPHA / 2 * (1 - ALPHA / 2) / JUDGED))
    beside = f"2.5 % is what one side of 95 % confidence allows, 2 Monte-Carlo errors {2 * error:.2%}; worst kind of shop {max(each):.1%}"
    yield at_most("equal candidates promoted, of 2,000 judgements", float(ours.mean()), ALPHA / 2 + 2 * error, "share", beside)
    rival = f"one that takes every question for a proof promotes {by_row.mean():.1%}"
    yield at_least("promoted by: a higher score wins, the same judgements", float(higher.mean()), 0.45, "share", rival)


def reigns() -> Iterator[Goal]:
    """A model learnt again each week against the same champion, none of them better: each contest has the newest eight weeks, of which
    seven were in the one before, and candidates are much alike."""
    rng = np.random.default_rng(62)
    ever = {"ours": 0, "each alone": 0, "a higher score": 0}
    contests = 0
    for reign in range(REIGNS):
        world = World(customers=100, lasting=(0.0, 0.6)[reign % 2])
        shop = Shop(world, rng)
        weather = shop.weather(world.held_out + 7 * WEEKS)
        won = dict.fromkeys(ever, False)
        for week in range(WEEKS):
            paired = shop.contest(weather[7 * week : 7 * week + world.held_out], 7 * week)
            opinion = judged(paired, beats_champion("wape"), number=week + 1)
            contests += 1
            won["ours"] |= opinion.outcome == "passed"
            won["each alone"] |= judged(paired, beats_champion("wape")).outcome == "passed"
            won["a higher score"] |= (opinion.effect or 0) > 0
        for name, one in won.items():
            ever[name] += one
    share = {name: count / REIGNS for name, count in ever.items()}
    error = float(np.sqrt(ALPHA * (1 - ALPHA) / REIGNS))
    beside = f"{REIGNS} reigns, {contests:,} contests; each judged as if it were the first: {share['each alone']:.1%}"
    yield at_most("reigns in which an equal candidate is ever promoted", share["ours"], ALPHA + 2 * error, "share", beside)
    yield at_least("reigns it is by: a higher score wins", share["a higher score"], 0.9, "share")
