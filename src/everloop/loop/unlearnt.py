"""Which answers may speak for or against a version: those to questions asked after all that it has learnt from, or was judged by.

A version knows what came of the questions it learnt from, and was let in by those that judged it: to be right about them again is no proof.
It is the moment of a question that counts, not when it was answered: rows that arrive late, or are filled in, are asked about after the
fact.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everloop.clock import microseconds
from everloop.loop.house import House
from everloop.records import Candidate
from everloop.registry import history

NOTHING = np.iinfo(np.int64).min


def seen_until(house: House, candidate: Candidate) -> int:
    """The last moment (µs UTC) of anything a candidate has learnt from, or was judged by; the smallest number where there is nothing, as
    where it answers elsewhere."""
    learnt = house.learnt_from(candidate)
    moments = (candidate.learnt_until, learnt.last_at if learnt is not None else None)
    return max((microseconds(at) for at in moments if at is not None), default=NOTHING)


def seen_by(house: House, versions: Iterable[str]) -> int:
    """The last moment (µs UTC) of anything that any of these versions has learnt from, or was judged by."""
    return max((seen_until(house, house.candidate(house.version(version).candidate)) for version in versions), default=NOTHING)


def unlearnt(house: House, model: str, answers: pa.Table) -> NDArray[np.bool_]:
    """Of which answers (``moment``, ``answered_at``) the question was asked after all that had been seen by whoever might have answered it
    then. Of all versions of a traffic alike, so that what is left is still a fair comparison of them."""
    lived = sorted(history.history(house.journal, model), key=lambda traffic: traffic.generation)
    begins = np.maximum.accumulate(np.array([microseconds(traffic.made_at) for traffic in lived], dtype=np.int64))
    each = {version: seen_by(house, [version]) for traffic in lived for version in traffic.versions}
    seen = np.array([NOTHING, *(max(map(each.__getitem__, traffic.versions)) for traffic in lived)], dtype=np.int64)
    place = np.searchsorted(begins, answers.column("answered_at").to_numpy().astype(np.int64), side="right")
    return np.asarray(answers.column("moment").to_numpy().astype(np.int64) > seen[place], dtype=bool)
