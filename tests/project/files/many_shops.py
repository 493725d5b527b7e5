"""Next week's demand in every shop: one model of all shops, and a model of its own for each shop that earns one."""

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import PoissonRegressor
from sklearn.pipeline import make_pipeline

from everloop import (
    Model, at_least, beats_champion, calendar, canary, days, drifted, every, new_truths, one_of, shadow, slipped,
)
from everloop.connect.shopify import order_lines, stockouts

sold = order_lines.where(one_of("test", False), at_least("quantity", 1))

everywhere = Model(
    "demand_everywhere",
    predicts=sold.total("quantity", next=days(7)),
    per="product_id",
    asked=every(days(1), at="00:00", zone="UTC"),
    among=sold.any(last=days(91)),
    void_when=stockouts.any(next=days(7)),
    knows=[
        sold.total("quantity", last=[days(7), days(28), days(91)]),
        sold.total("quantity", last=days(28), per="product_type"),
        sold.count(last=days(28), per=()),
        (sold.latest("price") / sold.mean("price", last=days(91))).named("price_against_usual"),
        calendar("week"),
    ],
    learner=HistGradientBoostingRegressor(loss="poisson"),
    promote_when=beats_champion("wape", by=0.01),
    roll_out=[shadow(days(1)), canary(0.1, 0.5, every=days(1))],
    split_by="shop",
    retrain_when=[drifted(), slipped("wape", by=0.05), every(days(7))],
    autonomy="act",
)

in_each_shop = everywhere.but(
    "demand", one_per="shop", baseline=everywhere, split_by="product_id",
    learner=make_pipeline(SimpleImputer(), PoissonRegressor()), retrain_when=new_truths(1_000),
)
