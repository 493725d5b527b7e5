"""Houses of the tiny projects, and the peers they are held against, each in an environment of its own."""

from tests.ring.conftest import opened, prepared
from tests.ring.test_doors import doors

__all__ = ["doors", "opened", "prepared"]
collect_ignore = ["in_feast.py"]  # what runs in Feast's own environment; it is started by its path
