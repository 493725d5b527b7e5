"""How sure versions are of their answers, in the line of status: a plain sentence, and nothing of a few."""

from types import SimpleNamespace

from everloop.loop.look import _confidence
from everloop.records import Confidence, Signals
from tests.loop.houses import NOW


def said(*rows):
    sure = tuple(Confidence(version=f"v{n}", at=NOW, mean=0.551, rows=n) for n in rows)
    look = Signals(id="look", made_at=NOW, model="late", until=NOW, signals=(), confidence=sure)
    house = SimpleNamespace(journal=SimpleNamespace(read=lambda **_: [SimpleNamespace(record=look)]))
    return _confidence(house, SimpleNamespace(name="late"), lambda version: f"late@{version[1:]}")


def test_of_fewer_than_twenty_answers_nothing_is_said():
    assert said(1) is None
    assert said(19, 20) == "late@20 was on average 55.1 % sure of its 20 newest answers"
