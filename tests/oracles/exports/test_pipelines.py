"""One pipeline, run by itself and by each scheduler there is a binary of: the same artefacts, the same verdicts, the same gate.

``bench/exports_pipelines.py`` says how each is run. GitHub Actions runs nowhere but there: its workflow is judged by actionlint and by the
schema, as is GitLab's; tests/connect/pipelines runs its steps in a shell.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from bench.exports_pipelines import (
    again_in_gitlab,
    in_airflow,
    in_dvc,
    in_gitlab,
    in_kubeflow,
    left_by,
    natively,
    prepared,
    project,
    run,
)
from bench.peers import environment

from everloop.settings import HOUSE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return project(tmp_path_factory.mktemp("pipelines") / "shop")


@pytest.fixture
def folder(shop, tmp_path):
    return prepared(shop, tmp_path)


@pytest.fixture(scope="module")
def native(shop, tmp_path_factory):
    """What the same steps leave that are said one after the other: ``demand`` is let in, ``dull`` is not."""
    made = prepared(shop, tmp_path_factory.mktemp("native"))
    natively(made)
    found = left_by(made)
    assert [outcome for _, outcome in found["demand"][1]] == ["passed"]
    assert found["demand"][2] == ["demand@0", "demand@1"]
    assert [outcome for _, outcome in found["dull"][1]] in (["failed"], ["not enough evidence"])
    assert found["dull"][2] == ["dull@0"]
    return found


def same(folder, native):
    assert left_by(folder) == native
    assert (folder / "tries").read_text() == "xx", "the first try failed, the second did not, and there was no third"
    assert (folder / "reports" / "card-demand.md").exists()
    assert not (folder / "reports" / "card-dull.md").exists()
    assert int(ET.parse(folder / "reports" / "judge-dull.xml").getroot().get("failures")) >= 1


def test_airflow_runs_the_dag_and_leaves_what_we_leave(folder, native):
    in_airflow(folder)
    same(folder, native)


def test_kubeflow_compiles_it_and_a_local_run_leaves_what_we_leave(folder, native):
    told = json.loads(in_kubeflow(folder).strip().splitlines()[-1])
    same(folder, native)
    assert told["inputs"] == ["now"]
    assert "comp-step" in told["components"]


def test_gitlab_runs_the_file_and_leaves_what_we_leave(folder, native, rsync):
    in_gitlab(folder)
    same(folder, native)
    asked = (folder.parent / "docker.said").read_text().splitlines()
    (build,) = [line for line in asked if line.startswith("build ")]
    assert "--build-arg PASSED=demand --tag" in build, "one gate said no, and the image is built of the other model"
    assert [line.split()[0] for line in asked][-6:-1] == ["login", "build", "run", "push", "inspect"]
    told = again_in_gitlab(folder, "2026-11-01T06:00:00Z", "turn demand", "check demand")
    assert "a roll-out is in shadow" in told
    assert "so this is left out" in told
    assert left_by(folder) == native, "nothing is learnt beside it, and the run is green"


def test_dvc_leaves_what_we_leave_and_then_has_nothing_to_do(folder, native):
    in_dvc(folder)
    same(folder, native)
    dvc = environment("dvc").parent / "dvc"
    assert '"passed": 1' in run(folder, dvc, "metrics", "show", "--json")
    assert "up to date" in run(folder, dvc, "repro", "card@demand", **{HOUSE: str(folder / "house")})
    assert left_by(folder) == native


def test_a_pipeline_with_another_order_of_steps_leaves_something_else(shop, native, tmp_path):
    """The comparison can fail: about another instant, everything that was learnt is another thing."""
    folder = prepared(shop, tmp_path)
    for step in ("ingest", "train dull"):
        run(folder, "everloop", *step.split(), "--now", "2026-11-02", "--house", folder / "house")
    assert left_by(folder)["dull"][0] != native["dull"][0]


@pytest.fixture
def linters():
    return environment("ci").parent


SAID = 'at = "04:30"\nzone = "Europe/Berlin"\narrives = { orders = "s3://a/{day}/_SUCCESS" }\nbackup = "s3://a/backups"\n'


def written(folder, target, image):
    settings = folder / "everloop.toml"
    settings.write_text(settings.read_text() + SAID)
    run(folder, "everloop", "export", target, "--to", folder, "--image", image)


def test_the_workflow_keeps_githubs_schema_and_actionlint_finds_nothing(folder, linters):
    written(folder, "github", "ghcr.io/shop/models")
    file = folder / ".github" / "workflows" / "everloop.yml"
    run(folder, linters / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", file)
    run(folder, "git", "init", "-q")
    run(folder, linters / "actionlint", "-no-color", file)
    for was, broken, told in (("needs:\n      - test\n", "needs:\n      - tset\n", "tset"), ("30 4 * * *", "30 44 * * *", "30 44")):
        text = file.read_text()
        assert was in text
        other = file.with_name("broken.yml")
        other.write_text(text.replace(was, broken))
        assert told in run(folder, linters / "actionlint", "-no-color", other, codes=(1,))


def test_the_file_keeps_gitlabs_schema(folder, linters):
    written(folder, "gitlab", "$CI_REGISTRY_IMAGE")
    check = (linters / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    file = folder / ".gitlab-ci.yml"
    run(folder, *check, file)
    file.write_text(file.read_text().replace("\n  retry:\n", "\n  retries:\n"))
    run(folder, *check, file, codes=(1,))


def test_what_is_written_for_ci_reads_well_in_a_shell(folder):
    """Every line a job runs is shell that a shell can read."""
    import yaml

    written(folder, "github", "ghcr.io/shop/models")
    jobs = yaml.safe_load((folder / ".github" / "workflows" / "everloop.yml").read_text())["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert len(lines) > 15
    bash = shutil.which("bash")
    assert bash
    for line in lines:
        subprocess.run([bash, "-n", "-c", line], check=True, timeout=20)
