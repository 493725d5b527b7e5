"""Whether another candidate may be tested beside one that is being rolled out. In: a house, a model, its traffic. Out: why not."""

from __future__ import annotations

from everloop import rollout
from everloop.loop.house import House
from everloop.loop.tell.answerable import is_elsewhere
from everloop.monitor.clauses import by_split
from everloop.project.metrics import name_of
from everloop.project.model import Model
from everloop.records import Traffic
from everloop.rollout.plan import steps
from everloop.stats.losses import adds_up
from everloop.stats.measures import measure


def why_not_beside(house: House, model: Model, traffic: Traffic) -> str | None:
    """Why no other candidate can join this roll-out: it is past shadow, its plan has no test with a fixed share, a service elsewhere is the
    champion, or a test of it is judged by an interval, which cannot be held to a part of its level."""
    if not rollout.joinable(traffic, model.roll_out):
        return (
            f"{model.name}: another roll-out is in {traffic.stage}. A candidate joins one only while it is in shadow, and only where its "
            f"plan has ab(…) and no bandit(…). Let it end, or take it back first: everloop undo {model.name}"
        )
    if is_elsewhere(house, traffic.champion):
        return (
            f"{model.name} is answered elsewhere, and beside such a champion one candidate is tested at a time. Let its roll-out end first."
        )
    for win in (win for step in steps(model.roll_out) for win in step.wins_when):
        on = name_of(win.on, model.metric)
        if not by_split(model, win) and not adds_up(measure(on)):
            return (
                f"{model.name}: {on} is judged by an interval, which cannot be held to a part of the level of one test, so candidates are "
                f"tested by it one at a time. Say a measure that adds up over answers, or a figure, in wins_when; or let "
                f"the roll-out end first."
            )
    return None
