"""Which customers will not order in the next four weeks, so that somebody writes to them."""

from datetime import datetime

from sklearn.ensemble import HistGradientBoostingClassifier

from everloop import (
    Model, Source, always, at_least, beats_champion, canary, days, drifted, every, fair_across, money, one_of, search, slipped,
    yes_above,
)

customers = Source(
    "customers", id="customer_id", time="changed_at", version="changed_at", deleted="erased_at",
    columns={"age_group": str, "country": str, "signed_up_at": datetime},
    must=[one_of("age_group", "18-29", "30-49", "50-64", "65+", share=0.3), always("signed_up_at")],
)
orders = Source(
    "orders", id="order_id", time="ordered_at", version="updated_at", deleted="cancelled_at", late=days(2),
    columns={"customer_id": str, "amount": money("EUR"), "discount": money("EUR")}, must=[at_least("amount", 0), always("customer_id")],
)
windows = [days(28), days(91), days(365)]

churn = Model(
    "churn",
    predicts=orders.none(next=days(28)),
    per="customer_id",
    asked=every(days(7), at="06:00", zone="Europe/Berlin"),
    among=orders.any(last=days(56)),
    knows=[
        orders.latest("ordered_at"), orders.count(last=windows), orders.total("amount", last=windows),
        (orders.total("discount", last=days(91)) / orders.total("amount", last=days(91))).named("discount_share"),
        customers.latest("country", "signed_up_at"),
    ],
    learner=HistGradientBoostingClassifier(), fed_as="arrow", answers=yes_above(0.5),
    tune=search(40, max_leaf_nodes=(7, 63), learning_rate=(0.005, 0.5), l2_regularization=[0.0, 1.0, 10.0]),
    promote_when=[beats_champion("auc", by=0.005), fair_across(customers.latest("age_group"), on="recall", ratio=0.8)],
    roll_out=canary(0.2, 0.5, every=days(7)),
    retrain_when=[drifted(), slipped("auc", by=0.02), every(days(28))],
)
