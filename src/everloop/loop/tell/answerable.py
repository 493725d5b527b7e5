"""Who can answer here. A version of a service elsewhere cannot: what would ask it is refused, and there is no way back to it.

In: a traffic. Out: the same, as far as it can be carried out. Moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from everloop.errors import EverloopError
from everloop.records import Candidate, Traffic

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from everloop.loop.house import House


def answered_elsewhere(candidate: Candidate) -> EverloopError:
    """What is said to whoever asks here."""
    return EverloopError(
        f"{candidate.model} is answered elsewhere, by {candidate.learner}; nothing here can answer for it. Ask that service, or let a "
        f"candidate take over: everloop turn {candidate.model}"
    )


def is_elsewhere(house: House, version: str | None, *, within: Connection | None = None) -> bool:
    """Whether a version is one of a service elsewhere."""
    if version is None:
        return False
    return house.candidate(house.versions.get(version, within=within).candidate, within=within).format == "elsewhere"


def answers_here(house: House, traffic: Traffic) -> Traffic:
    """As ``served_here``, with the candidates of the house."""
    named = (version for version in (traffic.champion, traffic.previous) if version is not None)
    return served_here(traffic, {version: house.candidate(house.version(version).candidate) for version in named})


def served_here(traffic: Traffic, candidates: Mapping[str, Candidate]) -> Traffic:
    """The traffic as far as it can be answered here; a candidate beside a champion elsewhere stands alone in it. ``candidates``: what the
    champion and the one before it are made of, by version id. Raises EverloopError where there is nobody.

    Where the champion is another one in what is returned, what its own ``arm_of`` calls ``champion`` is seen by nobody.
    """
    elsewhere = {version for version, candidate in candidates.items() if candidate.format == "elsewhere"}
    if traffic.champion in elsewhere:
        if traffic.candidate is None:
            raise answered_elsewhere(candidates[traffic.champion])
        return replace(traffic, champion=traffic.candidate, candidate=None, arms=(), previous=None, stage="steady", share=0.0)
    if traffic.previous in elsewhere:
        return replace(traffic, previous=None, stage="steady" if traffic.stage == "bake" else traffic.stage)
    return traffic


def way_back(house: House, traffic: Traffic, *, within: Connection | None = None) -> Traffic:
    """The traffic as an undo finds it. Back to a service elsewhere there is no way, nor to where nobody was before: that raises
    EverloopError with the reason.

    From a service elsewhere the way goes to whoever answered here before it.
    """
    if traffic.stage in ("shadow", "canary"):
        return traffic
    if is_elsewhere(house, traffic.previous, within=within):
        assert traffic.previous is not None
        before = house.candidate(house.versions.get(traffic.previous, within=within).candidate, within=within)
        raise EverloopError(
            f"{traffic.model}: before this version {before.learner} answered, elsewhere, and nothing here can answer for it; nothing was "
            f"changed. Send the requests there again; or let another candidate in: everloop train {traffic.model}"
        )
    if traffic.previous is None and is_elsewhere(house, traffic.champion, within=within):
        from everloop.registry import history

        lived = history.champions(house.journal, traffic.model, within=within)
        here = [version for version in lived if not is_elsewhere(house, version, within=within)]
        traffic = replace(traffic, previous=here[-1] if here else None)
    if traffic.previous is None:
        name = house.versions.get(traffic.champion, within=within).name
        raise EverloopError(f"{traffic.model}: there is nothing to take back; no version before {name} is known.")
    return traffic
