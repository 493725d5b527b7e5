"""Beside those who only answer stands one who keeps their folder: what they answered is in the lake before the folder is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from everloop.loop.adopt import adopt
from everloop.loop.answers import answer_one
from everloop.loop.serve.routes import Living
from everloop.serving.log import AnswersLog, unsealed
from everloop.serving.segment import segments
from tests.ring.conftest import END
from tests.waiting import until


def started(house):
    """The keeper of a house, ready."""
    ready, theirs = os.pipe()
    command = [sys.executable, "-m", "everloop.loop.control.keeper", "--project", str(house.project.path), "--ready", str(theirs)]
    process = subprocess.Popen(command, pass_fds=[theirs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.close(theirs)
    with os.fdopen(ready, "rb") as pipe:
        assert pipe.readline() == b"ready\n", process.communicate()
    return process


def sealed(house):
    found = house.lake.tables.read("answers")
    return sorted(found.column("id").to_pylist()) if "id" in found.column_names else []


def test_what_is_still_being_answered_when_it_is_told_to_end_is_waited_for_and_sealed(opened):
    house, model = opened("shop")
    adopt(house, model, END)
    product = house.tables(model)["orders"]["product_id"][0].as_py()
    given = answer_one(house, model, [product], END)
    assert sealed(house) == []
    rows = unsealed(house.settings.answers)
    [first] = segments(house.settings.answers)
    first.unlink()
    worker = Living(house.settings.house)  # which drains, and has answered nobody since
    keeper = started(house)
    try:
        keeper.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.wait(2)
        routes = house.settings.house / "routes.json"
        routes.unlink()
        until(routes.exists, 10)  # who drains hears of an undo as ever
        with AnswersLog(house.settings.answers) as log:
            log.write(rows)
    finally:
        worker.close()
    assert keeper.wait(20) == 0, keeper.stdout.read()
    keeper.stdout.close()
    assert sealed(house) == [given.id]
    assert list(segments(house.settings.answers)) == []
