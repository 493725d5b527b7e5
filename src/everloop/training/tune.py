"""The search for settings: what to try next is asked of Optuna, done by an executor, told back. The only file that imports optuna.

In: a model's ``tune=``, trials that were kept, something that tries one setting on one fold. Out: which settings to learn with, and how
they were found. Reads no clock, no disk; what is asked for follows from the seed and the trials before, so a search that was killed and
goes on from its kept trials ends where it would have ended.

Proposals are those of the tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization") as Optuna
has it. A trial is given up by the median stopping rule (Golovin et al. 2017, "Google Vizier", section 3.2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from everloop.errors import LearnerFailed, Missing
from everloop.project.conditions import search
from everloop.training.executor import Executor
from everloop.training.searched import Searched
from everloop.training.trials import Attempt, Score, Trial, settings_at

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

TOGETHER = 4  # settings that are asked for at once; a constant, or what is found would depend on the machine
LEAST_BEFORE = 5  # trials that went to the end before one is given up
WIDE = 100  # from so many times on a range is searched on a log scale


@dataclass(frozen=True)
class Search:
    """What a search is given. ``attempt`` tries one setting on one fold, wherever ``executor`` has it done; ``keep`` is told every lot of
    trials that ended, ``money`` what CPU seconds cost, ``told`` each trial with the best so far."""

    tune: search
    folds: int
    measure: str
    seed: int
    executor: Executor
    attempt: Callable[[Attempt], Score]
    spoken: Callable[[float], float]
    keep: Callable[[Sequence[Trial]], None]
    money: Callable[[float], float]
    told: Callable[[Sequence[Trial]], None]


def searched(given: Search, kept: Sequence[Trial] = ()) -> Searched:
    """Try settings until the budget is spent, after the learner as declared; what was ``kept`` is not tried again.

    Raises Missing without optuna, LearnerFailed where no setting, nor the learner as declared, could be learnt with.
    """
    optuna_there()
    trials = list(kept)
    while (lot := _next(given, trials)) is not None:
        done = _tried(given, trials, lot)
        given.keep(done)
        trials += done
        given.told(trials)
    return _found(given, trials)


def optuna_there() -> Any:
    """Optuna, if it is installed. Raises Missing."""
    try:
        import optuna
    except ImportError:
        raise Missing("optuna", "tune", "tune=search(…)") from None
    return optuna


def worse_than_usual(losses: Sequence[float], before: Sequence[Trial]) -> bool:
    """Whether a trial, after so many folds, is worse than the median of those before it that went to the end was then.

    >>> done = [Trial(n, {"depth": n}, (float(n), float(n)), "done") for n in range(5)]
    >>> worse_than_usual((2.5,), done), worse_than_usual((1.5,), done), worse_than_usual((9.0,), done[:4])
    (True, False, False)
    """
    step = len(losses) - 1
    then = [t.losses[step] for t in before if t.ending == "done" and len(t.losses) > step]
    return len(then) >= LEAST_BEFORE and losses[step] > median(then)


# -- what is tried next --------------------------------------------------------------------------------------------------------------


def _next(given: Search, trials: Sequence[Trial]) -> list[Mapping[str, float]] | None:
    """The next settings to try; None where the budget is spent. First the learner as declared, which is no trial of the budget."""
    if not trials:
        return [{}]
    tune, tried = given.tune, len(trials) - 1
    count = TOGETHER if tune.trials is None else min(TOGETHER, tune.trials - tried)
    if tune.seconds is not None and sum(t.seconds for t in trials) >= tune.seconds:
        return None
    if tune.money is not None and given.money(sum(t.cpu_seconds for t in trials)) >= tune.money:
        return None
    return _asked(given, trials, count) if count > 0 else None


def _asked(given: Search, trials: Sequence[Trial], count: int) -> list[Mapping[str, float]]:
    """What Optuna proposes after these trials; the same ones give the same proposals, in whatever process."""
    optuna = optuna_there()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = {name: _distribution(values) for name, values in given.tune.ranges.items()}
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=given.seed + len(trials)))
    for trial in trials[1:]:
        study.add_trial(_as_optuna(trial, ranges))
    return [dict(study.ask(fixed_distributions=ranges).params) for _ in range(count)]


def _distribution(values: tuple[float, float] | list[object]) -> BaseDistribution:
    distributions = optuna_there().distributions
    if isinstance(values, list):
        return distributions.CategoricalDistribution(tuple(range(len(values))))
    low, high = values
    log = low > 0 and high / low >= WIDE
    kind = distributions.IntDistribution if isinstance(low, int) and isinstance(high, int) else distributions.FloatDistribution
    return kind(low, high, log=log)


def _as_optuna(trial: Trial, ranges: Mapping[str, BaseDistribution]) -> Any:
    optuna = optuna_there()
    states = optuna.trial.TrialState
    state = {"done": states.COMPLETE, "given up": states.PRUNED, "failed": states.FAIL}[trial.ending]
    value = trial.losses[-1] if trial.ending == "done" else None
    return optuna.trial.create_trial(
        state=state, value=value, params=dict(trial.places), distributions=dict(ranges), intermediate_values=dict(enumerate(trial.losses))
    )


# -- trying --------------------------------------------------------------------------------------------------------------------------


def _tried(given: Search, before: Sequence[Trial], lot: Sequence[Mapping[str, float]]) -> list[Trial]:
    """A lot of settings, fold by fold; after each fold those that do badly are given up."""
    trials = [Trial(len(before) + at, places, (), "done") for at, places in enumerate(lot)]
    for fold in range(given.folds):
        going = [at for at, trial in enumerate(trials) if trial.ending == "done"]
        scores = given.executor.map(given.attempt, [Attempt(trials[at].places, fold) for at in going])
        for at, score in zip(going, scores, strict=True):
            trials[at] = _after(trials[at], score, before, last=fold == given.folds - 1)
    return trials


def _after(trial: Trial, score: Score, before: Sequence[Trial], *, last: bool) -> Trial:
    seconds, cpu = trial.seconds + score.seconds, trial.cpu_seconds + score.cpu_seconds
    if score.loss is None:
        return Trial(trial.number, trial.places, trial.losses, "failed", seconds, cpu, score.why)
    count = len(trial.losses)
    mean = ((trial.losses[-1] * count if count else 0.0) + score.loss) / (count + 1)
    losses = (*trial.losses, mean)
    bad = bool(trial.places) and not last and worse_than_usual(losses, before)
    return Trial(trial.number, trial.places, losses, "given up" if bad else "done", seconds, cpu)


def _found(given: Search, trials: Sequence[Trial]) -> Searched:
    done = [t for t in trials if t.ending == "done"]
    if not done:
        raise LearnerFailed(f"None of {len(trials)} settings could be learnt with, nor the learner as declared. {trials[0].why}")
    best, declared = min(done, key=lambda t: (t.losses[-1], t.number)), trials[0]
    return Searched(
        settings=settings_at(given.tune, best.places),
        tried=len(trials) - 1,
        given_up=sum(t.ending == "given up" for t in trials),
        failed=sum(t.ending == "failed" for t in trials),
        folds=given.folds,
        measure=given.measure,
        best=given.spoken(best.losses[-1]),
        declared=given.spoken(declared.losses[-1]) if declared.ending == "done" else None,
        seconds=round(sum(t.seconds for t in trials), 3),
    )
