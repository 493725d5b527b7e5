"""What a learner notes, and what it learnt from where DVC tracks that, stand with the candidate."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everloop import days
from everloop.connect.dvc import md5, track
from everloop.loop import strategies
from everloop.loop.arrivals import delivered, ingest_files
from everloop.loop.carded import card_of
from everloop.loop.house import open_house
from everloop.loop.reproduce import reproduce
from everloop.loop.start import start_project
from everloop.loop.steps import train_now
from everloop.loop.strategies import compare_strategies
from everloop.loop.turn import turn
from everloop.registry.card import markdown
from everloop.registry.history import told, why
from tests.ring.conftest import END, first_turn

SAID = 'HistGradientBoostingRegressor(loss="absolute_error", max_iter=60)'
NOTES = """
class Notes:
    def fit(self, X, y):
        note(rows=len(X), stopped="early")
        self.mean = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean)


"""


def noting(text):
    text = text.replace(SAID, "Notes()").replace("demand = Model(", NOTES + "demand = Model(")
    return "import numpy as np\nfrom everloop import note\n" + text.replace(
        'promote_when=beats_champion("wape", by=0.02)', "promote_when=[]"
    )


def test_what_a_learner_notes_is_kept_with_its_candidate_and_stands_on_its_card(after):
    house, model = after(first_turn, "shop", noting)
    candidate = house.candidate(house.versions.named("demand@1").candidate)
    assert dict(candidate.notes) == {"rows": float(candidate.rows), "stopped": "early"}
    assert "| stopped | early |" in markdown(card_of(house, model, "demand@1"))


def test_a_candidate_without_notes_is_written_as_ever(opened):
    house, model = opened("shop")
    candidate = train_now(house, model, END + timedelta(hours=1))
    assert candidate.notes is None
    entry = next(e for e in house.journal.read(kind="Candidate") if e.record.id == candidate.id)
    assert entry.record == candidate


SAYING = """
class Saying(HistGradientBoostingRegressor):
    def fit(self, X, y):
        with Path(__file__).with_name("heard").open("a") as heard:
            print(os.environ.get("MLFLOW_TRACKING_URI"), file=heard)
        return super().fit(X, y)


"""


def saying(text):
    text = text.replace(SAID, "Saying(max_iter=4), tune=search(2, max_leaf_nodes=(2, 31))")
    text = text.replace("demand = Model(", SAYING + "demand = Model(").replace(
        "from everloop import", "from everloop import search\nfrom everloop import", 1
    )
    return "import os\nfrom pathlib import Path\n" + text.replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]")


@pytest.mark.parametrize("mirrored", [True, False])
def test_what_a_learner_says_to_mlflow_beside_a_turn_is_of_no_run_where_a_house_is_mirrored(opened, monkeypatch, mirrored):
    pytest.importorskip("optuna")
    monkeypatch.setattr(strategies, "WINDOWS", (days(28),))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mine")
    first, _ = opened("shop", saying)
    project, heard = first.project.path, first.project.path.with_name("heard")
    first.store.close()
    if mirrored:
        project.with_name("everloop.toml").write_text(
            f'{project.with_name("everloop.toml").read_text()}\n[mlflow]\nurl = "http://mlflow:5000"\n'
        )
    house = open_house(project)
    model = house.project.model("demand")
    turn(house, model, END)
    candidate = house.candidate(house.versions.named("demand@1").candidate)
    kept = house.settings.told_to_mlflow(candidate.id).absolute().as_uri()
    told_in_turn = heard.read_text().splitlines()
    assert len(told_in_turn) > 4, "every setting on three folds, and the candidate"
    assert told_in_turn.count(kept) == (1 if mirrored else 0)
    heard.unlink()
    reproduce(house, model, "demand@1")
    compare_strategies(house, model, END + timedelta(hours=1))
    beside = heard.read_text().splitlines()
    assert len(beside) > 2
    assert kept not in beside
    assert ("http://mine" in {*told_in_turn, *beside}) is not mirrored


def test_the_pin_of_a_tracked_file_is_in_the_lineage_of_what_learnt_from_it(tmp_path):
    start_project("shop", tmp_path / "shop", end=END)
    settings, orders = tmp_path / "shop" / "everloop.toml", tmp_path / "shop" / "data" / "orders.csv"
    settings.write_text(settings.read_text() + "\n[training]\nchild = false\n")
    track(orders, orders.read_bytes())
    house = open_house(tmp_path / "shop" / "project.py")
    ingest_files(house, None, [], now=END)
    (model,) = house.project.models.values()
    (delivery,) = delivered(house, "orders")
    assert delivery.pin == f"md5:{md5(orders.read_bytes())}"
    candidate = train_now(house, model, END + timedelta(hours=1))
    assert any(f"tracked by DVC: orders.csv {delivery.pin}" in line for line in told(why(house.journal, candidate.id)))


def test_a_version_becomes_a_run_of_weights_and_biases_without_any_network(after, tmp_path):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    from everloop.loop.in_wandb import to_wandb

    house, model = after(first_turn, "shop", noting)
    run = to_wandb(house, model, "demand@1", tmp_path / "runs")
    assert run.name.startswith("offline-run-")
    assert list(run.glob("run-*.wandb"))
