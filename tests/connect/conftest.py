"""The receivers are imported by name, wherever pytest is started."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

collect_ignore = ["in_spark.py"]  # what runs in Spark's own environment; it is started by its name

if "everloop_receivers" not in sys.modules:
    spec = spec_from_file_location("everloop_receivers", Path(__file__).with_name("receivers.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["everloop_receivers"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["everloop_receivers"])


@pytest.fixture
def web():
    from everloop_receivers import web_server

    with web_server() as mind:
        yield mind


@pytest.fixture
def post():
    from everloop_receivers import mail_server

    with mail_server() as mind:
        yield mind
