"""A large house for the pages of the console: a thousand models, a hundred trainings each, a million records in one chain.

Its records are what a turn keeps, written straight into the tables of the journal, versions, traffic, turns and runs; no lake is behind
them. Everything follows from numbers, so that it is the same house whenever it is made.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from everloop import Model, Source, beats_champion, days, drifted, every, money, slipped
from everloop.clock import microseconds
from everloop.loop.house import House, open_house
from everloop.loop.project_file import project_of
from everloop.records import (
    Candidate,
    Contest,
    Cost,
    Decision,
    Extent,
    Finding,
    Incident,
    Opinion,
    Record,
    Report,
    Shape,
    Signal,
    Signals,
    Snapshot,
    Symptom,
    Traffic,
    TrainingSet,
    Verdict,
    Version,
)
from everloop.registry.journal import NOTHING, seal
from everloop.registry.written import canonical, written
from everloop.settings import read_settings

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
MODELS, CYCLES = 1_000, 100
"""Ten records a cycle, but for what a model begins with: a million in all."""
AT = "2026-01-01T00:00:00Z"
TOOK = Cost(cpu_seconds=1.25, bytes_read=1_000_000, bytes_written=20_000, money=0.0004)

orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"product_id": str, "quantity": int, "price": money("EUR")},
)


class Mean:
    """Answers the average of what it learnt from."""

    def fit(self, rows, y):
        self.mean = float(y.mean())
        return self

    def predict(self, rows):
        return [self.mean] * len(rows)


def models() -> tuple[Model, ...]:
    """A thousand of them, which differ in what they know."""
    learner, first = Mean(), None
    found: list[Model] = []
    for n in range(MODELS):
        knows = [orders.total("quantity", last=[days(7), days(28 + n % 40)]), orders.latest("price"), orders.count(last=days(14))]
        if first is None:
            first = Model(
                "model_000", predicts=orders.total("quantity", next=days(7)), per="product_id",
                asked=every(days(1), at="00:00", zone="UTC"), knows=knows, learner=learner, promote_when=beats_champion("wape", by=0.02),
                retrain_when=[drifted(), slipped("wape", by=0.1)], autonomy="act",
            )  # fmt: skip
            found.append(first)
        else:
            found.append(first.but(f"model_{n:03}", knows=knows))
    return tuple(found)


def large_house(folder: Path) -> House:
    """The house, open; made where it is not there yet."""
    (folder / "everloop.toml").write_text("[prices]\ncpu_hour = 0.05\n")
    house = open_house(project_of(*models()), settings=read_settings(folder, house=folder / "house"))
    if house.journal.head().seq == 0:
        fill(house, folder / "house" / "house.db")
    return house


def fill(house: House, file: Path) -> None:
    """A million records, with the pointers they moved."""
    names = list(house.project.models)
    head = NOTHING
    rows: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(file, isolation_level=None)) as there:
        there.execute("PRAGMA synchronous = OFF")
        there.execute("BEGIN")
        for seq, (id, model, turn, verb, kind, at, body) in enumerate(_life(names, there), 1):
            row = {"seq": seq, "id": id, "model": model, "turn": turn, "verb": verb, "kind": kind, "at": at, "body": body, "previous": head}
            head = seal(row)
            rows.append((*row.values(), head))
            if len(rows) == 20_000:
                _put(there, rows)
        _put(there, rows)
        there.execute("COMMIT")
        there.execute("ANALYZE")


def _put(there: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    there.executemany(
        "INSERT INTO journal (seq, id, model, turn, verb, kind, at, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
    )
    rows.clear()


_Row = tuple[str, str | None, str, str, str, int, str]


def _life(names: list[str], there: sqlite3.Connection) -> Iterator[_Row]:
    """Every record in the order it is kept; what it moves is written beside it."""
    texts = {name: (type(record).__name__, verb, written(record)) for name, (verb, record) in _patterns().items()}
    draw = random.Random(11)
    champions = dict.fromkeys(names, 0)

    def one(pattern: str, name: str, turn: str, id: str, at: datetime, words: Mapping[str, str]) -> _Row:
        kind, verb, body = texts[pattern]
        for word, text in {"MODEL": name, "THIS": id, AT: f"{at:%Y-%m-%dT%H:%M:%SZ}", **words}.items():
            body = body.replace(word, text)
        return id, None if kind == "Snapshot" else name, turn, verb, kind, microseconds(at), body

    began = NOW - timedelta(days=CYCLES)
    for name in names:
        words = {"CANDIDATE": f"{name}-c0", "VERSION": f"{name}-v0", "NUMBER": "0"}
        yield one("baseline", name, f"{name}-begin", f"{name}-c0", began, words)
        yield one("first", name, f"{name}-begin", f"{name}-v0", began, {**words, '"number":1,': '"number":0,'})
        row = one("steady", name, f"{name}-begin", f"{name}-t1", began, words)
        yield row
        _version(there, name, 0, None, began)
        _traffic(there, name, row, 1)
    for cycle in range(1, CYCLES + 1):
        for place, name in enumerate(names):
            at = began + timedelta(days=cycle) - timedelta(hours=12) + timedelta(seconds=place)
            turn, good = f"{name}-turn-{cycle}", (cycle + place) % 10 == 0
            said = {
                word: f"{name}-{word.lower()[:4]}{cycle}" for word in ("SIGNALS", "SNAPSHOT", "REPORT", "TRAINING", "CONTEST", "VERDICT")
            }
            said |= {"CANDIDATE": f"{name}-c{cycle}", "CHAMPION": f"{name}-c{champions[name]}", "VERSION": f"{name}-v{cycle}"}
            said |= {"DECISION": f"{name}-d{cycle}", "0.123456": f"{draw.uniform(0.2, 0.4):.6f}"}
            said |= {"98765": str(draw.randint(20, 400)), "NUMBER": str(cycle), "OLDTRAFFIC": f"{name}-t1"}
            lost = {} if good else {'"outcome":"passed"': '"outcome":"failed"'}
            for pattern, id in (
                ("signals", said["SIGNALS"]), ("retrain", said["DECISION"]), ("snapshot", said["SNAPSHOT"]), ("report", said["REPORT"]),
                ("training_set", said["TRAINING"]), ("candidate", said["CANDIDATE"]), ("contest", said["CONTEST"]),
                ("verdict", said["VERDICT"]),
            ):  # fmt: skip
                yield one(pattern, name, turn, id, at, {**said, **(lost if pattern == "verdict" else {})})
            _run(there, name, cycle, at, good, said)
            if good:
                champions[name] = cycle
                yield one("version", name, turn, said["VERSION"], at, {**said, '"number":1,': f'"number":{cycle},'})
                row = one("steady", name, turn, f"{name}-t{cycle + 1}", at, {**said, '"generation":1,': f'"generation":{cycle + 1},'})
                yield row
                _version(there, name, cycle, said["VERDICT"], at)
                _traffic(there, name, row, cycle + 1)
            else:
                yield one("quiet", name, turn, f"{name}-s{cycle}", at + timedelta(hours=6), said)
                yield one("hold", name, turn, f"{name}-h{cycle}", at + timedelta(hours=6), said)
            _turn(there, name, turn, at)
    _troubles(there, names)


def _patterns() -> dict[str, tuple[str, Record]]:
    """One record of each kind, with words where each has its own."""
    at = datetime.fromisoformat(AT)
    own = {"id": "THIS", "made_at": at, "model": "MODEL", "cost": TOOK}
    opinion = Opinion(
        clause="beats_champion('wape', by=0.02)", outcome="passed",
        sentence="WAPE 0.123456 against 0.310: better by 4 % (1 … 7 %), 2 % asked",
        measure="wape", champion=0.31, candidate=0.123456, effect=0.04, low=0.01, high=0.07, rows=840,
    )  # fmt: skip
    drift = Signal(
        clause="drifted()", kind="drift", fired=True, outcome="passed", sentence="price drifted: PSI 0.31, KS 0.22, by habit at most 0.09",
        measure="psi", about="price", value=0.123456, rows=900,
    )  # fmt: skip
    error = Signal(
        clause="slipped('wape', by=0.1)", kind="slip", fired=False, outcome="failed", sentence="WAPE 0.31 in 8 periods, against 0.30",
        measure="wape", value=0.123456, coverage=0.9, rows=900,
    )  # fmt: skip
    learnt = {
        "artefact": "ab" * 32, "format": "skops", "columns": ("a", "b", "c", "d"), "shape": Shape(kind="number"), "learner": "Mean",
        "knows": ("orders.total('quantity', last=days(7))", "orders.latest('price')"), "definition": "f" * 16,
    }  # fmt: skip
    candidate = Candidate(
        **own, **learnt, parameters='{"max_iter": 98765, "loss": "absolute_error", "learning_rate": 0.1}', rows=6_627, seconds=3.5,
        learnt_from=at - timedelta(days=200), learnt_until=at, made_from=("TRAINING",), environment=(("python", "3.11"), ("numpy", "2.3")),
    )  # fmt: skip
    finding = Finding(
        source="orders", clause="at_least('quantity', 1, share=0.99)", outcome="passed", rows=30_000, broken=12, met=0.9996, share=0.99,
        sentence="quantity is at least 1 in 99.96 % of rows",
    )  # fmt: skip
    traffic = Traffic(
        **own,
        generation=1,
        stage="steady",
        champion="VERSION",
        since=at,
        because="MODEL@NUMBER passed the gate",
        made_from=("OLDTRAFFIC", "VERDICT"),
    )
    return {
        "baseline": ("adopt", Candidate(**own, **{**learnt, "format": "baseline", "learner": "the mean"}, parameters="{}")),
        "first": ("adopt", Version(**own, number=1, candidate="CANDIDATE")),
        "steady": ("begin", traffic),
        "signals": ("watch", Signals(**own, until=at, signals=(drift, error), made_from=("OLDTRAFFIC",))),
        "quiet": ("watch", Signals(**own, until=at, signals=(error,), made_from=("OLDTRAFFIC",))),
        "retrain": ("decide", Decision(**own, action="retrain", because=("price drifted",), cause="drift", made_from=("SIGNALS",))),
        "hold": ("decide", Decision(**own, action="hold", because=("nothing fired",), cause="schedule", made_from=("SIGNALS",))),
        "snapshot": (
            "snapshot",
            Snapshot(
                **{k: v for k, v in own.items() if k != "model"},
                extents=(Extent(source="orders", version=7, through_seq=30_000, rows=30_000),),
            ),
        ),
        "report": ("check", Report(**own, findings=(finding,), made_from=("SNAPSHOT",))),
        "training_set": (
            "as_of",
            TrainingSet(
                **own, body="cd" * 32, columns=("a", "b", "c", "d"), rows=7_467, learn_rows=6_627, judge_rows=840, first_at=at,
                learn_until=at, judge_from=at, last_at=at, truths_known_at=at, made_from=("SNAPSHOT",),
            ),
        ),
        "candidate": ("train", candidate),
        "contest": (
            "rehearse",
            Contest(
                **own, champion="CHAMPION", candidate="CANDIDATE", body="ef" * 32, rows=840, first_at=at, last_at=at,
                made_from=("CANDIDATE",),
            ),
        ),
        "verdict": (
            "judge",
            Verdict(
                **own, candidate="CANDIDATE", champion="CHAMPION", opinions=(opinion,), outcome="passed", made_from=("CONTEST",)
            ),
        ),
        "version": ("admit", Version(**own, number=1, candidate="CANDIDATE", verdict="VERDICT", made_from=("CANDIDATE", "VERDICT"))),
    }  # fmt: skip


def _version(there: sqlite3.Connection, name: str, number: int, verdict: str | None, at: datetime) -> None:
    candidate = f"{name}-c{number}"
    row = (f"{name}-v{number}", name, number, candidate, candidate, verdict, microseconds(at), canonical([candidate]))
    there.execute("INSERT INTO versions (id, model, number, content, candidate, verdict, made_at, made_from) VALUES (?,?,?,?,?,?,?,?)", row)


def _traffic(there: sqlite3.Connection, name: str, row: _Row, generation: int) -> None:
    there.execute(
        "INSERT OR REPLACE INTO traffic (model, generation, id, at, body) VALUES (?,?,?,?,?)", (name, generation, row[0], row[5], row[6])
    )


def _turn(there: sqlite3.Connection, name: str, turn: str, at: datetime) -> None:
    micros = microseconds(at)
    row = (turn, name, micros, "schedule", "done", micros, micros + 4_000_000)
    there.execute("INSERT INTO turns (id, model, now, cause, state, started_at, finished_at) VALUES (?,?,?,?,?,?,?)", row)


def _run(there: sqlite3.Connection, name: str, cycle: int, at: datetime, good: bool, said: dict[str, str]) -> None:
    measured = float(said["0.123456"])
    parameters = {"max_iter": int(said["98765"]), "loss": "absolute_error", "learning_rate": 0.1, "seed": 0}
    measures = {"rows": 6627, "columns": 4, "seconds": 3.5, "cpu_seconds": 1.25, "money": 0.0004, "wape": measured}
    measures |= {"wape of the champion": 0.31, "wape gain": 0.04}
    told = json.dumps({"parameters": parameters, "measures": measures})
    row = (said["CANDIDATE"], name, microseconds(at), "Mean", "passed" if good else "failed", f"{name}@{cycle}" if good else None, told)
    there.execute("INSERT INTO runs (candidate, model, at, learner, outcome, version, said) VALUES (?,?,?,?,?,?,?)", row)


def _troubles(there: sqlite3.Connection, names: list[str]) -> None:
    """Three hundred incidents, a third of them open; two thousand errands, a few of them failed or waiting."""
    for n in range(300):
        at, name = NOW - timedelta(hours=n), names[n]
        over = {"state": "resolved", "resolved_at": at} if n % 3 else {"state": "firing"}
        shown = (Symptom(clause="drifted()", kind="drift", about="price", sentence="price drifted: PSI 0.31"),)
        incident = Incident(
            id=f"incident-{n}", made_at=at, model=name, incident=f"{n:016x}", change=1, cause="change", severity="warning", symptoms=shown,
            opened_at=at, fired_at=at, **over,
        )  # fmt: skip
        row = (incident.incident, name, incident.state, 1, microseconds(at), written(incident))
        there.execute("INSERT INTO incidents (incident, model, state, change, at, body) VALUES (?,?,?,?,?,?)", row)
    for n in range(2_000):
        at = microseconds(NOW - timedelta(minutes=n))
        state = "waiting" if n < 40 else "failed" if n % 100 == 0 else "done"
        row = (f"errand-{n}", "turn", names[n % MODELS], at, "schedule", state, at, at, '{"message": "the disk was full"}', 1)
        there.execute(
            "INSERT INTO errands (id, verb, model, now, cause, state, asked_at, done_at, said, taken) VALUES (?,?,?,?,?,?,?,?,?,?)", row
        )
