"""One pipeline, run by itself and by each scheduler there is a binary of: do they leave the same artefacts, verdicts and versions?

It fans out over two models: ``demand``, whose first training fails and is tried again, passes its gate; ``dull`` does not. Airflow,
Kubeflow Pipelines (in processes of this machine), gitlab-ci-local and DVC each run it in a folder of their own, by the ``everloop`` of
this checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.goal import Goal, at_most
from bench.peers import ROOT, apart, environment, node_packages
from everloop.errors import LearnerFailed
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.judged import let_in_judged
from everloop.loop.moved import move
from everloop.loop.start import start_project
from everloop.loop.steps import check_now, judge_now, train_now
from everloop.settings import HOUSE

END: Final = datetime(2026, 11, 1, tzinfo=UTC)
NOW: Final = "2026-11-01"
SCRIPT: Final = ROOT / "tests" / "oracles" / "exports" / "in_kfp.py"
TWO: Final = '''

def learn(rows):
    """Learns at the second try, as if somebody had pulled the plug at the first."""
    import os
    from pathlib import Path

    note = Path(__file__).parent / "tries"
    tries = (note.read_text() if note.exists() else "") + "x"
    if os.environ.get("CI_JOB_NAME") != "test":  # where it is only tried out, nobody pulls anything
        note.write_text(tries)
        if tries == "x":
            raise OSError("somebody pulled the plug")
    return HistGradientBoostingRegressor(loss="absolute_error", max_iter=30, random_state=0).fit(rows.X, rows.y)


dull = demand.but("dull", learner=DummyRegressor(), knows=[orders.total("quantity", last=days(7))])
demand = demand.but("demand", learner=learn)
'''
PIPELINE: Final = """
[pipeline]
every = "1d"
retries = 1
retry_after = "1s"
timeout = "10m"
shared = "{house}"
runner = "self-hosted"
tags = ["shop"]
image = "python:3.12-slim"
"""
Left = Mapping[str, tuple[list[str], list[tuple[str, str]], list[str]]]
"""By model: the hashes of what was learnt, each verdict with its candidate, and who was let in."""


def project(folder: Path) -> Path:
    """The project with its two models: thirty products of the made-up shop."""
    start_project("shop", folder, end=END)
    rows = folder / "data" / "orders.csv"
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join(line for line in lines if ",p3" not in line) + "\n")
    file = folder / "project.py"
    head, found, rest = file.read_text().partition("from sklearn.ensemble")
    file.write_text(f"{head}from sklearn.dummy import DummyRegressor\n{found}{rest}{TWO}")
    return folder


def prepared(shop: Path, beside: Path) -> Path:
    """A copy to be run in, with its settings; beside it an ``everloop`` for processes with an environment of their own."""
    made, commands = beside / "shop", beside / "bin"
    shutil.copytree(shop, made)
    settings = made / "everloop.toml"
    settings.write_text(settings.read_text() + PIPELINE.format(house=made / "house"))
    commands.mkdir()
    source = f'PYTHONPATH="{ROOT / "src"}:{ROOT}"'
    for name, line in {
        "everloop": f'{source} exec "{sys.executable}" -c "from everloop.cli import main; main()" "$@"',
        "python": f'{source} exec "{sys.executable}" "$@"',
        "pip": "exit 0",  # everything is here
        "ruff": "exit 0",
        # There is no engine; what it is asked is kept.
        "docker": f'[ "$1" != login ] || cat > /dev/null\necho "$@" >> "{beside / "docker.said"}"\n'
        '[ "$1 $2" != "image inspect" ] || echo \'[{"Config": {}}]\'',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{line}\n")
        (commands / name).chmod(0o755)
    return made


def run(folder: Path, *words: str | Path, codes: tuple[int, ...] = (0,), **more: str) -> str:
    """What a command says, in the folder. Raises AssertionError with it where its exit code is none of these."""
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    around = apart() | {"PATH": path, "HOME": str(folder.parent), "OMP_NUM_THREADS": "1", **more}
    done = subprocess.run([str(w) for w in words], cwd=folder, capture_output=True, text=True, env=around, timeout=540, check=False)
    told = done.stdout + done.stderr
    assert done.returncode in codes, f"{words}: {done.returncode}\n{told[-8000:]}"
    return told


def left_by(folder: Path) -> Left:
    """What a run left in the house of this folder."""
    house = open_house(folder / "project.py", folder=folder / "house")
    try:
        found = {}
        for name in house.project.models:
            learnt = [e.record for e in house.journal.read(kind="Candidate", model=name)]
            verdicts = [e.record for e in house.journal.read(kind="Verdict", model=name)]
            artefacts = [c.artefact for c in learnt if c.format != "baseline"]
            found[name] = (artefacts, [(v.candidate, v.outcome) for v in verdicts], [v.name for v in house.versions.all(name)])
        return found
    finally:
        house.store.close()


def natively(folder: Path) -> None:
    """The same steps, said one after the other in this process."""
    house = open_house(folder / "project.py", folder=folder / "house")
    ingest_files(house, None, [], now=END)
    for name, model in house.project.models.items():
        assert move(house, model, END, answer=True).waits is None
        assert check_now(house, model, END).passed
        try:
            train_now(house, model, END)
        except LearnerFailed:
            assert name == "demand"
            train_now(house, model, END)
        if judge_now(house, model, None, END).passed:
            let_in_judged(house, model, None, END)
    house.store.close()


def in_airflow(folder: Path) -> str:
    """``airflow dags test``."""
    run(folder, "everloop", "export", "airflow", "--to", folder / "dags")
    said = {"AIRFLOW_HOME": str(folder.parent / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    said |= {"AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    airflow = environment("airflow").parent / "airflow"
    run(folder, airflow, "db", "migrate", **said)
    return run(folder, airflow, "dags", "test", "shop", NOW, **said)


def in_kubeflow(folder: Path) -> str:
    """Compiled, read again, and run in processes of this machine."""
    run(folder, "everloop", "export", "kubeflow", "--to", folder)
    return run(folder, environment("kfp"), SCRIPT, "shop_pipeline.py", "shop", NOW, KFP_IN_IMAGE="1")


def in_gitlab(folder: Path) -> str:
    """``gitlab-ci-local`` on the default branch, its jobs in the shell."""
    run(folder, "everloop", "export", "gitlab", "--to", folder, "--image", "registry.example.com/shop")
    (folder / ".gitignore").write_text("house\nreports\ntries\n.everloop*\n.gitlab-ci-local\n")
    names = {f"GIT_{who}_{what}": at for who in ("AUTHOR", "COMMITTER") for what, at in (("NAME", "a"), ("EMAIL", "a@example.org"))}
    remote = "https://gitlab.example.org/shop/shop.git"
    for words in ("init -q -b main", "add -A", "commit -qm shop", f"remote add origin {remote}"):
        run(folder, "git", *words.split(), **names)
    tool = node_packages("gitlab-ci-local") / ".bin" / "gitlab-ci-local"
    said = [word for pair in (f"NOW={NOW}", "CI_DEFAULT_BRANCH=main") for word in ("--variable", pair)]
    told = run(folder, tool, "--force-shell-executor", *said, codes=(0, 1))
    # Behind a job that was skipped gitlab-ci-local begins with nothing, whatever it is told by "when"; GitLab does.
    return told + run(folder, tool, "--force-shell-executor", *said, "build image")


def again_in_gitlab(folder: Path, now: str, *jobs: str) -> str:
    """Some jobs of a later run; green."""
    tool = node_packages("gitlab-ci-local") / ".bin" / "gitlab-ci-local"
    return run(folder, tool, "--force-shell-executor", "--variable", f"NOW={now}", "--variable", "CI_DEFAULT_BRANCH=main", *jobs)


def in_dvc(folder: Path) -> str:
    """``dvc repro``, going on with the other model where a gate closes."""
    run(folder, "everloop", "export", "dvc-pipeline", "--to", folder, "--now", NOW)
    run(folder, "git", "init", "-q")
    dvc = environment("dvc").parent / "dvc"
    run(folder, dvc, "init", "-q")
    return run(folder, dvc, "repro", "--keep-going", codes=(0, 1, 255), **{HOUSE: str(folder / "house")})


RUNNERS: Final[Mapping[str, Callable[[Path], str]]] = {"Airflow": in_airflow, "Kubeflow": in_kubeflow, "GitLab": in_gitlab, "DVC": in_dvc}


def pipelines() -> Iterator[Goal]:
    """How many of the four leave anything else than the run in this process, and how long each took (its environment made before)."""
    for name in ("airflow", "kfp", "dvc"):
        environment(name)
    node_packages("gitlab-ci-local")
    with tempfile.TemporaryDirectory() as beside:
        shop = project(Path(beside, "project", "shop"))
        took: dict[str, float] = {}
        left: dict[str, Left] = {}
        for name, runner in {"this process": natively, **RUNNERS}.items():
            folder = prepared(shop, _fresh(Path(beside, name.split()[0].lower())))
            began = time.perf_counter()
            runner(folder)
            took[name], left[name] = time.perf_counter() - began, left_by(folder)
        other = sum(left[name] != left["this process"] for name in RUNNERS)
        told = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items())
        yield at_most("runs of one pipeline elsewhere that left anything else", other, 0, "of 4", f"whole runs: {told}")


def _fresh(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
