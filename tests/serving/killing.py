"""Run by the kill tests: writers and a sealer are killed at random moments, over and over; says what the table then holds.

``killing.py FOLDER SEED ROUNDS [known|forgetful]``. Prints the answers acknowledged, those of them in the table, and rows that are there
twice. ``forgetful`` is a table that keeps no markers: the mutant.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

from disks import ids, rows

from everloop.errors import HouseBusy
from everloop.serving import AnswersLog, seal
from everloop.serving.segment import segments

DURABILITIES = ("process", "group", "sync")


class Table:
    """A table that outlives whoever appends to it; the marker and the rows are one transaction."""

    def __init__(self, file, forgetful):
        self.forgetful = forgetful
        self.sql = sqlite3.connect(file, timeout=30, isolation_level=None)
        self.sql.execute("PRAGMA journal_mode=WAL")
        self.sql.execute("PRAGMA synchronous=OFF")
        self.sql.execute("CREATE TABLE IF NOT EXISTS markers (marker TEXT PRIMARY KEY)")
        self.sql.execute("CREATE TABLE IF NOT EXISTS answers (id TEXT)")
        self.sql.execute("CREATE INDEX IF NOT EXISTS by_id ON answers (id)")  # not unique: twice is what is looked for

    def append_once(self, _table, arrow, marker, _seq):
        self.sql.execute("BEGIN IMMEDIATE")
        there = self.sql.execute("SELECT 1 FROM markers WHERE marker = ?", [marker]).fetchone()
        if self.forgetful or not there:
            self.sql.execute("INSERT OR IGNORE INTO markers VALUES (?)", [marker])
            self.sql.executemany("INSERT INTO answers VALUES (?)", [(id,) for id in ids(arrow)])
        self.sql.execute("COMMIT")
        time.sleep(random.random() * 0.01)  # a moment to be killed in, before the segment is removed

    def known(self, asked):
        if self.forgetful:
            return set()
        return {id for id in asked if self.sql.execute("SELECT 1 FROM answers WHERE id = ?", [id]).fetchone()}


def write(folder, said, name, durability):
    """Acknowledge answers until killed: each id goes into a file once its write has returned. Some are asked twice."""
    log = AnswersLog(folder, durability=durability, patience=5.0, rotate_at=5_000, rotate_after=0.03)
    out = os.open(said, os.O_WRONLY | os.O_APPEND)
    for n in range(10**9):
        try:
            log.write(rows(f"{name}-{n}", f"everybody's-{n % 50}"))
        except HouseBusy:
            continue
        os.write(out, f"{name}-{n}\neverybody's-{n % 50}\n".encode())


def sealing(folder, table, forgetful):
    kept = Table(table, forgetful)
    while True:
        seal(folder, kept.append_once, known=kept.known)
        time.sleep(0.002)


def born(work, *words):
    pid = os.fork()
    if pid:
        return pid
    try:
        work(*words)
    finally:
        os._exit(1)


def main(folder, seed, rounds, forgetful):
    chance = random.Random(seed)
    answers, said, table = folder / "answers", folder / "said", folder / "table.db"
    said.touch()
    rows("warm")  # or each child would load the same libraries again
    Table(table, forgetful).sql.close()
    living = {}
    for n in range(rounds):
        for k, durability in enumerate(DURABILITIES):
            if k not in living:
                living[k] = born(write, answers, said, f"{n}.{k}", durability)
        if "sealer" not in living:
            living["sealer"] = born(sealing, answers, table, forgetful)
        time.sleep(chance.uniform(0.01, 0.08))
        for who in chance.sample(sorted(living, key=str), chance.randint(1, 3)):
            os.kill(living[who], signal.SIGKILL)
            os.waitpid(living.pop(who), 0)
    for pid in living.values():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    kept = Table(table, forgetful)
    seal(answers, kept.append_once, known=kept.known)
    acknowledged = set(said.read_text().split("\n")[:-1])
    there = Counter(id for (id,) in kept.sql.execute("SELECT id FROM answers"))
    twice = sum(1 for times in there.values() if times > 1)
    print(len(acknowledged), len(acknowledged & there.keys()), twice, len(segments(answers)), len(list(answers.glob("*.damaged"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["forgetful"])
