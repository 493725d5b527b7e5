"""The supervisor with workers of a few lines: what dies is started again, what cannot start is told, and nobody outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import typer

import everloop
from everloop.cli.serving import run, serve
from everloop.errors import EverloopError
from everloop.loop.serve import supervise
from everloop.loop.serve.child import how
from everloop.loop.serve.listening import listening, url_of
from everloop.loop.serve.scraped import address
from tests.waiting import until

SOURCE = str(Path(everloop.__file__).parents[1])

# A worker that says ready and then waits to be ended: it writes what it was told into a file of its own.
WAITS = """
import os, signal, sys, time
from everloop.loop.serve.supervised import supervised
def work(told):
    print(f"works by {told.socket is not None} {told.turned} {told.stage}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    told.say_ready()
    while True:
        time.sleep(0.05)
sys.exit(supervised("worker", work))
"""
STUBBORN = WAITS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
DIES = "import sys\nprint('the disk is gone', flush=True)\nsys.exit(1)"
CANNOT = """
import sys
from everloop.errors import EverloopError
from everloop.loop.serve.supervised import supervised
def work(told):
    raise EverloopError("There is no such thing.")
sys.exit(supervised("worker", work))
"""
BEGINS = "print('begun')"
DRIVER = """
import sys
from pathlib import Path
from everloop.loop.serve import child, supervise as s, tree
from everloop.loop.serve.serving import Serving
from everloop.settings import read_settings
s.BEGIN, s.WORKER, s.CONTROL = "fake_begin", "fake_worker", "fake_control"
tree.PATIENCE, child.LONGEST = float(sys.argv[3]), 0.2
folder = Path(sys.argv[1])
said = {"project": folder / "project.py", "settings": read_settings(folder, environ={}), "as_json": True}
serving = Serving(**said, port=0, workers=int(sys.argv[2]))
sys.exit(s.supervise(serving))
"""
ATTENDS = DRIVER.replace("s.supervise(serving)", "s.attend(serving, serving.workers)")


class Tree:
    """A supervisor under test and what it said."""

    def __init__(self, folder, worker, workers=2, begins=BEGINS, patience=20.0, driver=DRIVER):
        for name in ("fake_worker.py", "fake_control.py"):
            (folder / name).write_text(worker)
        (folder / "fake_begin.py").write_text(begins)
        self.folder, self.errors = folder, folder / ("stderr" if driver == DRIVER else "stderr of others")
        self.said = self.errors.open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", driver, str(folder), str(workers), str(patience)],
            stdout=subprocess.PIPE,
            stderr=self.said,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), SOURCE])},
        )

    def ready(self):
        return json.loads(self.process.stdout.readline())

    def serving(self):
        return json.loads((self.folder / ".everloop" / "serving.json").read_text())

    def words(self):
        self.said.flush()
        return self.errors.read_text()

    def end(self):
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate()
        self.said.close()


@pytest.fixture
def tree(tmp_path):
    made = []

    def grow(*words, **more):
        made.append(Tree(tmp_path, *words, **more))
        return made[-1]

    yield grow
    for one in made:
        one.end()


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_it_says_where_it_answers_when_all_are_ready_and_ends_when_told(tree):
    grown = tree(WAITS)
    said = grown.ready()
    assert said["pid"] == grown.process.pid
    assert len(said["workers"]) == 2
    assert grown.serving() == said
    host, port = said["url"].removeprefix("http://").split(":")
    socket.create_connection((host, int(port)), 5).close()
    grown.process.send_signal(signal.SIGTERM)
    assert grown.process.wait(60) == 0
    assert not any(lives(pid) for pid in said["workers"])
    assert not (grown.folder / ".everloop" / "serving.json").exists()
    assert "worker 1 | works by True False None" in grown.words()


def test_what_is_killed_is_started_again_and_the_others_go_on(tree):
    grown = tree(WAITS)
    first, second = grown.ready()["workers"]
    os.kill(first, signal.SIGKILL)
    again = until(lambda: (w := grown.serving()["workers"]) != [first, second] and w)
    assert again[1] == second
    assert lives(again[0])
    assert "worker 1 was ended by SIGKILL; it is started again in 0.1 s." in grown.words()


def test_nobody_outlives_a_supervisor_that_was_killed(tree):
    grown = tree(STUBBORN)
    pids = grown.ready()["workers"]
    grown.process.kill()
    grown.process.wait()
    assert until(lambda: not any(lives(pid) for pid in pids), 10)


def test_one_that_never_starts_is_told_with_its_last_words(tree):
    grown = tree(DIES, workers=1)
    assert grown.process.wait(120) == 2
    assert "worker 1 cannot start: it ended 5 times in a row (ended with exit code 1).\n  the disk is gone" in grown.words()


def test_one_that_others_kill_before_it_is_ready_is_started_again_and_again(tree):
    killed = "import os, pathlib, signal, sys\nseen = pathlib.Path(__file__).with_name('seen')\n"
    killed += "seen.open('a').write('x')\nif len(seen.read_text()) < 7: os.kill(os.getpid(), signal.SIGKILL)\n"
    grown = tree(killed + WAITS, workers=1)
    assert grown.ready()["workers"]
    assert grown.words().count("worker 1 was ended by SIGKILL") == 6


def test_one_that_was_ready_once_is_never_given_up(tree):
    once = "import os, pathlib, sys\nseen = pathlib.Path(__file__).with_name('seen')\n"
    once += "seen.open('a').write('x')\nif 1 < len(seen.read_text()) < 8: sys.exit(1)\n"
    grown = tree(once + WAITS, workers=1)
    [first] = grown.ready()["workers"]
    os.kill(first, signal.SIGKILL)
    [again] = until(lambda: (w := grown.serving()["workers"]) != [first] and w, 90)
    assert lives(again)


def test_what_cannot_be_done_is_told_at_once(tree):
    grown = tree(CANNOT, workers=1)
    assert grown.process.wait(60) == 2
    assert "worker 1 cannot start: it ended (ended with exit code 2).\n  There is no such thing." in grown.words()


def test_a_house_that_cannot_begin_is_told_too(tree):
    grown = tree(WAITS, workers=1, begins=CANNOT)
    assert grown.process.wait(60) == 2
    assert "begin cannot start" in grown.words()


def test_a_second_word_kills_who_does_not_end(tree):
    grown = tree(STUBBORN, workers=1)
    [pid] = grown.ready()["workers"]
    grown.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert lives(pid)
    grown.process.send_signal(signal.SIGINT)
    assert grown.process.wait(10) == 0
    assert not lives(pid)


def test_who_takes_too_long_to_end_is_killed(tree):
    grown = tree(STUBBORN, workers=1, patience=0.3)
    [pid] = grown.ready()["workers"]
    grown.process.send_signal(signal.SIGTERM)
    assert grown.process.wait(10) == 0
    assert not lives(pid)


def test_a_hangup_replaces_the_workers_one_after_the_other(tree):
    grown = tree(WAITS)
    before = grown.ready()["workers"]
    grown.process.send_signal(signal.SIGHUP)
    after = until(lambda: not set(w := grown.serving()["workers"]) & set(before) and len(w) == 2 and w)
    assert all(lives(pid) for pid in after)
    until(lambda: not any(lives(pid) for pid in before))


def test_a_worker_that_cannot_be_replaced_goes_on(tree):
    grown = tree(WAITS)
    before = grown.ready()["workers"]
    (grown.folder / "fake_worker.py").write_text(DIES)
    grown.process.send_signal(signal.SIGHUP)
    for _ in before:
        assert b"could not be replaced (ended with exit code 1); the one before goes on" in grown.process.stdout.readline()
    assert all(lives(pid) for pid in before)


def test_a_house_is_served_once(tree):
    first = tree(WAITS)
    url = first.ready()["url"]
    second = subprocess.run(
        [sys.executable, "-c", DRIVER, str(first.folder), "1", "20"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(first.folder), SOURCE])},
    )
    assert f"This house is served already: {url}, pid {first.process.pid}" in second.stderr


def test_it_is_small_and_loads_nothing_heavy():
    code = "import sys, everloop.loop.serve.supervise\nprint(*sys.modules)\nprint(open('/proc/self/status').read())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    names, status = out.split("\n", 1)
    assert {name.split(".")[0] for name in names.split()} & {
        "numpy",
        "pyarrow",
        "sqlalchemy",
        "msgspec",
        "uvicorn",
        "dbos",
        "duckdb",
    } == set()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert rss < 40 * 1024


# -- listening ---------------------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_a_clear_error():
    with listening("127.0.0.1", 0) as there:
        port = there.getsockname()[1]
        with pytest.raises(EverloopError, match=f"Port {port} of 127.0.0.1 is taken"), listening("127.0.0.1", port):
            pass


@pytest.mark.parametrize(("host", "port"), [("no such host.invalid", 0), ("127.0.0.1", 70000), ("203.0.113.1", 0), ("\udcff", 0)])
def test_what_is_no_address_of_this_machine_is_a_clear_error(host, port):
    with pytest.raises(EverloopError, match="Say --host"), listening(host, port):
        pass


def test_it_listens_on_version_6_too():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        with listening("::1", 0) as there:
            assert url_of(there).startswith("http://[::1]:")
    except EverloopError as error:
        pytest.skip(str(error))


def test_how_a_process_ended_is_said_in_words():
    assert how(-15) == "was ended by SIGTERM"
    assert how(-99) == "was ended by signal 99"


def test_workers_that_answer_nobody_are_started_again_and_are_beside_whoever_serves_the_house(tree):
    serves, works = tree(WAITS, workers=1), tree(WAITS, driver=ATTENDS)
    url, said = serves.ready()["url"], works.ready()
    assert len(said["workers"]) == 2
    assert "url" not in said
    os.kill(said["workers"][0], signal.SIGKILL)
    until(lambda: works.words().count("worker 1 | works by False False None") == 2)
    assert serves.serving()["url"] == url
    works.process.send_signal(signal.SIGTERM)
    assert works.process.wait(60) == 0
    assert not lives(said["workers"][1])
    assert serves.serving()["url"] == url, "the house is served as before"


def test_who_only_answers_keeps_the_folder_where_other_machines_decide_who_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "supervise", lambda serving: 7 + serving.controller + 10 * len(supervise._children(serving, None)))
    project, settings = tmp_path / "project.py", tmp_path / "everloop.toml"
    project.touch()
    exits = []
    for said, verb in (
        ("", serve),
        ("", run),
        ('registry = "postgresql://db/shop"\n', serve),
        ('registry = "postgresql://db/shop"\n', run),
    ):
        settings.write_text(said)
        with pytest.raises(typer.Exit) as ended:
            verb(project=project)
        exits.append(ended.value.exit_code)
    # begin and a worker; a controller beside them; a keeper beside them; a controller again
    assert exits == [27, 38, 37, 38]


@pytest.mark.parametrize("verb", [serve, run])
def test_a_console_nobody_wants_beside_who_answers_is_none_whatever_the_settings_say(tmp_path, monkeypatch, verb):
    monkeypatch.setattr(supervise, "supervise", lambda serving: int(serving.settings.console.on))
    (tmp_path / "project.py").touch()
    (tmp_path / "everloop.toml").write_text("[console]\non = true\n")
    for words, shown in (({}, 1), ({"without_console": True}, 0)):
        with pytest.raises(typer.Exit) as ended:
            verb(project=tmp_path / "project.py", **words)
        assert ended.value.exit_code == shown


CHANGED = """
import os, sys
from pathlib import Path
from everloop.errors import CodeChanged
from everloop.loop.serve.supervised import supervised
def work(told):
    told.say_ready()
    if not Path("changed").exists():
        Path("changed").write_text("")
        raise CodeChanged("project.py was changed. This process starts again with it.")
    print("works with the new file", flush=True)
    while True:
        __import__("time").sleep(0.05)
os.chdir(Path(__file__).parent)
sys.exit(supervised("control", work))
"""


def test_who_ends_for_a_changed_project_file_is_started_again_at_once_and_nothing_failed(tmp_path, tree):
    (tmp_path / "everloop.toml").write_text('[logs]\nform = "json"\n')
    works = tree(CHANGED, 1, driver=ATTENDS)
    works.ready()
    until(lambda: "works with the new file" in works.words())
    lines = [json.loads(one) for one in works.words().splitlines()]
    assert [one["message"] for one in lines if one["level"] == "error"] == []
    assert ("supervisor", "joined worker 1 wants to be started again, and is.") in [(one["process"], one["message"]) for one in lines]
    assert {one["host"] for one in lines} == {os.uname().nodename}


def test_who_works_and_answers_nobody_tells_its_metrics_where_that_is_wanted(tmp_path, tree):
    told = ATTENDS.replace("serving.workers)", 'serving.workers, metrics=("127.0.0.1", 0))')
    works = tree(WAITS, 2, driver=told)
    said = works.ready()
    with urlopen(said["metrics"], timeout=30) as reply:
        text = reply.read().decode()
    for name in ("supervisor", "joined worker 1", "joined worker 2", "metrics"):
        assert f'everloop_process_memory_bytes{{process="{name}"}}' in text
    assert "joined joined" not in text
    with pytest.raises(HTTPError) as other:
        urlopen(said["metrics"].replace("/metrics", "/v1/status"), timeout=30)
    assert other.value.code == 404
    other.value.close()
    assert len(said["workers"]) == 2
    works.process.send_signal(signal.SIGTERM)
    assert works.process.wait(60) == 0


@pytest.mark.parametrize("said", ["", "here", "host:", "1.2.3.4:99999"])
def test_what_is_no_address_for_metrics_is_refused_with_one_that_is(said):
    with pytest.raises(EverloopError, match="--metrics 9100"):
        address(said)
