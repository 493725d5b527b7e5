"""How many of each product the shop sells in the next seven days."""

from sklearn.ensemble import HistGradientBoostingRegressor

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
    money,
    shadow,
    slipped,
    worse_than_champion,
)

orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"product_id": str, "quantity": int, "price": money("EUR")},
    must=[at_least("quantity", 1, share=0.99), at_most("price", 1_000_00), always("product_id")],
)

demand = Model(
    "demand",
    predicts=orders.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(1), at="00:00", zone="Europe/Berlin"),
    knows=[orders.total("quantity", last=[days(7), days(28), days(56)]), orders.latest("price")],
    learner=HistGradientBoostingRegressor(loss="absolute_error", max_iter=60),
    holdout=days(21),
    promote_when=beats_champion("wape", by=0.02),
    roll_out=[shadow(days(1)), canary(0.25, every=days(2))],
    roll_back_when=worse_than_champion("wape", by=0.10),
    retrain_when=[drifted(), slipped("wape", by=0.10), every(days(28))],
    autonomy="act",
)
