"""Runs in the environment of Datadog's checks: ``in_datadog.py URL`` reads a house's /metrics as its Agent's OpenMetrics check does, and
says as JSON what it would have sent: name, kind, value and tags of each."""

from __future__ import annotations

import json
import sys

from datadog_checks.base import OpenMetricsBaseCheckV2
from datadog_checks.base.stubs import aggregator

INSTANCE = {
    "openmetrics_endpoint": sys.argv[1],
    "namespace": "everloop",
    "raw_metric_prefix": "everloop_",
    "rename_labels": {"version": "model_version"},  # a tag that Datadog keeps for itself
    "metrics": [".+"],
}

check = OpenMetricsBaseCheckV2("openmetrics", {}, [INSTANCE])
for _ in range(2):  # a counter counts from the second look on
    aggregator.reset()
    if wrong := check.run():
        sys.exit(wrong)
sent = [
    {"name": metric.name, "kind": metric.type, "value": metric.value, "tags": sorted(metric.tags)}
    for name in aggregator.metric_names
    for metric in aggregator.metrics(name)
]
print(json.dumps(sent))
