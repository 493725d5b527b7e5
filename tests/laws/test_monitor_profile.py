"""Laws of profiles: however rows are cut up and in whatever order they come, the counts are the same."""

from functools import reduce
from operator import add

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everloop.monitor.drift import moved
from everloop.monitor.profile import profile
from everloop.monitor.spec import describe

values = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=60).map(np.array)
names = st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=60)


def strings(names):
    return np.array([*names, "x"], dtype=object)[:-1]


@given(values, values, st.integers(1, 7))
def test_parts_add_up_to_the_whole(reference, window, parts):
    spec = describe({"x": reference})
    whole = profile(spec, {"x": window})
    summed = reduce(add, [profile(spec, {"x": window[i::parts]}) for i in range(parts)])
    assert (summed.rows, summed.counts["x"].tolist()) == (whole.rows, whole.counts["x"].tolist())
    assert whole.counts["x"].sum() == len(window)


@given(names, names, st.integers(1, 7))
def test_parts_of_categories_add_up_to_the_whole(reference, window, parts):
    spec = describe({"k": strings(reference)})
    whole = profile(spec, {"k": strings(window)})
    summed = reduce(add, [profile(spec, {"k": strings(window)[i::parts]}) for i in range(parts)])
    assert summed.counts["k"].tolist() == whole.counts["k"].tolist()
    assert whole.counts["k"].sum() == len(window)


@given(values)
def test_the_reference_never_lies_outside_itself_or_away_from_itself(reference):
    spec = describe({"x": reference})
    one = profile(spec, {"x": reference})
    finite = np.isfinite(reference)
    assert one.counts["x"][1] == (reference == -np.inf).sum() or not finite.any()
    assert all((m.d, m.psi) == (0.0, 0.0) for m in moved(one, one).values())


@given(values, st.floats(allow_nan=False, allow_infinity=False))
def test_one_more_value_moves_one_count_by_one(reference, value):
    spec = describe({"x": reference})
    before, after = profile(spec, {"x": reference}), profile(spec, {"x": np.append(reference, value)})
    difference = after.counts["x"] - before.counts["x"]
    assert sorted(difference.tolist())[-1] == 1
    assert difference.sum() == 1
