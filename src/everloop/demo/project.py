"""A shop: how many of each product it sells next week, and which households will not come back."""

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from everloop import (
    Model,
    Source,
    always,
    at_least,
    at_most,
    beats_champion,
    canary,
    days,
    drifted,
    every,
    fair_across,
    money,
    shadow,
    slipped,
    worse_than_champion,
    yes_above,
)
from everloop.demo.usual import TimesUsual

HERE = "America/New_York"
products = Source("products", id="product_id", columns={"category": str})
lines = Source(
    "lines",
    id="line_id",
    time="ordered_at",
    of=products,
    columns={"product_id": str, "department": str, "quantity": int, "price": money("USD")},
    must=[at_least("quantity", 1, share=0.98), at_most("price", 50_00, share=0.99), always("product_id")],
)
households = Source("households", id="household_id", columns={"age_group": str, "income_group": str})
baskets = Source(
    "baskets",
    id="basket_id",
    time="ordered_at",
    columns={"household_id": str, "amount": money("USD"), "items": int},
    must=[at_least("amount", 0), always("household_id")],
)

week, fortnight, month, usual = lines.total("quantity", last=[days(7), days(14), days(28), days(56)])
pace = (week / usual).named("week")
week_alike, month_alike, usual_alike = lines.total("quantity", last=[days(7), days(28), days(56)], per="category")

demand = Model(
    "demand",
    about="Units of each product in the next seven days.",
    predicts=lines.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(7), at="00:00", zone=HERE),
    knows=[
        usual.named("usual"),
        pace,
        (fortnight / usual).named("fortnight"),
        (month / usual).named("month"),
        (week_alike / usual_alike).named("category_week"),
        (month_alike / usual_alike).named("category_month"),
    ],
    # The median is what a sum of absolute errors asks for.
    learner=TimesUsual(
        HistGradientBoostingRegressor(loss="absolute_error", max_iter=60, max_leaf_nodes=8, min_samples_leaf=100, early_stopping=False)
    ),
    learns_from=days(140),
    promote_when=beats_champion("wape", by=0.01),
    roll_out=[shadow(days(1)), canary(0.05, 0.25, every=days(7))],
    roll_back_when=worse_than_champion("wape", by=0.05),
    retrain_when=slipped("wape", by=0.10),
    tell_when=drifted(pace),
    autonomy="act",
    owner="planning",
)

spans = [days(28), days(84), days(168)]
churn = Model(
    "churn",
    about="Whether a household that was here lately will not come for four weeks.",
    predicts=baskets.none(next=days(28)),
    per="household_id",
    asked=every(days(14), at="00:00", zone=HERE),
    among=baskets.any(last=days(56)),
    knows=[baskets.latest("ordered_at"), baskets.count(last=spans), baskets.total("amount", last=spans)],
    learner=HistGradientBoostingClassifier(learning_rate=0.05, max_iter=100, max_leaf_nodes=8, min_samples_leaf=200, early_stopping=False),
    answers=yes_above(0.5),
    promote_when=[beats_champion("auc", by=0.02), fair_across(households.latest("age_group"), on="accuracy", ratio=0.8)],
    roll_out=[shadow(days(1)), canary(0.2, every=days(14))],
    roll_back_when=worse_than_champion("auc", by=0.02),
    retrain_when=slipped("auc", by=0.05),
    autonomy="suggest",
    owner="customer care",
)
