"""The portable text: on DuckDB it says what the plain reader says, a wrong character is found out, and what it cannot say it refuses."""

from __future__ import annotations

import pickle
import re
from datetime import date, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest
from bench import messy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.laws import test_features_as_of as laws

from everloop import Model, Source, at_least, days, every, hours, minutes, one_of
from everloop.errors import EverloopError, Unknown
from everloop.features import portable_rows, portable_windows
from everloop.features.compile import features
from everloop.features.portable import as_held, carries, portable, tables_for
from everloop.testing.plain import Said, event_table
from everloop.testing.portable import on_duckdb

SMALL = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
EVERYTHING = messy.READINGS + messy.INHERITED
HOUR = 3_600_000_000
#: What the mutants are tried on: sums, joins, distinct values, lifetimes and lists.
TRIED = tuple(r for r in EVERYTHING if r.name not in ("each", "calendar_weekday_hour"))


@pytest.fixture(scope="module")
def mess():
    said = messy.logs(500, 12)
    asked = messy.questions(500, 12, said["sales"])
    return SimpleNamespace(logs=said, tables=messy.tables(said), asked=asked, expected=messy.plainly(EVERYTHING, said, asked))


def said_of(readings, model=messy.model, columns=("shop", "customer"), **words):
    return portable(readings, model=model, carries=dict.fromkeys(columns, "words"), **words)


def test_a_messy_log_is_read_as_the_plain_reader_reads_it(mess):
    found = on_duckdb(EVERYTHING, mess.asked, mess.tables, model=messy.model)
    assert messy.differences(found, mess.expected) == []
    assert found.equals(features(EVERYTHING, mess.asked, mess.tables, model=messy.model))


@pytest.mark.parametrize("until", [-20, 10, 100], ids=["early", "midway", "late"])
def test_what_is_ahead_is_read_as_the_plain_reader_reads_it(mess, until):
    until *= messy.DAY
    found = on_duckdb(messy.AHEAD, mess.asked, mess.tables, model=messy.model, known_at=until)
    assert messy.differences(found, messy.plainly(messy.AHEAD, mess.logs, mess.asked, known_at=until)) == []


@SMALL
@given(laws.histories)
def test_histories_are_read_as_the_plain_reader_reads_them(history):
    logs, asked = history
    found = on_duckdb(laws.READINGS, laws.questions_of(asked), laws.tables_of(logs), model=laws.demand)
    expected = {r.name: [laws.plain(logs, r, laws.keys_at(logs, r, m, u), m) for m, u in asked] for r in laws.READINGS}
    assert messy.differences(found, expected) == []


MUTANTS = [
    (portable_windows, "KNOWN", "(v.known_at - 1)"),
    (portable_windows, "KNOWN", "(v.known_at + 1)"),
    (portable_windows, "KNOWN", "v.event_at"),
    (portable_windows, "STARTS", "{edge} + {hop} - ({stop})"),
    (portable_windows, "STARTS", "v.event_at - ({stop}) - 1"),
    (portable_windows, "ENDS", "{edge} + {hop} - ({start})"),
    (portable_windows, "ENDS", "{edge} + {hop} - ({start}) - 2"),
    (portable_windows, "ENDS", "v.event_at - ({start})"),
    (portable_windows, "SEEN", "p.moment >= {enters} AND p.moment <= {leaves}"),
    (portable_windows, "SEEN", "p.moment > {enters} AND p.moment < {leaves}"),
    (portable_windows, "QUESTION_KIND", 1),
    (portable_windows, "floored", lambda expression, hop: f"({expression} - {expression} % {max(hop, 1)})"),
    (portable_rows, "NEXT_KNOWN", "LEAD(known_at) OVER (PARTITION BY id ORDER BY seq)"),
    (portable_rows, "NEXT_KNOWN", "CAST(NULL AS BIGINT)"),
]


@pytest.mark.parametrize(("module", "name", "mutant"), MUTANTS, ids=[f"{m[1]}-{i}" for i, m in enumerate(MUTANTS)])
def test_one_wrong_character_is_found_out(monkeypatch, mess, module, name, mutant):
    expected = {reading.name: mess.expected[reading.name] for reading in TRIED}
    monkeypatch.setattr(module, name, mutant)
    assert messy.differences(on_duckdb(TRIED, mess.asked, mess.tables, model=messy.model), expected)


# -- the row asked about -------------------------------------------------------------------------------------------------------------

cards = Source("cards", id="card_id", columns={"bank": str})
payments = Source(
    "payments",
    id="payment_id",
    time="paid_at",
    of=cards,
    columns={"card_id": str, "amount": int, "weight": float, "shop": str, "fraud": bool, "born": date},
)
fraud = Model(
    "fraud",
    predicts=payments.outcome("fraud", within=days(30)),
    per=payments,
    knows=payments.count(last=days(1), per="card_id"),
    learner=laws.Learner(),
)
OF_ROWS = [
    *(payments.given(column) for column in ("amount", "weight", "shop", "fraud", "born", "bank")),
    payments.count(last=hours(24), per="card_id"),
    payments.total("weight", per="card_id"),
    payments.distinct("shop", last=hours(24), per="card_id"),
    payments.distinct("shop", per="card_id"),
    payments.latest("amount", per="card_id"),
    payments.latest("shop", last=hours(5), per="card_id"),
    payments.highest("amount", per="card_id"),
    payments.which("shop", per="card_id", most=2),
    payments.count(last=hours(24), per="bank"),
    payments.mean("amount", per=()),
    payments.none(last=minutes(10), per=("card_id", "shop")),
    cards.latest("bank"),
]
rows = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(-60, 60), st.sampled_from([0, 0, 1, HOUR]), st.sampled_from("ab"), st.sampled_from([1, 7, None])
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@SMALL
@given(rows, st.lists(st.tuples(st.integers(0, 7), st.integers(-62, 90), st.sampled_from([-1, 0, 1])), min_size=1, max_size=8))
def test_the_row_asked_about_is_left_out_and_looked_at(made, asked):
    said, version = [], {}
    for number, at, late, card, amount in made:
        version[number] = version.get(number, -1) + 1
        values = {"card_id": card, "amount": amount, "weight": 0.1 * at, "shop": f"s{at % 3}", "fraud": at % 2 == 0, "born": None}
        said.append(Said(f"p{number}", version[number], at * HOUR, at * HOUR + late, values))
    said.sort(key=lambda one: one.known_at)
    known = [Said(card, v, v * 9 * HOUR, v * 9 * HOUR, {"bank": f"{card}{v % 2}"}) for v in range(3) for card in "ab"]
    tables = {"payments": event_table(payments, said), "cards": event_table(cards, known)}
    questions = pa.table({"moment": [at * HOUR + edge for _, at, edge in asked], "row": [f"p{number}" for number, _, _ in asked]})
    questions = questions.append_column("payment_id", questions["row"])
    assert on_duckdb(OF_ROWS, questions, tables, model=fraud).equals(features(OF_ROWS, questions, tables, model=fraud))


@pytest.mark.parametrize("name", ["ANOTHER"])
def test_a_row_that_sees_itself_is_found_out(monkeypatch, name):
    values = {"card_id": "a", "amount": 1, "weight": 0.5, "shop": "s", "fraud": False, "born": None}
    tables = {"payments": event_table(payments, [Said("p1", 0, 0, 0, values)]), "cards": event_table(cards, [])}
    questions = pa.table({"moment": [HOUR], "row": ["p1"], "payment_id": ["p1"]})
    readings = [payments.latest("amount", per="card_id"), payments.count(per="card_id")]
    assert on_duckdb(readings, questions, tables, model=fraud).to_pylist()[0] == {
        r.name: v for r, v in zip(readings, [None, 0.0], strict=True)
    }
    monkeypatch.setattr(portable_windows, name, "1 = 1")
    assert on_duckdb(readings, questions, tables, model=fraud)[readings[0].name].to_pylist() == [1.0]


def test_what_a_request_says_is_taken_as_said():
    tables = {"payments": event_table(payments, []), "cards": event_table(cards, [])}
    said = {
        "amount": [3, None],
        "weight": [float("inf"), -0.0],
        "shop": ["x", None],
        "fraud": [True, None],
        "born": [date(1970, 1, 2), None],
    }
    questions = pa.table({"moment": [0, 0], "payment_id": ["n", "n"], "card_id": ["a", None], **said})
    readings = OF_ROWS[:5]
    found = on_duckdb(readings, questions, tables, model=fraud)
    assert found.equals(features(readings, questions, tables, model=fraud))
    assert [str(value) for value in found.column(1).to_pylist()] == ["None", "0.0"]


def test_what_is_kept_apart_never_meets():
    brands = Source("brands", id="brand_id", apart="tenant", columns={"tenant": str, "name": str})
    lines = Source("lines", id="line_id", time="at", apart="tenant", of=brands, columns={"tenant": str, "buyer": str, "brand_id": str})
    model = Model("m", predicts=lines.none(next=days(1)), per="buyer", asked=every(days(1)), knows=lines.count(), learner=laws.Learner())
    shops = [("x", "b1", "one"), ("y", "b1", "other")]
    known = [Said(f"{tenant}\x1f{brand}", 0, 0, 0, {"tenant": tenant, "brand_id": brand, "name": name}) for tenant, brand, name in shops]
    said = [Said(f"{t}\x1fl{i}", 0, i, i, {"tenant": t, "line_id": f"l{i}", "buyer": "u", "brand_id": "b1"}) for i, t in enumerate("xyyx")]
    tables = {"lines": event_table(lines, said), "brands": event_table(brands, known)}
    readings = [lines.count(), lines.which("name"), lines.latest("brand_id"), lines.count(per="name")]
    questions = pa.table({"moment": [9, 9, 2], "tenant": ["x", "y", "y"], "buyer": ["u", "u", "u"], "name": ["one", "one", "other"]})
    found = on_duckdb(readings, questions, tables, model=model)
    assert found.equals(features(readings, questions, tables, model=model))
    assert found["lines_name_which"].to_pylist() == [["one"], ["other"], ["other"]]


# -- numbers and words ---------------------------------------------------------------------------------------------------------------


def test_decimals_at_their_limits_are_summed_as_finalize_says():
    source = Source("s", id="i", time="at", columns={"k": str, "x": float, "n": int})
    model = Model("m", predicts=source.none(next=days(1)), per="k", asked=every(days(1)), knows=source.count(), learner=laws.Learner())
    decimals = [
        2.0**76,
        -(2.0**76),
        1e23,
        2.0**-100,
        2.0**-101,
        -(2.0**-60),
        5e-324,
        1.7976931348623157e308,
        0.1,
        1 / 3,
        123456789.123456789,
    ]
    log = [Said(f"r{i}", 0, i, i, {"k": "abc"[i % 3], "x": x, "n": 2**63 - 1 - i}) for i, x in enumerate(decimals * 20)]
    readings = [
        source.total("x"),
        source.mean("x"),
        source.highest("x"),
        source.total("n"),
        source.mean("n"),
        source.total("x", last=minutes(1)),
    ]
    questions = pa.table({"moment": [0, 5, 9, 100, 220, 9 * HOUR] * 3, "k": list("aaaaaabbbbbbcccccc")})
    tables = {"s": event_table(source, log)}
    assert on_duckdb(readings, questions, tables, model=model).equals(features(readings, questions, tables, model=model))


def test_names_and_words_that_no_engine_agrees_on_are_never_said():
    source = Source("order", id="group by", time="select", columns={"k": str, 'a"b': str, "Größe`$": int, "K2": str, "k2": str})
    words = ["it's", 'say "x"', "back\\slash", "${env:HOME}", "a\nb", "müsli", "", "--", "/* */"]
    model = Model("m", predicts=source.none(next=days(1)), per="k", asked=every(days(1)), knows=source.count(), learner=laws.Learner())
    log = [Said(f"r{i}", 0, i, i, {"k": "a", 'a"b': word, "Größe`$": i, "K2": "x", "k2": "y"}) for i, word in enumerate(words)]
    readings = [source.where(one_of('a"b', word)).total("Größe`$").named(f"n{i}") for i, word in enumerate(words)]
    readings += [source.which('a"b').named("all"), source.latest("K2"), source.latest("k2"), source.where(at_least("Größe`$", 3)).count()]
    questions, tables = pa.table({"moment": [HOUR], "k": ["a"]}), {"order": event_table(source, log)}
    found = on_duckdb(readings, questions, tables, model=model)
    assert [found[f"n{i}"][0].as_py() for i in range(len(words))] == [float(i) for i in range(len(words))]
    assert found["all"][0].as_py() == list(reversed(words))
    text = portable(readings, model=model, carries=carries(questions.schema)).text
    assert not re.search(r"[`\\$]|Größe", text)
    assert '"' not in re.sub(r"'[^']*'", "", text)


def test_the_text_says_only_what_every_engine_means_the_same_by(mess):
    text = portable(EVERYTHING, model=messy.model, carries=carries(mess.asked.schema)).text
    for word in (
        "ASOF",
        "VARCHAR",
        "FILTER",
        "EXCLUDE",
        "QUALIFY",
        "::",
        "//",
        "TRUNC(",
        "ARG_MAX",
        "UNNEST",
        "BY ALL",
        "HUGEINT",
        '"',
        "`",
    ):
        assert word not in text


def test_what_finishes_the_parts_travels_to_where_they_are(mess):
    said = portable(EVERYTHING, model=messy.model, carries=carries(mess.asked.schema))
    assert pickle.loads(pickle.dumps(said)) == said
    assert said.schema == on_duckdb(EVERYTHING, mess.asked, mess.tables, model=messy.model).schema


def test_rows_come_out_as_they_went_in(mess):
    turned = mess.asked.take(list(reversed(range(mess.asked.num_rows))))
    found = on_duckdb(EVERYTHING[:9], turned, mess.tables, model=messy.model)
    whole = on_duckdb(EVERYTHING[:9], mess.asked, mess.tables, model=messy.model)
    assert found.equals(whole.take(list(reversed(range(mess.asked.num_rows)))))
    assert on_duckdb(EVERYTHING, mess.asked.slice(0, 0), mess.tables, model=messy.model).num_rows == 0


# -- what is refused -----------------------------------------------------------------------------------------------------------------


def test_what_looks_ahead_needs_a_moment_at_which_to_know():
    with pytest.raises(Unknown, match="say known_at="):
        said_of([messy.AHEAD[0]])


def test_how_a_row_ends_up_is_not_said():
    with pytest.raises(Unknown, match=r"'outcome'.*Read it with features\(…\) or truths\(…\)"):
        said_of([fraud.predicts], fraud, ("payment_id", "row"), known_at=0)


def test_what_lasts_and_what_is_cut_into_steps_are_refused():
    offers = Source("offers", id="offer_id", time=["begins", "ends"], columns={"customer": int, "shop": str})
    with pytest.raises(EverloopError, match=r"lasts \(time=\['begins', 'ends'\]\).*Read it with features"):
        said_of([offers.count(last=days(7))])
    with pytest.raises(EverloopError, match=r"cut into steps \(each=\)"):
        said_of([messy.sales.total("weight", next=days(28), each=days(7))], known_at=0)


def test_a_decimal_is_no_key():
    with pytest.raises(EverloopError, match="'customer' is a decimal, and a key has to be the same text everywhere"):
        portable(EVERYTHING[:1], model=messy.model, carries={"shop": "words", "customer": "decimal"})


def test_a_column_nobody_carries_is_named():
    with pytest.raises(Unknown, match=r"no column 'customer' in the questions. There is shop"):
        said_of(EVERYTHING[:1], columns=("shop",))


def test_a_row_nobody_says_is_asked_for():
    with pytest.raises(Unknown, match="have a column 'row' with its id"):
        said_of([payments.given("amount")], fraud, ("payment_id",))


def test_a_number_said_as_text_is_refused():
    with pytest.raises(ValueError, match=r"payments.amount is a number, but the questions say it as text"):
        said_of([payments.given("amount")], fraud, ("payment_id", "amount"))


def test_tables_and_columns_that_are_not_there_are_named(mess):
    said = said_of(EVERYTHING[:2])
    with pytest.raises(Unknown, match="no table of source 'sales'"):
        dict(tables_for(said, mess.asked, {}, model=messy.model))
    with pytest.raises(Unknown, match="no column 'amount' in the table of sales"):
        dict(tables_for(said, mess.asked, {"sales": mess.tables["sales"].drop_columns(["amount"])}, model=messy.model))


def test_columns_are_held_as_the_text_reads_them():
    moments = pa.array([timedelta(days=1)], pa.duration("us")).cast(pa.int64()).cast(pa.timestamp("us", tz="America/New_York"))
    assert as_held(pa.chunked_array([moments]), "instant").to_pylist() == [86_400_000_000]
    assert as_held(pa.chunked_array([pa.array([date(1969, 12, 31)])]), "instant").to_pylist() == [-86_400_000_000]
    assert as_held(pa.chunked_array([pa.array(["a", None]).dictionary_encode()]), "words").to_pylist() == ["a", None]


def test_a_key_that_is_looked_up_in_what_lasts_is_refused():
    offers = Source("offers", id="offer_id", time=["begins", "ends"], columns={"shop": str})
    sales = Source("sales", id="sale_id", time="at", columns={"offer_id": str, "shop": str})
    counted = sales.count(last=days(7), per="shop")
    model = messy.model.but(
        "m", predicts=sales.none(next=days(7), per="offer_id"), per="offer_id", knows=[offers.distinct("shop"), counted]
    )
    with pytest.raises(EverloopError, match=r"lasts \(time=\['begins', 'ends'\]\)"):
        portable([counted], model=model, carries={"offer_id": "words"})
