"""Nouns of serving: who answers whom, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeAlias

from everloop.records.record import Record

Stage: TypeAlias = Literal["steady", "shadow", "canary", "bake"]


@dataclass(frozen=True, kw_only=True)
class Traffic(Record):
    """Who is answered by whom. The pointer to the newest of these, per model, is what ``undo`` and ``step`` move by compare-and-set.

    ``candidate`` answers a ``share`` of the units (0 in shadow); in ``bake`` the new champion answers everybody and ``previous``
    goes on answering in shadow. ``salt`` makes the split of one rollout independent of every other. ``control`` is the share of units
    that ``baseline``, version number zero, answers for good; ``share`` is one of all the others.

    Where several candidates are tested at once, ``arms`` are they, in the order in which units are drawn for them, and have equal parts of
    the ``share``; None stands for one that was dropped, whose units the champion answers. ``candidate`` is then the first still there.

    ``held`` says who put a stop to roll-outs, and why: until it is released nothing begins, no step is taken, and there is no candidate.
    ``by_hand`` says who set the ``share`` of a canary, and why: no step is taken before that is given back to the plan.
    """

    model: str
    generation: int
    stage: Stage
    champion: str  # version ids
    previous: str | None = None
    candidate: str | None = None
    share: float = 0.0
    step: int = 0
    since: datetime
    salt: str = ""
    because: str = ""
    control: float = 0.0
    baseline: str | None = None
    arms: tuple[str | None, ...] = ()
    held: str | None = field(default=None, metadata={"empty": "left out"})
    by_hand: str | None = field(default=None, metadata={"empty": "left out"})

    @property
    def rolling(self) -> bool:
        return self.stage != "steady"

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every candidate that is being rolled out; none, one, or those still there of several."""
        return tuple(version for version in self.arms or (self.candidate,) if version is not None)

    def at(self, place: Literal["champion", "candidate"]) -> str | None:
        """The version at this place: the champion, or the first candidate that is being rolled out; None where nothing is."""
        return self.champion if place == "champion" else next(iter(self.candidates), None)

    @cached_property
    def by_arm(self) -> Mapping[str, str]:
        """The version behind each arm that is there: the champion's, each candidate's, and the baseline's of a control.

        >>> at = datetime(2026, 11, 2)
        >>> four = ("b", None, "d")
        >>> Traffic(
        ...     id="t", made_at=at, since=at, model="m", generation=2, stage="canary", champion="a", candidate="b", share=0.5, arms=four
        ... ).by_arm
        {'champion': 'a', 'candidate': 'b', 'candidate-3': 'd'}
        """
        drawn = zip(candidate_arms(len(self.arms or (None,))), self.arms or (self.candidate,), strict=True)
        named = {"champion": self.champion, **dict(drawn), "control": self.baseline}
        return {arm: version for arm, version in named.items() if version is not None}

    @property
    def versions(self) -> tuple[str, ...]:
        """Whoever may have to answer, each once: champion, candidates, the one before, the baseline of a control."""
        named = (self.champion, *self.candidates, self.previous, self.baseline)
        return tuple(dict.fromkeys(version for version in named if version is not None))

    @cached_property
    def propensities(self) -> Mapping[str, float]:
        """By arm, how likely a unit was to get it when its arm was drawn; an arm that nobody can get is left out.

        >>> at = datetime(2026, 11, 2)
        >>> half = Traffic(id="t", made_at=at, since=at, model="m", generation=2, stage="canary", champion="a", candidate="b", share=0.25)
        >>> half.propensities
        {'champion': 0.75, 'candidate': 0.25}
        """
        each = self.share / len(self.arms or (self.candidate,)) if self.stage == "canary" else 0.0
        rest, drawn = 1 - self.control, [arm for arm in self.by_arm if arm.startswith("candidate")]
        given = dict.fromkeys(drawn, rest * each)
        chances = {"champion": rest * (1 - each * len(drawn)), **given, "control": self.control}
        return {arm: chance for arm, chance in chances.items() if chance > 0}


Arm: TypeAlias = Literal["champion", "candidate", "candidate-2", "candidate-3", "candidate-4", "candidate-5", "control", "shadow"]

MOST_CANDIDATES = 5
"""That one test can hold."""


def candidate_arms(number: int) -> tuple[str, ...]:
    """What the arms of so many candidates are called.

    >>> candidate_arms(3)
    ('candidate', 'candidate-2', 'candidate-3')
    """
    return ("candidate", *(f"candidate-{place}" for place in range(2, number + 1)))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer as given. Exactly one of the four shapes is filled: ``value`` (a number, or the chance of yes), ``values`` (class
    shares by label; quantiles row by row, a row for each step), or ``items`` with ``values`` as their scores, best first."""

    id: str
    model: str
    version: str
    arm: Arm
    unit: str
    moment: datetime
    value: float | None = None
    values: tuple[float, ...] = ()
    items: tuple[str, ...] = ()
    says: str | None = None  # yes or no, or the likeliest label
    features: tuple[tuple[str, float | str | None], ...] = ()
    microseconds: int = 0
    error: str | None = None
    propensity: float | None = None  # how likely the unit was to get its arm, when that was drawn; of shadows, and in old logs, none
    left_out: tuple[str, ...] = ()  # what its request did not say and nobody knows: it counted as empty; not remembered
    unusual: tuple[str, ...] = ()  # what of its question its version has never met, where that was looked at; not remembered
