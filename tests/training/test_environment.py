"""What was installed and what the user's code was; git may be absent."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from everloop.training.environment import code_state, environment


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(tmp_path, "init", "-q")
    (tmp_path / "project.py").write_text("a = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_committed_code_has_a_commit_and_nothing_dirty(repository):
    commit, dirty = code_state(repository)
    assert len(commit) == 40
    assert dirty is None


def test_changed_and_untracked_code_is_told_apart(repository):
    seen = {code_state(repository)[1]}
    for name, text in (("project.py", "a = 2\n"), ("project.py", "a = 3\n"), ("more.py", "b = 1\n"), ("more.py", "b = 2\n")):
        (repository / name).write_text(text)
        seen.add(code_state(repository)[1])
    assert len(seen) == 5


def test_a_folder_without_git_has_no_commit(tmp_path, monkeypatch):
    assert code_state(tmp_path) == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment(tmp_path).commit is None
    assert dict(environment(tmp_path).versions)["numpy"]
