"""What a server prepares after it has begun to answer takes no time from those who answer."""

from datetime import timedelta

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import EverloopError
from everloop.loop.adopt import adopt
from everloop.loop.arrivals import ingest_files
from everloop.loop.findings import findings_now
from everloop.loop.house import open_house
from everloop.loop.serve import begin as beginning
from everloop.loop.serve.supervised import Told
from everloop.loop.start import start_project
from everloop.loop.turn import turn
from tests.ring.conftest import END


def test_beginning_steps_back_once_nobody_waits_for_it_and_not_before(begun, monkeypatch):
    happened = []
    monkeypatch.setattr(beginning.os, "nice", lambda by: happened.append(("steps back", by)))
    monkeypatch.setattr(Told, "say_ready", lambda self: happened.append("ready"))
    monkeypatch.setattr("everloop.loop.serve.compiled.compile_served", lambda *_, **words: happened.append(("prepares", words)))
    monkeypatch.setattr("everloop.loop.serve.lean.without_pandas", lambda: None)  # it would hide pandas from the tests after this one
    beginning.begin(Told(begun / "project.py", None, None, True, None, None, None))
    assert happened == ["ready", ("steps back", 19), ("prepares", {"again": False})]


@pytest.fixture
def empty(tmp_path):
    """A house nothing has come into, and its model, which is to be trained every four weeks."""
    start_project("shop", tmp_path, end=END)
    settings = tmp_path / "everloop.toml"
    settings.write_text(settings.read_text() + "\n[training]\nchild = false\n")
    house = open_house(tmp_path / "project.py")
    yield house, house.project.model("demand")
    house.store.close()


def test_a_turn_before_anything_has_happened_says_so_and_nothing_begins(empty):
    house, model = empty
    with pytest.raises(EverloopError, match="demand: nothing has happened yet, for no row of orders has come in: everloop ingest"):
        turn(house, model, END - timedelta(hours=1))
    assert house.journal.read() == []
    ingest_files(house, None, [], now=END)
    turn(house, model, END)
    assert [v.name for v in house.versions.all("demand")] == ["demand@0", "demand@1"]
    assert house.candidate(house.versions.named("demand@1").candidate).format != "baseline"


def test_nothing_is_held_against_a_served_house_without_events(empty):
    house, model = empty
    adopt(house, model, END - timedelta(hours=2))
    for cause in ("schedule", "demand"):
        decision = turn(house, model, END - timedelta(hours=1), cause)
        assert (decision.action, decision.because) == (
            "hold", ("nothing has happened yet, for no row of orders has come in: everloop ingest",)
        )  # fmt: skip
    assert house.incidents.open("demand") == []
    assert house.journal.read(kind="Report") == []


def test_a_model_nothing_has_happened_for_holds_up_no_other(empty):
    house, _ = empty
    project = house.project.path
    other = (
        'visits = Source("visits", id="visit_id", time="at", columns={"product_id": str})\n'
        'browsed = demand.but("browsed", predicts=visits.count(next=days(7)), knows=visits.count(last=days(7)))\n'
    )
    project.write_text(project.read_text().replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]") + other)
    house = open_house(project)
    ingest_files(house, "orders", [project.with_name("data") / "orders.csv"], now=END, known_after=timedelta(0))
    house.store.close()
    done = CliRunner().invoke(app, ["turn", "--project", str(project), "--now", END.isoformat()])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("demand: Retrain")
    assert "browsed: nothing has happened yet, for no row of visits has come in" in done.stdout


@pytest.mark.parametrize("kind", ["shop", "fraud"])
def test_a_project_that_is_begun_in_the_middle_of_a_day_has_nothing_wrong_with_it(tmp_path, kind):
    """Its made-up days once ended at midnight, so that at noon half a day was missing: an incident before anything had happened."""
    noon = END + timedelta(hours=14, minutes=3)
    start_project(kind, tmp_path, end=noon)
    house = open_house(tmp_path / "project.py")
    ingest_files(house, None, [], now=noon)
    (model,) = house.project.models.values()
    assert [one.sentence for one in findings_now(house, model, noon) if one.outcome == "failed"] == []
    house.store.close()


def test_where_a_project_was_written_is_said_where_it_is_not_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here, there = CliRunner().invoke(app, ["init", "price"]), CliRunner().invoke(app, ["init", "price", "other"])
    assert here.stdout.splitlines()[0].endswith("houses.csv, everloop.toml, test_project.py.")
    assert there.stdout.splitlines()[0].endswith("test_project.py in other.")
    assert "cd other && everloop explain" in there.stdout
