"""Contracts: what must= says goes out as ODCS and comes back as the same judgement; what cannot be judged is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
import yaml

from everloop import Source, always, at_least, at_most, fresh, hours, money, one_of, unit
from everloop.checks.rules import Rule, follow
from everloop.connect import odcs
from everloop.connect.odcs_terms import Lacking, Refused
from everloop.errors import EverloopError

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"sku": str, "quantity": int, "price": money("EUR"), "weight": unit("kg"), "channel": str, "mail": str},
    must=[
        always("sku"),
        always("mail", share=0.5),
        at_least("quantity", 1, share=0.75),
        at_most("price", 500),
        one_of("channel", "shop", "web"),
        fresh(hours(36)),
    ],
)
GOOD = {"sku": "a", "quantity": 1, "price": 5, "weight": 1.0, "channel": "web", "mail": "x@y.z"}


def table(*rows):
    at = int((NOW.timestamp() - 3600) * 1e6)
    filled = [GOOD | row for row in rows]
    columns = {name: [row[name] for row in filled] for name in GOOD}
    ids = [row.get("line_id", f"l{i}") for i, row in enumerate(filled)]
    count = len(filled)
    given = {"seq": range(1, count + 1), "id": ids, "version": [0] * count, "event_at": [at] * count, "known_at": [at] * count}
    return pa.table({**given, "deleted": [False] * count, "line_id": ids, "ordered_at": [at] * count, **columns})


def judged(text, *rows, source=orders):
    """What a contract says of rows: the clauses that do not hold, and what is refused."""
    terms = odcs.read(text, {source.name: source}).terms
    rules = [t for t in terms if not isinstance(t, Refused | Lacking)]
    found = follow(rules, {source.name: source}, {source.name: table(*rows)}, now=NOW)
    return {f.clause for f in found if f.outcome != "passed"}, [t for t in terms if isinstance(t, Refused | Lacking)]


def contract(properties=(), quality=(), sla=(), **said):
    table = {"name": "orders", "properties": list(properties), "quality": list(quality)}
    return yaml.safe_dump(
        {"kind": "DataContract", "apiVersion": "v3.1.0", "id": "c", "name": "c", "version": "1", "status": "active", "schema": [table]}
        | ({"slaProperties": list(sla)} if sla else {})
        | said
    )


def test_what_must_says_goes_out_and_comes_back_as_the_same_judgement():
    text = odcs.write("shop", [orders])
    fine = [{}, {"mail": None}]
    assert judged(text, *fine) == (set(), [])
    wrong = {
        "sku.required": [{"sku": None}],
        "mail.quality[0] (nullValues)": [{"mail": None}, {"mail": None}, {}],
        "quantity.quality[0] (at_least('quantity', 1, share=0.75))": [{"quantity": 0}, {}],
        "price.maximum": [{"price": 501}],
        "channel.quality[0] (invalidValues)": [{"channel": "fax"}],
    }
    for clause, rows in wrong.items():
        assert judged(text, *rows)[0] == {clause}
    assert judged(text, {"quantity": 0}, {}, {}, {})[0] == set()


def test_rows_that_are_stale_or_come_twice_break_it():
    text = odcs.write("shop", [orders])
    terms = [t for t in odcs.read(text, {"orders": orders}).terms if not isinstance(t, Refused | Lacking)]
    late = datetime(2026, 11, 9, tzinfo=UTC)
    assert [f.clause for f in follow(terms, {"orders": orders}, {"orders": table({})}, now=late) if f.outcome == "failed"] == [
        repr(fresh(hours(36)))
    ]
    unlike = contract([{"name": "sku", "unique": True}])
    assert judged(unlike, {}, {"sku": "b"})[0] == set()
    assert judged(unlike, {}, {})[0] == {"sku.unique"}


@pytest.mark.parametrize(
    ("property", "good", "bad"),
    [
        ({"name": "sku", "logicalTypeOptions": {"pattern": "^[a-z]+$"}}, "ab", "A1"),
        ({"name": "sku", "logicalTypeOptions": {"minLength": 2, "maxLength": 3}}, "ab", "abcd"),
        ({"name": "mail", "logicalTypeOptions": {"format": "email"}}, "a@b.c", "nobody"),
        ({"name": "price", "logicalTypeOptions": {"exclusiveMinimum": 3}}, 4, 3),
        ({"name": "price", "logicalTypeOptions": {"minimum": 3, "exclusiveMinimum": True}}, 4, 3),
        ({"name": "quantity", "logicalTypeOptions": {"multipleOf": 3}}, 6, 7),
        ({"name": "channel", "enum": [{"value": "web"}, {"value": "it's"}]}, "it's", "fax"),
        ({"name": "quantity", "quality": [{"metric": "invalidValues", "arguments": {"validValues": [1, 2]}, "mustBe": 0}]}, 2, 3),
        ({"name": "sku", "quality": [{"rule": "duplicateValues", "mustBeLessThan": 1}]}, "b", "a"),
        ({"name": "sku", "quality": [{"metric": "missingValues", "arguments": {"missingValues": ["n/a"]}, "mustBe": 0}]}, "b", "n/a"),
    ],
)  # fmt: skip
def test_each_term_tells_good_rows_from_bad(property, good, bad):
    name = property["name"]
    first = {} if name != "sku" else {"sku": "a" if "quality" in property else "ab"}
    base = {"price": 4, "quantity": 6, "channel": "web"} if "validValues" not in str(property) else {}
    assert judged(contract([property]), base | first, base | {name: good})[0] == set()
    assert len(judged(contract([property]), base | first, base | {name: bad})[0]) == 1
    # An empty value neither meets nor breaks a bound; that it must be there is another term.
    assert bool(judged(contract([property]), base | first, base | {name: None})[0]) == ("missingValues" in str(property))


def test_counts_and_shares_are_held_to_their_limits():
    rows = [{"sku": None}] * 2 + [{}] * 8
    null = {"type": "library", "metric": "nullValues"}
    for limit, holds in (
        ({"mustBeLessThan": 3}, True), ({"mustBeLessThan": 2}, False), ({"mustBe": 2}, True), ({"mustNotBe": 2}, False),
        ({"mustBeBetween": [1, 2]}, True), ({"mustNotBeBetween": [1, 2]}, False), ({"unit": "percent", "mustBeLessOrEqualTo": 20}, True),
        ({"unit": "percent", "mustBeLessThan": 20}, False),
    ):  # fmt: skip
        assert (not judged(contract([{"name": "sku", "quality": [null | limit]}]), *rows)[0]) == holds, limit
    count = {"type": "library", "metric": "rowCount"}
    assert judged(contract(quality=[count | {"mustBeGreaterThan": 9}]), *rows)[0] == set()
    assert judged(contract(quality=[count | {"mustBeGreaterThan": 10}]), *rows)[0] == {"quality[0] (rowCount)"}


def test_what_cannot_be_judged_is_named_and_never_passed_over():
    text = contract(
        [
            {"name": "sku", "quality": [{"type": "sql", "query": "SELECT 1", "mustBe": 0}, {"type": "text", "description": "be good"}]},
            {"name": "price", "logicalTypeOptions": {"pattern": "x"}},
            {"name": "colour", "required": True},
            {"name": "channel", "logicalType": "integer"},
            {"name": "mail", "logicalTypeOptions": {"pattern": "(?<=x)y"}},
        ],
        [{"type": "custom", "engine": "soda", "implementation": "x"}, {"metric": "rowCount", "unit": "percent", "mustBe": 1}],
        [{"property": "retention", "value": 3, "unit": "y"}, {"property": "freshness", "value": "soon"}],
    )
    _, told = judged(text, {})
    assert [t.clause for t in told if isinstance(t, Lacking)] == ["colour", "channel.logicalType"]
    assert [t.clause for t in told if isinstance(t, Refused)] == [
        "sku.quality[0] (sql)", "sku.quality[1] (text)", "price.pattern", "mail.pattern", "quality[0] (custom)", "quality[1] (rowCount)",
        "slaProperties.retention", "slaProperties.freshness",
    ]  # fmt: skip
    nobody = odcs.read(contract(), {"lines": orders}).terms
    assert [str(t) for t in nobody] == ["orders: everything is not judged here: the project declares no such source."]


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "kind: DataContract", "- 1", "kind: Other\napiVersion: v3.1.0", contract(schema=[]), contract(apiVersion="v2.2.0"), "\0"],
)
def test_what_is_no_contract_is_refused_in_a_sentence(text):
    with pytest.raises(EverloopError, match=r"contract\.yaml (is no|has no)"):
        odcs.read(text, {"orders": orders})


HEAD = "kind: DataContract\napiVersion: v3.1.0\nid: x\nname: x\nversion: 1.0.0\nstatus: active\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty. It begins with kind: DataContract."),
        ("5", "it is a int, not a table of words."),
        (f"{HEAD}{BOMB}schema: *a8\n", "its aliases make more than 1,000,000 words of it."),
        (f"{HEAD}schema: &a\n  - name: orders\n    properties: *a\n", "its aliases make more than 1,000,000 words of it."),
        (f"{HEAD}schema: {'[' * 2000}{']' * 2000}", "it is nested too deeply."),
        (f"{HEAD}schema:\n  - name: orders\n    properties:\n      - {{name: a, logicalType: [1]}}\n", "0.logicalType: Input"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("kind: DataContract\napiVersion: v2.2.0\n", "It takes kind: DataContract and apiVersion: v3.0.0 or newer."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_in_a_line_however_hostile_it_is(text, said):
    with pytest.raises(EverloopError) as wrong:
        odcs.read(text, {"orders": orders})
    assert said in str(wrong.value)
    assert len(str(wrong.value)) < 400
    assert "\n" not in str(wrong.value)


def test_a_type_the_standard_does_not_know_is_named_and_not_passed_over():
    text = f"{HEAD}schema:\n  - name: orders\n    properties:\n      - {{name: sku, logicalType: quaternion}}\n"
    assert [str(t) for t in odcs.read(text, {"orders": orders}).terms] == [
        "orders: sku.logicalType is not judged here: no column here is of a type 'quaternion'."
    ]


def test_what_is_suggested_holds_for_the_rows_it_was_made_of_and_not_for_others():
    plain = Source("orders", id="line_id", time="ordered_at", columns=orders.columns)
    habit = odcs.Habit(rows=2, empty={"sku": 0.0, "mail": 0.5}, bounds={"price": (2.0, 9.0)}, values={"channel": ["web"]}, silent=hours(30))
    text = odcs.write("shop", [plain], {"orders": habit})
    assert judged(text, {}, {"mail": None}, source=plain) == (set(), [])
    assert judged(text, {"sku": None, "price": 90, "channel": "fax"}, {"price": -1}, source=plain)[0] == {
        "sku.required", "price.maximum", "price.minimum", "channel.quality[0] (invalidValues)",
    }  # fmt: skip
    assert any(isinstance(t, Rule) and t.test is None for t in odcs.read(text, {"orders": plain}).terms)
