"""A roll-out plan as a row of steps: ``roll_out=[shadow(…), canary(…)]`` spelled out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Literal, TypeAlias

from everloop.errors import EverloopError
from everloop.project.conditions import as_good_as_champion, beats_champion
from everloop.project.steps import ab, bandit, canary, shadow

Plan: TypeAlias = Sequence[shadow | canary | ab | bandit]


@dataclass(frozen=True)
class Step:
    """The candidate answers a ``share`` of the units for at least ``lasts``. A ``test`` ends when all of ``wins_when`` is proven, or not
    in time; one that stands ``alone`` is judged as if the model had no other, one with a ``floor``
    moves its share meanwhile."""

    stage: Literal["shadow", "canary"]
    share: float
    lasts: timedelta
    wins_when: tuple[beats_champion | as_good_as_champion, ...] = ()
    alone: bool = False
    floor: float | None = None

    @property
    def test(self) -> bool:
        return bool(self.wins_when)


def steps(plan: Plan) -> tuple[Step, ...]:
    """The steps of a plan, in order. Shares never fall: nobody who saw the candidate is sent back while it goes on.

    >>> from everloop import canary, hours, shadow
    >>> [(s.stage, s.share) for s in steps([shadow(hours(6)), canary(0.05, 0.5, every=hours(2))])]
    [('shadow', 0.0), ('canary', 0.05), ('canary', 0.5)]

    Raises EverloopError for a plan whose shares fall, or that says what is no step.
    """
    spelled: list[Step] = []
    for clause in plan:
        if isinstance(clause, shadow):
            spelled.append(Step("shadow", 0.0, clause.span))
        elif isinstance(clause, canary):
            spelled += [Step("canary", share, clause.every) for share in clause.shares]
        elif isinstance(clause, ab):
            spelled.append(Step("canary", clause.share, clause.within, clause.wins_when, clause.alone))
        elif isinstance(clause, bandit):
            spelled.append(Step("canary", 0.5, clause.within, clause.wins_when, floor=clause.floor))
        else:
            raise EverloopError(
                f"roll_out=[…] says {clause!r}, which is no step of a roll-out. Say shadow(…), canary(…), ab(…) or bandit(…)."
            )
    for before, after in pairwise(spelled):
        if after.share < before.share:
            raise EverloopError(
                f"The roll-out falls from a share of {before.share:g} to {after.share:g}. "
                f"Let its steps rise: shadow first, then rising shares."
            )
    return tuple(spelled)
