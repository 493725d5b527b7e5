"""The exported rules and dashboard before the real promtool, and a real Prometheus that scrapes a house and raises its incident."""

from __future__ import annotations

import json
import subprocess
from urllib.parse import quote

import pytest
from tests.oracles.prometheus_tools import alertmanager, asked, free_port, program, server, until
from tests.ring.test_serving import served

from everloop.clock import wall
from everloop.connect import grafana, prometheus
from everloop.loop.adopt import adopt
from everloop.loop.keep import keep_record
from everloop.records import Signal, Signals

__all__ = ["served"]
ROUTE = "/v1/models/{model}/predict"


def promtool(*words, folder):
    done = subprocess.run([program("promtool"), *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_promtool_finds_nothing_wrong_with_what_is_exported(tmp_path):
    prometheus.write(tmp_path, ["127.0.0.1:8321"], prometheus.Objective())
    for words in (("check", "rules", "--lint=all", "--lint-fatal", prometheus.RULES), ("check", "config", prometheus.SCRAPE)):
        code, said = promtool(*words, folder=tmp_path)
        assert code == 0, said
    rules = tmp_path / prometheus.RULES
    rules.write_text(rules.read_text().replace("rate(", "rat(", 1))
    assert promtool("check", "rules", prometheus.RULES, folder=tmp_path)[0] != 0, "what is wrong is noticed"


@pytest.mark.slow
def test_promtool_can_read_every_expression_of_the_dashboard(tmp_path):
    panels = grafana.dashboard()
    said = [target["expr"] for panel in panels["panels"] for target in panel.get("targets", [])]
    said += [note["expr"] for note in panels["annotations"]["list"]]
    filled = [expr.replace("$__rate_interval", "5m").replace("$model", ".*") for expr in said]
    rules = [{"record": f"expression:{n}", "expr": expr} for n, expr in enumerate(filled)]
    (tmp_path / "expressions.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, told = promtool("check", "rules", "expressions.yml", folder=tmp_path)
    assert code == 0, told
    assert f"{len(said)} rules found" in told


def case(failing, alerts, at="1h10m", slow=0):
    """A test of promtool: of 100 questions a minute so many fail or are slow, and these alerts fire."""
    series = [
        {"series": f'everloop_requests_total{{route="{ROUTE}",status="200"}}', "values": f"0+{100 - failing}x4400"},
        {"series": f'everloop_requests_total{{route="{ROUTE}",status="503"}}', "values": f"0+{failing}x4400"},
        {"series": 'everloop_requests_total{route="/v1/status",status="503"}', "values": "0+50x4400"},
        {"series": f'everloop_request_seconds_bucket{{route="{ROUTE}",le="0.1"}}', "values": f"0+{100 - slow}x4400"},
        {"series": f'everloop_request_seconds_count{{route="{ROUTE}"}}', "values": "0+100x4400"},
    ]
    names = [f"Everloop{what}Budget{window}" for what in ("Failed", "Slow") for _, window, _, _ in prometheus.BURNS]
    expected = [{"alertname": n, "eval_time": at, "exp_alerts": [alerts[n]] if n in alerts else []} for n in names]
    return {"interval": "1m", "input_series": series, "alert_rule_test": expected}


def burning(share, window, factor, severity, promised="0.001", told="of questions were not answered"):
    summary = f"{share} {told} in {window}: {factor} times what the budget of {promised} bears"
    return {"exp_labels": {"severity": severity}, "exp_annotations": {"summary": summary, "next": "everloop status"}}


@pytest.mark.slow
def test_a_budget_that_burns_is_told_as_fast_as_it_burns_and_one_that_lasts_is_not(tmp_path):
    objective = prometheus.Objective()
    prometheus.write(tmp_path, [], objective)
    all_four = {
        f"EverloopFailedBudget{window}": burning("2%", window, f"{factor:g}", severity) for factor, window, _, severity in prometheus.BURNS
    }
    slow = {
        f"EverloopSlowBudget{w}": burning("20%", w, f"{f:g}", s, "0.01", "of questions took more than 100 ms")
        for f, w, _, s in prometheus.BURNS
    }
    house = {
        "interval": "1m",
        "input_series": [
            {"series": 'everloop_incidents{model="demand",cause="data",severity="critical",state="firing"}', "values": "0x3 1x20"},
            {"series": 'everloop_incidents{model="churn",cause="release",severity="critical",state="pending"}', "values": "1x30"},
            {"series": "everloop_worker_started_total", "values": "2x30"},
            {"series": "everloop_controller_seen_seconds", "values": "0x30"},
        ],
        "alert_rule_test": [
            {"alertname": "EverloopIncident", "eval_time": "2m", "exp_alerts": []},
            {"alertname": "EverloopControllerGone", "eval_time": "4m", "exp_alerts": []},
            {"alertname": "EverloopGone", "eval_time": "20m", "exp_alerts": []},
            {
                "alertname": "EverloopIncident",
                "eval_time": "10m",
                "exp_alerts": [
                    {
                        "exp_labels": {"model": "demand", "cause": "data", "severity": "critical"},
                        "exp_annotations": {"summary": "demand: 1 incident (data)", "next": "everloop incidents demand"},
                    }
                ],
            },
        ],
    }
    tests = [case(2, all_four), case(0, {}), case(0, slow, slow=20), house]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [prometheus.RULES], "evaluation_interval": "1m", "tests": tests}))
    code, told = promtool("test", "rules", "tests.yml", folder=tmp_path)
    assert code == 0, told
    quiet = [case(2, {})]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [prometheus.RULES], "evaluation_interval": "1m", "tests": quiet}))
    assert promtool("test", "rules", "tests.yml", folder=tmp_path)[0] != 0, "rules that stay silent would be noticed"


@pytest.mark.slow
def test_a_real_prometheus_scrapes_a_house_and_an_incident_reaches_a_real_alertmanager(opened, served, tmp_path):
    house, model = opened("shop")
    now = wall()
    adopt(house, model, now)
    nulls = Signal(clause="data", kind="data", fired=True, outcome="passed", sentence="price is empty", about="price")
    with house.store.transaction() as t:
        keep_record(
            house, t, Signals(id="look", made_at=now, model=model.name, until=now, signals=(nulls,)), model=model, turn="t", verb="w"
        )
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    up = served(house, "run")
    folder, port = tmp_path / "prometheus", free_port()
    folder.mkdir()
    prometheus.write(folder, [up.url.removeprefix("http://")], prometheus.Objective())
    config = folder / prometheus.SCRAPE
    am = tmp_path / "alertmanager"
    am.mkdir()
    with alertmanager(am) as manager:
        alerting = (
            f"alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: [{json.dumps(manager.removeprefix('http://'))}]\n"
        )
        config.write_text(config.read_text().replace("15s", "1s") + alerting)
        words = [f"--config.file={config.name}", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"]
        url = f"http://127.0.0.1:{port}"
        with server([program("prometheus"), *words], f"{url}/-/ready", folder), up.client() as client:

            def fires():
                client.post("/v1/models/demand/predict", json={"product_id": product})
                return [a for a in asked(f"{url}/api/v1/alerts")["data"]["alerts"] if a["state"] == "firing"]

            (alert,) = until(fires, seconds=60)
            assert alert["labels"] == {"alertname": "EverloopIncident", "model": "demand", "cause": "data", "severity": "critical"}

            def reached():
                return [a["labels"]["alertname"] for a in asked(f"{manager}/api/v2/alerts")] == ["EverloopIncident"]

            assert until(reached, seconds=30)
            (incident,) = client.get("/v1/incidents").json()["incidents"]
            assert (incident["model"], incident["cause"], incident["state"]) == ("demand", "data", "firing")

            def answered():
                client.post("/v1/models/demand/predict", json={"product_id": product})
                found = asked(f"{url}/api/v1/query?query={quote('everloop:failed:ratio_rate5m')}")["data"]["result"]
                return [float(one["value"][1]) for one in found]

            assert until(answered, seconds=60) == [0.0], "what was answered burns nothing"
            champion = asked(f"{url}/api/v1/query?query=everloop_champion")["data"]["result"]
            assert [one["metric"]["version"] for one in champion] == ["demand@0"]
