"""The receivers that tests/connect writes to, imported by name here too."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

if "everloop_receivers" not in sys.modules:
    spec = spec_from_file_location("everloop_receivers", Path(__file__).parents[1] / "connect" / "receivers.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["everloop_receivers"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["everloop_receivers"])


@pytest.fixture
def web():
    from everloop_receivers import web_server

    with web_server() as mind:
        yield mind
