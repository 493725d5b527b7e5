"""Which metrics there are, for which kind of answer, how they are spoken, and which direction is good. A table, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from everloop.records import Kind

Good: TypeAlias = Literal["high", "low", "zero"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: ``good`` says whether high, low or zero is good; ``decides``: it counts yeses and noes, so somebody must be told yes.

    ``kinds`` are the kinds of answer it measures; a metric of serving (errors, latency) measures every kind and has none.
    """

    name: str
    kinds: tuple[Kind, ...]
    spoken: str
    good: Good
    decides: bool = False

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
        Metric("auc", ("chance",), "AUC", "high"),
        Metric("logloss", ("chance", "shares"), "log loss", "low"),
        Metric("brier", ("chance",), "Brier score", "low"),
        Metric("accuracy", ("chance", "shares"), "accuracy", "high", decides=True),
        Metric("recall", ("chance",), "recall", "high", decides=True),
        Metric("precision", ("chance", "ranking"), "precision", "high", decides=True),
        Metric("pinball", ("quantiles",), "pinball loss", "low"),
        Metric("coverage", ("quantiles",), "coverage", "high"),
        Metric("ndcg", ("ranking",), "NDCG", "high"),
        Metric("hit_rate", ("ranking",), "hit rate", "high"),
        Metric("errors", (), "the share of answers that fail", "low"),
        Metric("p99_ms", (), "p99 latency in ms", "low"),
    )
}

# The order in which a message lists them; the first is the one used where none is said.
OF_KIND: dict[Kind, tuple[str, ...]] = {
    "number": ("wape", "mae", "rmse", "bias"),
    "chance": ("auc", "logloss", "brier", "accuracy", "recall", "precision"),
    "shares": ("logloss", "accuracy"),
    "quantiles": ("pinball", "coverage", "wape"),
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
    return name not in ("rmse", "bias", "auc", "recall") and not (name == "precision" and kind == "chance")
