"""The domain classifier sees what single columns cannot show, and nothing where there is nothing."""

import numpy as np

from everloop.stats.domain import told_apart


def test_two_columns_that_come_apart_are_seen_though_each_stays_as_it_was():
    rng = np.random.default_rng(5)
    one = rng.normal(0, 1, 300)
    together, apart = np.column_stack([one, one + rng.normal(0, 0.2, 300)]), rng.normal(0, 1, (300, 2))
    found = told_apart(together, apart)
    assert found.auc > 0.7
    assert found.p < 0.01


def test_few_rows_and_no_columns_say_nothing():
    assert told_apart(np.zeros((99, 1)), np.zeros((200, 1))) is None
    assert told_apart(np.zeros((200, 0)), np.zeros((200, 0))) is None
