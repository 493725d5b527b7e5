"""Lines: one object for each, with the ids of what it happened in, whoever says it; for people they stay as they were."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.loop.serve.lines import line, of_requests, passed_on
from everloop.settings import Logs, read_settings
from everloop.spans import Asked, about, asked_now
from tests.loop.test_supervise import SOURCE, WAITS, tree
from tests.waiting import until

__all__ = ["tree"]
AS_JSON = Logs(form="json")
SAYS = """
import logging, sys, threading, warnings
from everloop.loop.serve.lines import speaking
from everloop.settings import Logs
from everloop.spans import about
say = speaking("worker 2", Logs(form="json", level=sys.argv[1]))
log = logging.getLogger("everloop.test")
say("Begun.")
with about(turn_id="41c9", model="demand"):
    log.warning("The disk is %s.", "full")
log.info("quiet")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("It broke\\nin two lines")
warnings.warn("old words")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise KeyError("at the end")
"""


def said_by(*words):
    done = subprocess.run(
        [sys.executable, "-c", *words], capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": SOURCE}
    )
    return [json.loads(one) for one in done.stdout.splitlines()], done.stderr


def test_whatever_a_process_says_is_one_object_a_line():
    lines, plain = said_by(SAYS, "warning")
    assert plain == ""
    assert [(one["level"], one["message"].splitlines()[0], one.get("error")) for one in lines[:3]] == [
        ("info", "Begun.", None),
        ("warning", "The disk is full.", None),
        ("error", "It broke", "ZeroDivisionError"),
    ]
    warned, thread, end = lines[3:]
    assert "old words" in warned["message"]
    assert (thread["error"], end["error"], end["level"]) == ("ZeroDivisionError", "KeyError", "error")
    assert "at the end" in end["traceback"]
    assert {(one["process"], one["pid"] > 0, one["at"][-1]) for one in lines} == {("worker 2", True, "Z")}
    assert (lines[1]["turn_id"], lines[1]["model"], lines[1]["logger"]) == ("41c9", "demand", "everloop.test")
    assert "turn_id" not in lines[2]


def test_what_is_less_urgent_than_wanted_is_left_out():
    quiet = [one["message"] for one in said_by(SAYS, "info")[0]]
    assert "quiet" in quiet
    assert "The disk is full." not in [one["message"] for one in said_by(SAYS, "error")[0]]


@given(st.text(), st.text())
def test_any_text_is_one_line(message, process):
    written = line(process, "info", message)
    assert "\n" not in written
    assert json.loads(written)["message"] == message


def test_a_request_is_a_line_with_its_id_where_that_is_wanted(capsys):
    assert of_requests("worker 1", AS_JSON) is None
    token = asked_now(Asked([(b"x-request-id", b"till-3")]))
    try:
        of_requests("worker 1", Logs(form="json", requests=True))("POST", "/v1/models/{model}/predict", 200, 0.00123)
        of_requests("worker 1", Logs(requests=True))("GET", "/v1/status", 503, 0.2)
    finally:
        token.var.reset(token)
    as_json, as_text = capsys.readouterr().out.splitlines()
    found = json.loads(as_json)
    assert {key: found[key] for key in ("method", "route", "status", "ms", "request_id", "level")} == {
        "method": "POST", "route": "/v1/models/{model}/predict", "status": 200, "ms": 1.23, "request_id": "till-3", "level": "info",
    }  # fmt: skip
    assert as_text == "GET /v1/status 503 in 200.00 ms, request till-3"


def test_what_is_passed_on_says_who_said_it_once():
    ours = line("worker 1", "info", "Begun.")
    assert passed_on("worker 1", ours, AS_JSON) == ours
    plain = json.loads(passed_on("worker 1", "printed by a learner", AS_JSON))
    assert (plain["process"], plain["level"], plain["message"]) == ("worker 1", "info", "printed by a learner")
    assert passed_on("worker 1", ours, Logs()) == f"worker 1 | {ours}"
    with about(turn_id="1"):
        assert json.loads(passed_on("w", '{"at": "half', AS_JSON))["message"] == '{"at": "half'


def test_a_tree_whose_lines_are_objects_says_nothing_else(tmp_path, tree):
    (tmp_path / "everloop.toml").write_text('[logs]\nform = "json"\n')
    grown = tree(WAITS, 1)
    assert set(grown.ready()) == {"url", "pid", "workers"}
    os.kill(grown.serving()["workers"][0], 9)
    until(lambda: "started again" in grown.words())
    lines = [json.loads(one) for one in grown.words().splitlines()]
    assert ("supervisor", "error") in {(one["process"], one["level"]) for one in lines}
    assert "works by True False None" in {one["message"] for one in lines if one["process"] == "worker 1"}


def test_nothing_changes_for_people(caplog):
    assert read_settings(".", environ={}).logs == Logs() == Logs(form="text", level="warning", requests=False)
    before = logging.getLogger().handlers[:]
    from everloop.loop.serve.lines import speaking

    speaking("worker", Logs())
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize(
    ("table", "wrong"), [('form = "xml"', "text or json"), ('level = "loud"', "debug or info"), ("requests = 1", "true or false")]
)
def test_a_mistake_in_the_settings_is_told(tmp_path, table, wrong):
    (tmp_path / "everloop.toml").write_text(f"[logs]\n{table}\n")
    from everloop.errors import SettingsError

    with pytest.raises(SettingsError, match=wrong):
        read_settings(tmp_path, environ={})
