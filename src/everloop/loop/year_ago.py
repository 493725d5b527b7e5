"""What the features of the newest window were a year ago: a season that comes every year explains what moved. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everloop.features.compile import features as read_features
from everloop.loop.asked import questions_of
from everloop.loop.house import House
from everloop.loop.profiles import span_of_windows
from everloop.loop.quiet import watches_drift
from everloop.monitor.drift import drifts
from everloop.monitor.profile import ANSWERS, Profile, profile
from everloop.monitor.rhythm import Season
from everloop.project.model import Model
from everloop.project.source import Source

YEAR, SOME = timedelta(days=364), 2000


def year_ago(
    house: House, model: Model, reference: Profile | None, windows: Sequence[Profile], seasons: Sequence[Season], newest: pa.Table
) -> Profile | None:
    """The newest window's features as they were 364 days before, the same weekday, of the same units; None where nothing drifted, or
    nothing is known of that time.
    """
    # A question about a row was not there to be asked a year ago.
    if reference is None or not windows or not len(newest) or not watches_drift(model) or isinstance(model.per, Source):
        return None
    zone = None if model.asked is None else model.asked.zone
    inputs = [name for name in reference.spec.features if name != ANSWERS]
    if not any(d.drifted for d in drifts(reference, windows, inputs, seasons=seasons, span=span_of_windows(model), zone=zone)):
        return None
    rows = np.sort(np.random.default_rng(0).permutation(len(newest))[:SOME])
    some = newest.take(pa.array(rows)).select(["moment", "unit"])
    then = pc.subtract(some.column("moment"), YEAR // timedelta(microseconds=1))
    asked = questions_of(model, some.set_column(some.column_names.index("moment"), "moment", then))
    tables = house.tables(model)
    oldest = [pc.min(t.column("event_at")).as_py() for s in model.sources if s.time and len(t := tables[s.name])]
    # A window of features has to be full, or a year ago looks empty.
    if not oldest or min(oldest) > (pc.min(then).as_py() or 0) - 28 * 86_400_000_000:
        return None
    found = read_features(model.knows, asked, tables, model=model)
    return profile(reference.spec, found.select([c for c in found.column_names if c in reference.spec.features]))
