"""``everloop init``: a project that runs at once, with made-up happenings that end now and a test of its own."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

from everloop.errors import EverloopError, Unknown
from everloop.testing.projects.happenings import HAPPENINGS

SETTINGS = """\
# Where things are. What to predict stands in project.py; secrets come from the environment.

[sources]
{sources}
"""

TEST = '''\
"""The project's own test: its data is fit to learn from, and its features are what they should be."""

from datetime import datetime, timezone

from everloop import explain
from everloop.loop.house import open_house
from everloop.loop.steps import check_now, training_table

NOW = datetime.fromisoformat("{end}")


def test_the_project_reads_well():
    assert explain(open_house(__file__.replace("test_project.py", "project.py")).project.model("{model}"))


def test_the_data_is_fit_to_learn_from(tmp_path):
    house = open_house("project.py", folder=tmp_path, ingest=NOW)
    report = check_now(house, house.project.model("{model}"), NOW)
    assert report.passed, [f.sentence for f in report.findings if f.outcome != "passed"]


def test_every_question_has_its_features_and_no_truth_from_the_future(tmp_path):
    house = open_house("project.py", folder=tmp_path, ingest=NOW)
    model = house.project.model("{model}")
    table = training_table(house, model, NOW)
    assert table.num_rows > 100
    assert set(model.columns) <= set(table.column_names)
    assert table["truth"].null_count == 0
'''


def start_project(kind: str, folder: Path, *, end: datetime) -> list[Path]:
    """Write ``project.py``, ``everloop.toml``, ``data/*.csv`` and ``test_project.py``; nothing that is there is overwritten.

    ``end`` (aware) is the instant the made-up history stops at. Raises Unknown for another kind, EverloopError where a file is there.
    """
    if kind not in HAPPENINGS:
        raise Unknown("kind of project", kind, sorted(HAPPENINGS))
    taken = [name for name in ("project.py", "everloop.toml", "test_project.py") if (folder / name).exists()]
    if taken:
        raise EverloopError(f"{folder.resolve()} already has {' and '.join(taken)}. Say another folder: everloop init {kind} my-{kind}")
    end = end.replace(microsecond=0)
    midnight = end.replace(hour=0, minute=0, second=0)
    # Whole days, of which the last is cut off where it is now: half a day of rows where whole ones came before is an incident.
    days = midnight if midnight == end else midnight + timedelta(days=1)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    written = [folder / "project.py"]
    written[0].write_text((files("everloop.testing.projects") / f"{kind}.py").read_text())
    tables = {name: [row for row in rows if _happened(row, end)] for name, rows in HAPPENINGS[kind](days).items()}
    for name, rows in tables.items():
        written.append(data / f"{name}.csv")
        with written[-1].open("w", newline="") as file:
            out = csv.DictWriter(file, fieldnames=list(rows[0]))
            out.writeheader()
            out.writerows({k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} for row in rows)
    lines = "\n".join(f'{name} = {{ files = "data/{name}.csv", known_after = "0" }}' for name in tables)
    model = {"shop": "demand", "price": "prices"}.get(kind, kind)
    for name, text in (
        ("everloop.toml", SETTINGS.format(sources=lines)),
        ("test_project.py", TEST.format(end=end.isoformat(), model=model)),
    ):
        written.append(folder / name)
        written[-1].write_text(text)
    return written


def _happened(row: Mapping[str, object], end: datetime) -> bool:
    """Whether what a row tells had happened by then."""
    return all(value < end for value in row.values() if isinstance(value, datetime))
