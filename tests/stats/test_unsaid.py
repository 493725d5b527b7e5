"""A figure that is not there says why: no truth, no answer, one class only."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everloop.records import Shape
from everloop.stats.measures import measure
from everloop.stats.shapes import Answers
from everloop.stats.unsaid import why_unsaid

truths = st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([0.2, 0.7, np.nan])), min_size=0, max_size=6)


@given(truths)
def test_where_there_is_no_auc_the_reason_is_the_one_there_is(rows):
    truth, said = np.array([t for t, _ in rows]), np.array([a for _, a in rows])
    answers = Answers(Shape(kind="chance"), said)
    if measure("auc").value(truth, answers) is not None:
        return
    known = [(t, a) for t, a in rows if t == t]
    judged = [t for t, a in known if a == a]
    if not known:
        wanted = "no truth of them is known yet"
    elif not judged:
        wanted = "none of those whose truth is known was answered"
    elif len(judged) == 1:
        wanted = "there is one truth only"
    else:
        assert len(set(judged)) == 1
        wanted = f"all {len(judged)} truths are {'“yes”' if judged[0] else '“no”'}, and it takes both"
    assert why_unsaid(truth, answers) == wanted
