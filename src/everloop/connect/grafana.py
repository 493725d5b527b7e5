"""Grafana: a dashboard of a house over a Prometheus that scrapes it, as a file to be imported. Values only; nothing is asked.

One row each for who is answered by whom, for the service, for what watching sees, for what the ring does and costs, and for the machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everloop.connect.prometheus import asked_routes
from everloop.connect.whole import put_own

FILE = "everloop-dashboard.json"
MARK = "everloop export grafana"
SCHEMA = 36
"""The oldest form of dashboards that names its source of data as we do; newer releases of Grafana take it as it is (9.0 and later)."""
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_MODEL = 'model=~"$model"'
_WINDOW = "[$__rate_interval]"
_WIDE = 24


@dataclass(frozen=True)
class Panel:
    """One picture: its series as (PromQL, what a line is called), and what a value is (a unit Grafana knows)."""

    title: str
    series: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    says: str = ""


@dataclass(frozen=True)
class Row:
    """Panels that stand beside each other under a heading."""

    title: str
    panels: Sequence[Panel]


def rows() -> tuple[Row, ...]:
    """What the dashboard shows, from above to below."""
    return (
        Row("Who answers", _answering()),
        Row("Service", _service()),
        Row("Watching", _watching()),
        Row("The ring", _ring()),
        Row("What it costs", _costs()),
        Row("Processes", _processes()),
    )


def _answering() -> tuple[Panel, ...]:
    traffic = f"sum by (model, version, arm) (rate(everloop_answers_total{{{_MODEL}}}{_WINDOW}))"
    return (
        Panel("Traffic by version", ((traffic, "{{version}} {{arm}}"),), "reqps"),
        Panel("Champion", (_newest("everloop_champion", "model, version", "{{version}}"),), kind="stat", says="The version that answers."),
        Panel(
            "Roll-out",
            (_newest("everloop_rollout_share", "model, version", "{{version}}"),),
            "percentunit",
            says="The share of units a candidate answers; 0 in shadow.",
        ),
    )


def _service() -> tuple[Panel, ...]:
    route = f'route=~"{asked_routes()}"'
    buckets = f"sum by (le) (rate(everloop_request_seconds_bucket{{{route}}}{_WINDOW}))"
    all = f"sum(rate(everloop_requests_total{{{route}}}{_WINDOW}))"
    bad = f'sum(rate(everloop_requests_total{{{route},status=~"5.."}}{_WINDOW}))'
    failing = f"sum by (model) (rate(everloop_answer_errors_total{{{_MODEL}}}{_WINDOW}))"
    lost = [(f"sum(increase(everloop_{what}_dropped_total{_WINDOW}))", what) for what in ("answers", "shadows")]
    return (
        Panel("Latency", [(f"histogram_quantile({q}, {buckets})", f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)], "s"),
        Panel("Questions not answered", ((f"({bad} or 0 * {all}) / {all}", "share"),), "percentunit"),
        Panel("Errors by model", ((failing, "{{model}}"),), "reqps"),
        Panel("Not remembered", lost),
    )


def _watching() -> tuple[Panel, ...]:
    incidents = f"sum by (model, cause, state) (everloop_incidents{{{_MODEL}}})"
    return (
        Panel("Incidents", ((incidents, "{{model}} {{cause}} ({{state}})"),), says="What is wrong: everloop incidents"),
        Panel("Drift", (_newest("everloop_drift", "model, about, measure", "{{model}} {{about}} {{measure}}"),)),
        Panel("Error on mature truth", (_newest("everloop_error", "model, measure", "{{model}} {{measure}}"),)),
        Panel("Truth that is mature", (_newest("everloop_truth_coverage", "model", "{{model}}"),), "percentunit"),
    )


def _ring() -> tuple[Panel, ...]:
    turned, name = _newest("everloop_last_turn_seconds", "model", "{{model}}")
    events = f"sum by (source, outcome) (rate(everloop_events_total{_WINDOW}))"
    return (
        Panel("Since the last turn", ((f"time() - {turned}", name),), "s"),
        Panel("Events", ((events, "{{source}} {{outcome}}"),), "rowsps"),
        Panel("Alerts that wait", (("max(everloop_alerts_waiting)", "alerts"),)),
        Panel("Errands", (("max by (state) (everloop_errands)", "{{state}}"),), says="Dead: workers died over them again and again."),
        Panel("The errand that waits longest", (("max(everloop_errands_oldest_seconds)", "waits"),), "s"),
        Panel("Streams", (("max by (stream, partition) (everloop_stream_position)", "{{stream}} {{partition}}"),)),
        Panel("Messages nobody can read", (("max by (stream) (everloop_stream_dead_letters)", "{{stream}}"),)),
        Panel("Since answers were told", (("time() - max by (stream) (everloop_stream_told_seconds)", "{{stream}}"),), "s"),
    )


def _costs() -> tuple[Panel, ...]:
    name = "{{model}}"
    ends = _newest("everloop_month_end_money", "model, bound", "{{model}} {{bound}}")
    return (
        Panel("CPU of the last 7 days", (_newest("everloop_cost_cpu_seconds", "model", name),), "s"),
        Panel("Bytes of the last 7 days", (_newest("everloop_cost_bytes", "model, direction", "{{model}} {{direction}}"),), "bytes"),
        Panel("Money of the last 7 days", (_newest("everloop_cost_money", "model", name),), says="By the prices of everloop.toml."),
        Panel(
            "Money of the month, and by its end",
            (_newest("everloop_month_money", "model", "{{model}} so far"), ends),
            says="By the prices of everloop.toml; low and high with 95 % confidence, if the days to come are as those before.",
        ),
    )


def _processes() -> tuple[Panel, ...]:
    cores = f"sum by (instance, process) (rate(everloop_process_cpu_seconds_total{_WINDOW}))"
    memory = "sum by (instance, process) (everloop_process_memory_bytes)"
    cards = (_by("everloop_gpu_busy_share", "busy"), (f"{_card('used')} / {_card('total')}", "{{instance}} {{gpu}} memory"))
    return (
        Panel("Cores in use", ((cores, "{{instance}} {{process}}"),)),
        Panel("Memory", ((memory, "{{instance}} {{process}}"),), "bytes"),
        Panel("Graphics cards", cards, "percentunit", says="Nothing where there are none."),
        Panel("Watts of graphics cards", (_by("everloop_gpu_watts", ""),), "watt"),
        Panel("How warm they are", (_by("everloop_gpu_celsius", ""),), "celsius"),
    )


def _card(what: str) -> str:
    return f'max by (instance, gpu) (everloop_gpu_memory_bytes{{of="{what}"}})'


def _by(metric: str, what: str) -> tuple[str, str]:
    return f"max by (instance, gpu) ({metric})", f"{{{{instance}}}} {{{{gpu}}}} {what}".rstrip()


def _newest(metric: str, by: str, name: str) -> tuple[str, str]:
    """A gauge, which every worker that is scraped tells alike."""
    return f"max by ({by}) ({metric}{{{_MODEL}}})", name


def write(folder: Path) -> list[Path]:
    """The dashboard as a file. Raises EverloopError where a file of somebody else is in the way."""
    return put_own(folder, {FILE: json.dumps(dashboard(), indent=2) + "\n"}, MARK)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": "everloop",
        "title": "Everloop",
        "description": f"Written by {MARK}.",
        "tags": ["everloop"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _VARIABLES},
        "annotations": {"list": [_NEW_CHAMPION]},
        "panels": _panels(),
    }


_VARIABLES: list[dict[str, Any]] = [
    {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0, "current": {}},
    {
        "name": "model", "label": "Model", "type": "query", "datasource": _SOURCE, "query": "label_values(everloop_champion, model)",
        "refresh": 2, "includeAll": True, "allValue": ".*", "multi": True, "sort": 1, "hide": 0,
        "current": {"text": "All", "value": "$__all"},
    },
]  # fmt: skip
_NEW_CHAMPION: dict[str, Any] = {
    "name": "A new version answers",
    "datasource": _SOURCE,
    "enable": True,
    "hide": False,
    "iconColor": "blue",
    "expr": f"everloop_champion{{{_MODEL}}} unless everloop_champion{{{_MODEL}}} offset 1m",
}


def _panels() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    top = 0
    for row in rows():
        made.append(
            {"id": len(made) + 1, "type": "row", "title": row.title, "collapsed": False, "gridPos": _place(0, top, _WIDE, 1), "panels": []}
        )
        width = _WIDE // len(row.panels)
        for at, panel in enumerate(row.panels):
            made.append(_panel(panel, len(made) + 1, _place(at * width, top + 1, width, 8)))
        top += 9
    return made


def _panel(panel: Panel, id: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": expr, "legendFormat": name}
        for n, (expr, name) in enumerate(panel.series)
    ]
    options: dict[str, Any] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    if panel.kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "textMode": "name", "colorMode": "none"}
    return {
        "id": id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": options,
    }


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}
