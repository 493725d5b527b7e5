"""Whether a card payment will come back as a fraud chargeback, answered while the customer waits."""

from sklearn.ensemble import HistGradientBoostingClassifier

from everloop import (
    Model,
    Source,
    answers_within,
    at_least,
    beats_champion,
    canary,
    days,
    drifted,
    hours,
    money,
    new_truths,
    shadow,
    worse_than_champion,
    yes_above,
)

payments = Source(
    "payments",
    id="payment_id",
    time="asked_at",
    columns={"card_id": str, "merchant_id": str, "amount": money("EUR"), "online": bool},
    private="card_id",
    must=at_least("amount", 1),
)
chargebacks = Source(
    "chargebacks",
    id="chargeback_id",
    time="filed_at",
    late=days(1),
    of=payments,
    columns={"payment_id": str, "reason": str},
)

fraud = Model(
    "fraud",
    predicts=chargebacks.any(next=days(14)),
    per=payments,
    knows=[
        payments.given("amount", "online"),
        payments.count(last=[hours(1), days(1)], per="card_id"),
        payments.mean("amount", last=days(28), per="card_id"),
        chargebacks.count(last=days(56), per="merchant_id"),
        payments.count(last=days(56), per="merchant_id"),
    ],
    learner=HistGradientBoostingClassifier(max_iter=60),
    answers=yes_above(0.5),
    split_by="card_id",
    promote_when=[beats_champion("auc", by=0.02), answers_within(ms=100)],
    roll_out=[shadow(days(1)), canary(0.1, 0.5, every=days(1))],
    roll_back_when=worse_than_champion("logloss", by=0.10),
    retrain_when=[drifted("answers"), new_truths(2_000)],
    autonomy={"retrain": "act", "promote": "suggest", "roll_back": "act"},
    owner="payments-risk",
)
