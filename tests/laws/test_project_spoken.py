"""What is said of any value: no digit is lost that was declared, nothing is everything that is not, and no blank is said twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.project.spoken import spoken_list, spoken_money, spoken_number, spoken_share, spoken_span
from everloop.project.spoken_values import plural, singular, spoken_column, spoken_every, spoken_window

SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000))
WORDS = st.text(st.characters(categories=["Ll"], max_codepoint=0x17F), min_size=1, max_size=9)


def clean(sentence: str) -> bool:
    return bool(sentence) and "  " not in sentence and sentence == sentence.strip()


@given(SPANS)
def test_a_span_can_be_read_back(span: timedelta) -> None:
    lengths = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1), "second": timedelta(seconds=1)}
    said = spoken_span(span)
    back = timedelta(0)
    for part in [] if said == "no time" else said.replace(" and ", ", ").split(", "):
        count, noun = part.split(" ")
        length = lengths[noun.removesuffix("s")] // timedelta(microseconds=1)
        back += timedelta(microseconds=int(Decimal(count.replace(",", "")) * length))
    assert clean(said)
    assert back == span


@given(st.lists(SPANS.filter(bool), min_size=1, max_size=4))
def test_windows_and_clocks_are_said_cleanly(spans: list[timedelta]) -> None:
    assert clean(spoken_window(spans))
    assert clean(spoken_every(spans[0]))
    assert not spoken_window(spans[:1]).startswith("1 ")


@given(st.integers(0, 10**6))
def test_a_share_declared_with_few_digits_is_said_exactly(millionths: int) -> None:
    said = spoken_share(millionths / 10**6)
    assert clean(said)
    assert Decimal(said.removesuffix(" %")) * 10**4 == millionths


@given(st.floats(0, 1) | st.floats(0, 1e-4).map(lambda missing: 1 - missing))
def test_a_share_that_is_not_everything_is_never_said_as_everything_nor_nothing(share: float) -> None:
    said = spoken_share(share)
    assert clean(said)
    assert (said == "100 %") == (share == 1)
    assert (said == "0 %") == (share == 0)


@given(st.integers(-(10**24), 10**24), st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)]))
def test_money_keeps_every_minor_unit_and_the_decimals_of_its_currency(minor: int, currency: tuple[str, int]) -> None:
    code, decimals = currency
    amount, said_code = spoken_money(minor, code).split(" ")
    assert said_code == code
    assert len(amount.partition(".")[2]) == decimals
    assert int(amount.replace(",", "").replace(".", "")) == minor


@pytest.mark.parametrize(("minor", "currency", "said"), [
    (0, "USD", "0.00 USD"), (1, "EUR", "0.01 EUR"), (500, "JPY", "500 JPY"), (1_500, "KWD", "1.500 KWD"),
    (-1_234_567, "EUR", "-12,345.67 EUR"), (0.5, "JPY", "0.5 JPY"), (0.99999, "EUR", "0.01 EUR"), (1250.25, "EUR", "12.5025 EUR"),
    (float("nan"), "EUR", "an unknown amount of EUR"),
])  # fmt: skip
def test_money_is_said_in_major_units(minor: float, currency: str, said: str) -> None:
    assert spoken_money(minor, currency) == said


@given(st.one_of(st.integers(), st.floats(), st.booleans(), WORDS))
def test_any_value_is_said_cleanly(value: object) -> None:
    assert clean(spoken_number(value))


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_a_list_says_each_word_once_and_and_once(words: list[str]) -> None:
    assert spoken_list(words).replace(", ", " and ").split(" and ") == words


@given(WORDS)
def test_nouns_are_never_empty_and_said_cleanly(word: str) -> None:
    assert all(map(clean, (plural(word), singular(word), spoken_column(word), spoken_column(f"{word}__{word}_id"))))


@given(st.sampled_from(["order", "category", "box", "branch", "address", "day", "house", "card", "stock", "person", "order line", "visit"]))
def test_one_of_many_is_one(noun: str) -> None:
    assert singular(plural(noun)) == noun
