"""Servers side by side: the same trees behind each, one after the other on the first core, whoever asks on the second.

Each is started as its own documentation says, in an environment of its own (``bench.peers``), and first asked whether it answers as the
trees do. In: a house with its booster. Out: servers that stand for as long as they are asked, and what each can do.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import psutil

from bench.goal import Goal, at_least, at_most
from bench.peers import apart, environment
from bench.serving_house import ASKED, COLUMNS, WIDTH, Served, asked, the_house
from bench.wire import Heard, closed, once, opened, request

APPS = Path(__file__).parent / "rivals"
PATIENCE = 120.0
"""Seconds a server may take until it answers."""
CONNECTIONS = 32
OURS, BARE = "everloop", "bare"
_NUMBER = re.compile(rb"-?\d+\.\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Rival:
    """One way to serve a model: what starts it in ``folder`` on ``port`` (made to be called there), where to ask, and how."""

    name: str
    start: Callable[[Served, Path, int], Sequence[str]]
    path: str = "/predict"
    body: Callable[[int, list[float]], object] = lambda _, row: {"features": row}
    settings: dict[str, str] = field(default_factory=dict)
    own: bool = False

    def requests(self) -> list[bytes]:
        """What it is sent, one after the other, again and again."""
        bodies = (json.dumps(self.body(number, row)).encode() for number, row in enumerate(asked()))
        return [request(self.path, body) for body in bodies]


# -- how each is started -------------------------------------------------------------------------------------------------------


def _everloop(served: Served, folder: Path, port: int) -> Sequence[str]:
    mine = served.copied(folder / "project")
    words = ("--project", str(mine.project), "--house", str(mine.house), "--port", str(port))
    return (sys.executable, "-m", "everloop", "serve", *words)


def _starlette(served: Served, folder: Path, port: int) -> Sequence[str]:
    python, where = environment("starlette"), ("--app-dir", str(APPS), "--host", "127.0.0.1", "--port", str(port))
    quick = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
    return (str(python), "-m", "uvicorn", "starlette_app:app", *where, *quick)


def _mlflow(served: Served, folder: Path, port: int) -> Sequence[str]:
    python = environment("mlflow")
    made = apart() | {"BENCH_MODEL": str(served.booster)}
    subprocess.run([python, APPS / "mlflow_model.py", folder / "model"], check=True, capture_output=True, env=made)
    where = ("-m", str(folder / "model"), "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--env-manager", "local")
    return (str(python.parent / "mlflow"), "models", "serve", *where)


def _mlserver(workers: int) -> Callable[[Served, Path, int], Sequence[str]]:
    def start(served: Served, folder: Path, port: int) -> Sequence[str]:
        ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
        settings = {"host": "127.0.0.1", "parallel_workers": workers, "debug": False, **ports}
        model = {"name": "number", "implementation": "mlserver_lightgbm.LightGBMModel", "parameters": {"uri": str(served.booster)}}
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return (str(environment("mlserver").parent / "mlserver"), "start", str(folder))

    return start


def _bentoml(served: Served, folder: Path, port: int) -> Sequence[str]:
    where = ("--working-dir", str(APPS), "--host", "127.0.0.1", "--port", str(port))
    return (str(environment("bentoml").parent / "bentoml"), "serve", "bentoml_app:Model", *where)


def _script(tool: str) -> Callable[[Served, Path, int], Sequence[str]]:
    return lambda served, folder, port: (str(environment(tool)), str(APPS / f"{tool}_app.py"), str(port))


def _as_given(number: int, row: list[float]) -> object:
    return {"row_id": f"asked-{number}", **dict(zip(COLUMNS, row, strict=True))}


def _as_tensor(number: int, row: list[float]) -> object:
    return {"inputs": [{"name": "x", "shape": [1, WIDTH], "datatype": "FP64", "data": row}]}


EVERLOOP = Rival(OURS, _everloop, "/v1/models/number/predict", _as_given, own=True)
STARLETTE = Rival(BARE, _starlette)
RIVALS = (
    Rival("MLflow", _mlflow, "/invocations", lambda _, row: {"inputs": [row]}, {"MLFLOW_DISABLE_TELEMETRY": "true"}),
    Rival("MLServer", _mlserver(0), "/v2/models/number/infer", _as_tensor),
    Rival("MLServer with its pool", _mlserver(1), "/v2/models/number/infer", _as_tensor),
    Rival("BentoML", _bentoml, settings={"BENTOML_DO_NOT_TRACK": "true"}),
    Rival("LitServe", _script("litserve")),
    Rival("Ray Serve", _script("ray"), settings={"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}),
)


# -- standing ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """A server that answers."""

    rival: Rival
    url: str
    process: psutil.Process

    def tree(self) -> list[psutil.Process]:
        """It and everything it started."""
        return [self.process, *self.process.children(recursive=True)]

    def spent(self) -> float:
        """CPU seconds of all of it so far, and of what it started and has ended."""
        return self._summed(lambda one: float(sum(one.cpu_times()[:4])))

    def resident(self) -> float:
        """MiB that all of it holds, pages shared by several counted once."""
        return self._summed(lambda one: one.memory_full_info().pss) / 2**20

    def _summed(self, figure: Callable[[psutil.Process], float]) -> float:
        total = 0.0
        for one in self.tree():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                total += figure(one)
        return total


@contextmanager
def standing(rival: Rival, served: Served, *, expected: Sequence[tuple[float, ...]] = ()) -> Iterator[Standing]:
    """Start it on the first core, wait until it answers as the trees do, and end all of it at the end.

    Raises RuntimeError with the end of what it said where it does not stand within PATIENCE, or answers otherwise.
    """
    with tempfile.TemporaryDirectory() as name, (Path(name) / "said.log").open("w+b") as said:
        folder, port = Path(name), free_port()
        command = rival.start(served, folder, port)
        # What a rival keeps for itself in its user's home goes when it ends.
        around = (dict(os.environ) if rival.own else apart() | {"HOME": str(folder)}) | rival.settings
        around |= {"BENCH_MODEL": str(served.booster), "OMP_NUM_THREADS": "1"}
        around["PATH"] = f"{Path(command[0]).parent}{os.pathsep}{around.get('PATH', '')}"  # it starts others of its own by their names
        with on_core(0):
            process = subprocess.Popen(command, cwd=folder, env=around, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        stands = Standing(rival, f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        try:
            _wait(stands, said)
            _asks_the_trees(stands, expected)
            yield stands
        finally:
            _end(process)


def _wait(stands: Standing, said: IO[bytes]) -> None:
    first, until = stands.rival.requests()[0], time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if stands.process.status() == psutil.STATUS_ZOMBIE:
            break
        with suppress(OSError):
            if once(stands.url, first)[0] == 200:
                return
        time.sleep(0.1)
    said.seek(0)
    raise RuntimeError(f"{stands.rival.name} does not answer: {said.read()[-3000:].decode(errors='replace')}")


def _asks_the_trees(stands: Standing, expected: Sequence[tuple[float, ...]]) -> None:
    """Whether some requests are answered as one of the versions that may answer would."""
    for one, allowed in list(zip(stands.rival.requests(), expected, strict=False))[:20]:
        _, answer = once(stands.url, one)
        numbers = [float(n) for n in _NUMBER.findall(answer)]
        if not any(abs(n - right) < 1e-6 * (1 + abs(right)) for n in numbers for right in allowed):
            raise RuntimeError(f"{stands.rival.name} answers {answer[-300:]!r} where the trees say {allowed}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and what it left behind."""
    with suppress(psutil.Error):
        left = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        for one in left:
            with suppress(psutil.Error):
                one.kill()
    process.kill()
    process.wait()


def expected_of(*models: Path) -> list[tuple[float, ...]]:
    """What each of these boosters says to each request."""
    import lightgbm

    rows = np.array(asked())
    said = [lightgbm.Booster(model_file=str(path)).predict(rows, num_threads=1) for path in models]
    return [tuple(float(one[n]) for one in said) for n in range(ASKED)]


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """This thread, and whatever it starts meanwhile, runs on one core alone; where there is only one, on that."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(number, len(cores) - 1)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# -- goals ---------------------------------------------------------------------------------------------------------------------

ROUNDS, WARM, SECONDS = 3, 1.5, 5.0
TAIL_ROUNDS, TAIL_SECONDS, TAIL_ASKED = 3, 10.0, 200
BUSY = 100.0  # answers a second
ALL = (STARLETTE, EVERLOOP, *RIVALS)
_rates: dict[str, list[float]] = {}
_spent: dict[str, list[float]] = {}
_absent: dict[str, str] = {}


def rivals() -> Iterator[Goal]:
    """Answers a second of each server, all it can; ours over each of them, round by round."""
    measured(ROUNDS)
    yield at_least("answers a second over MLflow's", _ratio("MLflow"), 4, "times", _both("MLflow"))
    yield at_least("answers a second over MLServer's", _ratio("MLServer"), 2.5, "times", _both("MLServer"))
    pool = "MLServer with its pool"
    yield at_least("answers a second over MLServer's with its pool", _ratio(pool), 2.5, "times", _both(pool))
    yield at_least("answers a second over BentoML's", _ratio("BentoML"), 8, "times", _both("BentoML"))
    yield at_least("answers a second over LitServe's", _ratio("LitServe"), 4, "times", _both("LitServe"))
    yield at_least("answers a second over Ray Serve's", _ratio("Ray Serve"), 8, "times", _both("Ray Serve"))
    yield at_least("answers a second over a bare handler's", _ratio(BARE), 0.75, "times", _both(BARE))


def measured(rounds: int) -> None:
    """Have every server asked all it can answer in at least so many rounds; every second round goes backwards."""
    expected = expected_of(the_house().booster, the_house().other)
    for number in range(len(_rates.get(OURS, ())), rounds):
        for rival in ALL if number % 2 == 0 else ALL[::-1]:
            if rival.name in _absent:
                continue
            try:
                with standing(rival, the_house(), expected=expected) as stands, on_core(1):
                    heard, spent = all_it_can(stands)
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                if rival in (EVERLOOP, STARLETTE):
                    raise
                _absent[rival.name] = str(error)
                print(f"LEFT OUT: {rival.name}. {error}", file=sys.stderr, flush=True)
                continue
            _rates.setdefault(rival.name, []).append(heard.rate)
            _spent.setdefault(rival.name, []).append(spent / max(1, heard.count))
            print(f"  round {number + 1}, {rival.name}: {heard.rate:,.0f} answers/s", file=sys.stderr, flush=True)


def all_it_can(stands: Standing, *, seconds: float = SECONDS) -> tuple[Heard, float]:
    """What it answers when asked for all it can, and the CPU seconds that took. Raises RuntimeError where an answer is no success."""
    asking = stands.rival.requests()
    closed(stands.url, asking, connections=CONNECTIONS, seconds=WARM)
    before = stands.spent()
    heard = closed(stands.url, asking, connections=CONNECTIONS, seconds=seconds)
    spent = stands.spent() - before
    if heard.failed or heard.broken:
        raise RuntimeError(f"{stands.rival.name}: {heard.failed} answers of {heard.count} are no success, {heard.broken} connections broke")
    return heard, spent


def _ratio(name: str) -> float:
    """Ours over its, the median of the rounds; 0 where it was left out."""
    pairs = zip(_rates[OURS], _rates.get(name, ()), strict=False)
    return statistics.median([mine / other for mine, other in pairs] or [0.0])


def _both(name: str) -> str:
    if name in _absent:
        return f"LEFT OUT, it does not stand here: {_absent[name][:200]}"
    said = (f"{statistics.median(_rates[n]):,.0f}/s, {1e6 * statistics.median(_spent[n]):,.0f} µs CPU each" for n in (OURS, name))
    return " against ".join(said)


def tail() -> Iterator[Goal]:
    """The slowest in a hundred, everybody asked as often as the slowest of them can bear twice over.

    The slowest of all may be so slow that everybody idles; so the same is asked once more with those left out that answer fewer than a
    hundred a second.
    """
    measured(1)
    bears = {name: statistics.median(rates) for name, rates in _rates.items()}
    ratio, beside = _tail(min(bears.values()) / 2, set(bears))
    yield at_most("p99 over the best rival's, asked in its own time", ratio, 0.5, "times", beside)
    busy = {name for name, rate in bears.items() if rate >= BUSY}
    if busy != set(bears):
        ratio, beside = _tail(min(bears[name] for name in busy) / 2, busy)
        yield at_most("p99 over the best rival's, asked as the slowest busy one bears", ratio, 0.5, "times", beside)


def _tail(rate: float, asked: Collection[str]) -> tuple[float, str]:
    """Ours over the best rival's, of those asked so many times a second, and everybody's: the medians of the rounds."""
    slow: dict[str, list[float]] = {}
    for number in range(TAIL_ROUNDS):
        for rival in ALL if number % 2 == 0 else ALL[::-1]:
            if rival.name in asked:
                with standing(rival, the_house()) as stands, on_core(1):
                    heard = slowest(stands, rate, seconds=max(TAIL_SECONDS, TAIL_ASKED / rate))
                    slow.setdefault(rival.name, []).append(heard.quantile(0.99))
    medians = {name: 1000 * statistics.median(found) for name, found in slow.items()}
    best = min((name for name in medians if name not in (OURS, BARE)), key=medians.__getitem__)
    beside = ", ".join(f"{name} {ms:.1f}" for name, ms in sorted(medians.items(), key=lambda one: one[1]))
    return medians[OURS] / medians[best], f"ms at {rate:,.0f}/s: {beside}"


def slowest(stands: Standing, rate: float, *, seconds: float = TAIL_SECONDS) -> Heard:
    """What is heard at this rate, once it is warm."""
    asking = stands.rival.requests()
    closed(stands.url, asking, connections=CONNECTIONS, seconds=WARM)
    return opened(stands.url, asking, rate=rate, seconds=seconds)
