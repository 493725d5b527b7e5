"""What the chances meant: held against what came of them, from the tables in the windows' profiles. In: what was seen. Out: a Signal.

It never fires and decides nothing: a slip of Brier score or log loss does. It says which way chances lie, which a loss does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from everloop.monitor.profile import scores_of
from everloop.monitor.scores import YES, Scores
from everloop.monitor.seen import Answered, Seen
from everloop.project.spoken_conditions import spoken_metric
from everloop.records import Outcome, Signal
from everloop.stats.intervals import wilson
from everloop.stats.known import as_floats
from everloop.stats.rounded import figure, percent, span_of

LEAST = 50
FIGURES = ("auc", "logloss", "brier")


def calibrated(seen: Seen) -> Iterator[Signal]:
    """One signal where the champion answers with chances and some truth of them is mature: *passed* where the mean chance lies within the
    interval of the share that came true (Wilson's, 95 %, each answer a witness of its own), *failed* beyond it.
    """
    now = scores_of(seen.windows)
    if now is None or not now.judged:
        return
    outcome, sentence = _outcome(now), spoken(now, promised_scores(seen.promised))
    low, high = wilson(int(now.counts[:, YES].sum()), now.judged)
    yield Signal(
        clause="what its chances meant", kind="calibration", fired=False, outcome=outcome, sentence=sentence,
        value=now.came, low=low, high=high, rows=now.judged, coverage=now.judged / now.rows,
        as_of=None if seen.maturity is None else seen.maturity.as_of,
    )  # fmt: skip


def promised_scores(promised: Answered | None) -> Scores | None:
    """The table of the contest a champion won; None where there was none, or answers are no chances."""
    if promised is None or promised.answers.shape.kind != "chance" or not len(promised):
        return None
    return Scores.of(promised.answers.value, as_floats(promised.truth))


def spoken(now: Scores, promised: Scores | None) -> str:
    """Both in a sentence.

    >>> import numpy as np
    >>> spoken(Scores.of(np.full(100, 0.2), np.repeat([0.0, 1.0], [70, 30])), None)
    'its chances said 20 % on average; 30 % (21.9 … 39.6 %) came true of 100 mature answers: they say too little'
    """
    if now.said is None or now.came is None:
        return "no truth of what its chances were about is mature yet"
    low, high = wilson(int(now.counts[:, YES].sum()), now.judged)
    sentence = f"its chances said {percent(now.said)} on average; {percent(now.came)} ({span_of(low, high)}) came true of "
    sentence += f"{now.judged:,} mature answers"
    if now.judged >= LEAST:
        sentence += ": they say too little" if now.said < low else ": they say too much" if now.said > high else ""
    if promised is not None and promised.said is not None:
        sentence += f" (when promoted {percent(promised.said)} and {percent(promised.came)})"
    return sentence


def lines(now: Scores, promised: Scores | None, above: float) -> list[str]:
    """The same, its other figures, what saying yes ``above`` a chance came to, and group by group what was said and came true."""
    if not now.judged:
        return [f"What came of its chances is not known yet of any of {now.rows:,} answers."]
    waits = f"; {now.rows - now.judged:,} wait for their truth" if now.rows > now.judged else ""
    head = spoken(now, promised)
    found = [f"{head[0].upper()}{head[1:]}{waits}."]
    then = {} if promised is None else {name: getattr(promised, name) for name in FIGURES}
    figures = [
        f"{spoken_metric(n)} {figure(getattr(now, n))}" + (f" ({figure(then[n])})" if then.get(n) is not None else "") for n in FIGURES
    ]
    yes = now.confusion(above)
    told = f"yes above {above:g}: {yes.true_yes:,} rightly, {yes.false_yes:,} wrongly, {yes.false_no:,} missed"
    found.append(f"  {', '.join(figures)}; {told}")
    groups = [f"  said {percent(g.said)}: {percent(g.came)} ({span_of(g.low, g.high)}) came true of {g.rows:,}" for g in now.calibration()]
    return [*found, *groups]


def as_plain(scores: Scores) -> dict[str, Any]:
    """What a table tells, as plain values for JSON."""
    plain = {"answers": scores.rows, "mature": scores.judged, "said": scores.said, "came_true": scores.came}
    return {**plain, **{n: getattr(scores, n) for n in FIGURES}, "calibration": [asdict(g) for g in scores.calibration()]}


def _outcome(now: Scores) -> Outcome:
    if now.judged < LEAST or now.said is None:
        return "not enough evidence"
    low, high = wilson(int(now.counts[:, YES].sum()), now.judged)
    return "passed" if low <= now.said <= high else "failed"
