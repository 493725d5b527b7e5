"""A predictor asked row by row is timed by rows it answers, never by one it refuses."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from everloop.records import Shape
from everloop.training.by_row import by_row
from everloop.training.feed import Feed
from everloop.training.predictor import Predictor

ROWS = pa.table({"x": [1.0, 2.0], "y": [None, 3.0]})


class Slow:
    """Refuses what is empty at once, as most learners do, and takes its time for everything else."""

    def predict(self, X):
        if np.isnan(X).any():
            raise ValueError("Input contains NaN")
        time.sleep(0.02)
        return X[:, 0]


def predictor(columns=("x",)):
    return Predictor(Shape(kind="number"), Feed(columns), Slow())


def test_one_that_refuses_the_empty_row_is_timed_by_rows_it_answers():
    assert by_row(predictor(), ROWS).seconds > 0.01


def test_one_that_answers_no_row_takes_for_ever():
    assert by_row(predictor()).seconds == float("inf")
    assert by_row(predictor(("y",)), ROWS.slice(0, 1)).seconds == float("inf")


def test_rows_that_lack_a_column_are_no_help():
    assert by_row(predictor(("z",)), ROWS).seconds == float("inf")


def test_it_is_asked_in_the_order_of_its_columns():
    class Sum:
        def predict(self, X):
            return X[:, 0] * 10 + X[:, 1]

    two = by_row(Predictor(Shape(kind="number"), Feed(("b", "a")), Sum()))
    assert (two.columns, two.one([3.0, 4.0])) == (("b", "a"), (34.0, ()))


def test_what_has_neither_rows_nor_a_feed_has_to_be_asked_by_table():
    class Own:
        shape, columns = Shape(kind="number"), ("x",)

        def answer(self, features): ...

    assert by_row(Own()) is None
