"""The house of ``bench.serving_house`` behind uvicorn, granian, Ray Serve and Lambda: the same answers, and what each of them costs.

All on one machine, over loopback. What a cloud adds on the way (Lambda's own start of an image, a network file system) is not here, and
is measured nowhere in this repository.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.goal import Goal, at_most
from bench.hosts import Host, all_kept, answers, by_lambda, by_ray, by_serve, in_process
from bench.lambda_events import WAYS
from bench.serving_house import COLUMNS, table, the_house

UNITS = 10_000
STARTS = 3
ASKED = 500
WEEK = timedelta(days=8)


def copied(folder: Path) -> Path:
    """The house's project in a folder that is not there yet, with its house named in ``everloop.toml``."""
    mine = the_house().copied(folder).folder
    (mine / "everloop.toml").write_text('house = "house"\n')
    return mine


def requests(count: int, seed: int) -> list[dict[str, Any]]:
    """Requests about so many units nobody asked about before."""
    return [{"row_id": row["row_id"], **{name: row[name] for name in COLUMNS}} for row in table(count, seed).to_pylist()]


def same() -> Iterator[Goal]:
    """10,000 units asked about behind each: answers, arms and versions, and what is decided from them a week later."""
    from everloop.loop.house import open_house
    from everloop.loop.serve.routes import write_routes

    with tempfile.TemporaryDirectory() as name:
        root, asked = Path(name), requests(UNITS, seed=9)
        first = copied(root / "first")
        opened = open_house(first / "project.py")
        moment = opened.traffic(opened.project.model("number")).since + timedelta(days=1)
        write_routes(opened)
        opened.store.close()
        given: dict[str, list[Any]] = {}
        records: dict[str, list[Any]] = {}
        for host in ("uvicorn", "granian", "Ray Serve", *WAYS):
            mine = Path(shutil.copytree(first, root / host.replace(" ", "-")))
            given[host] = _asked_behind(host, mine, asked, moment.isoformat())
            records[host] = decided(mine, moment)
        due, decisions = given["uvicorn"], records["uvicorn"]
        differ, beside = {host: _differ(due, given[host]) for host in given}, f"of {len(due):,}, to the last bit"
        yield at_most("answers behind granian that differ from uvicorn's", differ["granian"], 0, "answers", beside)
        yield at_most("answers behind Ray Serve that differ from uvicorn's", differ["Ray Serve"], 0, "answers", beside)
        events = sum(differ[way] for way in WAYS)
        yield at_most(
            "answers to events of Lambda that differ from uvicorn's", events, 0, "answers", f"of {len(due):,} in {len(WAYS)} kinds"
        )
        others = [records[host] for host in records if host != "uvicorn"]
        otherwise = sum(one != decisions for one in others)
        yield at_most("hosts whose week is decided otherwise", otherwise, 0, "hosts", f"of {len(others)}, {len(decisions)} records each")


def _differ(due: list[Any], given: list[Any]) -> int:
    return sum(one != other for one, other in zip(due, given, strict=True))


def _asked_behind(host: str, folder: Path, asked: list[dict[str, Any]], now: str) -> list[dict[str, Any]]:
    from everloop.clock import wall
    from everloop.loop.house import open_house
    from everloop.loop.serve import hosted
    from everloop.loop.serve.keys import add_key, revoke_key

    if host in WAYS:
        opened = open_house(folder / "project.py")
        function = hosted.lambda_handler(folder / "project.py", turned=True, counted=folder / "counted")
        key = add_key(opened, "golden", ["predict"], wall())
        try:
            return answers(in_process(function, WAYS[host], key), "number", asked, now)
        finally:
            revoke_key(opened, "golden", wall())
            opened.store.close()
            function.close()
    stands = by_ray(folder, turned=True) if host == "Ray Serve" else by_serve(folder, server=host, turned=True)
    with stands as there:
        given = answers(there.ask, "number", asked, now)
        all_kept(folder, 2 * len(asked))
    return given


def decided(folder: Path, moment: Any) -> list[Any]:
    """What a house decides a week later, from what it answered and what is true: each record as data, without what it cost."""
    import pyarrow.parquet as pq

    from everloop.loop.arrivals import ingest_files
    from everloop.loop.house import open_house
    from everloop.loop.resume import go_round
    from everloop.registry.written import as_data

    pq.write_table(table(UNITS, seed=9), folder / "true.parquet")
    house = open_house(folder / "project.py")
    before = house.journal.head().seq
    ingest_files(house, "rows", [folder / "true.parquet"], now=moment + timedelta(hours=1))
    go_round(house, house.project.model("number"), moment + WEEK)
    entries = house.journal.read(kind=("Signals", "Decision", "Verdict", "Traffic"), after=before)
    house.store.close()
    return [(entry.kind, {name: said for name, said in as_data(entry.record).items() if name != "cost"}) for entry in entries]


# -- what it costs -------------------------------------------------------------------------------------------------------------


def cost() -> Iterator[Goal]:
    """Seconds from nothing to the first answer, milliseconds of an answer, and memory, of each host with one worker; medians."""
    found = {
        "uvicorn": _costs(lambda folder: by_serve(folder)),
        "granian": _costs(lambda folder: by_serve(folder, server="granian")),
        "Ray Serve": _costs(lambda folder: by_ray(folder), starts=2),
        "Lambda": _costs(lambda folder: by_lambda(folder)),
    }
    beside = {name: ", ".join(f"{other} {figures[name]:.3g}" for other, figures in found.items()) for name in ("seconds", "ms", "MiB")}
    yield at_most("first answer of everloop serve, uvicorn", found["uvicorn"]["seconds"], 3, "s", beside["seconds"])
    yield at_most("first answer of everloop serve, granian", found["granian"]["seconds"], 3, "s")
    yield at_most("first answer behind Ray Serve", found["Ray Serve"]["seconds"], 60, "s", "Ray's own processes included")
    yield at_most("first answer of a Lambda handler", found["Lambda"]["seconds"], 3, "s", "without Lambda's own start of the image")
    yield at_most("an answer, uvicorn", found["uvicorn"]["ms"], 3, "ms", beside["ms"])
    yield at_most("an answer, granian", found["granian"]["ms"], 3, "ms")
    yield at_most("an answer behind Ray Serve", found["Ray Serve"]["ms"], 30, "ms")
    yield at_most("an answer of a Lambda handler", found["Lambda"]["ms"], 10, "ms", "the event read, the answer synced, its segment closed")
    yield at_most("memory, uvicorn", found["uvicorn"]["MiB"], 250, "MiB", beside["MiB"])
    yield at_most("memory, granian", found["granian"]["MiB"], 250, "MiB")
    yield at_most("memory behind Ray Serve", found["Ray Serve"]["MiB"], 2_000, "MiB", f"{found['Ray Serve']['processes']:.0f} processes")
    yield at_most("memory of a Lambda handler", found["Lambda"]["MiB"], 200, "MiB")


def _costs(stand: Any, starts: int = STARTS) -> dict[str, float]:
    """The medians of so many starts."""
    figures: list[dict[str, float]] = []
    for _ in range(starts):
        with tempfile.TemporaryDirectory() as name:
            mine = _keyed(copied(Path(name) / "project"))
            with _opened(stand, mine.folder) as host:
                figures.append(_figures(host, mine.key))
    return {name: statistics.median(one[name] for one in figures) for name in figures[0]}


class _keyed:  # noqa: N801 - it reads as what it is
    """A house that has its routes written, and a key for those beyond."""

    def __init__(self, folder: Path) -> None:
        from everloop.clock import wall
        from everloop.loop.house import open_house
        from everloop.loop.serve.keys import add_key

        opened = open_house(folder / "project.py")
        self.folder, self.key = folder, add_key(opened, "bench", ["predict"], wall())
        opened.store.close()


def _opened(stand: Any, folder: Path) -> AbstractContextManager[Host]:
    opened: AbstractContextManager[Host] = stand(folder)
    return opened


def _figures(host: Host, key: str) -> dict[str, float]:
    """One start's figures: an answer after a hundred others, one at a time on one connection."""
    asked, heads = requests(ASKED + 100, seed=11), {"Authorization": f"Bearer {key}"}
    path = "/v1/models/number/predict"
    with httpx.Client(base_url=host.url, headers=heads, timeout=60) as client:
        if "lambda_side" in " ".join(host.process.cmdline()):
            said = client.post(f"/.measured?count={len(asked)}", json={"path": path, "requests": asked})
            said.raise_for_status()
            took = said.json()
        else:
            took = []
            for one in asked:
                body, began = json.dumps(one).encode(), time.perf_counter()
                reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
                took.append(time.perf_counter() - began)
                reply.raise_for_status()
    time.sleep(1)
    return {
        "seconds": host.seconds,
        "ms": 1000 * statistics.median(took[100:]),
        "MiB": host.resident(),
        "processes": float(host.processes()),
    }
