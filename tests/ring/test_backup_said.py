"""Backups as they are said in a terminal: taken, listed, tried, restored, and a house let act again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import EverloopError, StoreError
from everloop.lake.receive import receive
from everloop.loop.answers import answer_one
from everloop.loop.backup import shelf
from everloop.loop.house import open_house
from everloop.settings import Storage

NOW = datetime(2026, 9, 9, tzinfo=UTC)
PROJECT = """
from everloop import Model, Source, days, every, slipped

orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": int})


class Little:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]


spends = Model(
    "spends", predicts=orders.total("amount", next=days(1)), per="customer_id", asked=every(days(1), at="00:00", zone="UTC"),
    knows=orders.total("amount", last=days(7)), learner=Little(), retrain_when=slipped("mae", by=0.2),
)
"""


def said(*words):
    """What a command prints; its own errors are raised as they are."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, EverloopError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_house_is_backed_up_tried_restored_and_let_act_by_words(tmp_path, monkeypatch):
    storages, open_shelf = [], shelf.open_shelf
    shop, to = tmp_path / "shop", tmp_path / "to"
    shop.mkdir()
    (shop / "project.py").write_text(PROJECT)
    house = open_house(shop, turned=True)
    rows = [{"order_id": f"o{n}", "ordered_at": NOW - timedelta(days=n), "customer_id": f"c{n % 3}", "amount": n} for n in range(9)]
    receive(house.lake, house.project.sources["orders"], rows, now=NOW, known_after=timedelta(0))
    for unit in range(3):
        answer_one(house, house.project.model("spends"), [f"c{unit}"], NOW)
    house.lake.log.close()
    house.store.close()
    told = said("backup", to, "--drill", "--project", shop)
    assert "proven, in" in told
    assert "spends: 3 answers the same to the last bit." in told
    made = json.loads(said("backup", to, "--project", shop, "--keep", "1", "--json"))
    assert made["went"]
    assert made["new"] < made["bytes"]
    assert said("backup", to, "--list").startswith(made["id"])
    monkeypatch.setattr(shelf, "open_shelf", lambda to, storage: storages.append(storage) or open_shelf(to, storage))
    (shop / "everloop.toml").write_text('[storage]\nregion = "eu-central-1"\n')
    assert said("backup", to, "--list", "--project", shop / "project.py").startswith(made["id"])
    assert storages == [Storage(region="eu-central-1")]
    with pytest.raises(StoreError, match="is not empty"):
        said("restore", to, "--project", shop)
    there = tmp_path / "again"
    assert "No model acts above observe" in said("restore", to, "--project", shop, "--house", there)
    assert "No model acts above observe" in said("status", "--project", shop, "--house", there)
    freed = said("autonomy", "act", "--by", "Kim", "--reason", "it is ours", "--project", shop, "--house", there)
    assert freed.startswith("No model acts above act")
    assert "acts above" not in said("status", "--project", shop, "--house", there).split("Alerts")[0]
    with pytest.raises(EverloopError, match="is no level"):
        said("restore", to, "--project", shop, "--house", tmp_path / "third", "--level", "full")
