"""Records in sentences, as the terminal, the report and the alerts say them; the clauses are those of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from everloop.clock import said
from everloop.project.refuse import listed
from everloop.records import Contest, Decision, Incident, Lift, Prediction, Record, Report, Shape, Signals, Snapshot
from everloop.registry.history import names
from everloop.registry.sentences import Naming, clause
from everloop.stats.rounded import percent

if TYPE_CHECKING:
    from everloop.lake.tables import Delivery
    from everloop.loop.house import House

UNTOLD = (Signals, Snapshot, Contest, Incident)


def story(house: House, decision: Decision) -> str:
    """What one turn did, told from the records it kept, in order."""
    name = names(house.journal)
    told = [r for r in house.kept_in_turn(decision.id) if not isinstance(r, UNTOLD) or (isinstance(r, Contest) and r.lists)]
    lines = [spoken_record(r, name) for r in told if r.id == decision.id or not isinstance(r, Decision) or r.asks]
    return f"{decision.model}: " + "\n  ".join(lines)


def spoken_record(record: Record, name: Naming = str) -> str:
    """One record in a sentence, with its examples where it has any.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> spoken_record(Decision(id="d", made_at=now, model="demand", action="hold", because=("nothing fired",), cause="schedule"))
    'Nothing to do: nothing fired.'
    """
    if isinstance(record, Decision):
        return spoken_decision(record)
    if isinstance(record, Report):
        return spoken_report(record)
    if isinstance(record, Contest) and record.lists:
        return "\n    ".join(spoken_lists(record))
    told = clause(record, name)
    # A name is written as it is, also at the head of a sentence.
    by = getattr(record, "by", None)
    named = "@" in told.split(" ", 1)[0] or (by is not None and told.startswith(by))
    head = told if named else told[:1].upper() + told[1:]
    return head + ("" if told.endswith(".") else ".")


def spoken_decision(decision: Decision) -> str:
    """What is to be done, and why."""
    why = "; ".join(decision.because)
    if decision.by_hand:
        return f"{clause(decision)}."
    if decision.asks:
        return f"A person is asked whether to {ASKED[decision.asks]} (everloop approve {decision.model}): {why}."
    since = ""
    if decision.learn_from and decision.retrains:
        since = f" What happened since {decision.learn_from:%Y-%m-%d} judges, and alone is learnt from once there is enough of it."
    return f"{ACTIONS[decision.action]}: {why}.{since}"


ACTIONS = {
    "hold": "Nothing to do",
    "retrain": "Retrain",
    "rehearse": "Learn a candidate and hold it beside the champion, as evidence",
    "advance": "The roll-out goes a step on",
    "promote": "The candidate takes over",
    "undo": "Take it back",
    "ask": "A person is asked",
    "release": "Roll-outs may go on",
    "share": "A share is set",
}
ASKED = {
    "retrain": "retrain",
    "rehearse": "rehearse a candidate",
    "promote": "let the candidate take over",
    "undo": "take it back",
    "advance": "go on",
    "hold": "wait",
    "ask": "ask",
    "release": "let roll-outs go on",
    "share": "set a share",
}


def spoken_report(report: Report) -> str:
    """Whether the data is fit to learn from, with what broke and at most five examples of each."""
    wrong = [f for f in report.findings if f.outcome != "passed"]
    if not wrong:
        so_far = "".join(f"\n  As far as it came: {one}." for one in report.overdue or ())
        return f"{report.model}: fit to learn from ({len(report.findings)} conditions hold).{so_far}"
    lines = [f"{report.model}: not fit to learn from."]
    for finding in wrong:
        lines.append(f"  {finding.source}: {finding.sentence}")
        lines += [f"    {example}" for example in finding.examples]
    lines += [f"  {one}" for one in report.overdue or ()]
    return "\n".join(lines)


def spoken_signals(signals: Signals, name: Naming = str) -> str:
    """Every condition with what was found, those that fired first; then the verdict of a roll-out, with every figure it rests on."""
    ordered = sorted(signals.signals, key=lambda s: not s.fired)
    tested = {trial.candidate for trial in signals.trials} if signals.beside else set()
    whose = {version: f"{name(version)}, " for version in tested}  # of several candidates each is told by its name
    lines = [f"{'!' if s.fired else ' '} {whose.get(s.about or '', '')}{s.clause}: {s.sentence}" for s in ordered]
    lines += [f"  {name(c.version)}: {percent(c.mean)} sure on the average of {c.rows:,} answers" for c in signals.confidence]
    for trial in signals.trials:
        from everloop.rollout.sentences import sentence

        head = f"The roll-out of {name(trial.candidate)}" if signals.beside else "The roll-out"
        lines.append(f"{head}: {trial.says}, because {trial.because}")
        lines += [f"  {sentence(guard)}" for guard in trial.guards]
    if signals.lifts:
        lines += ["Held against the units that keep the baseline:", *(f"  {spoken_lift(lift)}" for lift in signals.lifts)]
    return "\n".join([f"{signals.model}, as of {said(signals.until)}:", *lines])


OVER = {"all": "over all items", "repeat": "of what they had before", "explore": "of what they never had"}


def spoken_lists(contest: Contest) -> tuple[str, ...]:
    """How well both sides of a contest list, each figure with its protocol.

    >>> from datetime import datetime, timezone
    >>> from everloop.records import Listed
    >>> day = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> protocol = {"over": "all", "k": 5, "questions": 40, "items": 90}
    >>> said = Listed(side="champion", precision=0.25, **protocol), Listed(side="candidate", precision=0.5, **protocol)
    >>> ids = dict.fromkeys(("id", "model", "champion", "candidate"), "c")
    >>> told = spoken_lists(Contest(made_at=day, body=None, rows=40, first_at=day, last_at=day, lists=said, **ids))
    >>> for line in told:
    ...     print(line)
    Lists of 5 among 90 items, asked from 2026-11-02 to 2026-11-02:
    over all items, 40 questions: precision 0.500 (champion 0.250)
    """
    champion = {one.over: one for one in contest.lists if one.side == "champion"}
    mine = [one for one in contest.lists if one.side == "candidate"]
    if not mine or contest.first_at is None or contest.last_at is None:
        return ()
    head = f"Lists of {mine[0].k} among {mine[0].items:,} items, asked from {contest.first_at:%Y-%m-%d} to {contest.last_at:%Y-%m-%d}:"
    lines = [head]
    for one in mine:
        figures = []
        for name, word in (("precision", "precision"), ("hit_rate", "hit rate"), ("ndcg", "nDCG"), ("coverage", "coverage")):
            value, other = getattr(one, name), getattr(champion.get(one.over), name, None)
            if value is not None:
                figures.append(f"{word} {value:.3f}" + (f" (champion {other:.3f})" if other is not None else ""))
        lines.append(f"{OVER[one.over]}, {one.questions:,} questions: {', '.join(figures) or 'nothing to find'}")
    return tuple(lines)


def spoken_lift(lift: Lift) -> str:
    """A lift in figures.

    >>> spoken_lift(Lift(what="revenue", model=12.5, control=10.0, units=900, kept=100, low=0.5, high=4.5))
    'revenue: 12.5 a unit with the model (900 units), 10 with the baseline (100 that keep it); +25 %, between +5 % and +45 %'
    >>> spoken_lift(Lift(what="revenue", model=12.5, control=0.0, units=900, kept=1))
    'revenue: 12.5 a unit with the model (900 units), 0 with the baseline (1 that keep it); too few to say more'
    """
    head = (
        f"{lift.what}: {lift.model:.4g} a unit with the model ({lift.units:,} units), "
        f"{lift.control:.4g} with the baseline ({lift.kept:,} that keep it)"
    )
    if lift.low is None or lift.high is None:
        return f"{head}; too few to say more"
    if lift.control <= 0:
        return f"{head}; {lift.model - lift.control:+.4g}, between {lift.low:+.4g} and {lift.high:+.4g}"
    share, low, high = (100 * by / lift.control for by in (lift.model - lift.control, lift.low, lift.high))
    return f"{head}; {share:+.3g} %, between {low:+.3g} % and {high:+.3g} %"


def spoken_causes(signals: Signals) -> list[str]:
    """What was behind each signal that fired, as it was told then."""
    return [line for s in signals.signals if s.fired and s.causes for line in (f"{s.clause}:", *(f"  {c}" for c in s.causes))]


def spoken_delivery(delivery: Delivery) -> str:
    """One delivery on a line: its number, when, how much, of what file, and how it differed from what was declared.

    >>> from datetime import UTC, datetime
    >>> from everloop.lake.tables import Delivery
    >>> at = datetime(2026, 11, 2, tzinfo=UTC)
    >>> spoken_delivery(Delivery(source="orders", number=3, at=at, first_seq=1, last_seq=2, rows=2, name="a.csv", missing=("price",)))
    '3 · 2026-11-02 00:00 UTC · 2 rows (a.csv), without price'
    """
    parts = [f"{delivery.number} · {said(delivery.at)} · {delivery.rows:,} rows" + (f" ({delivery.name})" if delivery.name else "")]
    parts += [f"{delivery.refused:,} refused beside them"] if delivery.refused else []
    parts += [f"without {', '.join(delivery.missing)}"] if delivery.missing else []
    parts += [f"with {', '.join(delivery.new)}, which nobody declared"] if delivery.new else []
    parts += list(delivery.retyped)
    parts += [f"taken back {said(delivery.withdrawn_at)}"] if delivery.withdrawn_at else []
    return ", ".join(parts)


def spoken_values(values: Sequence[float], shape: Shape) -> str:
    """The values of one answer; of a path step by step.

    >>> spoken_values([1.0, 2.0, 3.0, 4.0], Shape(kind="quantiles", levels=(0.1, 0.9), steps=2))
    '1, 2; then 3, 4'
    """
    width = max(1, len(values) // shape.steps)
    return "; then ".join(", ".join(f"{v:g}" for v in values[at : at + width]) for at in range(0, len(values), width))


def spoken_answer(house: House, prediction: Prediction) -> str:
    """One answer in a line."""
    unit = prediction.unit.replace("\x1f", ", ")
    if prediction.error:
        return f"{unit}: no answer ({prediction.error})."
    if prediction.items:
        what = ", ".join(prediction.items)
    elif prediction.values:
        what = spoken_values(prediction.values, house.candidate(house.version(prediction.version).candidate).shape)
    else:
        what = f"{prediction.value:g}" if prediction.value is not None else "no answer"
    says = f" ({prediction.says})" if prediction.says else ""
    who = names(house.journal)(prediction.version)
    if house.candidate(house.version(prediction.version).candidate).format == "baseline":
        who += ", the baseline,"
    line = f"{unit}: {what}{says}, by {who} in {prediction.microseconds / 1000:.1f} ms (id {prediction.id})."
    line += "".join(f"\n  Unusual is {one}." for one in prediction.unusual)
    if not prediction.left_out:
        return line
    were = f"{listed(prediction.left_out)} {'were' if len(prediction.left_out) > 1 else 'was'}"
    return f"{line}\n  Nobody has heard of {unit}, and {were} not said, so that they count as empty. Say such as {prediction.left_out[0]}=…"
