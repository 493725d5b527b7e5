"""Models, read aloud: the eight files to the letter, every other word of the grammar in a sentence, and what reading aloud finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from everloop import (
    Model,
    Source,
    ab,
    always,
    as_good_as_champion,
    at_least,
    at_most,
    bandit,
    beats_champion,
    calendar,
    canary,
    cost,
    days,
    every,
    explain,
    hours,
    minutes,
    money,
    one_of,
    only_new,
    quantiles,
    search,
    shadow,
    unit,
    worse_than_champion,
    yes_above,
)
from everloop.project.spoken import spoken_reading, spoken_readings

EXPLAINED = Path(__file__).parent / "explained"
MODELS = {
    "demand": ["demand"], "recommend": ["recommend"], "churn": ["churn"], "fraud": ["fraud"], "houses": ["prices"],
    "clicks": ["clicked"], "own_table": ["risk"], "many_shops": ["everywhere", "in_each_shop"],
}  # fmt: skip

products = Source("products", id="product_id", version="updated_at", columns={"category": str, "launched_on": date, "on_sale": bool})
lines = Source(
    "order_lines", id="line_id", time="ordered_at", late=hours(6), of=products,
    columns={
        "product_id": str, "customer_id": str, "quantity": int, "price": money("JPY"), "tax": money("JPY"), "test": bool,
        "paid_at": datetime,
    },
)  # fmt: skip
sales = Source("sales", id="sale_id", time="at", apart="shop", columns={"product_id": str, "amount": money("EUR")})
plans = Source("plans", id="plan_id", time="from_at", known="said_at", columns={"product_id": str, "discount": float})
loans = Source(
    "loans", id="loan_id", time="asked_at",
    columns={"amount": money("EUR"), "purpose": str, "defaulted": bool, "outlook": str, "born_on": date},
)  # fmt: skip
houses = Source("houses", id="house_id", columns={"area": unit("m²"), "price": money("EUR")})


def learn(rows: object) -> object:
    return rows


class Sage:
    """A learner with nothing to say about itself."""

    def fit(self, rows: object, truth: object) -> Sage:
        return self

    def predict(self, rows: object) -> object:
        return rows


def demand(**words: Any) -> Model:
    usual: dict[str, Any] = {
        "predicts": lines.total("quantity", next=days(7)), "per": "product_id", "asked": every(days(1)),
        "knows": lines.count(last=days(7)), "learner": learn,
    }  # fmt: skip
    return Model("demand", **(usual | words))


def risk(**words: Any) -> Model:
    usual: dict[str, Any] = {
        "predicts": loans.outcome("defaulted", within=days(9)), "per": loans, "knows": loans.given("amount"), "learner": learn,
    }  # fmt: skip
    return Model("risk", **(usual | words))


def aloud(model: Model, **words: Any) -> str:
    """The explanation on one line, so that a sentence can be looked for."""
    return " ".join(explain(model, **words).split())


@pytest.mark.parametrize("file", MODELS)
def test_each_of_the_eight_files_is_read_aloud_to_the_letter(file: str, load: Callable[[str], ModuleType]) -> None:
    models: list[Model] = [getattr(load(file), name) for name in MODELS[file]]
    assert "\n\n".join(map(explain, models)) + "\n" == (EXPLAINED / f"{file}.txt").read_text(encoding="utf-8")


READINGS = [
    (lines.total("price", last=days(1)), "the total price of order lines over the last day"),
    (lines.total("quantity"), "the total quantity of order lines so far"),
    (lines.total("quantity", last=hours(36)), "the total quantity of order lines over the last 36 hours"),
    (lines.total("quantity", last=days(1), ago=days(7)), "the total quantity of order lines over 1 day ending 7 days ago"),
    (lines.mean("price", last=days(7), per="customer_id"), "the mean price of order lines of the same customer over the last 7 days"),
    (lines.count(last=days(7), per="product_id"), "the number of order lines over the last 7 days"),
    (lines.count(last=days(7), per=()), "the number of order lines altogether over the last 7 days"),
    (sales.count(last=days(7), per=()), "the number of sales in the whole shop over the last 7 days"),
    (lines.highest("price", last=days(7)), "the highest price of order lines over the last 7 days"),
    (lines.lowest("ordered_at", last=days(7)), "days since the earliest order line over the last 7 days"),
    (lines.distinct("customer_id", last=days(7)), "the number of different customers in order lines over the last 7 days"),
    (lines.any(last=days(7)), "whether there were any order lines over the last 7 days"),
    (lines.none(next=hours(1)), "whether there will be no order lines over the next hour"),
    (lines.latest("ordered_at"), "days since the latest order line"),
    (lines.latest("paid_at"), "days since the latest paid in order lines"),
    (lines.latest("price", last=days(3)), "the latest price of order lines over the last 3 days"),
    (products.latest("category"), "the product's category, as it was then"),
    (products.latest("launched_on"), "the product's days since launched, as they were then"),
    (lines.which("customer_id", last=days(7), most=5), "the 5 customers most seen in order lines by the product over the last 7 days"),
    (lines.which("customer_id", last=days(7), per=()), "the customers most seen in order lines by everybody over the last 7 days"),
    (lines.which("customer_id", next=days(1)), "which customers come up in order lines over the next day"),
    (plans.planned("discount"), "the discount planned in plans for the time predicted"),
    (plans.planned(), "the share of the time predicted covered by plans"),
    (lines.total("quantity", next=days(1), each=hours(1)), "the total quantity of order lines on each of the next 24 hours"),
    (lines.total("quantity", next=days(2), each=hours(6)), "the total quantity of order lines in each 6 hours of the next 2 days"),
    (lines.total("quantity", next=days(1), each=days(1)), "the total quantity of order lines over the next day"),
    (lines.where(one_of("test", False)).count(last=days(7)), "the number of order lines (test is no) over the last 7 days"),
    (calendar("hour", "holiday", holidays="DE", zone="Europe/Berlin"), "the hour and holiday (DE) of the time predicted, in Berlin time"),
    (
        (lines.total("price", last=days(7)) - lines.total("tax", last=days(7))) / 7,
        "(the total price of order lines over the last 7 days minus the total tax of order lines over the last 7 days) divided by 7",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reading", "sentence"), READINGS, ids=[repr(reading) for reading, _ in READINGS])
def test_every_reading_can_be_said(reading: Any, sentence: str) -> None:
    assert spoken_reading(reading, demand()) == sentence


def test_readings_that_differ_in_one_span_or_one_column_are_said_together_and_others_are_not() -> None:
    readings = (
        *lines.total("price", last=[minutes(10), hours(1), days(1)]),
        *lines.total("tax", last=[days(1), days(7)]),
        lines.total("tax", last=days(7), ago=days(7)),
        lines.latest("price"), lines.latest("quantity"), lines.latest("paid_at"),
        products.latest("category"), products.latest("launched_on"),
        lines.count(last=days(1)), lines.any(last=days(1)), lines.any(last=days(1)),
    )  # fmt: skip
    assert spoken_readings(readings, demand()) == [
        "the total price of order lines over the last 10 minutes, 1 hour and 1 day",
        "the total tax of order lines over the last 1 and 7 days",
        "the total tax of order lines over 7 days ending 7 days ago",
        "the latest price and quantity of order lines",
        "days since the latest paid in order lines",
        "the product's category and days since launched, as they were then",
        "the number of order lines over the last day",
        "whether there were any order lines over the last day",
        "whether there were any order lines over the last day",
    ]


def test_rows_meant_again_are_such_rows_and_other_rows_are_not() -> None:
    real, large = lines.where(one_of("test", False)), lines.where(at_least("quantity", 100))
    readings = (real.count(last=days(1)), real.latest("ordered_at"), large.count(last=days(1)), real.count(last=days(2)))
    said = spoken_readings(readings, demand())
    assert said == [
        "the number of order lines (test is no) over the last day",
        "days since the latest such order line",
        "the number of order lines (quantity is at least 100) over the last day",
        "the number of order lines (test is no) over the last 2 days",
    ]


SENTENCES = [
    (demand(among=[lines.none(last=days(1)), at_least(lines.total("price", last=days(28)), 3_000)]),
     "there were no order lines over the last day and the total price of order lines over the last 28 days is at least 3,000 JPY."),
    (demand(among=products.latest("on_sale")), "It is asked only where the product's on sale is yes."),
    (demand(predicts=lines.total("price", next=days(7))), "It answers with a number, in JPY, in minor units."),
    (demand(answers=quantiles(0.25, 0.75)), "It answers with the 25 % and 75 % quantiles."),
    (demand(void_when=[lines.none(next=days(3)), at_least(lines.count(next=days(7)), 9)]),
     "there turn out to be no order lines over the next 3 days or the number of order lines over the next 7 days is at least 9."),
    (demand(learner={0.1: Sage(), 0.9: Sage()}), "The learner is 2 Sages, one for each quantile, fed plain numbers"),
    (demand(learner=Sage(), fed_as="pandas"), "The learner is Sage, fed pandas frames: a row for each product and moment"),
    (demand(tune=search(40, depth=(1, 99), rate=(0.001, 0.1), loss=["a", "b"])),
     "Each time it tries 40 settings of depth from 1 to 99, rate from 0.001 to 0.1 (log scale) and loss a or b."),
    (demand(learns_from=only_new()), "It goes on from the champion with what is new, and is judged on the newest fifth"),
    (demand(holdout=days(28)), "is judged on the newest 28 days, after a gap as long as a truth takes."),
    (demand(baseline=lines.mean("quantity", last=days(28))),
     "Until something better is proven, the answer is the mean quantity of order lines over the last 28 days."),
    (demand(baseline=Sage()), "Until something better is proven, Sage answers."),
    (demand(per=["product_id", "customer_id"], control=0.05),
     "5 % of pairs of product and customer keep the baseline for good, so the lift stays measurable."),
    (demand(promote_when=[]), "Promote whatever was trained."),
    (demand(roll_back_when=[]), "Only a person rolls it back."),
    (demand(retrain_when=[], budget=minutes(90)), "a person has it retrained; at most 1 hour and 30 minutes of training in any 7 days."),
    (demand(roll_out=[]), "Roll out: answer all at once."),
    (demand(roll_out=shadow(days(9))), "Roll out: answer in shadow for 9 days, then answer all."),
    (demand(roll_out=canary(0.5, 1, every=days(9))), "Roll out: answer 50 % of products, a step every 9 days, then all."),
    (demand(roll_out=canary(1, every=days(9)), roll_back_when=[]), "Roll out: answer all."),
    (demand(roll_out=ab(0.5, wins_when=[as_good_as_champion(lines.none(next=days(1))), beats_champion("mae")], within=days(14))),
     ("Roll out: test on 50 % of products and keep it only if, within 14 days, it is proven no worse than the champion on the chance of no "
      "order lines over the next day, per product, and it is proven better than the champion on MAE. Roll back")),
    (demand(roll_out=bandit(0.1, wins_when=beats_champion(lines.any(next=days(1))), within=days(14)), roll_back_when=[]),
     ("Roll out: test on half of products, while products move to whichever of the two does better, at least 10 % to each, and keep it "
      "only if, within 14 days, it is proven better than the champion on")),
    (demand(tell_when=at_least("errors", 0.01), owner="ops"), "Tell ops when the share of answers that fail is at least 1 %."),
    (demand(autonomy="observe"), "It only says when it would retrain, promote or roll back."),
    (demand(autonomy={"retrain": "act", "promote": "observe"}),
     "It retrains by itself, rolls back when the owner of the house agrees and only says when it would promote."),
    (demand(about="Sells\n  things"), "Sells things. demand predicts"),
    (risk(predicts=loans.outcome("outlook", within=days(9))),
     "risk predicts the outlook each loan turns out to have, asked when the loan comes in."),
    (risk(predicts=loans.outcome("outlook", within=days(9))), "It answers with a chance for each outlook."),
    (risk(answers=yes_above(0.3)), "It answers with a chance; above 30 % it says yes."),
    (risk(predicts=loans.outcome("defaulted")), "A truth is mature as soon as it is there."),
    (risk(void_when=one_of(loans.outcome("outlook"), "none", "lost")), "It is void where the loan's final outlook is none or lost."),
    (risk(among=[always("purpose"), at_most("amount", 500_00)]), "only where purpose is never empty and amount is at most 500.00 EUR."),
    (risk(knows=loans.given("amount", "born_on")), "It knows the loan's own amount and days since born."),
    (risk(baseline=learn), f"Until something better is proven, the function {learn.__module__}.learn answers."),
    (risk(answers=yes_above(0.5), promote_when=beats_champion(cost(missed=5_00, false_alarm=loans.given("amount")))),
     "better than the champion on cost (a miss costs 5.00 EUR, a false alarm the amount)."),
    (Model("p", predicts=houses.outcome("price"), per=houses, knows=houses.given("area"), learner=learn),
     "is judged on 20 % of houses, picked by id."),
    (Model("t", predicts=sales.total("amount", next=days(1)), per="product_id", asked=every(days(1)), knows=sales.count(last=days(1)),
           learner=learn, one_per="shop", split_by="shop", control=0.1),
     ("Each shop has a model of its own: its own champion, its own judgement, its own way back. Until something better is proven, the past "
      "repeats itself: the answer is the total amount of sales over the last day. 10 % of shops keep the baseline for good")),
]  # fmt: skip


@pytest.mark.parametrize(("model", "sentence"), SENTENCES, ids=[sentence[:60] for _, sentence in SENTENCES])
def test_every_word_of_a_model_can_be_said(model: Model, sentence: str) -> None:
    assert sentence in aloud(model)


# -- what reading aloud finds --


BLIND = "only errors, latency and odd answers can stop a roll-out"


def test_a_canary_shorter_than_its_first_truth_is_found() -> None:
    found = aloud(demand(roll_out=canary(0.1, 0.5, every=days(1))))
    assert f"The first truth takes 7 days and 6 hours, longer than that: {BLIND}." in found


@pytest.mark.parametrize("patient", [
    demand(roll_out=canary(0.1, 0.5, every=days(4))),
    demand(roll_out=[shadow(hours(6)), canary(0.1, every=days(7))]),
    demand(predicts=lines.total("quantity", next=days(7), each=days(1)), roll_out=canary(0.1, 0.5, every=days(1))),
    demand(roll_out=[]),
])  # fmt: skip
def test_a_roll_out_that_sees_its_first_truth_is_not_warned_about(patient: Model) -> None:
    assert BLIND not in aloud(patient)


def test_a_figure_that_is_known_in_time_can_stop_a_roll_out_too() -> None:
    figure = lines.total("quantity", next=days(1))
    assert BLIND not in aloud(demand(roll_out=canary(0.1, 0.5, every=days(1)), roll_back_when=worse_than_champion(figure)))


def test_that_the_answer_changes_the_truth_is_said() -> None:
    said = "What it answers changes what comes of it: in a roll-out each version is judged by what comes of its own products."
    assert said in aloud(demand(answer_changes_truth=True))
    assert "changes what comes of it" not in aloud(demand())


def test_the_step_that_answers_everybody_does_not_count_as_watching() -> None:
    assert BLIND in aloud(demand(roll_out=canary(0.5, 1, every=days(7))))


def test_a_bound_in_cents_that_was_meant_in_euros_is_heard() -> None:
    bounded = Source("houses", id="house_id", columns={"price": money("EUR"), "area": int}, must=at_least("price", 10_000))
    model = Model("p", predicts=bounded.outcome("price"), per=bounded, knows=bounded.given("area"), learner=learn)
    assert aloud(model).endswith("Fit to learn from only if price is at least 100.00 EUR.")


def test_what_cannot_be_turned_yet_is_said_only_when_asked_for() -> None:
    model = demand(one_per="product_id")
    assert explain(model, pending=True) == f"{explain(model)}\n\nNot turned yet: {model.not_yet[0]}."
    assert explain(demand(), pending=True) == explain(demand())
