"""Somebody is forgotten over HTTP while workers answer: nothing of them is left, and the answering goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pyarrow.compute as pc
import pytest

from everloop.cli import app
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source
from everloop.loop.adopt import adopt
from everloop.loop.answers import answers_of
from everloop.loop.control.chores import finish_forgetting
from everloop.loop.forget.looked import found_in
from everloop.loop.forget.plan import planned
from everloop.loop.house import open_house
from everloop.loop.serve.routes import write_routes
from tests.ring.conftest import END
from tests.ring.test_serving import served

__all__ = ["served"]
RARE = "marker-7f3a91c2"


@pytest.fixture
def churn(opened):
    house, model = opened("churn")
    orders = house.project.sources["orders"]
    receive(house.lake, orders, [{"order_id": f"o-{RARE}", "ordered_at": END, "customer_id": RARE, "amount": 900}], now=END)
    adopt(house, model, END)
    write_routes(house)
    return house, model


def test_over_http_somebody_goes_while_others_are_answered(churn, served):
    house, model = churn
    orders = house.project.sources["orders"]
    other = read_source(house.lake, orders).column("customer_id")[0].as_py()
    running = served(house, "serve")
    with running.client() as client:
        for who in (RARE, other):
            assert client.post("/v1/models/churn/predict", json={"customer_id": who}).status_code == 200
        known = client.post("/v1/known", json={"column": "customer_id", "value": RARE}).json()["known"]
        assert (len(known["rows"]["orders"]), len(known["answers"]["churn"])) == (1, 1)
        said = {"column": "customer_id", "value": RARE, "by": "Kim", "reason": "she asked"}
        done = client.post("/v1/forget", json=said)
        assert done.status_code == 200, done.text
        assert dict(done.json()["record"]["rows"]) == {"answers": 1, "events/orders": 1}
        assert RARE not in done.text
        assert client.post("/v1/models/churn/predict", json={"customer_id": other}).status_code == 200
        assert client.post("/v1/models/churn/predict", json={"customer_id": RARE}).status_code == 404
        for wrong in ({**said, "everybody": True}, {"by": "Kim", "reason": "x"}):
            assert client.post("/v1/forget", json=wrong).status_code == 422
        assert client.post("/v1/forget", json={**said, "column": "shoe_size"}).status_code == 404
    again = open_house(house.project.path)
    assert [str(path) for path in found_in(again.settings.house, RARE)] == []
    assert set(answers_of(again, model).column("unit").to_pylist()) == {other}


DIES = """
import os, sys
from everloop.loop.forget import forget
from everloop.loop.house import open_house, with_pause
from tests.ring.conftest import END

def die(moment):
    if moment == sys.argv[2]:
        os.kill(os.getpid(), 9)

forget(with_pause(open_house(sys.argv[1]), die), "customer_id", sys.argv[3], by="Kim", reason="she asked", now=END)
"""


@pytest.mark.parametrize("moment", ["found, nothing erased", "rewritten, still in the index", "bodies erased"])
def test_a_process_that_is_killed_over_it_leaves_the_rest_to_the_next_chore(churn, moment):
    house, _ = churn
    killed = subprocess.run([sys.executable, "-c", DIES, str(house.project.path), moment, RARE], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(planned(house.settings.house))) == 1
    assert finish_forgetting(open_house(house.project.path)) == 1
    assert finish_forgetting(house) == 0
    assert list(found_in(house.settings.house, RARE)) == []


def test_in_a_terminal_it_is_told_what_went_and_what_cannot_be_reached(churn, tmp_path, capsys):
    house, _ = churn
    where = ["--project", str(house.project.path)]
    app(["known", "customer_id", RARE, "--to", str(tmp_path / "theirs.json"), *where], standalone_mode=False)
    assert json.loads((tmp_path / "theirs.json").read_text())["rows"]["orders"][0]["amount"] == 900
    app(["forget", "customer_id", RARE, "--by", "Kim", "--reason", "she asked", *where], standalone_mode=False)
    said = capsys.readouterr().out
    assert "was forgotten" in said
    assert "1 of events/orders" in said
    assert "! backups" in said
    assert not pc.any(pc.equal(read_source(house.lake, house.project.sources["orders"]).column("customer_id"), RARE)).as_py()
