"""Contests that MLflow asks for: each ends with whoever holds it, and the mirror goes on meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from everloop.loop import mirror as mirroring
from everloop.loop.control import contests
from everloop.loop.control.leading import Leading
from everloop.loop.house import unhurried
from everloop.loop.keep import Interrupted
from everloop.training.child import in_child
from tests.waiting import until

ROOT = Path(__file__).parents[2]


def lingers(_project, folder, *_words):
    Path(folder, "contest").write_text(str(os.getpid()))
    time.sleep(600)


def breaks(*_words):
    raise ValueError("no such luck")


def agrees(_project, _folder, stage, model, what):
    return f"{model} has {what} at stage {stage}"


def nests(*_words):
    return f"a child of the child said {in_child(abs, -7)}"


def house_at(folder, ended=unhurried):
    return SimpleNamespace(
        project=SimpleNamespace(path=folder / "project.py"), settings=SimpleNamespace(house=folder, stage="prod"), ended=ended
    )


def asking(noted, *names):
    """As much of ``contests_asked`` as matters here: each is noted when the next is asked for."""

    def asked(_house, _server):
        for name in names:
            yield SimpleNamespace(name=name), SimpleNamespace(name=name, number="7")
            noted.append(name)

    return asked


def hold(folder, does, noted, *names, ended=unhurried, told=print, put=setattr):
    put(contests, "contests_asked", asking(noted, *names))
    put(contests, "tracking_of", lambda _house: None)
    put(contests, "contest", does)
    return contests.hold_contests(house_at(folder, ended), told)


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_contest_dies_with_the_process_that_holds_it_however_that_dies(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from tests.loop import test_contests as contesting
        if __name__ == "__main__":
            contesting.hold(Path(sys.argv[1]), contesting.lingers, [], "demand")
    """
    (tmp_path / "parent.py").write_text(textwrap.dedent(script))
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py"), str(tmp_path)], env=os.environ | {"PYTHONPATH": path})
    try:
        until(lambda: (tmp_path / "contest").exists() and (tmp_path / "contest").read_text())
        child = int((tmp_path / "contest").read_text())
        assert not gone(child)
    finally:
        parent.kill()
        parent.wait()
    until(lambda: gone(child), 10)


def test_a_contest_that_is_broken_off_is_asked_for_again(tmp_path, monkeypatch):
    noted, told = [], []

    def ended():
        return Interrupted("The controller ends.") if (tmp_path / "contest").exists() else None

    assert hold(tmp_path, lingers, noted, "demand", ended=ended, told=told.append, put=monkeypatch.setattr) == 0
    assert (noted, told) == ([], [])


def test_every_contest_is_told_of_and_one_that_breaks_holds_up_no_other(tmp_path, monkeypatch):
    noted, told = [], []
    assert hold(tmp_path, breaks, noted, "demand", "churn", told=told.append, put=monkeypatch.setattr) == 2
    assert told == [f"MLflow asked for a contest of {name} 7: ValueError: no such luck" for name in ("demand", "churn")]
    assert hold(tmp_path, agrees, noted, "demand", told=told.append, put=monkeypatch.setattr) == 1
    assert told[-1] == "MLflow asked for a contest of demand 7: demand has models:/demand/7 at stage prod"
    assert noted == ["demand", "churn", "demand"]


def test_a_contest_has_children_of_its_own_to_learn_and_time_in(tmp_path, monkeypatch):
    told = []
    hold(tmp_path, nests, [], "demand", told=told.append, put=monkeypatch.setattr)
    assert told == ["MLflow asked for a contest of demand 7: a child of the child said 7"]


def test_the_mirror_goes_on_while_a_contest_is_held(monkeypatch):
    began, mirrored, over = threading.Event(), threading.Event(), threading.Event()

    def holding(_house, _told):
        began.set()
        over.wait(60)

    def mirror(_house):
        if began.wait(10):
            mirrored.set()

    monkeypatch.setattr(contests, "hold_contests", holding)
    monkeypatch.setattr(mirroring, "mirror", mirror)
    work = Leading.__new__(Leading)
    work.house, work.told, work.over, work.mine = None, print, threading.Event(), SimpleNamespace(lost=threading.Event())
    work.lease = "held"
    threads = [threading.Thread(target=beside, daemon=True) for beside in (work.mirror, work.contests)]
    for thread in threads:
        thread.start()
    assert mirrored.wait(20)
    work.over.set()
    over.set()
    for thread in threads:
        thread.join(10)
