"""Spans and ids: nothing is told where nobody collects, and what happens in a thread is known by the ids of who asked for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.spans import Asked, about, asked_now, carried, collected, ids, learnt, span, trace_of


class Heard:
    """A collector that remembers what it was told."""

    def __init__(self):
        self.said, self.under_way = [], []

    @contextmanager
    def begin(self, name, facts, trace):
        self.said.append((name, dict(facts), trace))
        self.under_way.append(name)
        try:
            yield
        finally:
            self.under_way.pop()

    def learn(self, facts):
        self.said.append((self.under_way[-1], dict(facts), "learnt"))

    def now(self):
        return {"trace_id": "t", "span_id": self.under_way[-1]} if self.under_way else {}


def test_a_collector_is_told_of_spans_and_their_facts_only_while_it_collects():
    heard = Heard()
    with span("before"):
        learnt(nobody="hears it")
    with collected(heard), span("turn", trace="ab", model="demand"):
        learnt(action="hold")
        assert ids() == {"trace_id": "t", "span_id": "turn"}
    with span("afterwards"):
        assert ids() == {}
    assert heard.said == [("turn", {"model": "demand"}, "ab"), ("turn", {"action": "hold"}, "learnt")]


def test_collectors_are_put_back_as_they_were_even_where_something_is_raised():
    outer, inner = Heard(), Heard()
    with collected(outer):
        with pytest.raises(ZeroDivisionError), collected(inner):
            1 / 0
        with span("outer"):
            pass
    assert (len(outer.said), inner.said) == (1, [])


def test_work_for_another_thread_takes_its_ids_along_and_leaves_none_there():
    with ThreadPoolExecutor(1) as pool:
        with about(turn_id="41c9", model="demand"), about(step="train"):
            known = pool.submit(carried(ids)).result()
            assert pool.submit(ids).result() == {}, "work that is not carried knows nothing"
        assert pool.submit(ids).result() == ids() == {}
    assert known == {"turn_id": "41c9", "model": "demand", "step": "train"}


def test_a_request_without_an_id_gets_one_that_stays():
    asked = Asked([(b"host", b"localhost")])
    assert asked.id == asked.id != Asked([]).id
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asked_now(asked)).result()
        assert pool.submit(ids).result() == {"request_id": asked.id}


@given(st.binary(max_size=80))
def test_whatever_a_sender_calls_a_request_its_id_is_short_and_harmless(said):
    found = Asked([(b"x-request-id", said)]).id
    assert 1 <= len(found) <= 64
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")


def test_the_trace_of_a_turn_is_its_own_and_always_the_same():
    assert trace_of("a") == trace_of("a") != trace_of("b")
    assert len(trace_of("a")) == 32
    assert int(trace_of("a"), 16)
