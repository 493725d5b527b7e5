"""Whether a product shown is clicked; a new version stays only if visitors then buy as often and spend more."""

from lightgbm import LGBMClassifier

from everloop import (
    Model, Source, ab, answers_within, as_good_as_champion, at_least, beats_champion, canary, days, drifted, fresh, hours, minutes,
    money, shadow, slipped, worse_than_champion,
)

products = Source("products", id="product_id", version="updated_at", columns={"category": str, "price": money("EUR"), "on_sale": bool})
impressions = Source(
    "impressions", id="impression_id", time="shown_at", of=products, must=[at_least("position", 1), fresh(minutes(10))],
    columns={"product_id": str, "visitor_id": str, "position": int, "mobile": bool},
)
clicks = Source("clicks", id="click_id", time="clicked_at", late=minutes(5), of=impressions, columns={"impression_id": str})
orders = Source(
    "orders", id="order_id", time="ordered_at", version="updated_at", deleted="refunded_at", late=days(1),
    columns={"visitor_id": str, "amount": money("EUR")},
)
conversion, revenue = orders.any(next=days(1)), orders.total("amount", next=days(7))
product_ctr = clicks.count(last=days(7), per="product_id") / impressions.count(last=days(7), per="product_id")
visitor_ctr = clicks.count(last=days(28), per="visitor_id") / impressions.count(last=days(28), per="visitor_id")

clicked = Model(
    "clicked",
    predicts=clicks.any(next=minutes(30)),
    per=impressions,
    knows=[
        impressions.given("position", "mobile"), products.latest("price", "on_sale"), product_ctr.named("product_ctr"),
        visitor_ctr.named("visitor_ctr"), clicks.count(last=days(28), per=["visitor_id", "category"]),
    ],
    learner=LGBMClassifier(), learns_from=days(28), split_by="visitor_id", autonomy="act",
    promote_when=[beats_champion("logloss", by=0.005), answers_within(ms=15)],
    roll_out=[shadow(hours(6)), canary(0.05, 0.2, every=hours(6)), ab(
        0.5, wins_when=[beats_champion(revenue, by=0.01), as_good_as_champion(conversion, margin=0.02)], within=days(28))],
    roll_back_when=[worse_than_champion(conversion, by=0.03), worse_than_champion("logloss", by=0.05)],
    retrain_when=[drifted(), slipped("logloss", by=0.03)],
)
