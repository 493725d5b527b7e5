"""Roll-outs judged by betting: how often a good candidate is sent back or a bad one let in however often one looks, how soon harm is
seen, and whether units are split as they should be. Simulated, with fixed seeds, about two CPU minutes; and on the demo's data, three."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from importlib import import_module
from operator import add
from typing import Final

import numpy as np

from bench.goal import Goal, at_least, at_most
from bench.rollouts_world import BROKEN, CONVERSION, ERRORS, SIGMAS, SLOW, WAYS, Floats, Rollout, Truth, rollout
from everloop.rollout import verdict
from everloop.stats.arms import counted
from everloop.stats.evalue import above_rate, arm_events, arm_process, weighted
from everloop.stats.intervals import share_bounds

RUNS: Final = 2_000
#: Harm is proven when the weighted mean of the guardrails' e-values reaches 20; a broken limit on errors when its own reaches 1,000.
WEIGHTS: Final = np.array([verdict.WEIGHTS[name] for name in ("errors", "slow", "figures", "odd")])
HARM, LIMIT, FOUND = 20.0, 1_000.0, 20.0
MOST_ERRORS, LESS_ALLOWED = 0.005, 0.9


SECTIONS: Final = {
    "alarms": ("bench.rollouts", "false_alarms"),
    "promotions": ("bench.rollouts", "false_promotions"),
    "merged": ("bench.rollouts", "merged"),
    "acting": ("bench.rollouts", "time_to_act"),
    "bandits": ("bench.rollouts_bandit", "bandits"),
    "several": ("bench.rollouts_several", "several"),
    "units": ("bench.rollouts_units", "units"),
    "weeks": ("bench.rollouts_weeks", "measure"),
}


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> Iterator[Goal]:
    """Every goal of these sections."""
    for name in sections:
        module, function = SECTIONS[name]
        goals: Callable[[], Iterator[Goal]] = getattr(import_module(module), function)
        yield from goals()


def false_alarms() -> Iterator[Goal]:
    """Candidates that are the champion itself, in every weather; the usual test looks on."""
    rng = np.random.default_rng(20)
    sent_back, usual = np.zeros(RUNS, dtype=bool), np.zeros(RUNS, dtype=bool)
    for run in range(RUNS):
        seen = rollout(rng, WAYS[run % 5], SIGMAS[run // 5 % 3])
        sent_back[run] = harm(seen, orders=bool(run % 2)).max() >= HARM or limit_broken(seen)
        usual[run] = pooled_z(seen)
    worst = max(float(sent_back[way::5].mean()) for way in range(5))
    bound = share_bounds(int(sent_back.sum()), RUNS, 0.99)[1]
    beside = f"99 % bound {bound:.2%}, worst way of sharing {worst:.2%}; {RUNS:,} roll-outs"
    yield at_most("equal candidates sent back, looked at after every event", float(sent_back.mean()), 0.05, "share", beside)
    ways = ", ".join(f"{way} {usual[i::5].mean():.0%}" for i, way in enumerate(WAYS))
    yield at_least("equal candidates the pooled z-test calls different", float(usual.mean()), 0.30, "share", ways)


def harm(seen: Rollout, *, orders: bool) -> Floats:
    """The evidence after each unit that the candidate does harm; margins of 1, where a false alarm is likeliest."""
    lost = seen.weight if orders else seen.converted.astype(np.float64)
    return weighted(
        np.array(
            [
                after_each(seen, seen.erred.astype(np.float64), most=64.0),
                after_each(seen, seen.slow.astype(np.float64)),
                after_each(seen, lost, more=False),
                after_each(seen, seen.broken.astype(np.float64)),
            ]
        ),
        WEIGHTS,
    )


def after_each(seen: Rollout, weight: Floats, *, margin: float = 1.0, more: bool = True, most: float = 8.0) -> Floats:
    """The e-value after each unit (n,); ``weight`` (n,) 0 where nothing happened to it."""
    happened = weight > 0
    process = arm_process(seen.candidate[happened], seen.share[happened], weight[happened], margin=margin, more=more, most=most)
    return np.concatenate([[1.0], process])[np.cumsum(happened)]


def limit_broken(seen: Rollout) -> bool:
    """Whether more failing answers of the candidate than allowed were ever proven; that is possible only when one more has failed."""
    mine = seen.candidate > 0.5
    asked, failed = np.cumsum(seen.requests[mine]), np.cumsum(seen.failed[mine])
    looks = np.flatnonzero(seen.failed[mine])
    return any(above_rate(int(failed[i]), int(asked[i]), MOST_ERRORS).value >= LIMIT for i in looks)


def pooled_z(seen: Rollout) -> bool:
    """The usual test: two conversion rates over everything so far, looked at after every conversion from 10 in each arm on."""
    looks = np.flatnonzero(seen.converted)
    n1 = np.cumsum(seen.candidate)[looks]
    n0, x1 = looks + 1 - n1, np.cumsum(seen.candidate * seen.converted)[looks]
    x0 = np.arange(1, len(looks) + 1) - x1
    enough = (x1 >= 10) & (x0 >= 10)
    n1, n0, x1, x0 = n1[enough], n0[enough], x1[enough], x0[enough]
    both = (x1 + x0) / (n1 + n0)
    return bool((np.abs(x1 / n1 - x0 / n0) > 1.96 * np.sqrt(both * (1 - both) * (1 / n1 + 1 / n0))).any())


def false_promotions() -> Iterator[Goal]:
    """Candidates that lose exactly what may not be lost; every other condition is taken to be met, so nothing else holds them back."""
    rng, let_in = np.random.default_rng(21), np.zeros(RUNS, dtype=bool)
    for run in range(RUNS):
        # A tenth fewer orders of the same value: conversions and capped revenue lie on the margin, both exactly.
        seen = rollout(rng, WAYS[run % 5], SIGMAS[run // 5 % 3], Truth(conversion=LESS_ALLOWED))
        kept = seen.weight if run % 2 else seen.converted.astype(np.float64)
        let_in[run] = after_each(seen, kept, margin=LESS_ALLOWED).max() >= FOUND
    beside = f"99 % bound {share_bounds(int(let_in.sum()), RUNS, 0.99)[1]:.2%}; {RUNS:,} roll-outs, margin {1 - LESS_ALLOWED:.0%}"
    yield at_most("candidates at the margin let in, looked at after every event", float(let_in.mean()), 0.05, "share", beside)


def merged() -> Iterator[Goal]:
    """Evidence kept by seven workers and added, against that of one."""
    rng, apart = np.random.default_rng(22), 0.0
    for run in range(50):
        seen = rollout(rng, WAYS[run % 5], 1.5)
        happened = seen.weight > 0
        arm, share, weight, worker = (
            seen.candidate[happened],
            seen.share[happened],
            seen.weight[happened],
            rng.integers(7, size=happened.sum()),
        )
        whole = arm_events(arm, share, weight)
        parts = reduce(add, [arm_events(arm[worker == w], share[worker == w], weight[worker == w]) for w in range(7)])
        counts = reduce(add, [counted(arm[worker == w], share[worker == w]) for w in range(7)])
        apart = max(apart, float(np.abs(whole.wealth - parts.wealth).max()), 0.0 if counts == counted(arm, share) else np.inf)
    yield at_most("evidence of seven workers added, off that of one", apart, 1e-9, "log", "as counts: the same integers")


def time_to_act() -> Iterator[Goal]:
    """How soon a candidate that does harm is stopped by the same rule; medians of 1,000 roll-outs."""
    rng, runs = np.random.default_rng(23), 1_000

    def stopped(truth: Truth, *, share: float, orders: bool) -> list[float]:
        return [first(harm(steady(rng, share, truth), orders=orders) >= HARM) for _ in range(runs)]

    took = stopped(Truth(conversion=0.7), share=0.5, orders=False)
    yield at_most("conversions × 0.7 stopped, half the traffic, 3 % base", middle(took), 10_000, "units", spread(took))
    took = stopped(Truth(order=0.5), share=0.5, orders=True)
    yield at_most("order values halved, stopped, half the traffic, 3 % base", middle(took), 12_000, "units", spread(took))
    took = stopped(Truth(slow=3.0), share=0.05, orders=False)
    yield at_most("slow requests × 3 stopped, 5 % of the traffic", middle(took), 10_000, "requests", spread(took))
    took = [failing(rng, 0.5) for _ in range(runs)]
    yield at_most("half of the candidate's requests fail: stopped", middle(took), 10, "requests", spread(took) + "; its own requests")
    took = [failing(rng, 0.05) for _ in range(runs)]
    yield at_most("5 % of the candidate's requests fail: stopped", middle(took), 150, "requests", spread(took) + "; its own requests")


def steady(rng: np.random.Generator, share: float, truth: Truth, n: int = 40_000) -> Rollout:
    """Units that ask once, in still weather: what the times to act are promised for."""
    arm = rng.random(n) < share
    converted = rng.random(n) < CONVERSION * np.where(arm, truth.conversion, 1.0)
    weight = np.zeros(n)
    value = np.exp(rng.normal(0, 0.9, int(converted.sum()))) * np.where(arm[converted], truth.order, 1.0)
    weight[converted] = np.minimum(value / np.exp(2.576 * 0.9), 1.0)
    failed = (rng.random(n) < ERRORS).astype(np.int64)
    slow, broken = rng.random(n) < SLOW * np.where(arm, truth.slow, 1.0), rng.random(n) < BROKEN
    return Rollout(
        np.full(n, share), arm.astype(np.float64), np.ones(n, dtype=np.int64), converted, weight, failed > 0, failed, slow, broken
    )


def failing(rng: np.random.Generator, rate: float, share: float = 0.01) -> float:
    """How many requests of the candidate are answered until its errors stop it, by their ratio or by their limit."""
    n = 80_000
    arm = rng.random(n) < share
    failed = np.flatnonzero(rng.random(n) < np.where(arm, rate, ERRORS))
    ratio = arm_process(arm[failed].astype(np.float64), np.full(len(failed), share), most=64.0)
    others = np.ones((3, len(ratio)))
    by_ratio = first(weighted(np.vstack([ratio, others]), WEIGHTS) >= HARM)
    answered = float(arm[: failed[int(by_ratio) - 1] + 1].sum()) if np.isfinite(by_ratio) else np.inf
    mine = np.flatnonzero(np.isin(np.flatnonzero(arm), failed)) + 1
    by_limit = next((float(asked) for bad, asked in enumerate(mine, 1) if above_rate(bad, int(asked), MOST_ERRORS).value >= LIMIT), np.inf)
    return min(answered, by_limit)


def first(reached: np.ndarray) -> float:
    """The number of the first that is true, from 1 on; infinite if none is."""
    return float(reached.argmax()) + 1 if reached.any() else float("inf")


def middle(took: list[float]) -> float:
    return float(np.median(took))


def spread(took: list[float]) -> str:
    return f"nine in ten within {np.quantile(took, 0.9, method='higher'):,.0f}"
