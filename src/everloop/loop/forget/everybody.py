"""Everybody forgotten: a house is emptied of all it was told and all it learnt. The journal stays, which names nobody."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

import everloop.loop.forget.plan as plan
from everloop.clock import utc
from everloop.errors import EverloopError
from everloop.loop.backup.manifest import EVERYBODY, Gone
from everloop.loop.backup.places import PLACES, tell_places
from everloop.loop.belonging import MARK, marked_again
from everloop.loop.control.working import works_elsewhere
from everloop.loop.forget.elsewhere import elsewhere
from everloop.loop.forget.erase import PATIENCE, answers_closed, every_source, nobody_turns, online_again
from everloop.loop.forget.plan import ALONE
from everloop.loop.house import AUTONOMY, House
from everloop.loop.keep import ANY
from everloop.loop.stored import emptied
from everloop.records import Redaction
from everloop.registry.facts import FACTS
from everloop.registry.letters import LETTERS
from everloop.registry.outbox import ALERTS
from everloop.registry.scrub import Scrub

FOLDERS = ("compiled", "signatures", "mlflow")


def empty(house: House, *, by: str, reason: str, now: datetime) -> Redaction:
    """Erase everything that a house was told, answered and learnt. What it decided stays in its journal, and what answers has to be learnt
    again: nothing of what was learnt is there any more.

    It goes on where it was killed when it is said again. Raises EverloopError without a name and a reason, StoreError for object storage
    that does not answer, HouseBusy where a turn does not end.
    """
    if not by.strip() or not reason.strip():
        raise EverloopError("Emptying a house needs a name and a reason. Say --by and --reason.")
    rows = {source.name: house.lake.log.counters(source.name).last_seq for source in every_source(house)}
    with house.lake.log.alone(ALONE, "forgetting somebody", patience=PATIENCE), nobody_turns(house, by) as house:
        house.lake.log.tell_gone()
        late = answers_closed(house)
        if works_elsewhere(house):
            late += ("answers that other machines gave and had not sealed are sealed there within a minute: say it again then",)
        gone = Gone(plan.plan_id(EVERYBODY, "", utc(now)), EVERYBODY, "", utc(now))
        record = Redaction(
            id=gone.id, made_at=utc(now), column=EVERYBODY, person="", by=by, reason=reason,
            rows=tuple(sorted(rows.items())), left=(*elsewhere(house), *tell_places(house, gone), *late),
        )  # fmt: skip
        # Written first: who looks at a house half emptied finds why.
        with house.store.transaction() as t:
            house.journal.append(t, record, verb="forget", back=ANY)
        house.pause("written, not emptied")
        for place in (house.settings.lake, house.settings.blobs, *(str(house.settings.house / name) for name in FOLDERS)):
            emptied(place, house.settings.storage)
        if house.mark:
            marked_again(house, house.mark)
        for aside in house.settings.answers.glob("*.answers.*"):
            aside.unlink(missing_ok=True)
        house.lake.log.emptied()
        online_again(house, {source.name for source in every_source(house)})
        house.lake.log.wiped()
        with house.store.transaction() as t:
            for table in (LETTERS, ALERTS):
                t.execute(delete(table))
            t.execute(delete(FACTS).where(FACTS.c.name.not_in(("salt", AUTONOMY, PLACES, MARK))))
        Scrub(house.store).wiped()
        for one in plan.planned(house.settings.house):
            plan.done(house.settings.house, one)
    return record
