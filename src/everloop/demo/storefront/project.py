"""A Shopify shop: what each customer sees beside a product, and how much of each product next week will ask for."""

from sklearn.ensemble import HistGradientBoostingRegressor

from everloop import (
    Model,
    beats_champion,
    canary,
    days,
    drifted,
    every,
    shadow,
    worse_than_champion,
)
from everloop.connect.shopify import order_lines, products
from everloop.demo.usual import TimesUsual
from everloop.training.recommend import Recommender

HERE = "America/New_York"
pair = ["customer_id", "product_id"]

recommend = Model(
    "recommend",
    about="The ten products each customer is most likely to buy in two weeks.",
    predicts=order_lines.which("product_id", next=days(14), most=10),
    per="customer_id",
    asked=every(days(7), at="00:00", zone=HERE),
    candidates=[order_lines.which("product_id", most=40), order_lines.which("product_id", last=days(28), most=40, per=())],
    knows=[
        order_lines.count(per=pair).named("had"),
        *order_lines.count(last=[days(28), days(112)], per=pair),
        order_lines.latest("processed_at", per=pair).named("recency"),
        order_lines.count(last=days(28), per="product_id").named("popular"),
        order_lines.count(last=days(28)),
        products.latest("product_type").named("category"),
    ],
    learner=Recommender("had", category="category", popular="popular"),
    fed_as="arrow",
    control=0.3,
    promote_when=beats_champion("precision"),
    roll_out=[shadow(days(1)), canary(0.2, 0.5, every=days(7))],
    autonomy="act",
)

week, fortnight, month, usual = order_lines.total("quantity", last=[days(7), days(14), days(28), days(56)])
pace = (week / usual).named("week")

demand = Model(
    "demand",
    about="Pieces of each product in the next seven days.",
    predicts=order_lines.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(7), at="00:00", zone=HERE),
    knows=[usual.named("usual"), pace, (fortnight / usual).named("fortnight"), (month / usual).named("month")],
    learner=TimesUsual(
        HistGradientBoostingRegressor(loss="absolute_error", max_iter=60, max_leaf_nodes=8, min_samples_leaf=100, early_stopping=False)
    ),
    learns_from=days(140),
    promote_when=beats_champion("wape", by=0.01),
    roll_out=[shadow(days(1)), canary(0.25, every=days(7))],
    roll_back_when=worse_than_champion("wape", by=0.05),
    retrain_when=drifted(pace),
    autonomy="act",
)
