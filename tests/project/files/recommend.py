"""The ten products each customer is most likely to buy next."""

from lightgbm import LGBMRanker

from everloop import (
    Model, Source, ab, always, at_least, beats_champion, canary, days, every, fresh, hours, minutes, money, shadow, slipped,
    worse_than_champion,
)

products = Source("products", id="product_id", version="updated_at", columns={"category": str, "price": money("EUR")})
who = {"product_id": str, "customer_id": str}
stock = Source("stock", id=["product_id", "location_id"], time="counted_at", columns={"available": int})
orders = Source(
    "orders", id="line_id", time="ordered_at", version="updated_at", deleted="refunded_at", late=days(1), of=products,
    columns=who | {"amount": money("EUR")}, must=always("customer_id", share=0.9),
)
views = Source("views", id="view_id", time="seen_at", late=minutes(10), columns=who, must=fresh(hours(2)))
revenue = orders.total("amount", next=days(7))
pair = ["customer_id", "product_id"]

recommend = Model(
    "recommend",
    predicts=orders.which("product_id", next=days(7), most=10),
    per="customer_id",
    asked=every(days(1), at="04:00", zone="Europe/Berlin"),
    among=[orders.any(last=days(180)), stock.where(at_least("available", 1)).any(per="product_id")],
    candidates=[orders.which("product_id", last=days(365), most=50), views.which("product_id", last=days(14), most=50),
                orders.which("product_id", last=days(28), most=200, per=())],
    knows=[
        orders.count(last=[days(28), days(365)], per=pair), views.count(last=days(14), per=pair), orders.latest("ordered_at", per=pair),
        orders.count(last=days(365), per=["customer_id", "category"]), orders.count(last=[days(7), days(28)], per="product_id"),
        products.latest("price"),
    ],
    learner=LGBMRanker(n_estimators=200), control=0.05,
    promote_when=beats_champion("ndcg", by=0.01),
    roll_out=[shadow(hours(12)), canary(0.05, every=hours(12)), ab(0.5, wins_when=beats_champion(revenue, by=0.01), within=days(28))],
    roll_back_when=worse_than_champion(revenue, by=0.02),
    retrain_when=[slipped("ndcg", by=0.05), every(days(7))],
)
