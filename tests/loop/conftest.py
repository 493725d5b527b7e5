"""The receivers that tests/connect writes to are written to here too."""

from tests.connect.conftest import web

__all__ = ["web"]
