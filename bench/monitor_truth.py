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
from everloop.stats.shiryaev import TARGET, follow, knowing, learning

HERE: Final = Path(__file__).parent
CHUNK: Final = 5000
#: As many streams of each kind as river_side.py makes.
RATES, RUNS, STRETCH = 60, 4, 5000
#: What a rival is called in river_side.py, and the target at which ours promises no more false alarms than it made on streams of other
#: seeds: ADWIN in one stretch of 5,000 losses of 400, Page-Hinkley in one of 40.
RIVALS: Final = {"ADWIN": ("adwin", 2_000_000.0), "Page-Hinkley": ("page_hinkley", 200_000.0)}
Judgement = tuple[float, int, int]
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
    """The same losses for all three, each rival met at its own rate of false alarms; then how often the e-detector cries for nothing."""
    theirs = _side("river")
    cuts = (int(theirs["reference"]), int(theirs["reference"] + theirs["stretch"]))
    found = {name: _met(streams, cuts) for name, streams in theirs["streams"].items()}
    few, many = found["0.10 to 0.15"], found["0.10 to 0.20"]
    yield at_most("errors from 0.10 to 0.15: delay over a rival's, worse of two", _slower(few), 1, "times", _beside(few))
    yield at_most("errors from 0.10 to 0.20: delay over a rival's, worse of two", _slower(many), 1, "times", _beside(many))
    made = {name: lot for name, lot in found.items() if lot not in (few, many)}
    beside = "; ".join(f"{name}: {_beside(lot)}" for name, lot in made.items())
    yield at_most("generators: delay over a rival's, worst of sixteen", max(map(_slower, made.values())), 1, "times", beside)
    false = {who: [sum(lot[who][i][1] for lot in found.values()) for i in range(2)] for who in RIVALS}
    beside = ", ".join(f"{ours} against {who}'s {its}" for who, (ours, its) in false.items())
    usual = sum(lot["usual"][0][1] for lot in found.values())
    beside += f"; {usual} at the usual target; in {2 * RATES + len(made) * RUNS} streams of {STRETCH:,}"
    yield at_most("false alarms more than a rival's, worse of two", max(ours - its for ours, its in false.values()), 0, "", beside)
    yield quiet()
    yield from misled()


def _met(streams: list[dict[str, Any]], cuts: tuple[int, int]) -> dict[str, tuple[Judgement, Judgement]]:
    """Ours and each rival's, ours at the target for that rival; and at the usual one, twice."""
    found = {}
    for who, (key, target) in (RIVALS | {"usual": ("", TARGET)}).items():
        ours = _judged([_alarms(one["losses"], *cuts, target) for one in streams], *cuts, STRETCH)
        found[who] = (ours, _judged([one[key] for one in streams], *cuts, STRETCH) if key else ours)
    return found


def _slower(lot: dict[str, tuple[Judgement, Judgement]]) -> float:
    return max(lot[who][0][0] / max(lot[who][1][0], 1) for who in RIVALS)


def _beside(lot: dict[str, tuple[Judgement, Judgement]]) -> str:
    each = ", ".join(f"{lot[who][0][0]:,.0f} against {who}'s {lot[who][1][0]:,.0f}" for who in RIVALS)
    return f"{each}, {lot['usual'][0][0]:,.0f} at the usual target"


def _alarms(said: str, reference: int, change: int, target: float) -> list[int]:
    """Where ours alarms, begun anew after each alarm until it alarms after the change; the mean comes from the reference."""
    losses = np.frombuffer(said.encode(), dtype=np.uint8).astype(np.float64) - ord("0")
    begun, found, at = learning(losses[:reference], target=target), list[int](), reference
    while at < len(losses) and (not found or found[-1] < change):
        state = follow(begun, losses[at:])
        if state.alarm is None:
            break
        found.append(at + state.alarm)
        at = found[-1] + 1
    return found


def _judged(alarms: list[list[int]], reference: int, change: int, missed: int) -> Judgement:
    """Median delay (one that is missed took for ever: the whole rest), false alarms, streams missed."""
    delays = [min((a - change for a in lot if a >= change), default=missed) for lot in alarms]
    false = sum(reference <= a < change for lot in alarms for a in lot)
    return float(np.median(delays)), false, sum(d == missed for d in delays)


def quiet(streams: int = 100, length: int = 50_000, target: float = 20_000.0) -> Goal:
    """Losses exactly at the mean that is not to be exceeded, the worst there is: how many are seen for each alarm."""
    rng, alarms, seen = np.random.default_rng(7), 0, 0
    for _ in range(streams):
        state = follow(knowing(0.1, target=target), (rng.random(length) < 0.1).astype(np.float64))
        alarms += state.alarm is not None
        seen += state.rows
    low = seen / max(share_bounds(alarms, streams, 0.95)[1] * streams, 1)
    beside = f"{alarms} alarms in {streams} streams of {length:,}; at least {low:,.0f} with 95 % confidence"
    return at_least("losses for each false alarm, at the very mean", seen / max(alarms, 1), target, "losses", beside)


def misled(streams: int = 150, known: int = 1_000, length: int = 5_000, target: float = 20_000.0) -> Iterator[Goal]:
    """The same where the mean is only known from a thousand losses: streams that alarm; and a detector that takes them for the truth."""
    rng, alarms = np.random.default_rng(8), [0, 0]
    for _ in range(streams):
        losses = (rng.random(known + length) < 0.1).astype(np.float64)
        begun = (learning(losses[:known], target=target), knowing(float(losses[:known].mean()), target=target))
        for i, one in enumerate(begun):
            alarms[i] += follow(one, losses[known:]).alarm is not None
    promised, beside = length / target + 0.001, f"promised: {length:,} of {target:,.0f}, and 0.001"
    yield at_most("streams that alarm, the mean learnt from 1,000 losses", alarms[0] / streams, promised, "share", beside)
    yield at_least("the same, that mean taken for the true one: the mutant", alarms[1] / streams, promised, "share")


# -- late truth -------------------------------------------------------------------------------------------------------------------------


def join() -> Iterator[Goal]:
    """Ten million predictions and ten million labels, in a process of its own."""
    run = subprocess.run([sys.executable, "-m", "bench.monitor_truth_join"], check=True, capture_output=True, text=True, timeout=900)
    said = json.loads(run.stdout.splitlines()[-1])
    beside = f"{said['cpu']:.0f} CPU s; {said['told']:,} tellings of {said['asked']:,} predictions, {said['matured']:,} of them true now"
    yield at_most("10M predictions and 10M labels joined", said["seconds"], 60, "s", beside)
    yield at_most("10M predictions and 10M labels joined: memory at most", said["gib"], 6, "GiB")
    yield at_most("10M joined: accuracy off that of the batch join", said["off"], 0.0, "")
