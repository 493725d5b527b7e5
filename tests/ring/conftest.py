"""Houses of the tiny projects with their history in, copied for each test; training runs in this process, so that a test is quick."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.start import start_project

END = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    made = {}

    def folder(kind):
        if kind not in made:
            path = tmp_path_factory.mktemp("prepared") / kind
            start_project(kind, path, end=END)
            settings = path / "everloop.toml"
            settings.write_text(settings.read_text() + "\n[training]\nchild = false\n")
            house = open_house(path / "project.py")
            ingest_files(house, None, [], now=END)
            house.store.close()
            made[kind] = path
        return made[kind]

    return folder


@pytest.fixture
def opened(prepared, tmp_path):
    """Open a house of a tiny project: the house and its one model."""

    def house(kind, change=lambda text: text):
        path = tmp_path / kind
        if not path.exists():
            shutil.copytree(prepared(kind), path)
        project = path / "project.py"
        project.write_text(change(project.read_text()))
        made = open_house(project)
        return made, next(iter(made.project.models.values()))

    return house
