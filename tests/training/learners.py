"""Learners for the tests of this folder: some work, some fail in every way a learner can. In a module, so that children find them."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from everloop.errors import Unknown


class Mean:
    """Answers the mean truth."""

    def fit(self, X, y):
        self.mean = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean)


class Running:
    """A mean that can go on."""

    total = 0.0
    count = 0

    def partial_fit(self, X, y):
        self.total, self.count = self.total + float(y.sum()), self.count + len(y)
        return self

    fit = partial_fit

    def predict(self, X):
        return np.full(len(X), self.total / self.count)


class Answers(Mean):
    """Answers whatever it is made with."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, X):
        return np.full(len(X), self.answer, dtype=float)


class TooFew(Mean):
    def predict(self, X):
        return super().predict(X)[1:]


class Raises(Mean):
    def fit(self, X, y):
        raise ZeroDivisionError("there is no luck in it")


class Chancy(Mean):
    """Answers otherwise each time."""

    def predict(self, X):
        return np.random.default_rng().normal(size=len(X))


def learn(rows):
    """A function learner: the mean, shifted by its seed."""
    made = Answers(float(np.mean(rows.y)) + rows.seed)
    made.told = (rows.names, len(rows.moments), len(rows.units), dict(rows.settings), rows.champion is not None)
    return made


def learns_nothing(rows):
    return 3


RAN = []


def remember():
    RAN.append(1)


def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def leaves():
    os._exit(3)


def raises(what):
    raise ValueError(what)


def raises_unknown():
    raise Unknown("model", "x", ["y"])


def double(x):
    return 2 * x


def waits():
    time.sleep(60)


def gives_a_lambda():
    return lambda: 1


def lightgbm_on_dictionaries():
    import lightgbm
    import pyarrow as pa

    table = pa.table({"kind": pa.array(["x", "y"] * 50).dictionary_encode()})
    lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(table, [1.0, 2.0] * 50)


def holds_the_interpreter(path):
    """Says who it is, then holds the interpreter's lock for ever."""
    import re

    with open(path + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".new", path)
    re.match(r"(a+)+$", "a" * 60 + "b")
