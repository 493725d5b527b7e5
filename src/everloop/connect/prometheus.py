"""Prometheus: how a house is scraped, and the alert rules for it, as files.

Rules for the service burn an error budget: *bad* is a question answered by a status of 5xx, or one whose reply took longer than was
promised. An alert needs two windows, a long one that says it matters and a short one that says it is still so, as in chapter
5 of Google's *Site Reliability Workbook* (table 5-8 and what follows it). Everything else is read from the gauges the controller writes.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from everloop.connect.whole import put_own
from everloop.errors import EverloopError
from everloop.serving.metrics import EDGES
from everloop.serving.paths import PATHS

MARK = "everloop export prometheus"
RULES, SCRAPE = "everloop-rules.yml", "prometheus.yml"
BURNS = ((14.4, "1h", "5m", "critical"), (6, "6h", "30m", "critical"), (3, "1d", "2h", "warning"), (1, "3d", "6h", "warning"))
"""How many times faster than it may a budget of 30 days is burnt, the long window and the short one, and how urgent that is."""
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True)
class Objective:
    """What is promised: the share of questions that are answered, and the share of those within so many seconds."""

    answered: float = 0.999
    quick: float = 0.99
    seconds: float = 0.1

    def __post_init__(self) -> None:
        for name, share in (("--answered", self.answered), ("--quick", self.quick)):
            if not 0 < share < 1:
                raise EverloopError(f"{name} {share:g} is no objective: say a share above 0 and below 1, such as 0.999.")
        if self.seconds not in EDGES:
            near = EDGES[min(bisect_left(EDGES, self.seconds), len(EDGES) - 1)]
            raise EverloopError(f"--ms {self.seconds * 1000:g} is no edge that is counted by. The next one is --ms {near * 1000:g}.")


@dataclass(frozen=True)
class Rule:
    """One rule: an alert, or where there is a ``record`` a series that is worked out beforehand."""

    name: str
    expr: str
    record: bool = False
    wait: str = ""
    severity: str = ""
    summary: str = ""
    next: str = "everloop status"

    def lines(self) -> Iterator[str]:
        yield f"      - {'record' if self.record else 'alert'}: {self.name}"
        yield f"        expr: {json.dumps(self.expr)}"
        if self.wait:
            yield f"        for: {self.wait}"
        if self.severity:
            yield f"        labels: {{severity: {self.severity}}}"
        if self.summary:
            yield "        annotations:"
            yield f"          summary: {json.dumps(self.summary)}"
            yield f"          next: {json.dumps(self.next)}"


def write(folder: Path, targets: Sequence[str], objective: Objective) -> list[Path]:
    """The rules, and a configuration that scrapes these addresses by them; the files that were written.

    Raises EverloopError where a file of somebody else is in the way.
    """
    return put_own(folder, {RULES: rules(objective), SCRAPE: scrape(targets)}, MARK)


def scrape(targets: Sequence[str]) -> str:
    """A configuration of Prometheus for houses at these addresses."""
    return f"""\
# Written by {MARK}
global:
  scrape_interval: 15s
  evaluation_interval: 15s
rule_files: [{RULES}]
scrape_configs:
  - job_name: everloop
    # Beyond the machine itself a key of scope operate is asked for: everloop key add prometheus --scope operate
    # authorization: {{credentials_file: everloop.key}}
    static_configs:
      - targets: {json.dumps(list(targets))}
"""


def rules(objective: Objective) -> str:
    """The rules as Prometheus reads them."""
    groups = {"everloop-service": [*_ratios(objective), *_burns(objective)], "everloop-house": HOUSE_RULES}
    lines = [f"# Written by {MARK}", "groups:"]
    for name, found in groups.items():
        lines += [f"  - name: {name}", "    rules:", *(line for rule in found for line in rule.lines())]
    return "\n".join(lines) + "\n"


def asked_routes() -> str:
    """The routes by which models are asked, as a regular expression of PromQL.

    >>> "/v1/models/[{]model[}]/predict" in asked_routes()
    True
    """
    routes = [path.path for path in PATHS if path.scope == "predict" and path.method == "POST"]
    return "|".join(route.replace("{", "[{]").replace("}", "[}]") for route in routes)


def _ratios(objective: Objective) -> Iterator[Rule]:
    route = f'route=~"{asked_routes()}"'
    for window in WINDOWS:
        whole = f"sum(rate(everloop_requests_total{{{route}}}[{window}]))"
        bad = f'sum(rate(everloop_requests_total{{{route},status=~"5.."}}[{window}]))'
        # Where nothing has ever failed there is no series of failures, which is a share of 0 and not of nothing.
        yield Rule(f"everloop:failed:ratio_rate{window}", f"({bad} or 0 * {whole}) / ({whole} > 0)", record=True)
    for window in WINDOWS:
        whole = f"sum(rate(everloop_request_seconds_count{{{route}}}[{window}]))"
        quick = f'sum(rate(everloop_request_seconds_bucket{{{route},le="{objective.seconds:g}"}}[{window}]))'
        yield Rule(f"everloop:slow:ratio_rate{window}", f"1 - {quick} / ({whole} > 0)", record=True)


def _burns(objective: Objective) -> Iterator[Rule]:
    promised = {"failed": objective.answered, "slow": objective.quick}
    told = {"failed": "of questions were not answered", "slow": f"of questions took more than {objective.seconds * 1000:g} ms"}
    for what, share in promised.items():
        for factor, long, short, severity in BURNS:
            most = f"{factor * (1 - share):.10g}"
            expr = f"everloop:{what}:ratio_rate{long} > {most} and everloop:{what}:ratio_rate{short} > {most}"
            summary = (
                f"{{{{ $value | humanizePercentage }}}} {told[what]} in {long}: {factor:g} times what the budget of {1 - share:.4g} bears"
            )
            yield Rule(f"Everloop{what.title()}Budget{long}", expr, severity=severity, summary=summary)


HOUSE_RULES = (
    Rule(
        "EverloopIncident",
        'max by (model, cause, severity) (everloop_incidents{state="firing"}) > 0',
        summary="{{ $labels.model }}: {{ $value }} incident ({{ $labels.cause }})",
        next="everloop incidents {{ $labels.model }}",
    ),
    Rule(
        "EverloopTurnLate",
        "time() - max by (model) (everloop_last_turn_seconds) > 2 * max by (model) (everloop_window_seconds) + 900",
        wait="5m",
        severity="warning",
        summary="{{ $labels.model }} was last turned {{ $value | humanizeDuration }} ago",
    ),
    Rule(
        "EverloopControllerGone",
        "time() - max(everloop_controller_seen_seconds) > 300",
        severity="critical",
        summary="No controller turns the house since {{ $value | humanizeDuration }}",
        next="everloop run",
    ),
    Rule(
        "EverloopGone",
        "absent(everloop_worker_started_total)",
        wait="5m",
        severity="critical",
        summary="Nobody answers",
        next="everloop run",
    ),
    Rule(
        "EverloopAnswersDropped",
        "increase(everloop_answers_dropped_total[15m]) > 0",
        severity="critical",
        summary="{{ $value }} answers were given and not remembered: the disk is full or too slow",
    ),
    Rule(
        "EverloopAlertsUndelivered",
        "everloop_alerts_waiting > 0",
        wait="1h",
        severity="warning",
        summary="{{ $value }} alerts have reached nobody for an hour",
        next="everloop alert list",
    ),
)
