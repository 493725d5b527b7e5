"""Workers that die or are taken for dead: in every step of a turn, with every place of the house, while they let a model in."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from bench.goal import Goal, at_least, at_most
from bench.workers_house import LONG, NOW, Crew, crew, ended, eventually, pid_of, pids, taken
from everloop.errors import StoreError
from everloop.loop.control.errands import ask
from everloop.loop.house import House
from everloop.records import Candidate, Traffic, TrainingSet
from everloop.registry.errands import Errands

ROUNDS, APART = 40, 10
HEAVY = 2


# -- a kill in every step --------------------------------------------------------------------------------------------------------------


def matrix(stores: tuple[str, ...] = ("sqlite", "postgres"), verbs: int | None = None) -> Iterator[Goal]:
    """SIGKILL in each step of a turn, on each database: the next worker does that step again, none before it, and ends the same."""
    from everloop.testing.postgres_server import postgres_server

    wrong, differing, waited, trials = 0, 0, [], 0
    with ExitStack() as held:
        server = held.enter_context(postgres_server()) if "postgres" in stores else None
        for store in stores:
            whole, outcome = undisturbed(server.database() if server is not None and store == "postgres" else "")
            for verb in whole[:verbs]:
                trials += 1
                with tempfile.TemporaryDirectory() as folder:
                    url = server.database() if server is not None and store == "postgres" else ""
                    said, found, seconds = killed_in(verb, Path(folder) / "shop", url)
                due = Counter(whole) + Counter([verb])
                wrong += said != due
                differing += found != outcome
                waited.append(seconds)
    where = f"{trials} kills, one in each step of a turn that promotes, on {' and '.join(stores)}"
    yield at_most("turns whose steps were not done once, and the killed one twice", wrong, 0, "turns", where)
    yield at_most(
        "turns that ended otherwise than undisturbed",
        differing,
        0,
        "turns",
        "ids of their records, bytes learnt from, answers of what was learnt",
    )
    yield at_most(
        "from the next worker's start to its first step, slowest", max(waited), 5, "s", f"median {sorted(waited)[len(waited) // 2]:.2g}"
    )


def undisturbed(url: str) -> tuple[list[str], object]:
    """The steps of a turn nobody disturbs, and what it left."""
    with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop", registry=url) as house:
        opened = house.house()
        errand = ask(opened, "turn", "demand", NOW)
        house.worker(log="log")
        eventually(lambda: ended(opened, [errand]))
        found = outcome(opened)
        opened.store.close()
        return steps(house, "log"), found


def killed_in(verb: str, folder: Path, url: str) -> tuple[Counter[str], object, float]:
    """How often each step was done where the first worker died in ``verb``, what the turn left, and how soon the second went on."""
    with crew(folder, registry=url) as house:
        opened = house.house()
        errand = ask(opened, "turn", "demand", NOW)
        first = house.worker(log="log", what="die", when=f"after {verb}, not kept")
        assert first.wait(LONG) == -signal.SIGKILL
        seconds = began(house)
        eventually(lambda: ended(opened, [errand]))
        opened.journal.verify()
        found = outcome(opened)
        opened.store.close()
        return Counter(steps(house, "log") + steps(house, "next")), found, seconds


def began(house: Crew) -> float:
    """Start another worker; how many seconds pass from its first look at the house until it does a step, its imports not counted."""
    process, log, opened = house.worker(log="next"), house.folder / "next", house.house()
    eventually(lambda: process.pid in pids(opened), every=0.005)
    joined = time.monotonic()
    eventually(lambda: log.exists() and "before " in log.read_text(), every=0.005)
    opened.store.close()
    return time.monotonic() - joined


def steps(house: Crew, log: str) -> list[str]:
    lines = (house.folder / log).read_text().splitlines()
    return [line.removeprefix("before ") for line in lines if line.startswith("before ")]


def outcome(house: House) -> object:
    """What a turn left: its records by verb and id, the bytes it learnt from, and the answers that what was learnt gives, to the last bit.

    The artefact itself holds when and where in memory it was made.
    """
    entries = house.journal.read(model="demand")
    learnt = [e.record.golden for e in entries if isinstance(e.record, Candidate)]
    learnt += [e.record.body for e in entries if isinstance(e.record, TrainingSet)]
    return [(e.verb, e.record.id) for e in entries if e.verb != "adopt"], learnt


# -- the one that holds every place ------------------------------------------------------------------------------------------------------


def failover(rounds: int = ROUNDS, apart: int = APART, seed: int = 0) -> Iterator[Goal]:
    """Three workers, one of which holds every place there is for turns, and dies; as often on machines of their own as on one."""
    found = [*_rounds(rounds, seed, apart=False), *_rounds(apart, seed + 1, apart=True)] if apart else [*_rounds(rounds, seed, apart=False)]
    near, far = found[:rounds], found[rounds:]
    lost, doubled, crowded = sum(f[1] for f in found), sum(f[2] for f in found), max(f[3] for f in found)
    if far:
        yield at_most(
            "a worker with every place is killed: its turns begun elsewhere, apart",
            max(f[0] for f in far),
            30,
            "s",
            f"slowest of {len(far)}; a lease lasts 20 s",
        )
    slowest = max(f[0] for f in near)
    yield at_most(
        "a worker with every place is killed: its turns begun elsewhere, on one machine", slowest, 30, "s", f"slowest of {len(near)}"
    )
    yield at_most("errands lost, failed or left", lost, 0, "errands", f"of {4 * len(found)}, nobody restarting anybody")
    yield at_most("turns with a step kept twice, or two of one model at once", doubled, 0, "turns")
    yield at_most("turns under way at once, at most", crowded, HEAVY, "turns", f"heavy = {HEAVY}, looked at a thousand times a round")


def _rounds(count: int, seed: int, *, apart: bool) -> Iterator[tuple[float, int, int, int]]:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop", models=4, heavy=HEAVY) as house:
        opened = house.house()
        for n in range(3):
            house.worker(apart=f"machine{n}" if apart else "")
        eventually(lambda: len(pids(opened)) == 3)
        for turn in range(count):
            yield _round(house, opened, rng, turn, apart)
            fresh = house.worker(apart=f"machine{3 + turn}" if apart else "")
            eventually(lambda pid=fresh.pid: pid in pids(opened))
        opened.journal.verify()
        opened.store.close()


def _round(house: Crew, opened: House, rng: random.Random, turn: int, apart: bool) -> tuple[float, int, int, int]:
    """One round: seconds until what the dead one held was begun by another, errands not done, turns done twice, most turns at once."""
    now, names = NOW + timedelta(minutes=turn + 1), ["demand", "m0", "m1", "m2"]
    rng.shuffle(names)
    wanted, most, twice = [ask(opened, "turn", name, now) for name in names], 0, 0
    victim, held, began = 0, list[str](), 0.0

    def look() -> bool:
        nonlocal victim, held, most, twice, began
        there = taken(opened)
        most = max(most, len(there))
        twice += len({e.model for e in there}) != len(there)
        by = Counter(pid_of(e) for e in there)
        if not victim and HEAVY in by.values():
            time.sleep(rng.choice([0.0, 0.05, 0.3]))
            victim = next(pid for pid, places in by.items() if places == HEAVY)
            held = [e.id for e in taken(opened) if pid_of(e) == victim]
            house.end(victim)
            began = time.monotonic()
        return bool(victim) or ended(opened, wanted)

    eventually(look, every=0.005)
    begun = 0.0
    if victim:
        eventually(lambda: all(_elsewhere(opened, id, victim) for id in held), every=0.01)
        begun = time.monotonic() - began
    while not ended(opened, wanted):
        look()
        time.sleep(0.01)
    lost = sum((e := Errands(opened.store).find(w.id)) is None or e.state != "done" for w in wanted)
    kept = Counter((e.turn, e.verb) for e in opened.journal.read() if e.turn and e.verb not in ("adopt", "as_of", "incident"))
    return begun, lost, twice + sum(n > 1 for n in kept.values()), most


def _elsewhere(house: House, id: str, victim: int) -> bool:
    errand = Errands(house.store).find(id)
    return errand is not None and (errand.ended or (errand.state == "taken" and pid_of(errand) != victim))


def _writable(house: House) -> bool:
    try:
        with house.store.transaction():
            return True
    except StoreError:
        return False


# -- the zombie --------------------------------------------------------------------------------------------------------------------------


def zombie(rounds: int = 3) -> Iterator[Goal]:
    """Stopped for longer than its lease while it lets a candidate in; another worker does; then it goes on."""
    outcomes, moved, late, refused = 0, 0, 0, 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, crew(Path(folder) / "shop") as house:
            opened = house.house()
            before = opened.pointers.current("demand")
            errand = ask(opened, "turn", "demand", NOW)
            stopped = house.worker(log="zombie", what="stop", when="after begin, not kept")
            log = house.folder / "zombie"
            eventually(lambda log=log: log.exists() and "after begin, not kept" in log.read_text())
            while not _writable(opened):  # it was stopped while its lease was being renewed: the file is its own until it wakes
                os.kill(stopped.pid, signal.SIGCONT)
                time.sleep(1.0)
            house.worker()
            eventually(lambda opened=opened, errand=errand: ended(opened, [errand]))
            head, after = opened.journal.head(), opened.pointers.current("demand")
            log.with_suffix(".go").touch()
            os.kill(stopped.pid, signal.SIGCONT)
            code = stopped.wait(LONG)
            refused += code == 2 and "kept begin" not in log.read_text()
            late += opened.journal.head() != head or opened.pointers.current("demand") != after
            begun = [e for e in opened.journal.read(model="demand") if e.verb == "begin" and isinstance(e.record, Traffic)]
            outcomes += len(begun)
            moved += after is not None and before is not None and after.generation == before.generation + 1
            opened.journal.verify()
            opened.store.close()
    yield at_most("outcomes of a turn whose worker was taken for dead, beyond one", outcomes - rounds, 0, "outcomes", f"of {rounds} turns")
    yield at_least("turns that moved the pointer once", moved, rounds, "turns")
    yield at_least("zombies refused at the fence, that then ended", refused, rounds, "zombies")
    yield at_most("zombies that left something after they went on", late, 0, "zombies")
