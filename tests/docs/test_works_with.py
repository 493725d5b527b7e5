"""docs/works-with.md: each tool there has to be has a row, one of four words for how, and tests that are there and know it."""

from __future__ import annotations

import re

import pytest
from everloop_pages import ROOT, code, read, rows

from everloop.cli.exports import exports

PAGE = read("docs/works-with.md")
HOW = ("native", "bridge", "export", "the way round")
TOOLS = (
    "lakeFS", "Delta Lake", "DVC", "Great Expectations", "Deequ", "deepchecks", "pandas profiling", "Feast", "Tecton",
    "SageMaker endpoints", "SageMaker Feature Store", "SageMaker Model Monitor", "MLflow", "Weights & Biases", "Neptune", "Airflow",
    "Prefect", "Kubeflow", "Jenkins", "GitHub Actions", "GitLab CI", "Docker", "conda", "Kubernetes", "Kustomize", "KServe", "Seldon Core",
    "Ray Serve", "TensorFlow Serving", "Redis", "DynamoDB", "Kafka", "Glue", "Evidently", "WhyLabs", "Prometheus", "Grafana", "Datadog",
    "Elasticsearch", "Slack", "Terraform", "CloudFormation", "Lambda", "Shopify Flow",
)  # fmt: skip
CALLED = {
    "Delta Lake": "delta", "Weights & Biases": "wandb", "GitHub Actions": "github", "GitLab CI": "gitlab", "Great Expectations": "great",
    "SageMaker endpoints": "sagemaker", "Seldon Core": "seldon", "Ray Serve": "ray", "TensorFlow Serving": "tensorflow",
    "pandas profiling": "profiling", "Shopify Flow": "flow",
    "Open Data Contract Standard": "contract", "MLServer, Triton": "mlserver", "Argo Rollouts": "argo",
}  # fmt: skip
"""What a test calls a tool, where that is not its name."""


def told(page: str) -> dict[str, list[str]]:
    """Of each tool its row."""
    return {row[0]: row for row in rows(page.partition("\n## From one to the other")[0])}


def wrong(page: str, tool: str) -> list[str]:
    """What is not as it should be of a tool's row."""
    found = [row for row in rows(page.partition("\n## From one to the other")[0]) if row[0] == tool]
    if len(found) != 1:
        return [f"{tool} has {len(found)} rows"]
    _, how, what, tried = found[0]
    said = [] if how in HOW else [f"{tool} is met by {how!r}, which is none of the four"]
    files = [ROOT / name for name in code(tried)]
    said += [f"{tool}: there is no {file.relative_to(ROOT)}" for file in files if not (file.is_file() and file.name.startswith("test_"))]
    said += [] if files else [f"{tool}: nothing says where it was tried"]
    if how == "export":
        verbs = {command.callback.__name__.removesuffix("_") for command in exports.registered_commands if command.callback}
        named = re.findall(r"everloop export ([\w-]+)", what)
        said += [f"{tool}: there is no everloop export {verb}" for verb in named if verb.replace("-", "_") not in {*verbs, "lambda"}]
    if how != "the way round":
        word = CALLED.get(tool, tool).lower()
        texts = [file.read_text(encoding="utf-8").lower() for file in files if file.is_file()]
        said += [] if any(word in text for text in texts) else [f"{tool}: no test of its row speaks of {word}"]
    return said


@pytest.mark.parametrize("tool", sorted({*TOOLS, *told(PAGE)}))
def test_each_tool_has_a_row_that_says_how_it_is_met_and_where_that_was_tried(tool):
    assert wrong(PAGE, tool) == []


@pytest.mark.parametrize(
    ("tool", "was", "broken", "what"),
    [
        ("Slack", "| Slack |", "| Mattermost |", "Slack has 0 rows"),
        ("Kafka", "| Kafka | native |", "| Kafka | soon |", "none of the four"),
        ("Kafka", "`tests/loop/test_streams.py`", "`tests/loop/test_brokers.py`", "there is no tests/loop/test_brokers.py"),
        ("Kafka", "`tests/loop/test_streams.py`", "`tests/loop/test_due.py`", "no test of its row speaks of kafka"),
        ("Grafana", "`everloop export grafana", "`everloop export kibana", "there is no everloop export kibana"),
    ],
)
def test_a_row_that_says_what_was_not_tried_is_noticed(tool, was, broken, what):
    assert was in PAGE
    assert any(what in line for line in wrong(PAGE.replace(was, broken), tool))
