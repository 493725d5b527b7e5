"""DVC itself: what is exported is, byte for byte, what ``dvc add`` writes, and stays clean, pushed and pulled."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta

import pytest
from bench.peers import apart, environment
from tests.ring.conftest import END
from tests.ring.test_doors import new_row

from everloop.connect import dvc as files
from everloop.lake.receive import receive
from everloop.loop.export import to_dvc
from everloop.loop.steps import train_now

pytestmark = pytest.mark.slow
LATER = END + timedelta(hours=1)
CLEAN = "Data and pipelines are up to date."


@pytest.fixture(scope="session")
def commands():
    return environment("dvc").parent


@pytest.fixture
def repository(tmp_path, commands):
    """A Git repository with DVC in it: its folder, and a way to say something to either."""
    folder = tmp_path / "team"
    folder.mkdir()
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    where = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def say(program, *words):
        command = [commands / "dvc" if program == "dvc" else program, *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=apart() | names | where, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    say("git", "init", "-q")
    say("dvc", "init", "-q")
    return folder, say


def committed(say, message):
    say("git", "add", "-A")
    say("git", "commit", "-qm", message)


def test_dvc_writes_the_same_file_and_finds_nothing_changed(opened, repository):
    house, model = opened("shop")
    folder, say = repository
    train_now(house, model, LATER)
    done = to_dvc(house, model, folder)
    committed(say, "exported")
    assert "demand/" not in say("git", "ls-files")
    say("dvc", "add", "-q", "demand")
    assert say("git", "status", "--porcelain") == ""  # what DVC wrote is what was there
    assert say("dvc", "status") == CLEAN
    assert files.said_by(folder, "demand") == done.md5


def test_a_version_of_the_data_is_checked_out_with_its_commit_and_read_again_from_the_house(opened, repository):
    house, model = opened("shop")
    folder, say = repository
    train_now(house, model, LATER)
    to_dvc(house, model, folder)
    say("dvc", "commit", "-q", "-f")
    committed(say, "first")
    first = (folder / "demand" / "sources" / "orders.parquet").read_bytes()
    receive(house.lake, model.sources[0], [new_row(house, model, 0, LATER)], now=LATER + timedelta(minutes=1))
    train_now(house, model, LATER + timedelta(days=2))
    assert to_dvc(house, model, folder).same is False
    assert "modified" in say("dvc", "status") or "not in cache" in say("dvc", "status")
    say("dvc", "commit", "-q", "-f")
    committed(say, "second")
    assert say("dvc", "status") == CLEAN

    say("git", "checkout", "-q", "HEAD~1")
    say("dvc", "checkout", "-q")
    assert (folder / "demand" / "sources" / "orders.parquet").read_bytes() == first
    # Nobody has the data any more: the pins are enough.
    shutil.rmtree(folder / "demand")
    shutil.rmtree(folder / ".dvc" / "cache")
    assert to_dvc(house, model, folder, again=True).same is True
    assert (folder / "demand" / "sources" / "orders.parquet").read_bytes() == first
    say("dvc", "commit", "-q", "-f")
    assert say("dvc", "status") == CLEAN
    assert say("git", "status", "--porcelain") == ""


def test_names_that_sort_oddly_have_the_hash_dvc_gives_them(repository):
    folder, say = repository
    bodies = {"a/b": b"1", "a-b": b"2", "a.b/c": b"3", "ü/é": b"4", "A": b"", "b": b"1"}
    files.write(folder, "odd", bodies, {"model": "odd"})
    mine = (folder / "odd.dvc").read_text()
    say("dvc", "add", "-q", "odd")
    assert (folder / "odd.dvc").read_text() == mine


def test_a_file_that_dvc_tracks_is_known_by_the_pin_dvc_wrote(repository):
    folder, say = repository
    (folder / "orders.csv").write_bytes(b"a,b\n1,2\n")
    say("dvc", "add", "-q", "orders.csv")
    theirs, ignored = (folder / "orders.csv.dvc").read_text(), (folder / ".gitignore").read_text()
    files.track(folder / "orders.csv", b"a,b\n1,2\n")
    assert (folder / "orders.csv.dvc").read_text() == theirs
    assert (folder / ".gitignore").read_text() == ignored
    assert files.pin_of(folder / "orders.csv") == f"md5:{files.said_by(folder, 'orders.csv')}"
    assert say("dvc", "status") == CLEAN
