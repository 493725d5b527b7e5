"""Pipelines to be written, and an ``everloop`` that only notes what it was asked."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta

import pytest

from everloop import days, every
from everloop.project.pipeline import Arrival, Pipeline, learning

MODELS = ("demand", "dull")
WORDS = {"retries": 2, "retry_after": timedelta(0), "timeout": timedelta(hours=1)}
STUB = """#!/bin/sh
echo "$@" >> "$CALLS"
tries=$(grep -c -x -F -- "$*" "$CALLS")
case "$1 $2" in
  "train demand") [ "$tries" -gt "${FAILS:-0}" ] || exit 2 ;;
  "judge dull") exit 1 ;;
  "turn ${ROLLS:-nobody}") exit 1 ;;
esac
"""


@pytest.fixture
def pipeline():
    return Pipeline(
        "shop",
        learning(MODELS, files=True, words=WORDS),
        MODELS,
        every(days(1), at="04:30", zone="Europe/Berlin"),
        (Arrival("orders", "s3://shop/orders/{day}/_SUCCESS"),),
        image="registry.example.com/shop@sha256:" + "0" * 64,
        folder="/srv/shop",
        secrets=("DATABASE",),
        apart=True,
    )


@pytest.fixture
def shell(tmp_path):
    """Run lines of shell beside an ``everloop`` that fails as often as it is told; the exit code, and what it was asked."""
    stub, calls = tmp_path / "bin" / "everloop", tmp_path / "calls"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)

    def run(lines, fails=0, **env):
        calls.write_text("")
        found = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "CALLS": str(calls), "FAILS": str(fails), **env}
        done = subprocess.run(["bash", "-e", "-c", lines], cwd=tmp_path, env=found, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, calls.read_text().splitlines()

    def docker():
        """A docker that notes what it was asked."""
        other = stub.with_name("docker")
        other.write_text('#!/bin/sh\necho "$@" >> "$CALLS"\n')
        other.chmod(0o755)

    run.docker = docker
    return run
