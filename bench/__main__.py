"""``python -m bench [NAME …] [--json]``: every goal on one line, with its figure. Exit code 1 if a goal is missed."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.goal import Goal

NAMES = ("ring", "world", "features", "rollouts")
RESULTS = Path(__file__).parent / "results"


def main(words: list[str]) -> int:
    as_json = "--json" in words
    names = [w for w in words if not w.startswith("-")] or list(NAMES)
    if unknown := [n for n in names if n not in NAMES]:
        print(f"There is no bench {', '.join(unknown)}. There are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    missed = 0
    for name in names:
        goals: list[Goal] = []
        for goal in importlib.import_module(f"bench.{name}").measure():
            print(json.dumps(asdict(goal)) if as_json else str(goal), flush=True)
            goals.append(goal)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps([asdict(g) for g in goals], indent=2) + "\n")
        missed += sum(not g.ok for g in goals)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
