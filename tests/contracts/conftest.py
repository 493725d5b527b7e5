"""One S3 server for everything that is asked of object storage here, and a bucket for each test."""

from __future__ import annotations

from itertools import count

import pytest

from everloop.settings import Storage
from everloop.testing.s3_server import SURROUNDINGS, s3_server

NUMBER = count()


@pytest.fixture(scope="session")
def server():
    with pytest.MonkeyPatch.context() as patch, s3_server() as server:
        for name, value in SURROUNDINGS.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def storage(server):
    yield Storage(endpoint=server.endpoint, allow_http=True)
    server.mends()


@pytest.fixture
def bucket(server, storage):
    """The URL of a bucket of this test's own."""
    return server.bucket(f"shop-{next(NUMBER)}")
