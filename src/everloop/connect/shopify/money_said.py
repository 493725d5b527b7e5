"""An account in sentences, in the shop's currency. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from everloop.connect.shopify.money import CONTROL, ENOUGH, Account, Arm
from everloop.project.spoken_values import spoken_money
from everloop.stats.lift import Brought, units_needed


def sentences(account: Account) -> tuple[str, ...]:
    """What a merchant should know of what a model brought, in order of weight."""
    return (*_who(account), *_verdict(account), *_beside(account))


def data(account: Account) -> dict[str, Any]:
    """The same as data: amounts in minor units, spans in days, instants in ISO 8601."""
    spans = {f"{name}_days": span / timedelta(days=1) for name, span in vars(account.spans).items()}
    said = {"says": account.says, "since": account.since.isoformat(), "until": account.until.isoformat(), **spans}
    return {name: value for name, value in asdict(account).items() if name != "spans"} | said


def _who(a: Account) -> Iterator[str]:
    span = f"bought within {_days(a.spans.within)} of being met first, less what came back within {_days(a.spans.settles)} more"
    yield f"{a.model} since {a.since:%Y-%m-%d}: {a.control:.3g} of all keep the baseline for good; money is what a unit {span}."
    settled = (
        "Nobody is settled yet"
        if a.found is None
        else f"{a.found.units:,} units of the model and {a.found.kept:,} of the control are settled"
    )
    yield f"{settled}; {a.waiting:,} more are waited for."


def _verdict(a: Account) -> Iterator[str]:
    if a.cap is None or a.found is None:
        if not a.arms and a.waiting:
            yield "Nothing can be said before the first of them is."
        elif not a.arms and not a.fixing:
            yield "Units are counted from when something that was learnt first answers somebody."
        elif a.cap is None:
            yield f"Fewer than {ENOUGH} units bought anything, so that nothing says what is much, and nothing is concluded."
        return
    found, unit = a.found, a.currency
    model, control = _mean(a, found.model), _mean(a, found.control)
    yield (
        f"A unit of the model brings {model}, one of the control {control}: {_amount(found.effect, unit)} a unit{_relative(found)}, "
        f"between {_amount(found.low, unit)} and {_amount(found.high, unit)} with {a.confidence:.0%} confidence at every look."
    )
    needs = 1 / (1 - a.confidence)
    if a.says == "not enough evidence":
        more = units_needed(found, 0.05, needs=needs)
        so_far = max(found.more, found.less)
        about = "" if more is None else f" A lift of 5 % would take about {more:,} units in all."
        yield f"Not enough evidence: {so_far:,.1f} : 1 of the {needs:,.0f} : 1 it takes.{about}"
    else:
        evidence = found.more if a.says == "brings more" else found.less
        word = "more" if a.says == "brings more" else "less"
        yield (
            f"Proven: the model brings {word} ({min(evidence, 1e9):,.0f} : 1). Of its {found.units:,} units that is "
            f"{_amount(found.effect * found.units, unit, whole=True)} so far, "
            f"between {_amount(found.low * found.units, unit, whole=True)} and {_amount(found.high * found.units, unit, whole=True)}."
        )
    cap = spoken_money(round(a.cap), unit)
    yield f"Amounts count up to {cap} a unit, which was fixed before; {a.above_cap:.1%} of the money lies above."


def _beside(a: Account) -> Iterator[str]:
    for arm in a.arms:
        yield _of_arm(a, arm)
    through = sum(arm.through for arm in a.arms if arm.name != CONTROL)
    if through:
        yield (
            f"Attribution would claim {spoken_money(through, a.currency)}: what was bought from a list, also what would "
            "have been bought without one. It is told, and proves nothing."
        )
    if a.came_back_late:
        late = spoken_money(a.came_back_late, a.currency)
        yield f"{late} came back after its unit was settled: the arms' figures are less it, the evidence is not."
    if a.elsewhere:
        yield f"{spoken_money(a.elsewhere, a.currency)} was bought by units that were never answered; it is compared with nothing."
    if a.fixing:
        yield f"The first {a.fixing:,} units said what is much, since nobody had bought before, and count no more."
    if a.foreign:
        yield f"{a.foreign:,} versions of lines in another currency than {a.currency} are left out."


def _of_arm(a: Account, arm: Arm) -> str:
    whose = "the shop's own list" if arm.name == CONTROL else "a list"
    each = spoken_money(round(arm.net / arm.units), a.currency) if arm.units else "nothing"
    return (
        f"  {arm.name}: {arm.units:,} units, {arm.buyers:,} bought, {spoken_money(arm.net, a.currency)} as known today, {each} a unit"
        f"{f', {spoken_money(arm.through, a.currency)} of it from {whose}' if arm.through else ''}"
    )


def _mean(a: Account, minor: float) -> str:
    return spoken_money(round(minor), a.currency)


def _amount(minor: float, currency: str, *, whole: bool = False) -> str:
    said = spoken_money(round(minor), currency)
    return said if whole or minor < 0 else f"+{said}"


def _relative(found: Brought) -> str:
    share = found.share
    return "" if share is None else f" ({share[0]:+.1%}; {share[1]:+.1%} … {share[2]:+.1%})"


def _days(span: timedelta) -> str:
    days = span / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"
