"""A column of what a learner is fed: the same by name and by place, as numbers, Arrow and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from everloop.errors import LearnerFailed
from everloop.training.columns import column_at, place_of

ROWS = {"had": [1.0, None], "price": [3.0, 4.0]}
NUMBERS = np.array([[1.0, 3.0], [np.nan, 4.0]])
FORMS = [(NUMBERS, ["had", "price"]), (pa.table(ROWS), None), (pd.DataFrame(ROWS), None)]


@pytest.mark.parametrize(("X", "names"), FORMS, ids=["numbers", "arrow", "pandas"])
def test_a_column_is_the_same_by_name_and_by_place(X, names):
    assert [place_of(X, column, names) for column in ("had", 0, -2, "price", 1)] == [0, 0, 0, 1, 1]
    assert np.array_equal(column_at(X, 0), [1.0, np.nan], equal_nan=True)


@pytest.mark.parametrize(("X", "names"), FORMS, ids=["numbers", "arrow", "pandas"])
@pytest.mark.parametrize("column", ["hadd", 2, -3])
def test_a_column_there_is_none_of_is_refused_with_those_there_are(X, names, column):
    with pytest.raises(LearnerFailed, match=rf"no column {column!r} in what the learner is fed: had, price"):
        place_of(X, column, names)


def test_plain_numbers_without_names_say_how_to_name_them():
    with pytest.raises(LearnerFailed, match="Of plain numbers say its place"):
        place_of(NUMBERS, "had")
