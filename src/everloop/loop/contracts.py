"""Data contracts of a house: judged on the rows its sources have, written from what they declare, suggested from what rows were like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from everloop.checks.in_force import in_force, quoted
from everloop.connect import odcs
from everloop.connect.odcs_terms import Lacking, Refused
from everloop.connect.whole import put
from everloop.errors import EverloopError
from everloop.lake.snapshot import read_source
from everloop.loop.house import House
from everloop.loop.met import of_contract, read_beside
from everloop.project.columns import is_numeric
from everloop.project.source import Source
from everloop.records import Finding

FEW, LEAST = 20, 50  # values that make a list of all there may be, and rows from which on that is believed


@dataclass(frozen=True)
class Held:
    """A contract held against a house: one finding for each term, and what was refused, which no finding speaks of."""

    contract: str
    findings: tuple[Finding, ...]
    refused: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return bool(self.findings) and all(f.outcome == "passed" for f in self.findings)


def hold(house: House, path: Path, now: datetime) -> Held:
    """Hold a contract (an ODCS file) against the rows in force. Raises EverloopError where it cannot be read, Missing without the extra."""
    sources = house.project.sources
    contract = odcs.read(read_beside(house, str(path.resolve())), sources, name=path.name)
    names = {t[0] if isinstance(t, tuple) else t.source for t in contract.terms if not isinstance(t, Refused | Lacking)}
    wanted = {p.name: p for name in names for p in (sources[name], *_parents(sources[name]))}
    tables = {name: read_source(house.lake, source.base) for name, source in wanted.items()}
    found = of_contract(house, contract, {name: sources[name] for name in names}, tables, now)
    return Held(contract.name, tuple(found), tuple(str(t) for t in contract.terms if isinstance(t, Refused)))


def spoken_held(held: Held) -> str:
    """The same in lines: what fails, with rows that do; what nobody judged.

    >>> print(spoken_held(Held("shop", (), ("orders: a is not judged here: b.",))))
    shop: nothing in it can be judged here.
      orders: a is not judged here: b.
    """
    wrong = [f for f in held.findings if f.outcome != "passed"]
    if not held.findings:
        head = f"{held.contract}: nothing in it can be judged here."
    elif wrong:
        head = f"{held.contract}: {len(wrong)} of {len(held.findings)} terms do not hold."
    else:
        head = f"{held.contract}: all {len(held.findings)} terms hold."
    lines = [head]
    for finding in wrong:
        lines += [f"  {finding.clause}: {finding.sentence}", *(f"    {example}" for example in finding.examples)]
    return "\n".join([*lines, *(f"  {one}" for one in held.refused)])


def write_contract(house: House, path: Path, *, suggest: bool = False) -> tuple[str, ...]:
    """Write the contract of every source of the project; with ``suggest`` also what their rows were like. Returns the sources' names."""
    sources = house.project.sources
    if not sources:
        raise EverloopError("The project declares no source, so there is nothing to promise.")
    habits = {name: habit for name, source in sources.items() if suggest and (habit := habit_of(house, source)) is not None}
    name = house.project.path.parent.resolve().name if house.project.path else "project"
    put(path, odcs.write(name, sources.values(), habits).encode())
    return tuple(sources)


def habit_of(house: House, source: Source) -> odcs.Habit | None:
    """What the rows in force are like; None for fewer than 50."""
    wanted = {p.name: p for p in (source, *_parents(source))}
    own = [name for name, kind in source.every_column.items() if source.parent_of(name) is None]
    with duckdb.connect(":memory:", config={"threads": 2}) as engine:
        tables = {name: read_source(house.lake, one.base) for name, one in wanted.items()}
        for name, table in tables.items():
            engine.register(f"events_{name}", table)
        rows = f"({in_force(source, tables, own)})"
        shown = [f"count({quoted(n)}), min({quoted(n)}), max({quoted(n)}), count(DISTINCT {quoted(n)})" for n in own]
        found = engine.execute(f"SELECT count(*), {', '.join(shown)} FROM {rows}").fetchone() or (0,)
        if found[0] < LEAST:
            return None
        each = {name: found[1 + 4 * i : 5 + 4 * i] for i, name in enumerate(own)}
        categories = [n for n in own if source.every_column[n] is str and 0 < each[n][3] <= FEW and n not in (*source.id, *source.private)]
        values = {
            n: [
                v for (v,) in engine.execute(f"SELECT DISTINCT {quoted(n)} FROM {rows} WHERE {quoted(n)} IS NOT NULL ORDER BY 1").fetchall()
            ]
            for n in categories
        }
        gap = engine.execute(
            f"SELECT max(came - before) FROM (SELECT came, lag(came) OVER (ORDER BY came) AS before FROM "
            f"(SELECT DISTINCT known_at AS came FROM events_{source.name} WHERE NOT deleted AND known_at > 0))"
        ).fetchone()
    numbers = {n: (float(each[n][1]), float(each[n][2])) for n in own if is_numeric(source.every_column[n]) and each[n][0]}
    silent = timedelta(hours=max(1, -(-2 * int(gap[0]) // 3_600_000_000))) if gap and gap[0] else None
    return odcs.Habit(found[0], {n: 1 - each[n][0] / found[0] for n in own}, numbers, values, silent)


def _parents(source: Source) -> list[Source]:
    return [one for parent in source.of for one in (parent, *_parents(parent))]
