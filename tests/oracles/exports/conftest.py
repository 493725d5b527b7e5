"""What the schedulers' own tools ask of the machine; scripts that run in a tool's environment are no tests."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

collect_ignore_glob = ["in_*.py"]
APT = {"DEBIAN_FRONTEND": "noninteractive"}


@pytest.fixture(scope="session")
def rsync():
    """gitlab-ci-local copies files by it; installed where that may be done."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("JUDGED BY NOBODY: no node or npm on this machine; install Node 20 or newer")
    if shutil.which("rsync") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "-y", "--no-install-recommends", "rsync"]):
            subprocess.run(["apt-get", "-qq", *words], env=os.environ | APT, capture_output=True, check=False)
    if shutil.which("rsync") is None:
        pytest.skip("JUDGED BY NOBODY: no rsync on this machine, which gitlab-ci-local copies by")
