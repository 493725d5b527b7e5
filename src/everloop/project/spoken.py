"""The sentences that read a model aloud; card, console, alerts and gates use the same. In: words. Out: text. No clock, no disk."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from everloop.project.reading import AnyReading
from everloop.project.spoken_conditions import Condition, say_condition, spoken_metric
from everloop.project.spoken_model import say_knowledge, say_learning, say_policy, say_question
from everloop.project.spoken_readings import say_reading, say_readings
from everloop.project.spoken_rows import spoken_row_condition
from everloop.project.spoken_sources import spoken_source
from everloop.project.spoken_values import spoken_count, spoken_list, spoken_money, spoken_number, spoken_share, spoken_span
from everloop.project.spoken_voice import Voice

if TYPE_CHECKING:
    from everloop.project.model import Model

__all__ = [
    "explain",
    "spoken_condition",
    "spoken_count",
    "spoken_list",
    "spoken_metric",
    "spoken_money",
    "spoken_number",
    "spoken_reading",
    "spoken_readings",
    "spoken_row_condition",
    "spoken_share",
    "spoken_source",
    "spoken_span",
]

WIDTH = 112


def explain(model: Model, *, pending: bool = False) -> str:
    """The model, read aloud: what it predicts, knows, learns from, how it is kept right, and a line for each source.

    Lines are at most 112 characters long. ``pending`` adds what cannot be turned yet, where something cannot.

    >>> from everloop import Model, Source, days, every
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
    >>> def learn(rows): ...
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.count(last=[days(28), days(91)]), learner=learn)
    >>> print(explain(churn))
    churn predicts whether there will be no orders over the next 28 days, for each customer, asked every 7 days...
    orders: one row per order; dated ordered_at.
    """
    voice = Voice(model)
    paragraphs = [_wrapped(say(voice)) for say in (say_question, say_knowledge, say_learning, say_policy)]
    paragraphs.append("\n".join(_wrapped(spoken_source(source), "  ") for source in model.sources))
    if pending and model.not_yet:
        paragraphs.append(_wrapped(f"Not turned yet: {'; '.join(model.not_yet)}."))
    return "\n\n".join(paragraphs)


def spoken_reading(reading: AnyReading, model: Model) -> str:
    """One reading of a model as a noun phrase.

    >>> from everloop import Model, Source, days, every
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
    >>> def learn(rows): ...
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.count(last=days(28)), learner=learn)
    >>> spoken_reading(churn.knows[0], churn), spoken_reading(orders.latest("ordered_at"), churn)
    ('the number of orders over the last 28 days', 'days since the latest order')
    """
    return say_reading(Voice(model), reading)


def spoken_readings(readings: tuple[AnyReading, ...], model: Model) -> list[str]:
    """Several readings of a model; neighbours that differ only in one span or one column are said together."""
    return say_readings(Voice(model), readings)


def spoken_condition(condition: Condition, model: Model, *, subject: str = "it is") -> str:
    """One condition of a model as a clause, without a full stop.

    ``subject`` is who a comparison with the champion is about: ``"demand@3 is"``, or ``""`` to begin with "proven".

    >>> from everloop import Model, Source, beats_champion, days, every, slipped
    >>> orders = Source("orders", id="order_id", time="ordered_at", columns={"customer_id": str})
    >>> def learn(rows): ...
    >>> churn = Model("churn", predicts=orders.none(next=days(28)), per="customer_id", asked=every(days(7)),
    ...               knows=orders.count(last=days(28)), learner=learn)
    >>> spoken_condition(beats_champion(by=0.02), churn), spoken_condition(beats_champion("brier"), churn, subject="")
    ('it is proven at least 2 % better than the champion on AUC', 'proven better than the champion on Brier score')
    >>> spoken_condition(slipped(by=0.1), churn)
    'AUC on mature truth is proven more than 10 % worse than when it was promoted'
    """
    return say_condition(Voice(model), condition, subject=subject)


def _wrapped(paragraph: str, indent: str = "") -> str:
    return fill(paragraph, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
