"""The real Prometheus, promtool and Alertmanager of Debian: found, or installed where we may; and a server of each, gone at the end."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest

PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
# RUNLEVEL: the packages would start servers of their own.
APT = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def program(name):
    """The path of one of them. On a Debian where we may, its package is installed; else the test is left out, and says so."""
    if shutil.which(name) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "--yes", "--no-install-recommends", PACKAGES[name]]):
            subprocess.run(["apt-get", "-qq", *words], env=os.environ | APT, capture_output=True, check=False)
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"JUDGED BY NOBODY: no {name} on this machine (Debian: {PACKAGES[name]})")
    return found


def free_port():
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def asked(url, seconds=5):
    """What a server says to a GET, as JSON."""
    with urllib.request.urlopen(url, timeout=seconds) as reply:
        return json.load(reply)


def until(true, seconds=30.0, every=0.2):
    """What ``true`` returns as soon as it is something; fails after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := true():
                return found
        except OSError:
            pass
        time.sleep(every)
    raise AssertionError(f"not so after {seconds:g} s")


def answers(url):
    with urllib.request.urlopen(url, timeout=2) as reply:
        return reply.status == 200


@contextmanager
def server(command, ready, folder):
    """A running server; ``ready`` is the URL that answers when it is."""
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder) as process:
        try:
            until(lambda: answers(ready))
            yield process
        except AssertionError as error:
            raise AssertionError((folder / "log").read_text()[-2000:]) from error
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def alertmanager(folder):
    """A running Alertmanager; its URL."""
    port = free_port()
    (folder / "alertmanager.yml").write_text("route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
    words = ["--config.file=alertmanager.yml", "--storage.path=data", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with server([program("prometheus-alertmanager"), *words], f"http://127.0.0.1:{port}/-/ready", folder):
        yield f"http://127.0.0.1:{port}"
