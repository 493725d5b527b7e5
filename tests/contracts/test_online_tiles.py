"""SQLite tiles keep what every online store promises; and what is theirs alone: transactions."""

from __future__ import annotations

import sqlite3

from everloop.features.tiles import Tiles
from everloop.testing.online import OnlineContract


class TestTiles(OnlineContract):
    def store(self):
        return Tiles(sqlite3.connect(":memory:"))
