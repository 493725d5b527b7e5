"""Claims: which worker carries out which errand. Many workers take from one queue; of one model at most one errand is ever taken.

A claim is kept in the errand's own row: who holds it, and a ``fence`` that counts the claims. Writing transactions of a house stand in a
line, so two workers never claim the same; and who was taken for dead finds in the transaction of whatever it would keep that the errand is
somebody else's. Reads no clock: who is dead is known by ``loop/control/signs.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from everloop.errors import Overtaken
from everloop.registry.errands import ERRANDS, Errand, Errands, errand_in
from everloop.registry.store import Store


@dataclass(frozen=True)
class Claims:
    """Who carries out the errands of one house."""

    store: Store

    def take(
        self, connection: Connection, worker: str, *, most: int, heavy: int | None = None, passing: Collection[str] = ()
    ) -> list[Errand]:
        """Claim at most so many errands that wait, oldest first; returns them as they are now.

        Which those are says ``claimable``.
        """
        mine = []
        for errand in claimable(Errands(self.store).unfinished(within=connection), most=most, heavy=heavy, passing=passing):
            claimed = replace(errand, state="taken", taken=errand.taken + 1, holder=worker, fence=errand.fence + 1)
            values = {"state": "taken", "taken": claimed.taken, "holder": worker, "fence": claimed.fence}
            connection.execute(ERRANDS.update().where(ERRANDS.c.id == errand.id).values(**values))
            mine.append(claimed)
        return mine

    def check(self, connection: Connection, claim: Errand) -> None:
        """The fence: raises Overtaken unless this very claim is in force."""
        row = connection.execute(select(ERRANDS.c.state, ERRANDS.c.holder, ERRANDS.c.fence).where(ERRANDS.c.id == claim.id)).first()
        if row is None or (row.state, row.holder, row.fence) != ("taken", claim.holder, claim.fence):
            who = f"{row.holder} has it" if row is not None and row.holder else "it waits for another"
            raise Overtaken(f"The {claim.verb} of {claim.model} is no longer {claim.holder}'s to carry out; {who}. Nothing was kept.")

    def held(self, worker: str, *, within: Connection | None = None) -> list[Errand]:
        """What a worker carries out now."""
        with self.store.reading(within) as connection:
            query = select(ERRANDS).where(ERRANDS.c.state == "taken", ERRANDS.c.holder == worker).order_by(ERRANDS.c.asked_at)
            return [errand_in(row) for row in connection.execute(query)]

    def give_back(self, connection: Connection, id: str) -> None:
        """Let an errand wait again that was taken and is left undone in good order; that it was begun does not count against it."""
        mine = ERRANDS.update().where(ERRANDS.c.id == id, ERRANDS.c.state == "taken")
        connection.execute(mine.values(state="waiting", taken=ERRANDS.c.taken - 1, holder=None))

    def take_over(self, connection: Connection, worker: str) -> list[Errand]:
        """Let everything wait again that a dead worker held, its death counted against each; returns what that was."""
        left = self.held(worker, within=connection)
        theirs = ERRANDS.update().where(ERRANDS.c.state == "taken", ERRANDS.c.holder == worker)
        connection.execute(theirs.values(state="waiting", holder=None, takeovers=ERRANDS.c.takeovers + 1))
        return [replace(errand, state="waiting", holder=None, takeovers=errand.takeovers + 1) for errand in left]


def claimable(unfinished: Sequence[Errand], *, most: int, heavy: int | None = None, passing: Collection[str] = ()) -> list[Errand]:
    """Of errands that are not finished, oldest first, the first ``most`` that somebody may begin now.

    None of a model of which one is taken already, nor of those in ``passing``; and no turn while ``heavy`` are taken in the whole house,
    whoever holds them. What is asked of one model is done in the order it was asked: behind a turn that may not begin yet its scores wait.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    >>> asked = [Errand(id=f"{verb} {model}", verb=verb, model=model, now=noon, cause="demand", asked_at=noon)
    ...          for verb, model in [("turn", "demand"), ("score", "demand"), ("turn", "churn"), ("score", "price")]]
    >>> [errand.id for errand in claimable(asked, most=9, heavy=1)]
    ['turn demand', 'score price']
    """
    closed = {errand.model for errand in unfinished if errand.state == "taken"} | set(passing)
    turning = sum(errand.verb == "turn" for errand in unfinished if errand.state == "taken")
    found: list[Errand] = []
    for errand in unfinished:
        if len(found) >= most:
            break
        if errand.state != "waiting" or errand.model in closed:
            continue
        closed.add(errand.model)
        if errand.verb == "turn":
            if heavy is not None and turning >= heavy:
                continue
            turning += 1
        found.append(errand)
    return found
