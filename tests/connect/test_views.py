"""The files that look at a house: every metric in them is one that is told, and nobody's own file is written over."""

import json
import re

import pytest

from everloop.connect import grafana, prometheus
from everloop.errors import EverloopError
from everloop.serving.metrics import FAMILIES

ENDINGS = ("_bucket", "_sum", "_count")


def metrics_in(text):
    """The names of metrics in PromQL; those that rules record have a colon in them."""
    return {re.sub("|".join(f"{e}$" for e in ENDINGS), "", name) for name in re.findall(r"\beverloop_\w+(?![:\w])", text)}


def expressions(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])] + [
        note["expr"] for note in dashboard["annotations"]["list"]
    ]


RULES = prometheus.rules(prometheus.Objective())
DASHBOARD = grafana.dashboard()


def unknown(text):
    return metrics_in(text) - FAMILIES.keys()


def test_every_metric_that_is_named_is_told():
    assert unknown(RULES) == set()
    assert unknown(json.dumps(DASHBOARD)) == set()
    assert unknown(RULES.replace("everloop_incidents", "everloop_accidents")) == {"everloop_accidents"}, "another would be noticed"


def test_every_gauge_stands_on_the_dashboard():
    gauges = {name for name, family in FAMILIES.items() if family.kind == "gauge"}
    named = metrics_in(json.dumps(DASHBOARD)) | metrics_in(RULES)
    assert gauges <= named


def test_every_label_that_is_named_is_one_of_its_metric():
    seen = set()
    for expr in expressions(DASHBOARD):
        for name, said in re.findall(r"\b(everloop_\w+)\{([^}]*?)\}", re.sub(r'"[^"]*"', '""', expr)):
            family = FAMILIES[re.sub("|".join(f"{e}$" for e in ENDINGS), "", name)]
            named = set(re.findall(r"(\w+)(?==)", said))
            assert named <= {*family.labels, "le"}, expr
            seen |= named
    assert {"model", "status"} <= seen


def test_a_series_of_each_rule_that_is_alerted_by_is_recorded():
    recorded = set(re.findall(r"record: (\S+)", RULES))
    used = set(re.findall(r"(everloop:[\w:]+)", " ".join(line for line in RULES.splitlines() if "expr" in line)))
    assert used <= recorded
    assert len(recorded) == 2 * len(prometheus.WINDOWS)


def test_panels_have_ids_of_their_own_and_do_not_lie_on_each_other():
    panels = DASHBOARD["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    cells = [(x, y) for p in panels for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"]) for y in [p["gridPos"]["y"]]]
    assert len(cells) == len(set(cells))
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)
    assert {v["name"] for v in DASHBOARD["templating"]["list"]} >= set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(DASHBOARD)))


def test_a_file_of_somebody_else_is_left_alone_and_ours_is_written_anew(tmp_path):
    (tmp_path / "prometheus.yml").write_text("global: {}\n")
    with pytest.raises(EverloopError, match="was not written by everloop"):
        prometheus.write(tmp_path, ["127.0.0.1:8321"], prometheus.Objective())
    assert [path.name for path in tmp_path.iterdir()] == ["prometheus.yml"]
    for _ in range(2):
        assert len(grafana.write(tmp_path)) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"answered": 1.0}, "--answered 1"),
        ({"answered": 0.0}, "--answered 0"),
        ({"quick": float("nan")}, "--quick"),
        ({"seconds": 0.07}, "--ms 100"),
    ],
)
def test_an_objective_that_cannot_be_meant_is_told_with_the_cure(words, told):
    with pytest.raises(EverloopError, match=told):
        prometheus.Objective(**words)


def test_an_address_cannot_leave_its_quotes():
    assert '["a\\"]: x"]' in prometheus.scrape(['a"]: x'])
