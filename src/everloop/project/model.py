"""Model: what to predict, and how its answers are kept right. Pure values; the learner is the user's own object."""
# Field names exactly as grammar.md section 1.2; lists normalised to tuples:
#   name, predicts: AnyReading, per: tuple[str, ...] | Source, asked: every | None, among: tuple, candidates: tuple, void_when: tuple,
#   knows: tuple[AnyReading, ...] (flattened), learner: object, fed_as, answers: yes_above | quantiles | None, tune: search | None,
#   learns_from: timedelta | only_new | None, holdout: timedelta | float | None, baseline: object | None, one_per: str | None,
#   split_by: str | None, control: float, promote_when: tuple, roll_out: tuple, roll_back_when: tuple, retrain_when: tuple, tell_when: tuple,
#   autonomy: dict decision -> level with keys retrain, promote, roll_back (normalised), budget: timedelta | None, owner, about, tags: tuple
# Derived (plain properties / functions in project/):
#   model.unit: tuple[str, ...]      the columns a question is about (per, or the id of the per source)
#   model.sources: tuple[Source, ...]  every base source it reads (without where), parents included, by name
#   model.request: tuple[str, ...]   what a request carries
#   model.kind: "number" | "chance" | "shares" | "quantiles" | "ranking"   and model.shape: records.Shape
#   model.matures_after: timedelta   next|within + largest late of the truth's sources
#   model.metric: str                the metric used where on=None (wape, auc→…, ndcg, pinball)
#   model.columns: tuple[str, ...]   names of the learner's columns, in order
#   model.said: str                  repr of the whole model, stable: what the identity hash is made of
#   model.not_yet: tuple[str, ...]   sentences for each word whose engine is missing (empty: it can turn)
