"""``python -m bench [NAME [SECTION …] …] [--json]``: every goal on one line, with its figure. Exit code 1 if a goal is missed."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.goal import Goal

NAMES = ("ring", "world", "features", "rollouts", "serving", "monitor", "gates", "learning", "shopify", "workers", "exports", "console")
RESULTS = Path(__file__).parent / "results"


def main(words: list[str]) -> int:
    as_json = "--json" in words
    try:
        wanted = chosen([w for w in words if not w.startswith("-")])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    missed = 0
    for name, sections in wanted.items():
        goals: list[Goal] = []
        for goal in importlib.import_module(f"bench.{name}").measure(*([sections] if sections else [])):
            print(json.dumps(asdict(goal)) if as_json else str(goal), flush=True)
            goals.append(goal)
        keep(RESULTS / f"{name}.json", goals, some=bool(sections))
        missed += sum(not g.ok for g in goals)
    return 1 if missed else 0


def chosen(words: list[str]) -> dict[str, tuple[str, ...]]:
    """The benches these words name, each with the sections named after it (none: all of them). Raises ValueError for any other word."""
    wanted: dict[str, tuple[str, ...]] = {}
    for word in words:
        last = next(reversed(wanted), None)
        sections = getattr(importlib.import_module(f"bench.{last}"), "SECTIONS", {}) if last else {}
        if last and word in sections:
            wanted[last] += (word,)
        elif word in NAMES:
            wanted[word] = ()
        else:
            there = f"There are: {', '.join(NAMES)}." + (f" Sections of {last}: {', '.join(sections)}." if sections else "")
            raise ValueError(f"There is no bench {word}. {there}")
    return wanted or dict.fromkeys(NAMES, ())


def keep(path: Path, goals: list[Goal], *, some: bool) -> None:
    """Write these goals; where they are only ``some`` of a bench's, what the file says of the others stays."""
    said = [asdict(goal) for goal in goals]
    if some and path.exists():
        now = {goal.name for goal in goals}
        said = [one for one in json.loads(path.read_text()) if one["name"] not in now] + said
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
