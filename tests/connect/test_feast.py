"""Feast's request and reply, and the files for Feast, without Feast: tests/oracles/test_feast.py asks the real one."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everloop import Model, Source, calendar, days, every
from everloop.connect.feast import repository
from everloop.connect.feast.online import MOST_FEATURES, NAMED, Looked, features_of, reply, stamp, wanted
from everloop.errors import EverloopError, Unknown
from everloop.serving.asks import OnlineFeaturesAsk
from everloop.serving.refused import RefusedError

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
AT = 1_793_620_800_000_000

orders = Source("orders", id="order_id", time="at", columns={"customer_id": str, "shop_no": int, "amount": int, "kind": str, "paid": bool})
payments = Source("payments", id="payment_id", time="at", columns={"amount": int, "card_id": str, "fraud": bool})


def model(name, per="customer_id", **words):
    return Model(
        name,
        **({
            "predicts": orders.none(next=days(28)), "per": per, "asked": every(days(7)), "learner": print, "fed_as": "pandas",
            "knows": [orders.total("amount", last=days(28)).named("spent"), orders.latest("kind").named("kind"), calendar("weekday")],
        } | words),
    )  # fmt: skip


churn = model("churn")
value = model("value", knows=[orders.total("amount", last=days(28)).named("spent"), orders.count(last=days(7)).named("n")])
shop = model("shop", per=("shop_no", "customer_id"), knows=orders.count(last=days(7)).named("n"))
picks = model("picks", predicts=orders.which("kind", next=days(7), most=2), candidates=orders.which("kind", last=days(28), per=()))
fraud = Model(
    "fraud", predicts=payments.outcome("fraud", within=days(30)), per=payments,
    knows=[payments.given("amount"), payments.count(last=days(7), per="card_id").named("n")], learner=print, fed_as="pandas",
)  # fmt: skip
MODELS = {m.name: m for m in (churn, value, shop, picks, fraud)}


def asked(service=None, features=(), full=False, versions=False, **entities):
    return OnlineFeaturesAsk(
        entities=entities,
        feature_service=service,
        features=list(features),
        full_feature_names=full,
        include_feature_view_version_metadata=versions,
    )


def looked(one, **columns):
    """Values and statuses by column; all as of AT."""
    statuses = {name: ["missing" if v is None else "present" for v in values] for name, values in columns.items()}
    return Looked(columns, statuses, {name: [AT] * len(values) for name, values in columns.items()})


# -- what is meant -------------------------------------------------------------------------------------------------------------------


def test_a_feature_service_is_all_a_model_knows():
    [one] = wanted(asked("churn", customer_id=["c1", "c2"]), MODELS)
    assert (one.model, one.features) == (churn, features_of(churn))
    assert one.requests == ({"customer_id": "c1"}, {"customer_id": "c2"})
    assert features_of(churn)[:2] == ("spent", "kind")


def test_features_come_in_the_order_they_are_asked_for_of_several_models():
    one, other = wanted(asked(features=["value:n", "churn:kind", "value:spent"], customer_id=["c1"]), MODELS)
    assert [(w.model.name, w.features) for w in (one, other)] == [("value", ("n", "spent")), ("churn", ("kind",))]


def test_a_service_wins_over_features_as_in_feast():
    [one] = wanted(asked("churn", ["value:n"], customer_id=["c1"]), MODELS)
    assert one.model is churn


def test_each_model_is_asked_by_its_own_entities():
    one, other = wanted(asked(features=["churn:kind", "shop:n"], customer_id=["c1", "c1"], shop_no=[1, 2]), MODELS)
    assert one.requests == ({"customer_id": "c1"},) * 2
    assert other.requests == ({"shop_no": 1, "customer_id": "c1"}, {"shop_no": 2, "customer_id": "c1"})


def test_what_a_row_carries_comes_among_the_entities():
    [one] = wanted(asked("fraud", payment_id=["p1"], amount=[3], card_id=[None]), MODELS)
    assert one.requests == ({"payment_id": "p1", "amount": 3, "card_id": None},)


def test_nobody_asked_about_is_nothing_found():
    [one] = wanted(asked("churn", customer_id=[]), MODELS)
    assert one.requests == ()


@pytest.mark.parametrize(
    ("noun", "words"), [("feature service", {"service": "chrun"}), ("feature view", {"features": ["chrun:spent"]})], ids=["service", "view"]
)
def test_a_name_nobody_knows_is_unknown(noun, words):
    with pytest.raises(Unknown, match=f"There is no {noun} 'chrun'"):
        wanted(asked(**words, customer_id=["c1"]), MODELS)


@pytest.mark.parametrize(
    ("words", "field", "says"),
    [
        ({"features": ["churn:spend"], "customer_id": ["c1"]}, "features[0]", "Did you mean 'spent'"),
        ({"features": ["churn:spent", "spent"], "customer_id": ["c1"]}, "features[1]", "model:feature"),
        ({"customer_id": ["c1"]}, "features", "Nothing is asked for"),
        ({"features": ["churn:spent", "churn:spent"], "customer_id": ["c1"]}, "features", "Ask for it once"),
        ({"features": ["churn:spent", "value:spent"], "customer_id": ["c1"]}, "features", "full_feature_names"),
        ({"service": "picks", "customer_id": ["c1"]}, "feature_service", "answers with a list"),
        ({"service": "churn", "custmer_id": ["c1"]}, "entities.custmer_id", "Did you mean 'customer_id'"),
        ({"service": "churn"}, "entities.customer_id", "is missing"),
        ({"service": "shop", "shop_no": [1, 2], "customer_id": ["c1"]}, "entities", "different lengths"),
        ({"service": "churn", "customer_id": ["c1", 2]}, "entities[1].customer_id", 'Say "2", in quotes'),
        ({"service": "churn", "customer_id": [None]}, "entities[0].customer_id", "null"),
        ({"service": "churn", "customer_id": ["a\x1fb"]}, "entities[0].customer_id", "control character"),
        ({"service": "shop", "shop_no": ["1"], "customer_id": ["c1"]}, "entities[0].shop_no", "whole number"),
        ({"service": "churn", "customer_id": ["c"] * 1_001}, "entities", "at most 1,000"),
        ({"features": ["churn:spent"] * (MOST_FEATURES + 1), "customer_id": ["c1"]}, "features", "at most 1,000"),
    ],
    ids=["feature", "reference", "nothing", "twice", "collision", "list", "entity", "no entity", "lengths", "number", "null", "mark",
         "text", "too many", "too many features"],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_says_where(words, field, says):
    with pytest.raises(RefusedError) as raised:
        wanted(asked(**words), MODELS)
    assert raised.value.field == field
    assert says in raised.value.message
    assert raised.value.status == (413 if "at most" in says else 422)


# -- the reply -----------------------------------------------------------------------------------------------------------------------


def test_entities_come_first_then_features_with_their_instants():
    ask = asked(features=["churn:spent", "churn:kind"], customer_id=["c1", "c2"])
    [one] = wanted(ask, MODELS)
    said = reply(ask, [(one, looked(one, spent=[2.5, None], kind=["a", "b"]))])
    assert said.metadata.feature_names == ["customer_id", "spent", "kind"]
    assert [(v.values, v.statuses, v.event_timestamps[0]) for v in said.results] == [
        (["c1", "c2"], ["PRESENT", "PRESENT"], "1970-01-01T00:00:00Z"),
        ([2.5, None], ["PRESENT", "NULL_VALUE"], "2026-11-02T12:00:00Z"),
        (["a", "b"], ["PRESENT", "PRESENT"], "2026-11-02T12:00:00Z"),
    ]


def test_what_is_not_there_has_no_value_whatever_was_counted():
    ask = asked(features=["value:n"], customer_id=["old", "nobody", "c1"])
    [one] = wanted(ask, MODELS)
    found = replace(looked(one, n=[3.0, 0.0, 0.0]), statuses={"n": ["expired", "unseen", "present"]})
    [_, said] = reply(ask, [(one, found)]).results
    assert said.values == [None, None, 0.0]
    assert said.statuses == ["OUTSIDE_MAX_AGE", "NOT_FOUND", "PRESENT"]
    assert said.event_timestamps == ["2026-11-02T12:00:00Z", "1970-01-01T00:00:00Z", "2026-11-02T12:00:00Z"]


def test_full_names_and_the_views_that_were_read():
    ask = asked(features=["churn:spent", "value:spent"], full=True, versions=True, customer_id=["c1"])
    found = [(one, looked(one, spent=[1.0])) for one in wanted(ask, MODELS)]
    said = reply(ask, found).metadata
    assert said.feature_names == ["customer_id", "churn__spent", "value__spent"]
    assert [view.name for view in said.feature_view_metadata] == ["churn", "value"]


def test_every_status_has_its_name_in_feast():
    assert set(NAMED.values()) == {"PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "NOT_FOUND"}


@pytest.mark.parametrize(("at", "said"), [(AT, "12:00:00Z"), (AT + 1000, "12:00:00.001Z"), (AT + 1, "12:00:00.000001Z")])
def test_instants_have_as_many_digits_as_they_need(at, said):
    assert stamp(at) == f"2026-11-02T{said}"


# -- the feature repository ----------------------------------------------------------------------------------------------------------

FEATURES = ("spent", "kind")
ROWS = pa.table({"moment": [AT, AT + 1], "customer_id": ["c1", 'it\'s "c"'], "shop_no": [1, 2], "spent": [0.1, None], "kind": [None, "a"]})


def calls(text):
    """What a definitions file calls, and whether all else in it are imports, names and constants."""
    tree = ast.parse(text)
    allowed = ast.Module | ast.ImportFrom | ast.alias | ast.Assign | ast.Expr | ast.Call | ast.keyword | ast.Name | ast.Constant | ast.List
    assert all(isinstance(node, allowed | ast.Attribute | ast.Dict | ast.Load | ast.Store) for node in ast.walk(tree))
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_a_repository_has_definitions_rows_and_a_store(tmp_path):
    made = repository.write(tmp_path, shop, ROWS, FEATURES, made_at=NOW)
    assert [path.relative_to(tmp_path).as_posix() for path in made] == [
        "data/everloop_shop.parquet", "everloop_shop.py", "feature_store.yaml",
    ]  # fmt: skip
    table = pq.read_table(made[0])
    assert table.column_names == ["shop_no", "customer_id", "event_timestamp", "created_timestamp", "spent", "kind"]
    assert table["event_timestamp"].to_pylist() == [NOW, NOW + timedelta(microseconds=1)]
    assert table["created_timestamp"].to_pylist() == [NOW, NOW]
    assert (table["spent"].to_pylist(), table["kind"].to_pylist()) == ([0.1, None], [None, "a"])
    assert calls(made[1].read_text()) == {"Entity", "FileSource", "FeatureView", "Field", "FeatureService", "timedelta"}
    assert "ValueType.INT64" in made[1].read_text()


def test_the_same_rows_give_the_same_bytes_and_several_models_share_a_folder(tmp_path):
    first = repository.write(tmp_path, churn, ROWS, FEATURES, made_at=NOW)
    bodies = [path.read_bytes() for path in first]
    parts = pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(1)])
    assert [path.read_bytes() for path in repository.write(tmp_path, churn, parts, FEATURES, made_at=NOW)] == bodies[:2]
    repository.write(tmp_path, value, ROWS, FEATURES, made_at=NOW)
    assert sorted(path.name for path in tmp_path.glob("*.py")) == ["everloop_churn.py", "everloop_value.py"]
    assert list(tmp_path.rglob("*.part")) == []


def test_a_teams_own_files_stay_as_they_are(tmp_path):
    (tmp_path / "feature_store.yaml").write_text("project: ours\n")
    repository.write(tmp_path, churn, ROWS, FEATURES, made_at=NOW)
    assert (tmp_path / "feature_store.yaml").read_text() == "project: ours\n"
    (tmp_path / "everloop_value.py").write_text("view = 1\n")
    with pytest.raises(EverloopError, match=r"everloop_value\.py is there already"):
        repository.write(tmp_path, value, ROWS, FEATURES, made_at=NOW)
    assert not (tmp_path / "data" / "everloop_value.parquet").exists()


def test_a_column_that_is_named_like_the_time_is_refused(tmp_path):
    rows = ROWS.append_column("event_timestamp", [[1.0, 2.0]])
    with pytest.raises(EverloopError, match=r"Say \.named"):
        repository.write(tmp_path, churn, rows, ("event_timestamp",), made_at=NOW)


def test_yes_and_no_are_numbers_as_in_training():
    rows = ROWS.append_column("paid", [[True, None]])
    assert repository.finalized(churn, rows, ("paid",), made_at=NOW)["paid"].to_pylist() == [1.0, None]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(EverloopError, match="Nothing was half-written"):
        repository.write(tmp_path, churn, ROWS, FEATURES, made_at=NOW)
