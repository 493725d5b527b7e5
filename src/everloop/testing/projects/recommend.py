"""The five products each customer is most likely to buy next, by what they bought before: a frequency recommender."""

from everloop import Model, Source, beats_champion, days, every, shadow, slipped

orders = Source("orders", id="line_id", time="ordered_at", columns={"customer_id": str, "product_id": str})
pair = ["customer_id", "product_id"]


class Frequency:
    """Scores a product by how often the customer bought it, lately counting five times; ties go to what everybody buys."""

    def fit(self, X, y, group=None):
        return self

    def predict(self, X):
        return X[:, 0] + 4 * X[:, 1] + X[:, 2] / 1e6


recommend = Model(
    "recommend",
    predicts=orders.which("product_id", next=days(14), most=5),
    per="customer_id",
    asked=every(days(7), at="04:00", zone="Europe/Berlin"),
    among=orders.any(last=days(56)),
    candidates=[orders.which("product_id", last=days(365), most=20), orders.which("product_id", last=days(28), most=20, per=())],
    knows=[orders.count(last=[days(365), days(28)], per=pair), orders.count(last=days(28), per="product_id")],
    learner=Frequency(),
    promote_when=beats_champion("ndcg", by=0.01),
    roll_out=shadow(days(7)),
    retrain_when=slipped("ndcg", by=0.05),
    autonomy="act",
)
