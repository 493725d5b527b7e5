"""What a house sells for, learnt from one table of past sales."""

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

from everloop import (
    Model, Source, at_least, at_most, beats_champion, canary, days, drifted, hours, money, new_truths, search, text, unit,
)

houses = Source(
    "houses", id="house_id",
    columns={
        "area": unit("m²"), "plot": unit("m²"), "rooms": int, "built": int, "zip": str, "heating": str, "advert": text,
        "price": money("EUR"),
    },
    must=[at_least("area", 10), at_most("area", 2_000), at_least("price", 10_000_00)],
)
by_place_and_words = make_column_transformer(
    (TargetEncoder(), ["zip", "heating"]), (TfidfVectorizer(max_features=200), "advert"),
    remainder="passthrough", sparse_threshold=0,
)

prices = Model(
    "prices",
    predicts=houses.outcome("price"),
    per=houses,
    knows=houses.given("area", "plot", "rooms", "built", "zip", "heating", "advert"),
    learner=make_pipeline(by_place_and_words, HistGradientBoostingRegressor(loss="absolute_error")),
    fed_as="pandas",
    tune=search(30, histgradientboostingregressor__max_iter=(50, 400), histgradientboostingregressor__learning_rate=(0.01, 0.3)),
    holdout=0.2,
    promote_when=[beats_champion("mae", by=0.01), at_most("wape", 0.15)],
    roll_out=canary(0.1, 0.5, every=days(7)),
    retrain_when=[drifted(), new_truths(500)],
    budget=hours(2),
)
