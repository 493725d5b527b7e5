"""Runs in an environment of its own: ``in_hcl.py FILES…`` parses each by python-hcl2, and says what is in them as one JSON object."""

from __future__ import annotations

import json
import sys


def main(files: list[str]) -> None:
    import hcl2

    found = {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            found[name.rpartition("/")[2]] = hcl2.load(file)
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main(sys.argv[1:])
