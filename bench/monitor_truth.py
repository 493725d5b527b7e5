"""Late truth, before the truth, concept drift: estimates beside NannyML's, detectors beside river's, and truths that come late, twice,
corrected, out of order or never. Sections: nannyml, drift, late, join. About six CPU minutes, most of them the peers'."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from bench.goal import Goal, at_least, at_most
from bench.peers import apart, environment
from everloop.records import Shape
from everloop.stats.cbpe import calibration, expected
from everloop.stats.intervals import share_bounds
from everloop.stats.measures import measure as measure_of
from everloop.stats.shapes import Answers
from everloop.stats.shiryaev import Detector, above, follow

HERE: Final = Path(__file__).parent
CHUNK: Final = 5000
#: As many streams of each kind as river_side.py makes.
RATES, RUNS, STRETCH = 60, 4, 5000
#: Realised AUC of the ten chunks of the car-loan analysis data, as NannyML's tutorial "Calculating Standard Performance Metrics for
#: Binary Classification" prints them.
DOCUMENTED: Final = (0.970962, 0.970248, 0.976282, 0.967721, 0.969886, 0.960050, 0.958530, 0.959041, 0.963094, 0.957556)


def _side(name: str, *words: str) -> dict[str, Any]:
    """What a peer's side of the bench prints."""
    run = subprocess.run(
        [environment(name), HERE / f"{name}_side.py", *words], check=True, capture_output=True, text=True, env=apart(), timeout=900
    )
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


# -- before the truth -------------------------------------------------------------------------------------------------------------------


def nannyml() -> Iterator[Goal]:
    """Their data, their chunks, their estimates."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = _side("nannyml", folder)
        reference, analysis = (csv.read_csv(Path(folder) / f"{name}.csv") for name in ("reference", "analysis"))
    seconds, said = [], {}
    for _ in range(3):
        began = time.process_time()
        said = _estimates(reference, analysis)
        seconds.append(time.process_time() - began)
    apart_by = max(float(np.abs(np.array(said[name]) - np.array(theirs["said"][name])).max()) for name in said)
    beside = f"NannyML {theirs['version']}; AUC, F1 and accuracy of ten chunks of {CHUNK:,}"
    yield at_most("car loan: estimates off those of NannyML", apart_by, 1e-8, "", beside)
    yield at_least(
        "car loan: their CPU over ours", theirs["seconds"] / min(seconds), 10, "times", f"{theirs['seconds']:.2f} s, {min(seconds):.3f} s"
    )
    real = [_realised(analysis.slice(at, CHUNK)) for at in range(0, len(analysis), CHUNK)]
    yield at_most("car loan: realised AUC off the documented digits", float(np.abs(np.round(real, 6) - DOCUMENTED).max()), 5e-7, "")
    off = float(np.abs(np.array(said["roc_auc"]) - real).mean())
    yield at_most("car loan: estimated AUC off the realised, on average", off, 0.0045, "", "ten chunks")


def _estimates(reference: pa.Table, analysis: pa.Table) -> dict[str, list[float]]:
    curve = calibration(reference["y_pred_proba"].to_numpy(), reference["repaid"].to_numpy().astype(np.float64))
    scores, says = analysis["y_pred_proba"].to_numpy(), analysis["y_pred"].to_numpy() > 0
    chunks = [slice(at, at + CHUNK) for at in range(0, len(scores), CHUNK)]
    found: dict[str, list[float]] = {}
    for name, theirs in (("auc", "roc_auc"), ("f1", "f1"), ("accuracy", "accuracy")):
        made = [expected(name, curve.of(scores[chunk]), scores[chunk], says[chunk]) for chunk in chunks]
        found[theirs] = [one.value for one in made if one is not None]
    return found


def _realised(chunk: pa.Table) -> float:
    answers = Answers(Shape(kind="chance"), chunk["y_pred_proba"].to_numpy().astype(np.float64))
    found = measure_of("auc").value(chunk["repaid"].to_numpy().astype(np.float64), answers)
    assert found is not None
    return found


# -- concept drift ----------------------------------------------------------------------------------------------------------------------


def drift() -> Iterator[Goal]:
    """The same losses for all three; then how often the e-detector cries where nothing changed."""
    theirs = _side("river")
    cuts, found = (int(theirs["reference"]), int(theirs["reference"] + theirs["stretch"])), {}
    for name, streams in theirs["streams"].items():
        own = [_alarms(one["losses"], *cuts) for one in streams]
        found[name] = [_judged(lot, *cuts, STRETCH) for lot in (own, [s["adwin"] for s in streams], [s["page_hinkley"] for s in streams])]
    few, many = found.pop("0.10 to 0.15"), found.pop("0.10 to 0.20")
    yield at_most("errors from 0.10 to 0.15: median delay", few[0][0], min(few[1][0], few[2][0]), "losses", _beside(few))
    yield at_most("errors from 0.10 to 0.20: median delay", many[0][0], min(many[1][0], many[2][0]), "losses", _beside(many))
    ratios = [ours[0] / max(min(adwin[0], hinkley[0]), 1) for ours, adwin, hinkley in found.values()]
    beside = "; ".join(f"{name} {a[0]:,.0f}, {b[0]:,.0f}, {c[0]:,.0f}" for name, (a, b, c) in found.items())
    yield at_most(
        "generators: delay over the quicker rival's, worst of eight", max(ratios), 1, "times", f"ours, ADWIN, Page-Hinkley: {beside}"
    )
    false = [sum(lot[i][1] for lot in (few, many, *found.values())) for i in range(3)]
    beside = f"ADWIN {false[1]}, Page-Hinkley {false[2]}, in {2 * RATES + len(found) * RUNS} streams of {STRETCH:,}"
    yield at_most("false alarms in all these streams", false[0], min(false[1:]), "", beside)
    yield quiet()


def _beside(lot: list[tuple[float, int, int]]) -> str:
    ours, adwin, hinkley = lot
    said = f"ADWIN {adwin[0]:,.0f}, Page-Hinkley {hinkley[0]:,.0f}; false alarms {ours[1]}, {adwin[1]}, {hinkley[1]} in {RATES} streams"
    return f"{said}; missed {ours[2]}, {adwin[2]}, {hinkley[2]}"


def _alarms(said: str, reference: int, change: int) -> list[int]:
    """Where ours alarms, begun anew after each alarm until it alarms after the change; the mean comes from the reference."""
    losses = np.frombuffer(said.encode(), dtype=np.uint8).astype(np.float64) - ord("0")
    mean, found, at = above(float(losses[:reference].mean()), reference), list[int](), reference
    while at < len(losses) and (not found or found[-1] < change):
        state = follow(Detector(mean), losses[at:])
        if state.alarm is None:
            break
        found.append(at + state.alarm)
        at = found[-1] + 1
    return found


def _judged(alarms: list[list[int]], reference: int, change: int, missed: int) -> tuple[float, int, int]:
    """Median delay (one that is missed took for ever: the whole rest), false alarms, streams missed."""
    delays = [min((a - change for a in lot if a >= change), default=missed) for lot in alarms]
    false = sum(reference <= a < change for lot in alarms for a in lot)
    return float(np.median(delays)), false, sum(d == missed for d in delays)


def quiet(streams: int = 100, length: int = 50_000, target: float = 20_000.0) -> Goal:
    """Losses exactly at the mean that is not to be exceeded, the worst there is: how many are seen for each alarm."""
    rng, alarms, seen = np.random.default_rng(7), 0, 0
    for _ in range(streams):
        state = follow(Detector(0.1, target=target), (rng.random(length) < 0.1).astype(np.float64))
        alarms += state.alarm is not None
        seen += state.rows
    low = seen / max(share_bounds(alarms, streams, 0.95)[1] * streams, 1)
    beside = f"{alarms} alarms in {streams} streams of {length:,}; at least {low:,.0f} with 95 % confidence"
    return at_least("losses for each false alarm, at the very mean", seen / max(alarms, 1), target, "losses", beside)


# -- late truth -------------------------------------------------------------------------------------------------------------------------


def join() -> Iterator[Goal]:
    """Ten million predictions and ten million labels, in a process of its own."""
    run = subprocess.run([sys.executable, "-m", "bench.monitor_truth_join"], check=True, capture_output=True, text=True, timeout=900)
    said = json.loads(run.stdout.splitlines()[-1])
    beside = f"{said['cpu']:.0f} CPU s; {said['told']:,} tellings of {said['asked']:,} predictions, {said['matured']:,} of them true now"
    yield at_most("10M predictions and 10M labels joined", said["seconds"], 60, "s", beside)
    yield at_most("10M predictions and 10M labels joined: memory at most", said["gib"], 6, "GiB")
    yield at_most("10M joined: accuracy off that of the batch join", said["off"], 0.0, "")
