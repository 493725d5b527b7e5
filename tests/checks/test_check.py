"""Is a snapshot fit to learn from? Every clause, on the rows in force, over all of them and over the newest."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from everloop import Model, Source, always, at_least, at_most, days, every, fresh, hours, money, one_of
from everloop.checks import check
from everloop.checks.columns import column_findings
from everloop.checks.judged import met_by_newest
from everloop.clock import microseconds
from everloop.errors import Unknown
from everloop.records import Snapshot

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
SNAPSHOT = Snapshot(id="s", made_at=NOON, extents=())
ALWAYS = -62_135_596_800_000_000


def learn(rows): ...


def source(*must, columns=None, **words):
    kinds = columns or {"price": money("EUR"), "shop": str, "paid": bool}
    return Source("orders", **({"id": "line_id", "time": "at", "columns": kinds, "must": must} | words))


def model(orders):
    if not orders.time:
        return Model("prices", predicts=orders.outcome("price"), per=orders, knows=orders.given("paid"), learner=learn)
    return Model(
        "demand", predicts=orders.count(next=days(7)), per="shop", asked=every(days(1)), knows=orders.count(last=days(7)), learner=learn
    )


def events(first=1, known_at=NOON - timedelta(hours=1), **columns):
    rows = len(next(iter(columns.values())))
    seq = list(range(first, first + rows))
    own = {
        "seq": seq,
        "id": [f"l{n}" for n in seq],
        "version": [0] * rows,
        "event_at": [0] * rows,
        "known_at": [microseconds(known_at)] * rows,
    }
    own |= {"deleted": [False] * rows, "line_id": [f"l{n}" for n in seq], "at": [0] * rows}
    kinds = {"price": pa.int64(), "shop": pa.string(), "paid": pa.bool_()}
    filled = {name: columns.get(name, [None] * rows) for name in kinds}
    schema = pa.schema([*pa.table(own).schema, *kinds.items()])
    return pa.table(own | filled | {k: v for k, v in columns.items() if k in own}, schema=schema)


def judge(orders, table, **words):
    return check(SNAPSHOT, {"orders": table}, model(orders), now=NOON, id="r", **words)


def only(orders, table, **words):
    (finding,) = judge(orders, table, **words).findings
    return finding


# -- clauses -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clause", "columns", "broken", "rows"),
    [
        (at_least("price", 0), {"price": [1, 0, -1]}, 1, 3),
        (at_most("price", 500), {"price": [500, 501, None]}, 1, 2),
        (at_most("price", 500.5), {"price": [500, 501]}, 1, 2),
        (at_least("price", -(10**30)), {"price": [1]}, 0, 1),
        (always("shop"), {"shop": ["a", None, "b"]}, 1, 3),
        (one_of("shop", "a", "it's"), {"shop": ["a", "it's", "b", None]}, 1, 3),
        (one_of("shop", 1), {"shop": ["1", "2"]}, 1, 2),
        (one_of("paid", True), {"paid": [True, False, None]}, 1, 2),
        (one_of("price", 1, 2.5), {"price": [1, 2]}, 1, 2),
        (one_of("price", "1"), {"price": [1, 2]}, 2, 2),
    ],
)
def test_each_clause_counts_the_rows_that_break_it(clause, columns, broken, rows):
    finding = only(source(clause), events(**columns))
    assert (finding.broken, finding.rows) == (broken, rows)
    assert finding.outcome == ("passed" if broken == 0 else "failed")
    assert finding.clause == repr(clause)


def test_a_share_of_rows_is_enough_where_it_is_said():
    orders = source(at_least("price", 1, share=0.99))
    assert only(orders, events(price=[1] * 99 + [0])).outcome == "passed"
    failed = only(orders, events(price=[1] * 98 + [0] * 2))
    assert (failed.outcome, failed.met, failed.share) == ("failed", 0.98, 0.99)
    assert failed.sentence == "In orders, price is at least 0.01 EUR in 98 % of 100 rows; 99 % are needed."


def test_examples_name_the_row_and_what_it_says_newest_first_and_at_most_five():
    finding = only(source(at_most("price", 100)), events(price=[50, *range(1_00_00, 1_06_00, 1_00)]))
    assert finding.examples == ("l7: 105.00 EUR", "l6: 104.00 EUR", "l5: 103.00 EUR", "l4: 102.00 EUR", "l3: 101.00 EUR")
    assert only(source(always("shop")), events(shop=[None])).examples == ("l1: empty",)


def test_what_is_private_is_not_told():
    table = events(price=[1_00], shop=["anna@example.org"])
    orders = source(one_of("shop", "a"), at_most("price", 0), private=["shop", "line_id"])
    assert [f.examples for f in judge(orders, table).findings] == [("row 1: private",), ("row 1: 1.00 EUR",)]


def test_sentences_can_be_read_aloud():
    table = events(price=[1_00, 2_00], shop=["a", "a"])
    orders = source(at_most("price", 500_00), always("shop"), one_of("shop", "b", "c"), fresh(hours(2)))
    assert [f.sentence for f in judge(orders, table).findings] == [
        "In orders, price is at most 500.00 EUR in all 2 rows.",
        "In orders, shop is there in all 2 rows.",
        "In orders, shop is b or c in 0 % of 2 rows; all are needed.",
        "In orders, the newest row was known 1 hour ago; within 2 hours is needed.",
    ]


# -- which rows --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "v"])
def test_only_the_newest_versions_that_live_are_judged(version):
    orders = source(at_most("price", 10), version=version)
    table = events(
        price=[99, 5, 99, 7, 98], id=["a", "a", "b", "c", "b"], version=[0, 1, 0, 0, 1], deleted=[False, False, False, False, True]
    )
    assert only(orders, table).outcome == "passed"
    assert only(orders, table).rows == 2
    wrong = events(price=[5, 99], id=["a", "a"], version=[1, 0])
    assert only(orders, wrong).outcome == "passed"
    again = events(price=[5, 99], id=["a", "a"], version=[1, 1])
    assert only(orders, again).outcome == "failed"


def test_inherited_columns_are_judged_by_what_the_parent_says_now():
    shops = Source("shops", id="shop", columns={"town": str})
    orders = source(one_of("town", "Ulm"), of=shops)
    table = events(shop=["a", "b", "x"])
    parents = pa.table(
        {"seq": [1, 2, 3], "id": ["a", "b", "b"], "version": [0, 0, 1], "event_at": [0] * 3, "known_at": [0] * 3, "deleted": [False] * 3}
        | {"shop": ["a", "b", "b"], "town": ["Ulm", "Ulm", "Bonn"]}
    )
    tables = {"orders": table, "shops": parents}
    findings = check(SNAPSHOT, tables, model(orders), now=NOON, id="r").findings
    assert [(f.source, f.broken, f.rows, f.examples) for f in findings] == [("orders", 1, 2, ("l2: Bonn",))]


def test_a_source_without_rows_in_force_is_not_enough_evidence():
    orders = source(at_least("price", 0))
    for table, why in ((events(price=[]), "there are none yet"), (events(price=[1, 2], deleted=[True, True]), "all 2 rows are deleted")):
        finding = only(orders, table)
        assert finding.outcome == "not enough evidence"
        assert finding.sentence == f"orders has no rows in force: {why}."
        assert not judge(orders, table).passed


def test_a_source_that_only_voids_truths_may_have_no_rows_yet():
    orders, closed = source(at_least("price", 0)), Source("closed", id="day", time="at", columns={"shop": str})
    said = model(orders)
    tables = {"orders": events(price=[1]), "closed": events(day=[])}
    voided = said.but("demand", void_when=closed.any(next=days(7)))
    report = check(SNAPSHOT, tables, voided, now=NOON, id="r")
    assert report.passed
    assert report.findings[-1].sentence == "closed has no rows in force: there are none yet, so no truth is void."
    learnt = voided.but("demand", knows=[*said.knows, closed.count(last=days(7))])
    assert not check(SNAPSHOT, tables, learnt, now=NOON, id="r").passed


def test_a_column_nobody_says_is_not_enough_evidence():
    finding = only(source(at_least("price", 0)), events(price=[None, None]))
    assert (finding.outcome, finding.met) == ("not enough evidence", None)
    assert "no row says price" in finding.sentence


def test_a_source_without_clauses_passes():
    assert judge(source(), events(price=[1])).passed


def test_a_table_or_a_column_that_was_not_given_is_told():
    orders = source(at_least("price", 0))
    with pytest.raises(Unknown, match="orders"):
        check(SNAPSHOT, {}, model(orders), now=NOON, id="r")
    with pytest.raises(Unknown, match="price"):
        judge(orders, events(price=[1]).drop_columns(["price"]))


def test_the_report_says_what_it_is_about():
    report = judge(source(), events(price=[1]))
    assert (report.id, report.made_at, report.made_from, report.model) == ("r", NOON, ("s",), "demand")


# -- the newest rows ---------------------------------------------------------------------------------------------------------------

CENTS = source(at_most("price", 500_00, share=0.99))


def in_cents_at_last(good=10_000, bad=90):
    return events(price=[20_00] * good + [2_000_00] * bad)


def test_a_bad_delivery_is_found_however_small_it_is():
    table = in_cents_at_last()
    assert only(CENTS, table).outcome == "passed"
    finding = only(CENTS, table, since_seq={"orders": 10_000})
    assert finding.outcome == "failed"
    assert finding.sentence == "In orders, price is at most 500.00 EUR in 0 % of the 90 newest rows; 99 % are needed."
    assert (finding.rows, finding.broken) == (90, 90)


def test_a_judgement_over_all_rows_alone_lets_the_bad_delivery_pass(monkeypatch):
    """The mutant the test above is there for."""
    monkeypatch.setattr("everloop.checks.judged.met_by_newest", lambda *_: True)
    assert only(CENTS, in_cents_at_last(), since_seq={"orders": 10_000}).outcome == "passed"


def test_a_few_newest_rows_may_fall_short_by_chance_and_no_more():
    assert only(CENTS, events(price=[1] * 998 + [9_999_99, 1]), since_seq={"orders": 990}).outcome == "passed"
    assert only(CENTS, events(price=[1] * 990 + [9_999_99] * 3), since_seq={"orders": 985}).outcome == "failed"


def test_luck_is_the_upper_tail_of_the_binomial():
    from scipy.stats import binom

    for rows, share in ((20, 0.99), (200, 0.9), (5000, 0.999), (3, 0.5)):
        for broken in range(min(rows, 60) + 1):
            fair = broken <= rows * (1 - share) or binom.sf(broken - 1, rows, 1 - share) >= 0.001
            assert met_by_newest(rows, broken, share) == fair
    assert not met_by_newest(10**6, 1, 1.0)


def test_the_worse_of_both_is_told():
    old = events(price=[9_999_99] * 50 + [1] * 50)
    whole = only(CENTS, old, since_seq={"orders": 90})
    assert whole.outcome == "failed"
    assert "50 % of 100 rows" in whole.sentence
    newest = only(CENTS, events(price=[1] * 50 + [9_999_99] * 50), since_seq={"orders": 50})
    assert "0 % of the 50 newest rows" in newest.sentence


def test_no_newer_rows_leave_it_at_all_rows():
    assert only(CENTS, events(price=[1] * 5), since_seq={"orders": 5}).outcome == "passed"
    assert only(CENTS, events(price=[1] * 5), since_seq={"other": 1}).outcome == "passed"


# -- freshness ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours_ago", "outcome"), [(1, "passed"), (2, "passed"), (3, "failed")])
def test_freshness_is_when_the_newest_row_was_known(hours_ago, outcome):
    table = events(price=[1], known_at=NOON - timedelta(hours=hours_ago))
    assert only(source(fresh(hours(2))), table).outcome == outcome


def test_rows_known_only_later_make_nothing_fresh():
    table = pa.concat_tables([events(price=[1], known_at=NOON - days(3)), events(2, known_at=NOON + days(1), price=[1])])
    finding = only(source(fresh(hours(2))), table)
    assert finding.outcome == "failed"
    assert "3 days ago" in finding.sentence


def test_an_undated_source_is_fresh_by_its_deliveries():
    orders = source(fresh(hours(2)), time=None)
    table = events(price=[1]).set_column(4, "known_at", pa.array([ALWAYS]))
    assert only(orders, table).outcome == "not enough evidence"
    for arrived, outcome in ((NOON - hours(1), "passed"), (NOON - hours(3), "failed")):
        assert judge(orders, table, deliveries=[Came(1, at=arrived)]).findings[-1].outcome == outcome


# -- columns -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Came:
    number: int
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    source: str = "orders"
    at: datetime = NOON
    first_seq: int = 1
    last_seq: int = 1
    rows: int = 412
    withdrawn_at: datetime | None = None
    singles: bool = False


def columns_of(*deliveries):
    return judge(source(), events(price=[1]), deliveries=deliveries).findings


def test_a_column_that_is_missing_new_or_of_another_type_stops_training():
    (finding,) = columns_of(Came(1), Came(2, missing=("price", "shop"), new=("tip",), retyped=("paid came as string",)))
    assert (finding.outcome, finding.clause, finding.rows) == ("failed", "columns", 412)
    assert finding.sentence == (
        "In orders, the newest delivery (number 2, 412 rows, 2026-11-02 12:00 UTC) did not come as declared: "
        "price and shop are missing, tip is new and paid came as string. "
        "Take it back with everloop withdraw orders 2, and send it as declared."
    )


def test_what_only_an_outcome_reads_may_be_missing_and_nothing_else():
    late = Came(1, missing=("late",))
    assert [f.outcome for f in column_findings(source(), [late], {"late"})] == ["passed"]
    assert [f.outcome for f in column_findings(source(), [late])] == ["failed"]
    (finding,) = column_findings(source(), [Came(1, missing=("late", "price"))], {"late"})
    assert "price is missing" in finding.sentence
    assert "late" not in finding.sentence.partition("declared")[2]


def test_the_newest_delivery_decides():
    bad = Came(1, missing=("price",))
    for after in (Came(2), Came(2, source="other"), Came(2, first_seq=5, last_seq=4), Came(2, singles=True)):
        outcome = "passed" if after == Came(2) else "failed"
        assert [f.outcome for f in columns_of(bad, after)] == [outcome]
    assert columns_of(Came(1), Came(2, missing=("price",), withdrawn_at=NOON))[0].outcome == "passed"
    assert columns_of() == ()


def test_a_bad_file_is_not_made_good_by_the_events_that_follow():
    assert [f.outcome for f in columns_of(Came(1, new=("tip",)), Came(2, singles=True))] == ["failed"]
    assert len(columns_of(Came(1), Came(2, singles=True))) == 1
