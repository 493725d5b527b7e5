"""The table of metrics: every kind has some, the first is the default, and the table does not contradict itself."""

from __future__ import annotations

from typing import get_args

import pytest

from everloop.project.metrics import METRICS, OF_KIND, PLURAL, SERVING, default_metric, fits
from everloop.project.scorers import SCORERS
from everloop.records import Kind

KINDS = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_metrics_that_say_they_measure_it(kind: Kind) -> None:
    assert set(OF_KIND[kind]) == {name for name, metric in METRICS.items() if kind in metric.kinds} - set(SCORERS)
    assert default_metric(kind) in OF_KIND[kind]
    assert PLURAL[kind]


def test_serving_is_measured_without_a_truth() -> None:
    assert set(SERVING) == {"errors", "p99_ms"}
    assert all(METRICS[name].serving and METRICS[name].good == "low" for name in SERVING)


def test_what_is_good_is_known_for_each() -> None:
    assert {name for name, metric in METRICS.items() if metric.good == "high"} - set(SCORERS) == {
        "auc", "accuracy", "recall", "precision", "coverage", "ndcg", "hit_rate",
    }  # fmt: skip
    assert METRICS["bias"].good == "zero"


def test_a_scorer_of_scikit_learn_is_better_when_higher_and_fits_its_kinds_only() -> None:
    assert all(METRICS[name].good == "high" and not METRICS[name].serving for name in SCORERS)
    assert fits("f1", "chance")
    assert not fits("f1", "number")
    assert not any(fits(name, "ranking") for name in SCORERS)


def test_no_scorer_has_the_name_of_a_measure_of_ours() -> None:
    assert {name for names in OF_KIND.values() for name in names}.isdisjoint(SCORERS)
