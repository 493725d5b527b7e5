"""What an import costs, counted in modules, since seconds differ from machine to machine: at most a tenth more than the committed figure.

Whoever needs more on purpose writes the new figure into import_cost.json and says why in the commit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FIGURES = Path(__file__).with_name("import_cost.json")
TOLERANCE = 0.10
HEAVY = {
    "IPython", "alembic", "deltalake", "duckdb", "joblib", "lightgbm", "matplotlib", "msgspec", "numpy", "pandas", "pyarrow", "scipy",
    "sklearn", "skops", "sqlalchemy",
}  # fmt: skip
IMPORTS = {
    "import everloop": "import everloop",
    "from everloop import *": "from everloop import *",
    "everloop --help": "sys.argv = ['everloop', '--help']\nfrom everloop.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass",
}

WORKER = "a worker"
WORKERS = {
    WORKER: "import uvicorn\n"
    "import everloop.lake.gather, everloop.lake.place, everloop.loop.serve.doors, everloop.loop.serve.follow, everloop.loop.serve.known\n"
    "import everloop.loop.serve.lean\n"
    "import everloop.loop.project_file, everloop.loop.serve.worker, everloop.registry.blobs, everloop.rollout, everloop.serving.app\n"
    "import everloop.serving.log, everloop.serving.metrics, everloop.settings, everloop.training.light, everloop.training.stand_in",
}
"""What a worker imports before it answers. Each of these it would carry for life: see docs/serving.md."""
TOO_MUCH_FOR_A_WORKER = {
    "alembic", "dbos", "deltalake", "duckdb", "lightgbm", "pandas", "pyarrow.dataset", "scipy", "skops", "sklearn", "sqlalchemy", "typer",
}  # fmt: skip


def loaded(script: str) -> set[str]:
    """The modules a fresh interpreter has loaded after the script and had not before."""
    whole = f"import sys\nbefore = set(sys.modules)\n{script}\nprint()\nprint(*sorted(set(sys.modules) - before))"
    # Nothing of the developer's own shell counts; a terminal's width and colours would be read by libraries too.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV", "SYSTEMROOT") if name in os.environ}
    out = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True, env=kept).stdout
    return set(out.splitlines()[-1].split())


def heavy(names: set[str]) -> set[str]:
    return HEAVY & {name.split(".")[0] for name in names}


def too_many(count: int, figure: int) -> bool:
    """Whether a count is more than a tenth above its figure.

    >>> too_many(110, 100), too_many(111, 100), too_many(3, 100)
    (False, True, False)
    """
    return count > figure * (1 + TOLERANCE)


@pytest.mark.parametrize("name", IMPORTS | WORKERS)
def test_an_import_costs_at_most_a_tenth_more_than_the_committed_figure(name):
    figure, count = json.loads(FIGURES.read_text(encoding="utf-8"))[name], len(loaded((IMPORTS | WORKERS)[name]))
    assert not too_many(count, figure), f"{name} loads {count} modules, and {figure} are committed in {FIGURES.name}"


@pytest.mark.parametrize("name", IMPORTS)
def test_an_import_loads_nothing_heavy(name):
    assert heavy(loaded(IMPORTS[name])) == set()


def test_every_figure_is_of_an_import_there_is():
    assert set(json.loads(FIGURES.read_text(encoding="utf-8"))) == set(IMPORTS | WORKERS)


def test_a_worker_loads_nothing_that_learns_and_nothing_that_keeps_decisions():
    assert TOO_MUCH_FOR_A_WORKER & loaded(WORKERS[WORKER]) == set()


@pytest.mark.parametrize("planted", ["everloop.loop.house", "everloop.checks"])
def test_what_is_too_much_for_a_worker_is_noticed(planted):
    assert TOO_MUCH_FOR_A_WORKER & loaded(f"{WORKERS[WORKER]}\nimport {planted}")


@pytest.mark.parametrize("planted", ["numpy", "msgspec"])
def test_a_heavy_library_at_the_top_of_a_file_is_noticed(planted):
    assert heavy(loaded(f"import everloop\nimport {planted}")) >= {planted}


def test_a_tenth_more_modules_are_noticed():
    figure = json.loads(FIGURES.read_text(encoding="utf-8"))["import everloop"]
    assert too_many(len(loaded("import everloop, email.mime.text, http.server")), figure)
