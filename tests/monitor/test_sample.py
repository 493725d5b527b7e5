"""Samples that add up, and rows as numbers."""

from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa

from everloop.monitor.sample import MOST, as_matrix, sample
from everloop.monitor.spec import describe


def test_samples_of_parts_are_the_sample_of_the_whole_in_any_order_and_a_key_counts_once():
    keys, rows = [f"k{i}" for i in range(3 * MOST)], pa.table({"x": np.arange(3.0 * MOST)})
    whole = sample(keys, rows)
    order = np.random.default_rng(2).permutation(3 * MOST)
    parts = [sample([keys[i] for i in part], rows.take(pa.array(part))) for part in np.array_split(order, 5)]
    again = reduce(add, [*parts, parts[0]])
    assert len(whole.rows) == MOST
    assert again.rows.equals(whole.rows)


def test_rows_become_numbers_and_what_is_empty_or_missing_nan():
    table = pa.table({"x": [1.0, None], "k": ["a", "new"]})
    spec = describe(pa.table({"x": [1.0], "k": ["a"], "gone": [1.0]}))
    found = as_matrix(spec, table, ["x", "k", "gone"])
    np.testing.assert_array_equal(found, [[1, 3, np.nan], [np.nan, 1, np.nan]])
