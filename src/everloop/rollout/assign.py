"""Which version answers a unit: sticky, stateless, the same in every process and every language. Pure.

One SHA-256 of ``salt:unit`` gives two independent numbers in [0, 1): *coverage* (its first 8 hex digits / 2³²) and *variation* (the
next 8). Up to a share of one half a roll-out covers twice its share and gives the candidate half of what it covers, so that the
candidate's units have an equal group of the champion's to be compared with; beyond that it covers everybody. Either way a rising share
only ever adds units to the candidate.

Of several candidates each has an equal part: a third number of the same kind, of a text of its own, draws one of them for a unit, whatever
the share; so no share and nobody's end moves a unit from one candidate to another.

Whom a control keeps is told by a salt of the model's own, which no roll-out changes and no roll-out's own depends on.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final

from everloop.records import Traffic, candidate_arms

WHOLE: Final = 2**32


def arm_of(unit: str, traffic: Traffic) -> str:
    """The arm of this unit under this traffic: *champion*, *candidate* (of several also *candidate-2* and so on) or *control*. A unit of
    the control is answered by the baseline whatever is rolled out; outside a canary the champion answers all others, and in it the units of
    a candidate that was dropped.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> half = Traffic(
    ...     id="t", made_at=now, since=now, model="m", generation=2, stage="canary", champion="a", candidate="b", share=0.5, salt="s"
    ... )
    >>> [arm_of(unit, half) for unit in ("1", "2", "3")]
    ['candidate', 'champion', 'candidate']
    """
    if kept(unit, traffic):
        return "control"
    if traffic.stage != "canary" or traffic.candidate is None:
        return "champion"
    coverage, variation = places(unit, traffic.salt)
    if coverage >= _covered(traffic.share) or variation >= _given(traffic.share):
        return "champion"
    return told_arms(traffic)[drawn(unit, traffic.salt, len(traffic.arms))] if traffic.arms else "candidate"


def compared(unit: str, traffic: Traffic) -> bool:
    """Does this unit count where the arms are compared? Units a roll-out does not cover are answered, but compared with nobody; so are
    those of the control, and those drawn for a candidate that was dropped."""
    if traffic.stage != "canary" or kept(unit, traffic):
        return False
    coverage, variation = places(unit, traffic.salt)
    if coverage >= _covered(traffic.share):
        return False
    return not traffic.arms or variation >= _given(traffic.share) or arm_of(unit, traffic) != "champion"


def told_arms(traffic: Traffic) -> tuple[str, ...]:
    """By the place a unit is drawn for, the arm that answers it: the champion's, where that candidate was dropped.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> left = ("b", None, "d")
    >>> told_arms(Traffic(id="t", made_at=now, since=now, model="m", generation=2, stage="canary", champion="a", candidate="b", arms=left))
    ('candidate', 'champion', 'candidate-3')
    """
    arms = candidate_arms(len(traffic.arms or (None,)))
    return tuple(arm if arm in traffic.by_arm else "champion" for arm in arms)


def drawn(unit: str, salt: str, among: int) -> int:
    """Which of so many candidates a unit is drawn for, from 0 on: the first 8 hex digits of SHA-256 over ``arm:salt:unit``, times how many,
    over 2³², rounded down.

    >>> [drawn(unit, "s", 3) for unit in ("1", "2", "3", "4")]
    [0, 1, 1, 0]
    """
    return int(places(unit, f"arm:{salt}")[0] * WHOLE) * among // WHOLE


def kept(unit: str, traffic: Traffic) -> bool:
    """Whether this unit keeps the baseline for good. A larger share adds units and lets none go.

    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> some = Traffic(id="t", made_at=now, since=now, model="m", generation=2, stage="steady", champion="a", control=0.5, baseline="z")
    >>> [kept(unit, some) for unit in ("6", "7", "8")]
    [False, True, True]
    """
    return traffic.control > 0 and places(unit, control_salt(traffic.model))[0] < traffic.control


def control_salt(model: str) -> str:
    """What the control of a model is drawn by, as long as the model has this name.

    >>> control_salt("demand")
    'control:demand'
    """
    return f"control:{model}"


def chance(traffic: Traffic, newest: Traffic | None = None) -> float:
    """The chance that a unit compared under this traffic was the candidate's; of several, that one of them has it, among its units and the
    champion's. With ``newest``, a later one of the same roll-out, among those that are still answered by the same version.
    Beyond one half a rising share moves units, and these are compared no more.

    >>> from dataclasses import replace
    >>> from datetime import datetime, timezone
    >>> now = datetime(2026, 11, 2, tzinfo=timezone.utc)
    >>> half = Traffic(
    ...     id="t", made_at=now, since=now, model="m", generation=2, stage="canary", champion="a", candidate="b", share=0.5, salt="s"
    ... )
    >>> chance(half), round(chance(half, replace(half, share=0.8)), 3)
    (0.5, 0.714)
    """
    first = _given(traffic.share) / max(1, len(traffic.arms))
    return first / (first + 1 - _given(newest.share if newest is not None else traffic.share))


def places(unit: str, salt: str) -> tuple[float, float]:
    """Where a unit stands in coverage and in variation, both in [0, 1); uniform and independent, of each other and across salts.

    >>> [round(place, 6) for place in places("unit", "salt")]
    [0.403259, 0.978459]
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / WHOLE, int.from_bytes(digest[4:8], "big") / WHOLE


def limits(share: float) -> tuple[int, int]:
    """Below which whole numbers out of 2³² a unit's coverage and variation lie, if the candidate answers it: for languages whose
    decimals are not these floats. Exact, since a place is a whole number out of 2³² and doubling a float loses nothing.

    >>> limits(0.05), limits(0.7), limits(0.0)
    ((429496730, 2147483648), (4294967296, 3006477108), (0, 2147483648))
    """
    return math.ceil(_covered(share) * WHOLE), math.ceil(_given(share) * WHOLE)


def limit(share: float) -> int:
    """Below which whole number out of 2³² a unit's coverage lies, if this share of all units is kept.

    >>> limit(0.05), limit(0.0), limit(1.0)
    (214748365, 0, 4294967296)
    """
    return math.ceil(share * WHOLE)


def _covered(share: float) -> float:
    return min(1.0, 2 * share)


def _given(share: float) -> float:
    return max(0.5, share)
