"""Distances beside scipy's and NannyML's on the same bins; profiles however rows are cut up; and what one outlier of a million does."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, entropy, ks_2samp, wasserstein_distance

from bench.goal import Goal, at_most
from bench.peers import apart, environment
from everloop.monitor.drift import moved
from everloop.monitor.profile import Profile, profile
from everloop.monitor.spec import BINS, describe
from everloop.stats.distances import Moved, kullback_leibler, of_names
from everloop.stats.psi import psi
from everloop.stats.shapes import Floats
from everloop.stats.two_sample import chi_square, jensen_shannon

Drawn = Callable[[np.random.Generator, int], Floats]
SHAPES: Final[dict[str, tuple[Drawn, Drawn]]] = {
    "normal": (lambda r, n: r.normal(0, 1, n), lambda r, n: r.normal(0.2, 1, n)),
    "the same": (lambda r, n: r.normal(0, 1, n), lambda r, n: r.normal(0, 1, n)),
    "wider": (lambda r, n: r.normal(0, 1, n), lambda r, n: r.normal(0, 1.3, n)),
    "lognormal": (lambda r, n: r.lognormal(0, 1, n), lambda r, n: r.lognormal(0.2, 1, n)),
    "exponential": (lambda r, n: r.exponential(1, n), lambda r, n: r.exponential(1.2, n)),
    "gamma": (lambda r, n: r.gamma(0.5, 1, n), lambda r, n: r.gamma(0.6, 1, n)),
    "uniform": (lambda r, n: r.uniform(0, 1, n), lambda r, n: r.uniform(0.1, 1.1, n)),
    "Student's, 3": (lambda r, n: r.standard_t(3, n), lambda r, n: r.standard_t(3, n) + 0.2),
    "two humps": (lambda r, n: r.normal(6 * (r.random(n) < 0.5) - 3, 1), lambda r, n: r.normal(6 * (r.random(n) < 0.6) - 3, 1)),
    "Poisson": (lambda r, n: r.poisson(3, n).astype(float), lambda r, n: r.poisson(3.5, n).astype(float)),
    "half zeros": (lambda r, n: r.exponential(1, n) * (r.random(n) < 0.5), lambda r, n: r.exponential(1, n) * (r.random(n) < 0.6)),
    "a few values": (lambda r, n: r.choice([1.0, 2.0, 5.0], n), lambda r, n: r.choice([1.0, 2.0, 5.0], n, p=[0.5, 0.3, 0.2])),
}
ROWS: Final = (50, 500, 50_000)
NANNY: Final = Path(__file__).parent / "nannyml_distances_side.py"


def parity() -> Iterator[Goal]:
    """Twelve shapes, three sizes: every distance against another's figure over the same counts."""
    apart_, ks, w1 = dict.fromkeys(("psi", "js", "chi", "linf", "kl"), 0.0), 0.0, 0.0
    for i, (name, (old, new)) in enumerate(SHAPES.items()):
        for rows in ROWS:
            rng = np.random.default_rng([31, i, rows])
            a, b = old(rng, rows), new(rng, rows)
            spec = describe({"x": a})
            one, other = profile(spec, {"x": a}), profile(spec, {"x": b})
            for what, off in _off(one.counts["x"].astype(float), other.counts["x"].astype(float)).items():
                apart_[what] = max(apart_[what], off)
            found = moved(one, other, least=1)["x"]
            bin_ = max(1 / BINS, float(one.counts["x"][2:].max(initial=0)) / rows) if len(np.unique(a)) > BINS else 1 / BINS
            ks = max(ks, abs(found.d - float(ks_2samp(a, b).statistic)) / bin_)
            w1 = max(w1, _wasserstein_off(found, a, b)) if rows == ROWS[-1] and name not in ("the same", "a few values") else w1
    each = ", ".join(f"{name} {off:.1g}" for name, off in apart_.items())
    yield at_most("PSI, JS, chi-square, L∞ and KL, off scipy's", max(apart_.values()), 1e-12, "", f"{each}; 12 shapes of {ROWS} rows")
    yield at_most("KS of bins, off that of the rows", round(ks, 9), 1.0, "bins", f"W1 within {w1:.2%} of scipy's on clipped rows")
    off = _nannyml()
    yield at_most(
        "JS, chi-square and L∞ of names, off NannyML's", max(off.values()), 1e-12, "", ", ".join(f"{k} {v:.1g}" for k, v in off.items())
    )


def _off(old: Floats, new: Floats) -> dict[str, float]:
    """How far our figures of two histograms are from scipy's, relative to them where they are above 1."""
    there = (old > 0) | (new > 0)
    p, q = (old[there] + 0.5) / (old.sum() + there.sum() / 2), (new[there] + 0.5) / (new.sum() + there.sum() / 2)
    expected = chi2_contingency(np.array([old[there], new[there]]), correction=False)
    statistic = (chi_square(old, new, least=0.0) or (0.0, 1.0, 0.0))[:2]
    js, kl = jensenshannon(old / old.sum(), new / new.sum(), base=2), float(entropy(new / new.sum(), old / old.sum()))
    names = [str(i) for i in range(len(old))]
    largest = np.abs(new / new.sum() - old / old.sum()).max()
    [found] = of_names([old], [new], [names], least=1)
    ours = kullback_leibler(old, new)
    return {
        "psi": _relative(psi(old, new, corrected=False), float(entropy(p, q) + entropy(q, p))),
        "js": _relative((jensen_shannon(old, new) or 0.0) ** 2, float(js) ** 2),
        "chi": max(_relative(statistic[0], float(expected.statistic)), abs(statistic[1] - float(expected.pvalue))),
        "linf": _relative(found.d if found else None, float(largest)),
        "kl": 0.0 if np.isinf(kl) and ours is not None and np.isinf(ours) else _relative(ours, kl),
    }


def _relative(ours: float | None, theirs: float) -> float:
    return np.inf if ours is None else abs(ours - theirs) / max(1.0, abs(theirs))


def _wasserstein_off(found: Moved, a: Floats, b: Floats) -> float:
    low, first, third, high = np.quantile(a, [0.001, 0.25, 0.75, 0.999])
    scale = (third - first) / 1.349
    if not scale or found.wasserstein is None:
        return 0.0
    exact = float(wasserstein_distance(np.clip(a, low, high), np.clip(b, low, high))) / scale
    return abs(found.wasserstein - exact) / exact


def _nannyml() -> dict[str, float]:
    """Twenty pairs of columns of names, given to NannyML in its own environment."""
    rng, tables = np.random.default_rng(32), {}
    for i in range(20):
        kinds = int(rng.integers(2, 9))
        for side in ("reference", "current"):
            tables[f"{side} {i}"] = np.array(list("abcdefgh"))[rng.choice(kinds, 2_000, p=rng.dirichlet(np.full(kinds, 5.0)))]
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table(tables), f"{folder}/names.parquet")
        done = subprocess.run(
            [str(environment("nannyml")), str(NANNY), f"{folder}/names.parquet"], capture_output=True, text=True, check=True, env=apart()
        )
    off = {"jensen_shannon": 0.0, "l_infinity": 0.0, "chi2": 0.0}
    for i, theirs in enumerate(json.loads(done.stdout.splitlines()[-1])):
        spec = describe({"k": tables[f"reference {i}"]})
        one, other = (profile(spec, {"k": tables[f"{side} {i}"]}) for side in ("reference", "current"))
        found = moved(one, other)["k"]
        ours = {"jensen_shannon": found.jensen_shannon, "l_infinity": found.d, "chi2": found.chi_square}
        off = {name: max(value, _relative(ours[name], theirs[name])) for name, value in off.items()}
    return off


def merge() -> Iterator[Goal]:
    """A table of numbers and names in a hundred orders and partitions, counted part by part and added in any order."""
    rng = np.random.default_rng(33)
    n = 20_000
    table = {f"n{i}": rng.lognormal(0, i, n) for i in range(8)} | {
        f"k{i}": rng.choice(list("abcdefghij"), n).astype(object) for i in range(4)
    }
    table["n0"][::97] = np.nan
    spec = describe({name: values[: n // 2] for name, values in table.items()})
    table["k0"][:7] = "new"
    whole, differ = json.dumps(profile(spec, table).to_plain(), sort_keys=True), 0
    for _ in range(100):
        order = rng.permutation(n)
        parts = [profile(spec, {k: v[rows] for k, v in table.items()}) for rows in np.array_split(order, int(rng.integers(1, 40)))]
        summed = reduce(add, [parts[i] for i in rng.permutation(len(parts))])
        differ += json.dumps(summed.to_plain(), sort_keys=True) != whole
    yield at_most("profiles that differ however rows are cut and ordered", differ, 0, "of 100", "as text, byte by byte; sums and names too")
    largest = max(_bytes(_of(rng, rows), name) for rows in (1_000, 100_000_000) for name in ("few", "heavy", "normal", "names"))
    yield at_most("bytes of a feature's profile, largest", largest, 2_000, "bytes", "of 1,000 and of 100,000,000 rows")


def _of(rng: np.random.Generator, rows: int) -> Profile:
    """A profile as of so many rows: that of 100,000, times what is missing."""
    n = min(rows, 100_000)
    table = {
        "few": rng.integers(0, 128, n).astype(float), "heavy": np.where(rng.random(n) < 0.5, rng.integers(0, 50, n), rng.normal(0, 100, n)),
        "normal": rng.normal(0, 1, n), "names": np.array([f"a category with a long name {i}" for i in rng.zipf(1.3, n)], dtype=object),
    }  # fmt: skip
    spec = describe({name: values[: n // 2] for name, values in table.items()})
    one = profile(spec, table)
    doubled = 0
    while one.rows < rows:
        one, doubled = one + one, doubled + 1
    return one


def _bytes(one: Profile, name: str) -> int:
    plain = one.to_plain()
    return len(json.dumps([plain["counts"][name], plain["totals"].get(name), plain["unseen"].get(name)]))


def outlier() -> Iterator[Goal]:
    """A shift of two standard deviations, and the same with one value of a million on one side or the other; Evidently on the same rows."""
    rng = np.random.default_rng(34)
    old, new = rng.normal(0, 1, 50_000), rng.normal(2, 1, 50_000)
    sides = {"nowhere": (old, new), "now": (old, np.append(new, 1e6)), "before": (np.append(old, 1e6), new)}
    ours = {where: _scores(*pair) for where, pair in sides.items()}
    changed = max(abs(ours[where][s] / ours["nowhere"][s] - 1) for where in ("now", "before") for s in ours["nowhere"])
    with tempfile.TemporaryDirectory() as folder:
        for where, (a, b) in sides.items():
            pq.write_table(pa.table({"x": a}), f"{folder}/{where} reference.parquet")
            pq.write_table(pa.table({"x": b}), f"{folder}/{where} current.parquet")
        theirs = evidently("outlier", folder)
    said = ", ".join(
        f"{name} {theirs['nowhere'][name]:.3g} to {min(theirs[w][name] for w in ('now', 'before')):.2g}" for name in theirs["nowhere"]
    )
    yield at_most("what one value of a million changes of any score", changed, 0.01, "share", f"Evidently's: {said}")


def _scores(old: Floats, new: Floats) -> dict[str, float]:
    spec = describe({"x": old})
    found = moved(profile(spec, {"x": old}), profile(spec, {"x": new}))["x"]
    assert found.wasserstein is not None
    return {"psi": found.psi, "ks": found.d, "js": found.jensen_shannon, "w1": found.wasserstein, "v": found.cramers_v}


def evidently(*words: str) -> dict[str, dict[str, float]]:
    """What Evidently says, in its own environment: one object, printed last."""
    side = Path(__file__).parent / "evidently_side.py"
    done = subprocess.run([str(environment("evidently")), str(side), *words], capture_output=True, text=True, env=apart())
    if done.returncode:
        raise RuntimeError(f"Evidently did not answer: {done.stderr[-2000:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found
