"""Which metrics there are, for which kind of answer, how they are spoken, and which direction is good. A table, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from everloop.project.scorers import SCORERS
from everloop.records import Kind

Good: TypeAlias = Literal["high", "low", "zero"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: ``good`` says whether high, low or zero is good; ``decides``: it counts yeses and noes, so somebody must be told yes;
    ``rehearsed``: only a rehearsal can work it out, which has the rows that were learnt from.

    ``kinds`` are the kinds of answer it measures; a metric of serving (errors, latency) measures every kind and has none. ``whole``: it is
    worked out of all questions at once, so that only the gate can judge by it.
    """

    name: str
    kinds: tuple[Kind, ...]
    spoken: str
    good: Good
    decides: bool = False
    whole: bool = False
    rehearsed: bool = False

    @property
    def serving(self) -> bool:
        """Whether it measures the serving itself and needs no truth."""
        return not self.kinds


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("wape", ("number", "quantiles"), "WAPE", "low"),
        Metric("mae", ("number",), "MAE", "low"),
        Metric("rmse", ("number",), "RMSE", "low"),
        Metric("bias", ("number",), "bias", "zero"),
        Metric("mase", ("number", "quantiles"), "MASE", "low", rehearsed=True),
        Metric("auc", ("chance",), "AUC", "high"),
        Metric("logloss", ("chance", "shares"), "log loss", "low"),
        Metric("brier", ("chance",), "Brier score", "low"),
        Metric("accuracy", ("chance", "shares"), "accuracy", "high", decides=True),
        Metric("recall", ("chance",), "recall", "high", decides=True),
        Metric("precision", ("chance", "ranking"), "precision", "high", decides=True),
        Metric("error_rate", ("chance", "shares"), "error rate", "low", decides=True),
        Metric("calibration_error", ("chance",), "calibration error", "low"),
        Metric("pinball", ("quantiles",), "pinball loss", "low"),
        Metric("coverage", ("quantiles",), "coverage", "high"),
        Metric("ndcg", ("ranking",), "NDCG", "high"),
        Metric("hit_rate", ("ranking",), "hit rate", "high"),
        Metric("errors", (), "the share of answers that fail", "low"),
        Metric("p99_ms", (), "p99 latency in ms", "low"),
    )
} | {s.name: Metric(s.name, s.kinds, s.spoken, "high", s.decides, s.whole) for s in SCORERS.values()}

# Our own, in the order in which a message lists them; the first is the one used where none is said. scikit-learn's scorers stand beside
# them by their own names (scorers.py).
OF_KIND: dict[Kind, tuple[str, ...]] = {
    "number": ("wape", "mae", "rmse", "bias", "mase"),
    "chance": ("auc", "logloss", "brier", "accuracy", "recall", "precision", "error_rate", "calibration_error"),
    "shares": ("logloss", "accuracy", "error_rate"),
    "quantiles": ("pinball", "coverage", "wape", "mase"),
    "ranking": ("ndcg", "precision", "hit_rate"),
}
SERVING = tuple(name for name, metric in METRICS.items() if metric.serving)
PLURAL: dict[Kind, str] = {
    "number": "numbers",
    "chance": "chances",
    "shares": "shares",
    "quantiles": "quantiles",
    "ranking": "ranked lists",
}


def default_metric(kind: Kind) -> str:
    """The metric used where ``on=`` is not said.

    >>> default_metric("number"), default_metric("chance"), default_metric("ranking")
    ('wape', 'auc', 'ndcg')
    """
    return OF_KIND[kind][0]


def needs_yes(name: str, kind: Kind) -> bool:
    """Whether a metric of chances can only be worked out where somebody is told yes.

    >>> needs_yes("recall", "chance"), needs_yes("auc", "chance"), needs_yes("precision", "ranking")
    (True, False, False)
    """
    return kind == "chance" and METRICS[name].decides


def by_arms(name: str, kind: Kind) -> bool:
    """Whether two versions can be held against each other by it that answered other units each: it is a sum over units.

    >>> by_arms("logloss", "chance"), by_arms("auc", "chance"), by_arms("precision", "ranking")
    (True, False, True)
    """
    if name in SCORERS or name.startswith("cost("):
        return False
    return name not in ("rmse", "bias", "mase", "auc", "recall", "calibration_error") and not (name == "precision" and kind == "chance")


def fits(name: str, kind: Kind) -> bool:
    """Whether answers of this kind can be measured by it.

    >>> fits("f1", "chance"), fits("f1", "number"), fits("wape", "number")
    (True, False, True)
    """
    return name in METRICS and kind in METRICS[name].kinds


def name_of(on: object, usual: str) -> str:
    """What a condition measures by, as a name: its own, money by how it is said, a function of the user's by its name; else the usual one.

    >>> from everloop import cost
    >>> name_of("f1", "auc"), name_of(None, "auc"), name_of(cost(missed=250, false_alarm=15), "auc"), name_of(fits, "auc")
    ('f1', 'auc', 'cost(missed=250, false_alarm=15)', 'fits')
    """
    if isinstance(on, str):
        return on
    if callable(on):
        return str(getattr(on, "__name__", "a function"))
    return repr(on) if type(on).__name__ == "cost" else usual
