"""Houses of the tiny projects, and the peers they are held against, each in an environment of its own."""

from tests.ring.conftest import opened, prepared
from tests.ring.test_doors import doors

__all__ = ["doors", "opened", "prepared"]
collect_ignore = [
    "in_datadog.py",
    "in_evidently.py",
    "in_fairlearn.py",
    "in_feast.py",
    "in_grafana.py",
    "in_great_expectations.py",
    "in_mlflow.py",
    "in_mlflow_client.py",
    "in_mlserver.py",
    "in_profilers.py",
    "in_ville.py",
]  # run in a tool's own environment, by path
