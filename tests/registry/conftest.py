import pytest

from everloop.registry.store import open_store


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'house.db'}", busy_seconds=5)
    yield opened
    opened.close()
