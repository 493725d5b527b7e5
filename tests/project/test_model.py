"""What follows from the words of a model: unit, request, shape, maturity, columns, baseline, and what cannot turn yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from everloop import (
    Model,
    Source,
    answers_within,
    at_least,
    beats_champion,
    calendar,
    canary,
    days,
    drifted,
    every,
    explain,
    hours,
    money,
    new_truths,
    one_of,
    only_new,
    quantiles,
    search,
    shadow,
    since_change,
    slipped,
    worse_than_champion,
)
from everloop.errors import NotBuilt, ProjectError
from everloop.project.unbuilt import require_built
from everloop.records import Shape

orders = Source(
    "orders", id="order_id", time="ordered_at", columns={"customer_id": str, "amount": money("EUR"), "paid": bool, "channel": str}
)


class Learner:
    def fit(self, rows: object, truth: object) -> Learner:
        return self

    def predict(self, rows: object) -> object:
        return rows


class Learning(Learner):
    def partial_fit(self, rows: object, truth: object) -> Learning:
        return self


def model(**words: object) -> Model:
    usual = {
        "predicts": orders.none(next=days(28)), "per": "customer_id", "asked": every(days(7)), "knows": orders.count(last=days(28)),
        "learner": Learner(),
    }  # fmt: skip
    return Model("churn", **(usual | words))  # type: ignore[arg-type]


def test_the_smallest_file_has_every_condition_by_default() -> None:
    churn = model()
    assert churn.promote_when == (beats_champion(),)
    assert churn.roll_out == (shadow(hours(6)), canary(0.05, 0.25, every=hours(6)))
    assert churn.roll_back_when == (worse_than_champion(),)
    assert churn.retrain_when == (drifted(), slipped())
    assert churn.tell_when == churn.among == churn.tags == ()
    assert churn.autonomy == {"retrain": "suggest", "promote": "suggest", "roll_back": "suggest"}
    assert churn.fed_as == "numbers"
    assert churn.not_yet == ()


def test_the_file_of_the_house_says_everything_and_can_turn() -> None:
    lines = Source(
        "orders", id="line_id", time="ordered_at", late=hours(6), columns={"product_id": str, "quantity": int, "price": money("EUR")},
        must=[at_least("quantity", 1, share=0.99), at_least("price", 0)],
    )  # fmt: skip
    demand = Model(
        "demand",
        predicts=lines.total("quantity", next=days(7)),
        per="product_id",
        asked=every(days(1), at="00:00", zone="Europe/Berlin"),
        knows=[lines.total("quantity", last=[days(7), days(28), days(56)]), lines.latest("price")],
        learner=Learner(),
        learns_from=days(365),
        promote_when=[beats_champion("wape", by=0.02), answers_within(ms=30)],
        roll_out=[shadow(hours(6)), canary(0.05, 0.25, 0.5, every=days(2))],
        roll_back_when=worse_than_champion("wape", by=0.10),
        retrain_when=[drifted(), slipped("wape", by=0.10), new_truths(10_000), every(days(7))],
    )
    assert demand.columns == (
        "orders_quantity_total_last_7d", "orders_quantity_total_last_28d", "orders_quantity_total_last_56d", "orders_price_latest",
    )  # fmt: skip
    assert demand.matures_after == days(7) + hours(6)
    assert demand.baseline_reading == lines.total("quantity", last=days(7))
    require_built(demand)


FOLLOWS: dict[str, dict[str, object]] = {
    "demand": {
        "unit": ("product_id",), "request": ("product_id",), "kind": "quantiles", "metric": "pinball", "matures_after": days(7) + hours(6),
        "shape": Shape(kind="quantiles", levels=(0.1, 0.5, 0.9), steps=7), "steps": 7,
    },
    "recommend": {
        "unit": ("customer_id",), "request": ("customer_id",), "kind": "ranking", "metric": "ndcg", "matures_after": days(8),
        "shape": Shape(kind="ranking", most=10),
    },
    "churn": {
        "unit": ("customer_id",), "request": ("customer_id",), "metric": "auc", "matures_after": days(30),
        "shape": Shape(kind="chance", labels=("no", "yes"), yes_above=0.5),
    },
    "fraud": {
        "unit": ("payment_id",), "request": ("payment_id", "card_id", "merchant_id", "amount", "abroad", "online"), "kind": "chance",
        "matures_after": days(65), "baseline_reading": None,
    },
    "houses": {
        "unit": ("house_id",), "request": ("house_id", "area", "plot", "rooms", "built", "zip", "heating", "advert"), "kind": "number",
        "metric": "wape", "matures_after": timedelta(0), "columns": ("area", "plot", "rooms", "built", "zip", "heating", "advert"),
    },
    "clicks": {
        "unit": ("impression_id",), "request": ("impression_id", "product_id", "visitor_id", "position", "mobile"), "kind": "chance",
        "matures_after": timedelta(minutes=35),
    },
    "own_table": {
        "unit": ("loan_id",), "kind": "chance", "matures_after": days(190), "not_yet": (),
        "request": ("loan_id", "income", "debt", "employed_months", "utilisation", "inquiries_6m", "home", "purpose", "region"),
    },
    "many_shops": {"unit": ("shop", "product_id"), "request": ("shop", "product_id"), "kind": "number", "matures_after": days(8)},
}  # fmt: skip

SOURCES = {
    "demand": "orders products promotions stockouts", "recommend": "orders products views stock", "churn": "orders customers",
    "fraud": "payments chargebacks refusals", "houses": "houses", "clicks": "impressions products clicks orders", "own_table": "loans",
    "many_shops": "order_lines products stockouts",
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWS)
def test_what_follows_from_the_eight_files(load: Callable[[str], ModuleType], name: str) -> None:
    first = next(m for m in vars(load(name)).values() if isinstance(m, Model))
    assert {word: getattr(first, word) for word in FOLLOWS[name]} == FOLLOWS[name]
    assert " ".join(s.name for s in first.sources) == SOURCES[name]


def test_a_list_is_answered_at_first_by_what_each_had_most(load: Callable[[str], ModuleType]) -> None:
    project = load("recommend")
    assert project.recommend.baseline_reading == project.orders.which("product_id", most=10)


def test_a_path_is_answered_at_first_by_the_past_step_by_step(load: Callable[[str], ModuleType]) -> None:
    baseline = load("demand").demand.baseline_reading
    assert repr(baseline) == "orders.total('quantity', last=days(7), each=days(1))"


def test_a_baseline_that_is_said_is_kept(load: Callable[[str], ModuleType]) -> None:
    shops = load("many_shops")
    assert shops.in_each_shop.leans_on is shops.everywhere
    assert shops.in_each_shop.baseline_reading == shops.everywhere.baseline_reading != None  # noqa: E711
    assert shops.everywhere.leans_on is None
    assert model(baseline=orders.none(last=days(7))).baseline_reading == orders.none(last=days(7))


def test_whose_rows_a_reading_takes(load: Callable[[str], ModuleType]) -> None:
    clicks = load("clicks")
    keys = [clicks.clicked.keys(r) for r in clicks.clicked.knows if hasattr(r, "verb")]
    assert keys == [("impression_id",)] * 2 + [("product_id",)] * 2 + [("visitor_id", "category")]
    shops = load("many_shops")
    assert [shops.everywhere.keys(r) for r in shops.everywhere.knows[3:5]] == [("shop", "product_type"), ("shop",)]


def test_kinds_follow_from_the_truth() -> None:
    rows = {"per": orders, "asked": None, "knows": orders.given("amount")}
    assert model(**rows, predicts=orders.outcome("paid")).shape == Shape(kind="chance", labels=("no", "yes"))
    assert model(**rows, predicts=orders.outcome("channel")).shape == Shape(kind="shares")
    assert model(**(rows | {"knows": orders.given("paid")}), predicts=orders.outcome("amount")).kind == "number"
    levels = model(predicts=orders.total("amount", next=days(1)), answers=quantiles(0.1, 0.9))
    assert levels.shape == Shape(kind="quantiles", levels=(0.1, 0.9))


def test_a_model_with_these_words_said_differently() -> None:
    other = model().but("churn_weekly", predicts=orders.none(next=days(7)))
    assert (other.name, other.predicts.next, other.knows) == ("churn_weekly", days(7), model().knows)
    with pytest.raises(ProjectError, match=r"Model has no predict=\. Did you mean 'predicts'"):
        model().but("again", predict=3)


def test_a_calendar_is_a_column_for_each_part() -> None:
    assert model(knows=[calendar("hour", "weekday", zone="UTC"), orders.count(last=days(1))]).columns == (
        "calendar_hour", "calendar_weekday", "orders_count_last_1d",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("demand", []),
        ("recommend", []),
        ("churn", []),
        ("fraud", ["cost(…) of a reading"]),
        ("houses", []),
        ("clicks", []),
        ("own_table", []),
    ],
)
def test_a_word_without_an_engine_is_named_and_never_ignored(load: Callable[[str], ModuleType], name: str, waits: list[str]) -> None:
    found = next(m for m in vars(load(name)).values() if isinstance(m, Model))
    assert [sentence.split(" waits for ")[0] for sentence in found.not_yet] == waits
    if waits:
        with pytest.raises(NotBuilt) as error:
            require_built(found)
        assert error.value.words == found.not_yet


def test_each_shop_waits_for_its_own_champion(load: Callable[[str], ModuleType]) -> None:
    waiting = " ".join(load("many_shops").in_each_shop.not_yet)
    assert "apart=" not in waiting
    assert "one_per=" in waiting


def test_learning_only_what_is_new_needs_a_learner_that_can_go_on() -> None:
    assert model(learns_from=only_new(), learner=Learning()).not_yet == ()
    assert model(learns_from=only_new(), learner=HistGradientBoostingClassifier()).not_yet == ()
    (sentence,) = model(learns_from=only_new()).not_yet
    assert sentence.startswith("learns_from=only_new() waits for a learner that can go on")


def test_xgboost_goes_on_with_chances_and_not_with_classes() -> None:
    class XGBClassifier(Learning):
        """Told by its name, as XGBoost's own is."""

    given: dict[str, Any] = {"learns_from": only_new(), "learner": XGBClassifier()}
    assert model(**given).not_yet == ()
    of_classes = Model("topic", predicts=orders.outcome("channel"), per=orders, knows=orders.given("amount"), **given)
    assert of_classes.kind == "shares"
    (sentence,) = of_classes.not_yet
    assert sentence.startswith("learns_from=only_new() waits for a learner that can go on")
    assert "as XGBClassifier with classes cannot" in sentence


def test_names_keep_readings_apart() -> None:
    readings = [
        orders.count(last=days(7)), orders.count(last=days(7), ago=days(7)), orders.count(last=days(7), per=()),
        orders.count(last=days(7), per="channel"), orders.where(one_of("channel", "web")).count(last=days(7)),
        orders.where(one_of("channel", "web", "app")).count(last=days(7)), orders.where(at_least("amount", 5)).count(last=days(7)),
        orders.where(at_least("amount", -5)).count(last=days(7)), orders.count(last=hours(7)), orders.any(last=days(7)), orders.count(),
    ]  # fmt: skip
    names = [r.name for r in readings]
    assert len(set(names)) == len(names)
    assert names[:7] == [
        "orders_count_last_7d", "orders_count_last_7d_ago_7d", "orders_count_last_7d_overall", "orders_count_last_7d_per_channel",
        "orders_count_last_7d_where_channel_web", "orders_count_last_7d_where_channel_web_app",
        "orders_count_last_7d_where_amount_at_least_5",
    ]  # fmt: skip
    assert all(name.isidentifier() for name in names)


def test_settings_are_not_searched_of_a_champion_that_is_gone_on_from() -> None:
    with pytest.raises(ProjectError, match=r"only_new\(\) goes on from the champion, whose settings stand"):
        model(tune=search(3, depth=(1, 9)), learns_from=only_new(), learner=Learning())


def test_what_is_learnt_since_a_change_is_said_aloud() -> None:
    assert "It learns from what happened since the newest change that was found" in " ".join(
        explain(model(learns_from=since_change())).split()
    )
