"""Ten million predictions, ten million labels told of them in any order, some twice, some corrected, some taken back. In a process of its
own, so that its memory is its own; prints one line of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import pyarrow as pa

from everloop import Model, Source, days, every
from everloop.clock import from_microseconds
from everloop.features.truth import Truths, with_told
from everloop.loop.tell.told import newest_told

DAY = 86_400_000_000
UNITS = 100_000


def learn(rows: pa.Table) -> None:
    """Nothing: nobody is asked to answer here."""


visits = Source("visits", id="visit_id", time="at", columns={"customer_id": str})
returns = Model(
    "returns",
    predicts=visits.any(next=days(1)),
    per="customer_id",
    asked=every(days(1)),
    knows=visits.count(last=days(7)),
    learner=learn,
)


def main(count: int) -> None:
    rng = np.random.default_rng(1)
    unit, asked_at = np.arange(count) % UNITS, np.arange(count) // UNITS * DAY
    yes, chance = rng.random(count) < 0.3, rng.random(count)
    names = pa.array([f"customer-{u:06}" for u in range(UNITS)])
    units = names.take(pa.array(unit))
    # A tenth never told, a twentieth told wrong first, one in two hundred taken back; then shuffled.
    told = rng.permutation(count)[: int(count * 0.95)]
    wrong, back = told[: count // 20], told[-count // 200 :]
    row = np.concatenate([told, wrong, back])
    said = np.concatenate([yes[told], ~yes[wrong], yes[back]])
    known = asked_at[row] + (rng.lognormal(np.log(7.0), 0.6, len(row)) * DAY).astype(np.int64)
    known[len(told) : len(told) + len(wrong)] = asked_at[wrong] + 1
    known[len(told) + len(wrong) :] = asked_at[back] + 400 * DAY
    deleted = np.arange(len(row)) >= len(told) + len(wrong)
    order = rng.permutation(len(row))
    events = pa.table(
        {
            "model": pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(row), dtype=np.int8)), pa.array(["returns"])).cast(pa.string()),
            "unit": units.take(pa.array(row[order])),
            "moment": asked_at[row[order]],
            "known_at": known[order],
            "seq": np.arange(len(row)),
            "deleted": deleted[order],
            "number": said[order].astype(np.float64),
            "label": pa.nulls(len(row), pa.string()),
            "items": pa.nulls(len(row), pa.string()),
            "void": pa.array(np.zeros(len(row), dtype=bool)),
        }
    )
    now = from_microseconds(1000 * DAY)
    none = np.zeros(count, dtype=bool)
    began, cpu = time.perf_counter(), time.process_time()
    newest = newest_told(returns, events, now)
    found = with_told(Truths(pa.nulls(count, pa.float64()), none, none), asked_at, units, newest)
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    truth = found.truth.to_numpy(zero_copy_only=False)
    mine = float(((chance > 0.5) == (truth > 0.5))[found.mature].mean())
    kept = np.zeros(count, dtype=bool)
    kept[told] = True
    kept[back] = False
    batch = float(((chance > 0.5) == yes)[kept].mean())
    off = abs(mine - batch) + float((found.mature != kept).sum())
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    said_of = {"seconds": seconds, "cpu": spent, "gib": gib, "off": off, "asked": count, "told": len(row), "matured": int(kept.sum())}
    print(json.dumps(said_of))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
