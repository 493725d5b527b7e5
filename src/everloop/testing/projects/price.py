"""What a house sells for, learnt from one table of past sales: no clock, a text column, an ordinary pipeline."""

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from everloop import Model, Source, at_least, at_most, beats_champion, canary, days, drifted, money, new_truths, text, unit

houses = Source(
    "houses",
    id="house_id",
    columns={"area": unit("m²"), "rooms": int, "zip": str, "advert": text, "price": money("EUR")},
    must=[at_least("area", 10), at_most("area", 2_000), at_least("price", 10_000_00)],
)
place_and_words = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["zip"]),
    (TfidfVectorizer(max_features=50), "advert"),
    remainder="passthrough",
    sparse_threshold=0,
)

prices = Model(
    "prices",
    predicts=houses.outcome("price"),
    per=houses,
    knows=houses.given("area", "rooms", "zip", "advert"),
    learner=make_pipeline(place_and_words, HistGradientBoostingRegressor(loss="absolute_error", max_iter=60)),
    fed_as="pandas",
    holdout=0.2,
    promote_when=[beats_champion("mae", by=0.05), at_most("wape", 0.25)],
    roll_out=canary(0.5, every=days(7)),
    retrain_when=[drifted(), new_truths(200)],
)
