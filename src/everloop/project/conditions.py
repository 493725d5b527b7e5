"""Conditions: the clauses a model lives under. Each is a frozen value whose repr is how it is said. No I/O."""
# Fields (all frozen Words, lower-case dataclasses; positional first, then keyword-only; varargs become tuples):
#
# rows:       always(column: str, *, share=1.0)
#             at_least(what: str | AnyReading, value: float, *, share=1.0)      at_most(…)      what: column, reading or metric
#             one_of(what: str | AnyReading, *values, share=1.0)                .values: tuple
#             fresh(span: timedelta)
# judging:    beats_champion(on: str | cost | Reading | None = None, *, by=0.0, confidence=0.95)
#             as_good_as_champion(on=None, *, margin=0.0, confidence=0.95)
#             worse_than_champion(on=None, *, by=0.0, confidence=0.95)
#             fair_across(reading: AnyReading, *, on: str | None = None, ratio=0.8)
#             answers_within(*, ms: float, share=0.99)
#             cost(*, missed: float | AnyReading, false_alarm: float | AnyReading)
# rollout:    shadow(span)   canary(*shares: float, every: timedelta)   ab(share: float, *, wins_when, within: timedelta)
# retraining: drifted(what: str | AnyReading = "inputs", *, psi: float | None = None)
#             slipped(on=None, *, by=0.0)   new_truths(count: int)   every(…) of spans.py
# answers:    yes_above(chance: float)    quantiles(*levels: float)
# others:     search(trials: int, **ranges)    only_new()
