"""Registering a fitted scikit-learn model with its environment: bytes in a safe form, golden rows with their answers, what was installed,
the record and the version in the journal, synced. Beside it MLflow, which finds out by itself what a model needs, in its own environment.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from bench.goal import Goal, at_least, at_most
from bench.peers import apart, environment
from everloop.records import Candidate, Shape, Verdict, identity
from everloop.registry.blobs import Blobs
from everloop.registry.journal import Journal
from everloop.registry.store import Store, open_store
from everloop.registry.versions import Versions
from everloop.training.artefact import dump, load
from everloop.training.environment import environment as installed
from everloop.training.feed import Feed
from everloop.training.golden import answered_alone, check_golden, golden_rows, write_golden
from everloop.training.predictor import Predictor

ROWS: Final = 5_000
COLUMNS: Final = tuple(f"x{i}" for i in range(20))
ROUNDS: Final = 7
RIVAL: Final = Path(__file__).with_name("rivals") / "mlflow_register.py"
NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)


def register() -> Iterator[Goal]:
    """The median of several rounds, ours and MLflow's, as it comes and told what it needs; the first of ours loads libraries besides."""
    with tempfile.TemporaryDirectory() as folder:
        ours = registered(Path(folder), ROUNDS)
    rivals = {how: rival(how, 3) for how in ("inferred", "example", "given")}
    beside = ", ".join(f"MLflow {HOW[how]} {statistics.median(taken):.2f} s" for how, taken in rivals.items())
    beside = f"the first round, which loads skops besides, {ours[0]:.2f} s; {beside}"
    yield at_most("registering a fitted scikit-learn model with its environment, median round", statistics.median(ours), 0.5, "s", beside)
    ratio = statistics.median(rivals["inferred"]) / statistics.median(ours)
    yield at_least("times as long MLflow takes with inferred requirements", ratio, 10.0, "times", "medians of both")


HOW: Final = {"inferred": "with inferred requirements", "example": "with an input example too", "given": "told its requirements"}


def registered(folder: Path, rounds: int) -> list[float]:
    """Seconds of each round; each registers another fitted model, and the last is loaded again and held against its golden rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(7)
    X = rng.normal(size=(ROWS, len(COLUMNS)))  # noqa: N806
    y = X[:, 0] + rng.normal(size=ROWS)
    table = pa.table({name: X[:, i] for i, name in enumerate(COLUMNS)} | {"truth": y})
    store, blobs, taken = open_store(f"sqlite:///{folder / 'house.db'}"), Blobs(folder / "blobs"), []
    made = None
    for round_ in range(rounds):
        fitted = HistGradientBoostingRegressor(max_iter=100, random_state=round_).fit(X[round_:], y[round_:])
        begun = time.perf_counter()
        made = one(store, blobs, Predictor(Shape(kind="number"), Feed(COLUMNS), fitted), table, round_)
        taken.append(time.perf_counter() - begun)
    assert made is not None
    assert made.golden is not None
    check_golden(load(made, blobs.read), blobs.read(made.golden))
    assert [v.number for v in Versions(store).all("register")] == list(range(1, rounds + 1))
    Journal(store).verify()
    store.close()
    return taken


def one(store: Store, blobs: Blobs, predictor: Predictor, table: pa.Table, round_: int) -> Candidate:
    """One model from memory into the registry, as a turn does it between learning and judging, and at the gate."""
    now, id = NOW + timedelta(minutes=round_), identity("register", round_)
    artefact = dump(predictor)
    golden = golden_rows(table, COLUMNS)
    here = installed(Path(__file__).parent)
    candidate = Candidate(
        id=id,
        made_at=now,
        model="register",
        artefact=blobs.save(artefact.body),
        format=artefact.format,
        needs=artefact.needs,
        columns=COLUMNS,
        shape=predictor.shape,
        learner=repr(predictor.fitted),
        parameters="{}",
        golden=blobs.save(write_golden(golden, answered_alone(predictor, golden))),
        environment=here.versions,
        commit=here.commit,
        dirty=here.dirty,
        definition="register",
    )
    verdict = Verdict(
        id=identity(id, "verdict"), made_at=now, made_from=(id,), model="register", candidate=id, champion="", opinions=(), outcome="passed"
    )
    journal = Journal(store)
    for record in (candidate, verdict):
        with store.transaction() as t:
            journal.append(t, record, turn=id, verb="register")
    with store.transaction() as t:
        version = Versions(store).admit(t, candidate, verdict, now=now, id=identity(id, "version"))
        journal.append(t, version, turn=id, verb="register")
    return candidate


def rival(how: str, rounds: int) -> list[float]:
    """Seconds of each round of MLflow's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [environment("mlflow"), RIVAL, folder, how, str(rounds)]
        done = subprocess.run(command, capture_output=True, text=True, env=apart() | {"MLFLOW_DISABLE_TELEMETRY": "true"}, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        taken: list[float] = json.loads(done.stdout.splitlines()[-1])
        return taken
