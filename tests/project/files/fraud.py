"""Whether a card payment will come back as a fraud chargeback, answered while the customer waits."""

from lightgbm import LGBMClassifier

from everloop import (
    Model, Source, answers_within, at_least, beats_champion, canary, cost, days, drifted, fresh, hours, minutes, money, new_truths,
    one_of, shadow, slipped, worse_than_champion, yes_above,
)

payments = Source(
    "payments", id="payment_id", time="asked_at", must=[at_least("amount", 1), fresh(minutes(15))],
    columns={"card_id": str, "merchant_id": str, "amount": money("EUR"), "abroad": bool, "online": bool},
)
chargebacks = Source(
    "chargebacks", id="chargeback_id", time="filed_at", version="updated_at", deleted="withdrawn_at", late=days(5), of=payments,
    columns={"payment_id": str, "reason": str},
)
refusals = Source("refusals", id="payment_id", time="refused_at", columns={"refused_by": str})
frauds = chargebacks.where(one_of("reason", "fraud", "stolen_card"))
fraud_rate = frauds.count(last=days(91), per="merchant_id") / payments.count(last=days(91), per="merchant_id")
loss = cost(missed=payments.given("amount"), false_alarm=15_00)
recent = [minutes(10), hours(1), days(1)]

fraud = Model(
    "fraud",
    predicts=frauds.any(next=days(60)), per=payments,
    void_when=refusals.any(next=days(60)),
    knows=[
        payments.given("amount", "abroad", "online"), fraud_rate.named("merchant_fraud_rate"),
        payments.count(last=recent, per="card_id"), payments.total("amount", last=recent, per="card_id"),
        payments.mean("amount", last=days(91), per="card_id"), payments.distinct("merchant_id", last=days(1), per="card_id"),
    ],
    learner=LGBMClassifier(), answers=yes_above(0.9), split_by="card_id", control=0.01,
    promote_when=[beats_champion(loss, by=0.02), answers_within(ms=20, share=0.999)],
    roll_out=[shadow(days(7)), canary(0.01, 0.1, 0.5, every=days(1))],
    roll_back_when=[worse_than_champion(loss, by=0.05), at_least("errors", 0.001)],
    retrain_when=[drifted("answers"), slipped("auc", by=0.02), new_truths(50_000)],
    tell_when=[at_least("p99_ms", 25), drifted(fraud_rate)],
    autonomy={"retrain": "act", "promote": "suggest", "roll_back": "act"}, owner="payments-risk",
)
