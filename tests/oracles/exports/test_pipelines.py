"""One pipeline, run by itself and by each scheduler there is a binary of: the same artefacts, the same verdicts, the same gate.

It fans out over two models: ``demand``, whose first training fails and is tried again, passes its gate; ``dull`` does not. Airflow, Kubeflow
Pipelines (in processes of this machine), gitlab-ci-local and DVC each run it in a folder of their own. GitHub Actions runs nowhere but there:
its workflow is judged by actionlint and by the schema, as is GitLab's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench.peers import ROOT, apart, environment, node_packages

from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.judged import let_in_judged
from everloop.loop.start import start_project
from everloop.loop.steps import check_now, judge_now, train_now
from everloop.errors import LearnerFailed

pytestmark = pytest.mark.slow
END = datetime(2026, 11, 1, tzinfo=UTC)
NOW = "2026-11-01"
TWO = '''

class Flaky(HistGradientBoostingRegressor):
    """Learns at the second try, as if somebody had pulled the plug at the first."""

    def fit(self, X, y):
        from pathlib import Path

        note = Path(__file__).parent / "tries"
        note.write_text(f"{note.read_text() if note.exists() else ''}x")
        if len(note.read_text()) == 1:
            raise OSError("somebody pulled the plug")
        return super().fit(X, y)


def learn(rows):
    fitted = Flaky(loss="absolute_error", max_iter=30, random_state=0)
    fitted.fit(rows.X, rows.y)
    plain = HistGradientBoostingRegressor(loss="absolute_error", max_iter=30, random_state=0)
    return plain.fit(rows.X, rows.y)


demand = demand.but("demand", learner=learn, retrain_when=every(days(1)))
dull = demand.but("dull", learner=DummyRegressor(), knows=[orders.total("quantity", last=days(7))])
'''
PIPELINE = """
[pipeline]
retries = 1
retry_after = "1s"
timeout = "10m"
shared = "{house}"
image = "python:3.12-slim"
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The project: eight products, two models, in a Git repository."""
    folder = tmp_path_factory.mktemp("pipelines") / "shop"
    start_project("shop", folder, end=END)
    lines = (folder / "data" / "orders.csv").read_text().splitlines()
    (folder / "data" / "orders.csv").write_text("\n".join(line for n, line in enumerate(lines) if not n or ",p0" in line) + "\n")
    file = folder / "project.py"
    text = file.read_text().replace("import HistGradientBoostingRegressor\n", "import HistGradientBoostingRegressor\nfrom sklearn.dummy import DummyRegressor\n", 1)
    file.write_text(text + TWO)
    return folder


@pytest.fixture
def folder(shop, tmp_path):
    """A copy of it to be run in, with its settings; and what surrounds a process there."""
    made = tmp_path / "shop"
    shutil.copytree(shop, made)
    settings = made / "everloop.toml"
    settings.write_text(settings.read_text() + PIPELINE.format(house=made / "house"))
    commands(tmp_path / "bin")
    return made


def commands(folder: Path) -> None:
    """``everloop`` as it is here, for processes with an environment of their own; what would install or lint does nothing."""
    folder.mkdir()
    source = f'PYTHONPATH="{ROOT / "src"}:{ROOT}"'
    for name, line in {
        "everloop": f'{source} exec "{sys.executable}" -c "from everloop.cli import main; main()" "$@"',
        "python": f'{source} exec "{sys.executable}" "$@"',
        "pip": "exit 0",
        "ruff": "exit 0",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)


def around(folder: Path, **more: str) -> dict[str, str]:
    return apart() | {"PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}", "HOME": str(folder.parent), "OMP_NUM_THREADS": "1", **more}


def run(words, folder, *, codes=(0,), timeout=540, **more):
    done = subprocess.run([str(w) for w in words], cwd=folder, capture_output=True, text=True, env=around(folder, **more), timeout=timeout, check=False)
    assert done.returncode in codes, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def export(folder, *words):
    return run(["everloop", "export", *words, "--to", folder], folder)


def left_by(folder, house="house"):
    """What a run left: of each model the hash of what was learnt, the verdict, and who was let in."""
    there = open_house(folder / "project.py", folder=folder / house)
    try:
        found = {}
        for model in there.project.models:
            learnt = [e.record for e in there.journal.read(kind="Candidate", model=model) if e.record.format not in ("baseline",)]
            verdicts = [e.record for e in there.journal.read(kind="Verdict", model=model)]
            versions = [v.name for v in there.versions.all(model)]
            found[model] = ([c.artefact for c in learnt], [(v.candidate, v.outcome) for v in verdicts], versions)
        return found
    finally:
        there.store.close()


@pytest.fixture(scope="module")
def native(shop, tmp_path_factory):
    """The same steps, said one after the other in this process."""
    made = tmp_path_factory.mktemp("native") / "shop"
    shutil.copytree(shop, made)
    house = open_house(made / "project.py", folder=made / "house")
    ingest_files(house, None, [], now=END)
    for name, model in house.project.models.items():
        assert check_now(house, model, END).passed
        if name == "demand":
            with pytest.raises(LearnerFailed, match="pulled the plug"):
                train_now(house, model, END)
        train_now(house, model, END)
        if judge_now(house, model, None, END).passed:
            let_in_judged(house, model, None, END)
    house.store.close()
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
    suites = ET.parse(folder / "reports" / "judge-dull.xml").getroot()
    assert int(suites.get("failures")) >= 1


def test_airflow_runs_the_dag_and_leaves_what_we_leave(folder, native):
    dags, home = folder / "dags", folder.parent / "airflow"
    run(["everloop", "export", "airflow", "--to", dags], folder)
    commands_of = environment("airflow").parent
    said = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    run([commands_of / "airflow", "db", "migrate"], folder, **said)
    told = run([commands_of / "airflow", "dags", "test", "shop", NOW], folder, **said)
    same(folder, native)
    assert "state=success" in told or "success" in told


def test_kubeflow_compiles_it_and_a_local_run_leaves_what_we_leave(folder, native):
    export(folder, "kubeflow")
    python = environment("kfp")
    script = Path(__file__).with_name("in_kfp.py")
    told = run([python, script, "shop_pipeline.py", "shop", NOW], folder, KFP_IN_IMAGE="1")
    read = json.loads(told.strip().splitlines()[-1]) if told.strip().splitlines()[-1].startswith("{") else None
    assert read is None or read["inputs"] == ["now"]
    same(folder, native)


def test_dvc_repro_leaves_what_we_leave_and_then_has_nothing_to_do(folder, native):
    run(["everloop", "export", "dvc-pipeline", "--to", folder, "--now", NOW], folder)
    dvc = environment("dvc").parent / "dvc"
    house = {"EVERLOOP" + "_HOUSE": str(folder / "house")}
    run(["git", "init", "-q"], folder)
    run([dvc, "init", "-q"], folder)
    run([dvc, "repro", "--keep-going"], folder, codes=(0, 1, 255), **house)
    same(folder, native)
    assert "passed" in run([dvc, "metrics", "show", "--json"], folder)
    assert "judge@demand" in run([dvc, "dag"], folder)
    before = left_by(folder)
    told = run([dvc, "repro", "card@demand"], folder, **house)
    assert "up to date" in told
    assert left_by(folder) == before


def test_gitlab_runs_the_file_and_leaves_what_we_leave(folder, native):
    export(folder, "gitlab")
    repository(folder)
    tool = node_packages("gitlab-ci-local") / ".bin" / "gitlab-ci-local"
    words = ["--shell-executor-no-image", "--no-shell-isolation", "--no-artifacts-to-source", "--variable", f"NOW={NOW}", "--variable", "CI_DEFAULT_BRANCH=main"]
    run([tool, *words], folder, codes=(0, 1), CI_COMMIT_BRANCH="main")
    same(folder, native)


def repository(folder):
    names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "a"), ("EMAIL", "a@example.org"))}
    (folder / ".gitignore").write_text("house\nreports\ntries\n.everloop*\n.gitlab-ci-local\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "shop"], ["remote", "add", "origin", "git@gitlab.example.org:shop/shop.git"]):
        run(["git", *words], folder, **names)


@pytest.mark.parametrize("target", ["github", "gitlab"])
def test_files_for_ci_keep_the_schema_and_the_linter_finds_nothing(folder, target):
    settings = folder / "everloop.toml"
    settings.write_text(settings.read_text() + 'every = "1d"\nat = "04:30"\nzone = "Europe/Berlin"\narrives = { orders = "s3://a/{day}/_SUCCESS" }\n')
    image = "ghcr.io/shop/models" if target == "github" else "$CI_REGISTRY_IMAGE"
    run(["everloop", "export", target, "--to", folder, "--image", image], folder)
    lint = environment("ci").parent
    schema, file = ("vendor.github-workflows", ".github/workflows/everloop.yml") if target == "github" else ("vendor.gitlab-ci", ".gitlab-ci.yml")
    transform = ["--data-transform", "gitlab-ci"] if target == "gitlab" else []
    run([lint / "check-jsonschema", "--builtin-schema", schema, *transform, file], folder)
    if target == "github":
        run(["git", "init", "-q"], folder)
        run([lint / "actionlint", "-no-color", file], folder)
        broken = folder / ".github" / "workflows" / "broken.yml"
        broken.write_text((folder / file).read_text().replace('- "test"', "- tset").replace("- test\n", "- tset\n").replace("30 4 * * *", "30 44 * * *"))
        told = run([lint / "actionlint", "-no-color", broken.relative_to(folder)], folder, codes=(1,))
        assert "tset" in told
        assert "30 44 * * *" in told
