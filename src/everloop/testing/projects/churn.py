"""Which customers will not order in the next four weeks, so that somebody writes to them."""

from sklearn.ensemble import HistGradientBoostingClassifier

from everloop import Model, Source, always, at_least, beats_champion, canary, days, drifted, every, fair_across, money, one_of, slipped

customers = Source(
    "customers",
    id="customer_id",
    columns={"age_group": str},
    must=one_of("age_group", "18-39", "40-64", "65+", share=0.9),
)
orders = Source(
    "orders",
    id="order_id",
    time="ordered_at",
    columns={"customer_id": str, "amount": money("EUR")},
    private="customer_id",
    must=[at_least("amount", 0), always("customer_id")],
)

churn = Model(
    "churn",
    predicts=orders.none(next=days(28)),
    per="customer_id",
    asked=every(days(7), at="06:00", zone="Europe/Berlin"),
    among=orders.any(last=days(56)),
    knows=[
        orders.latest("ordered_at"),
        orders.count(last=[days(28), days(91)]),
        orders.total("amount", last=days(91)),
    ],
    learner=HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=7, learning_rate=0.05),
    promote_when=[beats_champion("auc"), fair_across(customers.latest("age_group"), on="auc", ratio=0.8)],
    roll_out=canary(0.2, 0.5, every=days(7)),
    retrain_when=[drifted(), slipped("auc", by=0.05)],
    autonomy="act",
)
