"""How many of each product the shop sells on each of the next seven days."""

from sklearn.ensemble import HistGradientBoostingRegressor as Trees

from everloop import (
    Model, Source, answers_within, at_least, beats_champion, calendar, canary, days, drifted, every, hours, money, new_truths,
    shadow, slipped, worse_than_champion,
)

HERE = "America/New_York"
products = Source("products", id="product_id", version="updated_at", columns={"category": str, "brand": str})
orders = Source(
    "orders", id="line_id", time="ordered_at", zone=HERE, version="updated_at", deleted="cancelled_at", late=hours(6), of=products,
    columns={"product_id": str, "quantity": int, "price": money("USD")},
    must=[at_least("quantity", 1, share=0.99), at_least("price", 0)],
)
span = {"time": ["starts_at", "ends_at"], "zone": HERE}
promotions = Source("promotions", id="promotion_id", **span, known="announced_at", columns={"product_id": str, "discount": float})
stockouts = Source("stockouts", id="stockout_id", **span, columns={"product_id": str})

demand = Model(
    "demand",
    predicts=orders.total("quantity", next=days(7), each=days(1)),
    per="product_id",
    asked=every(days(1), at="00:00", zone=HERE),
    among=orders.any(last=days(91)),
    void_when=stockouts.any(next=days(7), each=days(1)),
    knows=[
        orders.total("quantity", last=[days(1), days(7), days(28)]), orders.total("quantity", last=days(7), ago=days(7)),
        orders.total("quantity", last=days(28), per="category"), orders.latest("price"), products.latest("category"),
        promotions.planned("discount"), calendar("weekday", "month", "holiday", holidays="US"),
    ],
    learner={q: Trees(loss="quantile", quantile=q) for q in (0.1, 0.5, 0.9)}, fed_as="arrow", learns_from=days(365),
    promote_when=[beats_champion("pinball", by=0.02), answers_within(ms=30)],
    roll_out=[shadow(hours(6)), canary(0.05, 0.25, every=days(1))],
    roll_back_when=worse_than_champion("pinball", by=0.10),
    retrain_when=[drifted(), slipped("pinball", by=0.10), new_truths(10_000), every(days(7))],
)
