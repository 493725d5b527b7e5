"""scikit-learn's scorers by their own names: which kind of answer each measures, and how it is spoken. Of each more is better. A table.

Not in it: scorers of clusterings, which compare groupings and no answers, and ``…_samples``, which are of several labels at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from everloop.records import Kind

NUMBER: tuple[Kind, ...] = ("number",)
CHANCE: tuple[Kind, ...] = ("chance",)
SHARES: tuple[Kind, ...] = ("shares",)
EITHER: tuple[Kind, ...] = ("chance", "shares")


@dataclass(frozen=True, slots=True)
class Scorer:
    """One scorer. ``decides``: it counts yeses and noes; ``whole``: it is no sum over questions, nor close to one, so that only the gate,
    which can draw the questions anew, may judge by it."""

    name: str
    kinds: tuple[Kind, ...]
    spoken: str
    decides: bool = False
    whole: bool = False


AVERAGES = {"macro": "the mean over classes", "micro": "all classes together", "weighted": "classes by how often they are true"}

SCORERS: dict[str, Scorer] = {
    s.name: s
    for s in (
        Scorer("r2", NUMBER, "R²"),
        Scorer("explained_variance", NUMBER, "explained variance"),
        Scorer("d2_absolute_error_score", NUMBER, "D² of absolute errors"),
        Scorer("neg_mean_absolute_error", NUMBER, "mean absolute error, negated"),
        Scorer("neg_mean_absolute_percentage_error", NUMBER, "mean absolute percentage error, negated"),
        Scorer("neg_mean_squared_error", NUMBER, "mean squared error, negated"),
        Scorer("neg_root_mean_squared_error", NUMBER, "root mean squared error, negated"),
        Scorer("neg_mean_squared_log_error", NUMBER, "mean squared error of logarithms, negated"),
        Scorer("neg_root_mean_squared_log_error", NUMBER, "root mean squared error of logarithms, negated"),
        Scorer("neg_mean_poisson_deviance", NUMBER, "mean Poisson deviance, negated"),
        Scorer("neg_mean_gamma_deviance", NUMBER, "mean gamma deviance, negated"),
        Scorer("neg_median_absolute_error", NUMBER, "median absolute error, negated", whole=True),
        Scorer("neg_max_error", NUMBER, "largest error, negated", whole=True),
        Scorer("roc_auc", CHANCE, "ROC AUC"),
        Scorer("average_precision", CHANCE, "average precision"),
        Scorer("neg_log_loss", EITHER, "log loss, negated"),
        Scorer("neg_brier_score", EITHER, "Brier score, negated"),
        Scorer("d2_log_loss_score", EITHER, "D² of log losses"),
        Scorer("d2_brier_score", EITHER, "D² of Brier scores"),
        Scorer("balanced_accuracy", EITHER, "balanced accuracy", decides=True),
        Scorer("matthews_corrcoef", EITHER, "Matthews' correlation", decides=True),
        Scorer("f1", CHANCE, "F1", decides=True),
        Scorer("jaccard", CHANCE, "Jaccard index", decides=True),
        Scorer("positive_likelihood_ratio", CHANCE, "likelihood ratio of a yes", decides=True),
        Scorer("neg_negative_likelihood_ratio", CHANCE, "likelihood ratio of a no, negated", decides=True),
        *(
            Scorer(f"{name}_{average}", EITHER, f"{spoken} ({over})", decides=True)
            for name, spoken in (("f1", "F1"), ("precision", "precision"), ("recall", "recall"), ("jaccard", "Jaccard index"))
            for average, over in AVERAGES.items()
        ),
        Scorer("roc_auc_ovr", SHARES, "ROC AUC, each class against the rest"),
        Scorer("roc_auc_ovr_weighted", SHARES, "ROC AUC, each class against the rest, by how often it is true"),
        Scorer("roc_auc_ovo", SHARES, "ROC AUC, each class against each other"),
        Scorer("roc_auc_ovo_weighted", SHARES, "ROC AUC, each class against each other, by how often the two are true"),
        Scorer("top_k_accuracy", SHARES, "share of truths among the two likeliest"),
    )
}
