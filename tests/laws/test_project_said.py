"""Laws of the words: what is said can be said again, and names stay apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import everloop
from everloop.project.reading import Arithmetic, Reading
from everloop.project.said import Word, said

orders = everloop.Source(
    "orders", id="line_id", time="ordered_at", known="told_at",
    columns={"product_id": str, "reason": str, "quantity": int, "amount": everloop.money("EUR"), "test": bool},
)  # fmt: skip
NAMES = {w: getattr(everloop, w) for w in everloop.__all__ if w != "explain"} | {"datetime": datetime, "date": date, "orders": orders}

spans = st.integers(1, 10**12).map(lambda n: timedelta(microseconds=n)) | st.integers(1, 400).map(everloop.days)
shares = st.floats(0, 1)
values = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(10**9), 10**9)
per = st.none() | st.just(()) | st.sampled_from(["product_id", "reason"]) | st.just(["product_id", "reason"])
rows = st.one_of(
    st.builds(lambda v: everloop.one_of("reason", *v), st.lists(values, min_size=1, max_size=3)),
    st.builds(lambda v: everloop.at_least("quantity", v), numbers),
    st.builds(lambda s: everloop.always("product_id", share=s), shares),
)
sources = st.lists(rows, max_size=2).map(lambda r: orders.where(*r) if r else orders)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    source, window = draw(sources), draw(spans)
    verb = draw(st.sampled_from(["total", "mean", "count", "any", "none", "latest", "given", "outcome", "which", "planned", "distinct"]))
    if verb in ("given", "planned", "outcome"):
        made = getattr(source, verb)("quantity")
    elif verb in ("latest", "which"):
        made = getattr(source, verb)("reason", last=window, per=draw(per))
    else:
        columns = () if verb in ("count", "any", "none") else ("quantity",)
        ahead = draw(st.booleans())
        words = {"next": window} if ahead else {"last": window, "ago": draw(st.none() | spans)}
        made = getattr(source, verb)(*columns, per=draw(per), **words)
    name = draw(st.none() | st.text(min_size=1, max_size=8).filter(str.strip))
    return made.named(name) if name else made


@st.composite
def sums(draw: st.DrawFn) -> Reading | Arithmetic:
    number = readings().filter(lambda r: r.kind in ("number", "yes or no"))
    made: Reading | Arithmetic = draw(number)
    for _ in range(draw(st.integers(0, 3))):
        other = draw(number | numbers)
        left, right = (made, other) if draw(st.booleans()) else (other, made)
        operator = draw(st.sampled_from("+-*/"))
        made = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}[operator](left, right)
        if draw(st.booleans()):
            made = made.named("sum")
    return made


@given(readings() | sums())
def test_a_reading_said_again_is_the_same(reading: Reading | Arithmetic) -> None:
    again = eval(repr(reading), dict(NAMES))
    assert again == reading
    assert again.name == reading.name
    assert hash(again) == hash(reading)


CHANGES = [
    {"last": timedelta(days=401)}, {"next": timedelta(days=401)}, {"ago": timedelta(days=401)}, {"each": timedelta(days=401)},
    {"within": timedelta(days=401)}, {"most": 401}, {"per": ("product_id", "reason", "test")}, {"label": "quite another name"},
    {"source": orders.where(everloop.always("test", share=0.123))}, {"columns": ("amount",)}, {"verb": "highest"},
]  # fmt: skip


@given(readings(), st.sampled_from(CHANGES))
def test_a_reading_that_differs_in_one_word_is_said_and_named_differently(reading: Reading, change: dict[str, Any]) -> None:
    other = replace(reading, **change)
    assert repr(other) != repr(reading)
    assert other != reading
    if reading.label is None and reading.verb != "given":
        assert other.name != reading.name


@given(
    st.one_of(
        rows,
        st.builds(lambda b, c: everloop.beats_champion("wape", by=b, confidence=c), shares, st.floats(0.5, 0.999)),
        st.builds(lambda m: everloop.as_good_as_champion(orders.count(next=everloop.days(1)), margin=m), shares),
        st.builds(lambda r, q: everloop.fair_across(r, on="auc", ratio=q), readings(), shares),
        st.builds(lambda r, p: everloop.drifted(r, psi=p), readings(), st.none() | st.floats(0, 10)),
        st.builds(lambda m, s: everloop.answers_within(ms=m, share=s), st.floats(0, 1e6), shares),
        st.builds(everloop.shadow, spans),
        st.builds(lambda s, e: everloop.canary(*sorted(s), every=e), st.sets(st.floats(0.001, 1), min_size=1, max_size=4), spans),
        st.builds(lambda s, w: everloop.ab(s, wins_when=everloop.beats_champion(), within=w), st.floats(0.01, 1), spans),
        st.builds(
            lambda f, w: everloop.bandit(f, wins_when=everloop.beats_champion(orders.any(next=everloop.days(1))), within=w),
            st.floats(0.01, 0.5),
            spans,
        ),
        st.builds(lambda n, z: everloop.every(n, at="02:00", zone=z), spans, st.sampled_from(["UTC", "Europe/Berlin"])),
        st.builds(lambda m: everloop.cost(missed=m, false_alarm=3), readings()),
        st.builds(lambda v: everloop.search(3, depth=(1, 9), kind=v), st.lists(values, min_size=1)),
        st.builds(lambda q: everloop.quantiles(*sorted(q)), st.sets(st.floats(0.001, 0.999), min_size=1, max_size=5)),
    )
)
def test_a_condition_said_again_is_the_same(word: Word) -> None:
    again = eval(repr(word), dict(NAMES))
    assert again == word
    assert hash(again) == hash(word)


@given(spans)
def test_a_span_said_again_is_the_same(span: timedelta) -> None:
    assert eval(said(span), dict(NAMES)) == span
