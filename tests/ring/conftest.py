"""Houses of the tiny projects with their history in, copied for each test; training runs in this process, so that a test is quick."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.people import answer_question
from everloop.loop.start import start_project
from everloop.loop.turn import turn

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


@pytest.fixture(scope="session")
def kept(prepared, tmp_path_factory):
    """Folders of houses to which something was done: once for each project file, however many tests begin there."""
    made = {}

    def folder(does, kind, change):
        text = change((prepared(kind) / "project.py").read_text())
        if (does, kind, text) not in made:
            path = tmp_path_factory.mktemp("kept") / kind
            shutil.copytree(prepared(kind), path)
            (path / "project.py").write_text(text)
            house = open_house(path / "project.py")
            does(house, next(iter(house.project.models.values())))
            house.store.close()
            made[does, kind, text] = path
        return made[does, kind, text]

    return folder


@pytest.fixture
def after(kept, tmp_path):
    """Open a house of a tiny project to which something was done before, such as a ``first_turn``: the house and its one model."""

    def house(does, kind, change=lambda text: text):
        shutil.copytree(kept(does, kind, change), tmp_path / kind)
        made = open_house(tmp_path / kind / "project.py")
        return made, next(iter(made.project.models.values()))

    return house


def first_turn(house, model):
    turn(house, model, END)


@pytest.fixture(scope="session")
def begun(asking, tmp_path_factory):
    """The folder of a house whose one model is in a canary."""
    folder = tmp_path_factory.mktemp("begun") / "price"
    shutil.copytree(asking, folder)
    house = open_house(folder / "project.py")
    (model,) = house.project.models.values()
    answer_question(house, model, True, by="Kim", reason="looks right", now=END + timedelta(hours=1))
    house.store.close()
    return folder


@pytest.fixture
def rolling(begun, tmp_path):
    """A house whose one model is in a canary, and that model."""
    shutil.copytree(begun, tmp_path / "price")
    house = open_house(tmp_path / "price" / "project.py")
    (model,) = house.project.models.values()
    assert house.traffic(model).stage == "canary"
    yield house, model
    house.store.close()


@pytest.fixture(scope="session")
def asking(kept):
    """The folder of a house whose one candidate waits for a yes."""
    return kept(first_turn, "price", lambda text: text)
