"""What else cannot be meant: each is refused with what is wrong, on its own line. (The mistakes of test_mistakes.py are not repeated.)"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from everloop import (
    Model,
    Source,
    ab,
    always,
    answers_within,
    as_good_as_champion,
    at_least,
    bandit,
    beats_champion,
    calendar,
    canary,
    cost,
    days,
    drifted,
    every,
    fair_across,
    fresh,
    hours,
    minutes,
    money,
    new_truths,
    one_of,
    quantiles,
    search,
    shadow,
    slipped,
    text,
    unit,
    usual_volume,
    worse_than_champion,
    yes_above,
)
from everloop.errors import ProjectError

products = Source("products", id="product_id", columns={"category": str, "about": text})
orders = Source(
    "orders", id="order_id", time="ordered_at", known="told_at", of=products,
    columns={"product_id": str, "customer_id": str, "amount": money("EUR"), "paid": bool, "due_at": datetime},
)  # fmt: skip
week = days(7)


class Learner:
    def fit(self, rows: object, truth: object) -> None: ...

    def predict(self, rows: object) -> None: ...


def churn(**words: object) -> Model:
    usual = {
        "predicts": orders.none(next=week),
        "per": "customer_id",
        "asked": every(week),
        "knows": orders.count(last=week),
        "learner": Learner(),
    }
    return Model("churn", **(usual | words))  # type: ignore[arg-type]


def wide(*levels: float, **words: object) -> Model:
    return churn(predicts=orders.total("amount", next=week), answers=quantiles(*levels), **words)


def asked(**words: object) -> Model:
    """The same, asked once for each of the orders."""
    usual = {"predicts": orders.outcome("paid"), "per": orders, "knows": orders.given("amount"), "learner": Learner()}
    return Model("pays", **(usual | words))  # type: ignore[arg-type]


def source(**words: object) -> Source:
    return Source("visits", **({"id": "visit_id", "columns": {"page": str, "seconds": int}} | words))  # type: ignore[arg-type]


REFUSED: list[tuple[Callable[[], object], str]] = [
    # spans, shares, numbers
    (lambda: orders.count(last=days(0)), "last=days(0) is no span of time; it must be longer than nothing"),
    (lambda: orders.count(last=days(-7)), "is no span of time"),
    (lambda: orders.count(last="7d"), "last='7d' is no span of time"),
    (lambda: orders.count(last=[week, 7]), "last=7 has no unit"),
    (lambda: shadow(6), "Say shadow(days(6)), shadow(hours(6)) or shadow(minutes(6))"),
    (lambda: every(7), "every(7) has no unit"),
    (lambda: every(week, at="2am", zone="UTC"), "is no time of day"),
    (lambda: every(week, zone="Europe/Berlinn"), "zone='Europe/Berlinn' is no time zone"),
    (lambda: canary(0.5, 0.1, every=week), "canary(0.5, 0.1) does not rise"),
    (lambda: canary(-0.1, every=week), "is not a share"),
    (lambda: canary(every=week), "says no share"),
    (lambda: canary(0.1, every=6), "every=6 has no unit"),
    (lambda: always("page", share=float("nan")), "share=nan is not a share"),
    (lambda: beats_champion(by=True), "by=True is not a share"),
    (lambda: beats_champion(confidence=1), "proves everything"),
    (lambda: beats_champion(3), "names nothing to measure"),
    (lambda: answers_within(ms=-1), "ms=-1 is no number of at least 0"),
    (lambda: at_least("amount", "5"), "has no number to compare with"),
    (lambda: at_least(orders.count(last=[week, days(1)]), 5), "takes one reading at a time"),
    (lambda: one_of("category"), "names no value"),
    (lambda: one_of("category", None), "cannot compare with None"),
    (lambda: new_truths(0), "no number of truths"),
    (lambda: new_truths(2.5), "no number of truths"),
    (lambda: search(0, depth=[1]), "no number of trials"),
    (lambda: search(3, depth=(9, 1)), "neither a range nor a choice"),
    (lambda: search(depth=(1, 9)), "would never end: it says no budget"),
    (lambda: search(seconds=0, depth=(1, 9)), "search(…, seconds=0) is no budget"),
    (lambda: search(3, money=-1, depth=(1, 9)), "search(…, money=-1) is no budget"),
    (lambda: quantiles(0.9, 0.1), "Levels lie between 0 and 1 and rise"),
    (lambda: cost(missed=-1, false_alarm=1), "missed=-1 is no number of at least 0"),
    (lambda: drifted("price"), "nothing is called so"),
    (lambda: drifted("anwers"), "Did you mean 'answers'?"),
    (lambda: drifted("answers", share=0.2), "a share is of several inputs, and this is one"),
    (lambda: drifted(share=30), "Say share=0.3 for 30 %"),
    (lambda: fresh(3), "fresh(3) has no unit"),
    (lambda: usual_volume(by=50), "by=50 is not a share"),
    (lambda: source(time=None, must=usual_volume()), "has no time, so nothing says how many of its rows happened on one day"),
    (lambda: orders.where(usual_volume()), "orders: usual_volume(…) cannot stand in where. It belongs in must"),
    (lambda: ab(0.5, wins_when=[], within=week), "can never be won"),
    (lambda: bandit(wins_when=[], within=week), "no figure to move its shares by"),
    (lambda: bandit(wins_when=beats_champion("auc"), within=week), "no figure to move its shares by"),
    (lambda: bandit(0.6, wins_when=beats_champion(orders.any(next=week)), within=week), "no room to have that much each"),
    (lambda: bandit(5, wins_when=beats_champion(orders.any(next=week)), within=week), "is not a share"),
    (
        lambda: bandit(wins_when=[beats_champion(orders.any(next=week)), as_good_as_champion("auc")], within=week),
        "can prove no as_good_as_champion",
    ),
    (lambda: money(), "does not say which currency"),
    (lambda: unit(""), "is no unit of measure"),
    (lambda: calendar("weekdays"), "calendar has no part 'weekdays'. Did you mean 'weekday'?"),
    (lambda: calendar("holiday"), "does not say whose holidays"),
    # keywords that do not exist
    (lambda: at_least("amount", 1, shar=0.9), "at_least has no shar=. Did you mean 'share'?"),
    (lambda: canary(0.1, evry=week), "canary has no evry=. Did you mean 'every'?"),
    (lambda: source(key="visit_id"), "Source has no key="),
    (lambda: orders.total("amount", lst=week), "orders.total has no lst=. Did you mean 'last'?"),
    (lambda: orders.latest("amount", each=week), "orders.latest has no each="),
    # sources
    (lambda: source(columns={"page": "str"}), "'str' is no kind, so column 'page' has none"),
    (lambda: source(columns=["page"]), "does not say their kinds"),
    (lambda: source(columns={"version": int}), "cannot have a column 'version'"),
    (lambda: source(columns={"amount": money(column="currency")}), "no column 'currency' to name the currency of 'amount'"),
    (lambda: source(id=()), "visits has no id"),
    (lambda: source(id=7), "id=7 names no column"),
    (lambda: source(time=["a", "b", "c"]), "time= is one column, or the two of a span"),
    (lambda: source(of="products"), "of='products' is no source"),
    (lambda: source(late=6), "late=6 has no unit"),
    (lambda: source(must=always("pages")), "visits has no column 'pages'. Did you mean 'page'?"),
    (lambda: source(must=at_least("page", 3)), "page is no number"),
    (lambda: source(must=drifted()), "visits: drifted(…) cannot stand in must"),
    (lambda: source(must=at_least(orders.count(last=week), 3)), "reads the row itself, not a reading"),
    (lambda: source(private="email"), "no column 'email' to keep private"),
    (lambda: source(zone="Mars"), "zone='Mars' is no time zone"),
    (lambda: Source("Visits to us", id="v", columns={}), "is no name"),
    (lambda: orders.where(fresh(week)), "orders: fresh(…) cannot stand in where. It belongs in must"),
    (lambda: orders.where(one_of("amnt", 1)), "orders has no column 'amnt'. Did you mean 'amount'?"),
    # readings
    (lambda: orders.count(last=week, next=week), "looks back and ahead at once"),
    (lambda: orders.count(ago=week), "says ago=, but not how long a window"),
    (lambda: orders.count(next=week, each=days(2)), "cannot be cut into steps"),
    (lambda: orders.count(per="customer"), "orders has no column 'customer'. Did you mean 'customer_id'?"),
    (lambda: orders.latest(), "names no column"),
    (lambda: orders.which("amount", last=week), "only a category can be listed"),
    (lambda: orders.which("product_id", last=week, most=0), "most=0 is no number of values"),
    (lambda: orders.total("paid", last=week), "paid is yes or no, and has no total"),
    (lambda: orders.count(last=[week, days(1)]) / orders.count(), "several readings at once"),
    (lambda: orders.latest("category") * 2, "orders_category_latest is a category, and cannot be reckoned with"),
    (lambda: orders.count().named(""), "is no name"),
    (lambda: not orders.count(), "a reading is not yes or no until it is read"),
    # models
    (lambda: Model("My model", predicts=orders.none(next=week), per=orders, knows=orders.given("paid"), learner=Learner()), "is no name"),
    (lambda: churn(predicts=7), "churn predicts 7, which is no reading"),
    (lambda: churn(predicts=orders.count(last=[week, days(1)])), "predicts several things at once"),
    (lambda: churn(predicts=orders.latest("due_at", next=week)), "which is instant; no learner answers that"),
    (lambda: churn(per=()), "neither a column nor a source"),
    (lambda: churn(knows=[]), "churn knows nothing"),
    (lambda: churn(knows=["amount"]), "'amount' in knows is no reading"),
    (lambda: churn(knows=orders.count(last=week).named("truth")), "cannot know something called truth"),
    (lambda: churn(knows=orders.which("product_id", last=week)), "is a list, and a learner is fed one value at a time"),
    (lambda: churn(knows=products.latest("about")), "churn does not know whose products to read"),
    (lambda: churn(knows=orders.count(last=week, per="product_id")), "reads orders per product_id, which no question carries"),
    (lambda: churn(asked=week), "days(7) cannot stand in asked. There can be every(…)"),
    (lambda: asked(asked=every(week)), "asked once for each of the orders, so asked= has nothing to say"),
    (lambda: asked(knows=orders.outcome("amount")), "outcome(…) is not known when the question is asked"),
    (lambda: asked(knows=orders.given()), "pays is given paid, which is what it predicts"),
    (lambda: churn(predicts=orders.outcome("paid")), "is how the row asked about ends up"),
    (lambda: churn(predicts=orders.which("product_id", next=week)), "but not what it is chosen from"),
    (lambda: churn(candidates=orders.which("product_id", last=week)), "predicts no list, so it has no candidates"),
    (lambda: churn(among=orders.any(next=week)), "churn, among: next=days(7) is not known"),
    (lambda: churn(among=orders.count(last=week)), "is not yes or no"),
    (lambda: churn(among=always("page")), "no question carries page"),
    (lambda: churn(among=drifted()), "drifted(…) cannot stand in among"),
    (lambda: churn(baseline=orders.none(next=week)), "churn, baseline: next=days(7) is not known"),
    (lambda: churn(baseline=Learner), "the baseline is the class Learner"),
    (lambda: churn(baseline="last week"), "the baseline, 'last week', cannot answer"),
    (lambda: churn(baseline=asked()), "do not answer the same questions"),
    (lambda: wide(0.1, 0.9, baseline=wide(0.5)), "do not answer the same questions"),
    (lambda: churn(learner=lambda rows: rows), "the learner is a lambda"),
    (lambda: churn(learner=3), "the learner, 3, cannot fit"),
    (lambda: churn(learner=[print, sum]), "churn: learner= names one learner, and this is a list of 2; a turn learns one candidate."),
    (lambda: churn(learner={2: Learner()}), "one for each quantile"),
    (lambda: churn(learner={0.5: Learner()}), "predicts no number, so it has no quantiles"),
    (lambda: churn(fed_as="panda"), "fed_as='panda' is unknown. Did you mean 'pandas'?"),
    (lambda: churn(answers=0.5), "0.5 cannot stand in answers"),
    (lambda: churn(predicts=orders.count(next=week), answers=yes_above(0.5)), "so no chance is above another"),
    (lambda: churn(learns_from=365), "learns_from=365 has no unit"),
    (lambda: churn(budget=2), "budget=2 has no unit"),
    (lambda: churn(holdout=20), "holdout=20 is not a share"),
    (lambda: churn(control=5), "control=5 is not a share"),
    (lambda: churn(control=1), "keeps everybody on the baseline"),
    (lambda: churn(control=float("nan")), "is not a share"),
    (lambda: churn(one_per="shop"), "one champion for each shop, which no question carries"),
    (lambda: churn(one_per=["product_id"]), "one_per=['product_id'] is no name"),
    (lambda: churn(per=7), "per=[7] is neither a column nor a source"),
    (lambda: churn(per="ordered_at"), "ordered_at is an instant, and a unit has to be the same text everywhere"),
    (lambda: churn(autonomy={"promot": "act"}), "autonomy has no decision 'promot'. Did you mean 'promote'?"),
    (lambda: churn(promote_when=[3]), "churn: 3 cannot stand in promote_when"),
    (lambda: churn(promote_when=beats_champion("acu")), "which have no acu. Did you mean 'auc'?"),
    (lambda: churn(promote_when=beats_champion("recall")), "says yes to nobody, so it has no recall"),
    (
        lambda: churn(predicts=orders.count(next=week), promote_when=beats_champion(cost(missed=5, false_alarm=1))),
        "which have neither misses nor false alarms",
    ),
    (lambda: churn(roll_back_when=worse_than_champion(orders.count(last=week))), "looks back, so no version can change it"),
    (lambda: churn(retrain_when=slipped(orders.count(next=week))), "compares a metric with itself"),
    (lambda: churn(retrain_when=drifted(orders.count(next=week))), "churn, retrain_when: next=days(7) is not known"),
    (lambda: churn(promote_when=fair_across(orders.count(last=week), on="auc")), "makes no groups"),
    (lambda: churn(roll_out=ab(0.5, wins_when=drifted(), within=week)), "drifted(…) cannot stand in wins_when"),
    (lambda: churn(roll_out=minutes(5)), "minutes(5) cannot stand in roll_out"),
    (lambda: churn(tell_when=shadow(hours(1))), "shadow(…) cannot stand in tell_when. It belongs in roll_out"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_cannot_be_meant_is_refused_with_its_reason(number: int) -> None:
    say, reason = REFUSED[number]
    with pytest.raises(ProjectError) as error:
        say()
    told = " ".join(str(error.value).split())
    assert " ".join(reason.split()) in told
    assert all(m.file.endswith("test_refused.py") and m.line > 40 for m in error.value.mistakes)


def test_two_sources_of_one_name_are_told_apart_or_refused() -> None:
    other = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
    with pytest.raises(ProjectError, match="reads two different sources called orders"):
        churn(knows=other.count(last=week))


def test_the_same_words_are_fine_where_they_belong() -> None:
    assert churn(
        among=[orders.any(last=days(91)), at_least(orders.count(last=week), 1)], answers=yes_above(0.5), fed_as="arrow",
        knows=[orders.count(last=week), orders.latest("category").named("kind")], holdout=days(28), budget=hours(2),
        promote_when=[beats_champion("recall"), fair_across(orders.latest("category"))], tell_when=[at_least("errors", 0.01), slipped()],
    ).kind == "chance"  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, "churn: auc compares questions with one another, and the two arms of a split have none in common."),
        ({}, "Say roll_back_when=worse_than_champion(…) of 'logloss'"),
        ({"roll_back_when": worse_than_champion("recall"), "answers": yes_above(0.5)}, "churn: recall compares"),
        ({"roll_back_when": (), "roll_out": ab(0.5, wins_when=beats_champion(), within=week)}, "churn: auc compares"),
        ({"roll_back_when": worse_than_champion(orders.which("product_id", next=week, most=3))}, "is a list, and people are counted"),
        ({"answer_changes_truth": "yes", "roll_back_when": ()}, "churn: answer_changes_truth='yes' is neither True nor False."),
    ],
)  # fmt: skip
def test_what_two_arms_cannot_be_held_against_each_other_by_is_refused(words: dict[str, object], told: str) -> None:
    with pytest.raises(ProjectError) as error:
        churn(**({"answer_changes_truth": True} | words))
    assert told in str(error.value)


def test_what_two_arms_can_be_held_against_each_other_by_is_not_refused() -> None:
    figure = orders.total("amount", next=week)
    for roll_back_when in (worse_than_champion("logloss"), worse_than_champion(figure), ()):
        assert churn(answer_changes_truth=True, roll_back_when=roll_back_when).not_yet == ()
