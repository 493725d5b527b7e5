"""Words that pages share: versions by their names, how long ago, an error with its interval. In: values. Out: text; nothing is judged."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from everloop.console.shown import MOUNT
from everloop.errors import Unknown
from everloop.loop.house import House
from everloop.loop.realised import Realised
from everloop.monitor.watched import title
from everloop.project.model import Model
from everloop.project.spoken_model import say_question
from everloop.project.spoken_voice import Voice
from everloop.registry.sentences import Naming
from everloop.stats.rounded import figure


def naming(house: House) -> Naming:
    """From a version's id to its name, each looked up when it is first needed: a house may have ten thousand."""
    known: dict[str, str] = {}

    def name(id: str) -> str:
        if id not in known:
            try:
                known[id] = house.versions.get(id).name
            except Unknown:
                known[id] = id
        return known[id]

    return name


def called(house: House, model: str) -> Naming:
    """The same from a candidate's id, of one model: the version it became, or the beginning of its id."""
    known = {version.candidate: version.name for version in house.versions.all(model)}
    return lambda id: known.get(id, f"candidate {id[:8]}")


def age(span: timedelta) -> str:
    """How long, in the one unit that says it best.

    >>> [age(timedelta(minutes=m)) for m in (0, 1, 50, 90, 60 * 30, 60 * 24 * 12, 60 * 24 * 800)]
    ['less than a minute', '1 minute', '50 minutes', '2 hours', '30 hours', '12 days', '2.2 years']
    """
    minutes = max(span, timedelta(0)) / timedelta(minutes=1)
    if minutes < 1:
        return "less than a minute"
    for most, one, unit in ((90, 1, "minute"), (48 * 60, 60, "hour"), (730 * 1440, 1440, "day")):
        if minutes < most:
            count = int(minutes / one + 0.5)
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{minutes / 525_960:.1f} years"


def within(value: float | None, low: float | None, high: float | None, why: str = "") -> str:
    """A figure with its interval; of one that is not there ``why``.

    >>> within(0.2161, 0.2, 0.2302), within(0.2, None, None), within(None, None, None, "there is one truth only")
    ('0.216 (0.200 … 0.230)', '0.200', 'unknown: there is one truth only')
    """
    if value is None and why:
        return f"unknown: {why}"
    return figure(value) + (f" ({figure(low)} … {figure(high)})" if low is not None and high is not None else "")


def error_said(error: Realised) -> str:
    """A realised error in figures.

    >>> from datetime import UTC, datetime
    >>> error_said(Realised(datetime(2026, 11, 2, tzinfo=UTC), "v", "wape", 0.2161, 0.2, 0.23, 900, 0.96))
    'WAPE 0.216 (0.200 … 0.230)'
    """
    return f"{title(error.measure)} {within(error.value, error.low, error.high, error.why)}"


def about(model: Model) -> str:
    """What a model is for, in a sentence without its full stop."""
    if model.about:
        return " ".join(model.about.split()).rstrip(".")
    return say_question(Voice(model)).partition(". ")[0].rstrip(".")


def way(model: str, *further: str) -> str:
    """The address of a model's page, or of one below it.

    >>> way("fruit & veg", "rollout")
    '/console/models/fruit%20%26%20veg/rollout'
    """
    return "/".join((f"{MOUNT}/models", *(quote(part, safe="") for part in (model, *further))))
