"""Credit risk: our own table, our own pipeline, our model in MLflow; Everloop only keeps it right."""

from risk.pipeline import FEATURES, fit

from everloop import Model, Source, beats_champion, canary, days, drifted, fair_across, new_truths, shadow, worse_than_champion
from everloop.connect.mlflow import registered

loans = Source(
    "loans",
    id="loan_id",
    time="applied_at",
    version="row_version",
    late=days(10),
    columns=FEATURES | {"region": str, "defaulted": bool},
)

risk = Model(
    "credit_risk",
    about="Decides nothing by itself; a clerk sees the chance beside the application.",
    predicts=loans.outcome("defaulted", within=days(180)),
    per=loans,
    knows=loans.given(*FEATURES),
    learner=fit,
    fed_as="pandas",
    baseline=registered("credit-risk@production"),
    holdout=days(91),
    promote_when=[beats_champion("auc", by=0.01), fair_across(loans.given("region"), on="auc", ratio=0.9)],
    roll_out=[shadow(days(14)), canary(0.1, 0.5, every=days(14))],
    roll_back_when=worse_than_champion("brier", by=0.05),
    retrain_when=[drifted(), new_truths(2_000)],
    autonomy="suggest",
    owner="credit-team",
    tags=["regulated", "eu-ai-act:high-risk"],
)
