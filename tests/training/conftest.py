"""The helpers of this folder are imported by name, also in child processes; tests run with one thread, since the machine is shared."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent


def _named(name, file):
    spec = importlib.util.spec_from_file_location(name, HERE / file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def find_helpers():
    """What a child process does first, so that the helpers are found by their names."""
    for name, file in (("training_tables", "tables.py"), ("training_learners", "learners.py"), ("everloop_children", "children.py")):
        if name not in sys.modules:
            _named(name, file)


find_helpers()


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield
