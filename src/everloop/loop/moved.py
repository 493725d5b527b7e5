"""A turn that learns nothing, for who runs the steps one by one: it watches, moves a roll-out or takes it back, and answers what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everloop.loop.govern import WATCH
from everloop.loop.house import House
from everloop.loop.resume import go_round
from everloop.loop.tell.answerable import is_elsewhere
from everloop.project.model import Model
from everloop.records import Decision
from everloop.rollout import joinable


@dataclass(frozen=True)
class Moved:
    """What was decided, how many questions were answered (None: none were to be), and why nothing is to be learnt now (None: it may)."""

    decision: Decision
    answers: int | None
    waits: str | None

    def spoken(self, story: str) -> str:
        """As people read it: what was decided, then the rest, a line each."""
        name = self.decision.model
        lines = [f"{name}: {self.answers:,} answers." if self.answers is not None else "", f"{name}: {self.waits}." if self.waits else ""]
        return "\n".join([story, *filter(None, lines)])


def move(house: House, model: Model, now: datetime, *, answer: bool = False) -> Moved:
    """Watch what answers, and move a roll-out that is due or take back what does harm; learn nothing. ``answer``: then every question that
    has come due, by whoever answers now. ``now`` is business time (aware), and the same one is the same turn.

    Nothing is to be learnt while a roll-out is under way that no other candidate may join, and while a person holds the model.
    """
    decision = go_round(house, model, now, WATCH)
    traffic = house.traffic(model)
    answers = None
    if answer:
        from everloop.loop.answers import answer_due

        here = traffic.candidate is not None or not is_elsewhere(house, traffic.champion)
        answers = answer_due(house, model, now) if here else 0
    waits = None
    if traffic.held:
        waits = f"it is held ({traffic.held}), and nothing is learnt before: everloop release {model.name}"
    elif traffic.rolling and not joinable(traffic, model.roll_out):
        waits = f"a roll-out is in {traffic.stage}, and nothing is learnt beside it; the next run moves it on"
    return Moved(decision, answers, waits)
