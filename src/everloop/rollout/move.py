"""From one traffic to the next: begin, step, undo, and when a step is due. Pure: ``now`` and ``id`` are arguments.

    steady ─begin─▶ shadow ─▶ canary (share by share) ─▶ bake ─▶ steady
       ▲               └── undo: the candidate is dropped ──┘ └ undo: the version before answers again

Every move makes the next generation; the caller puts it in force by compare-and-set. In *bake* the new champion answers everybody while
the version it replaced goes on answering in shadow, until the first truth has matured; then both can still be told apart by what
happened, and undone.

People have moves of their own: a *hold*, after which nothing begins and no step is taken until it is released, and in a canary a *share*,
at which it stays until they give it back to the plan. Undo is open at all times.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from everloop.errors import EverloopError, Overtaken
from everloop.project.conditions import as_good_as_champion
from everloop.records import MOST_CANDIDATES, Signals, Traffic, identity
from everloop.rollout.divide import divided, moves
from everloop.rollout.plan import Plan, Step, steps
from everloop.rollout.several import winner

Due: TypeAlias = Literal["advance", "promote", "finish", "divide"]


def first(model: str, version: str, *, now: datetime, id: str, because: str = "it is the first") -> Traffic:
    """The first traffic of a model: one version, usually the baseline, answers everybody."""
    return Traffic(
        id=id, made_at=now, made_from=(version,), model=model, generation=1, stage="steady", champion=version, since=now, because=because
    )


def begin(traffic: Traffic, version: str, plan: Plan, *, now: datetime, id: str, because: str = "") -> Traffic:
    """Set a roll-out of this version going: its first step, or straight into bake where the plan has none. One that is in shadow still, and
    that an ``ab`` test will settle, is joined: both are tested at once, and all of them are as long in shadow as the newest.

    Raises Overtaken while a person holds the model or another roll-out is going on, EverloopError for the version that is champion already,
    or one candidate too many.
    """
    require_released(traffic)
    if traffic.rolling and version not in traffic.versions and joinable(traffic, plan):
        return _joined(traffic, version, now=now, id=id, because=because)
    if traffic.rolling:
        raise Overtaken(
            f"{traffic.model}: another roll-out is in {traffic.stage}. Let it end, or take it back first: everloop undo {traffic.model}"
        )
    if version == traffic.champion:
        raise EverloopError(f"{traffic.model}: {version} answers everybody already; there is nothing to roll out.")
    salt = identity(traffic.model, version, traffic.generation)
    begun = replace(_next(traffic, now, id, because, version), candidate=version, salt=salt)
    row = steps(plan)
    return _at(begun, 0, row[0]) if row else _promoted(begun)


def joinable(traffic: Traffic, plan: Plan) -> bool:
    """Whether another candidate may be tested beside the one that is being rolled out: nobody was given to anybody yet, and the plan has
    a test with fixed shares, for nothing else could tell who of several has won."""
    row = steps(plan)
    return traffic.stage == "shadow" and any(s.test for s in row) and not any(s.floor is not None for s in row)


def _joined(traffic: Traffic, version: str, *, now: datetime, id: str, because: str) -> Traffic:
    if len(traffic.arms) >= MOST_CANDIDATES:
        raise EverloopError(
            f"{traffic.model}: {MOST_CANDIDATES} candidates are tested at once already, and with more each would have too few units. "
            f"Let this test end first: everloop status"
        )
    return replace(_next(traffic, now, id, because, version), arms=(*(traffic.arms or traffic.candidates), version))


def drop(traffic: Traffic, versions: Collection[str], *, now: datetime, id: str, because: str, made_from: tuple[str, ...] = ()) -> Traffic:
    """These candidates are out of a test of several; their units are the champion's again, nobody else's move, and the step is as old as it
    was. Their place stays, also in shadow: those that go on have the part of the level they began with.

    Raises EverloopError where none would be left: that is an undo.
    """
    left = tuple(None if version in versions else version for version in traffic.arms)
    candidate = next((version for version in left if version is not None), None)
    if candidate is None:
        raise EverloopError(f"{traffic.model}: no candidate would be left. Take the roll-out back: everloop undo {traffic.model}")
    moved = _next(traffic, now, id, because, *made_from)
    return replace(moved, since=traffic.since, candidate=candidate, arms=left)


def due(traffic: Traffic, plan: Plan, now: datetime, *, bake: timedelta, signals: Signals | None = None) -> Due | None:
    """What the plan says should happen now; None: nothing yet.

    ``advance``: the next step. ``promote``: the last step is over, the candidate takes over. ``divide``: a ``bandit`` moves its share, and
    its test goes on. ``finish``: the roll-out ends, either because bake lasted ``bake`` (as long as the model's truth takes to mature), or
    because a test was not settled in time and the champion stays. A test is settled by a trial (``verdict.judged``) that says *promote*;
    no other step is taken while a trial says *not enough evidence*. Time is counted from when the traffic's step began, so a machine that
    slept skips no step. A plan that was shortened meanwhile counts as over; of several candidates none has won then. Nothing is due while a
    person holds the model, or has set the share.
    """
    since = now - traffic.since
    if traffic.stage == "steady" or traffic.held or traffic.by_hand:
        return None
    if traffic.stage == "bake":
        return "finish" if since >= bake else None
    here, more = _here(traffic, plan)
    if here is not None and here.test:
        if _won(signals):
            return "advance" if more else "promote"
        if since >= here.lasts:
            return "finish"
        return "divide" if moves(traffic.share, _wanted(here, signals)) else None
    if (here is not None and since < here.lasts) or _unsure(signals):
        return None
    return "advance" if more else "finish" if traffic.arms else "promote"


def step(
    traffic: Traffic,
    plan: Plan,
    signals: Signals | None = None,
    *,
    now: datetime,
    id: str,
    because: str = "",
    made_from: tuple[str, ...] = (),
) -> Traffic:
    """The next step of a roll-out: a larger share, the candidate as champion in bake, or steady again after bake.

    It does not ask whether the step is ``due``: a person may hurry it. Only an ``ab`` test cannot be hurried: unless a trial says
    *promote*, the candidate is dropped and the champion stays; before its time is over a ``bandit`` moves its share instead. Of several
    candidates the one that has won goes on alone.

    Raises EverloopError where nothing is being rolled out or a person has set the share, Overtaken while one holds the model.
    """
    require_released(traffic)
    if traffic.by_hand:
        next_ = f"everloop share {traffic.model} plan"
        raise EverloopError(f"{traffic.model}: the share was set by hand ({traffic.by_hand}). No step is taken before: {next_}")
    if not traffic.rolling:
        raise EverloopError(f"{traffic.model}: nothing is being rolled out. Let a candidate in first: everloop turn {traffic.model}")
    parents = made_from + ((signals.id,) if signals else ())
    moved = _next(traffic, now, id, because, *parents)
    if traffic.stage == "bake":
        return replace(_steady(moved), because=because or "nothing was found against it while it baked")
    here, more = _here(traffic, plan)
    wanted = _wanted(here, signals)
    if here is not None and wanted is not None and now - traffic.since < here.lasts and not _won(signals):
        return replace(moved, since=traffic.since, share=wanted, because=because or f"units move by what they did: {100 * wanted:.3g} %")
    if here is not None and here.test and not _won(signals):
        return replace(_steady(moved), because=because or "the test was not settled in time, so the champion stays")
    if here is not None and here.test and traffic.arms:
        moved = _alone(moved, signals)
    elif traffic.arms and not more:
        return replace(_steady(moved), because=because or "no test says which of several candidates is best, so the champion stays")
    return _at(moved, traffic.step + 1, steps(plan)[traffic.step + 1]) if more else _promoted(moved)


def undo(
    traffic: Traffic, *, now: datetime, id: str, because: str = "", before: str | None = None, made_from: tuple[str, ...] = ()
) -> Traffic:
    """Take it back. In shadow and canary the candidate is dropped; in bake and steady the version before the champion answers again.

    ``before`` is who was champion before that one, where the caller knows (the journal does): it becomes ``previous``, so undoing
    twice goes back twice. Undo never goes forwards again; what was undone returns by an ordinary roll-out.

    Raises EverloopError where there is nothing to go back to.
    """
    moved = _steady(_next(traffic, now, id, because, *made_from))
    if traffic.stage in ("shadow", "canary"):
        return moved
    if traffic.previous is None:
        raise EverloopError(f"{traffic.model}: there is nothing to take back; no version before {traffic.champion} is known.")
    return replace(moved, champion=traffic.previous, previous=before if before != traffic.previous else None)


def hold_out(traffic: Traffic, share: float, baseline: str | None, *, now: datetime, id: str) -> Traffic:
    """This share of the units keeps the baseline from now on; 0: nobody does. A roll-out under way goes on, its step as old as it was."""
    because = f"the project file says control={share:g}" if share else "the project file says no control any more"
    moved = _next(traffic, now, id, because, *((baseline,) if baseline else ()))
    return replace(moved, since=traffic.since, control=share, baseline=baseline if share else None)


def hold(traffic: Traffic, *, by: str, reason: str, now: datetime, id: str, made_from: tuple[str, ...] = ()) -> Traffic:
    """Put a stop to roll-outs, at once and until it is released: a candidate in shadow or canary is dropped, the champion answers everybody
    whom no control keeps, and a bake lasts on.

    Raises EverloopError where it is held already.
    """
    if traffic.held:
        raise EverloopError(f"{traffic.model} is held already ({traffic.held}). Let it go on with: everloop release {traffic.model}")
    moved = replace(_next(traffic, now, id, f"{by}: {reason}", *made_from), held=f"{by}: {reason}")
    return _steady(moved) if traffic.stage in ("shadow", "canary") else replace(moved, since=traffic.since)


def release(traffic: Traffic, *, by: str, reason: str, now: datetime, id: str, made_from: tuple[str, ...] = ()) -> Traffic:
    """Roll-outs may begin and go on again; what a hold dropped does not come back by itself. Raises EverloopError where nobody holds it."""
    if not traffic.held:
        raise EverloopError(f"Nobody holds {traffic.model}, so there is nothing to release. See: everloop status")
    return replace(_next(traffic, now, id, f"{by}: {reason}", *made_from), since=traffic.since, held=None)


def set_share(
    traffic: Traffic,
    share: float | None,
    plan: Plan,
    *,
    by: str,
    reason: str,
    now: datetime,
    id: str,
    made_from: tuple[str, ...] = (),
) -> Traffic:
    """The candidates of a canary answer this share of the units from now on, whatever the plan says; None gives it back to the plan, whose
    step begins anew.

    Raises EverloopError for what is no share above 0, outside a canary, where it goes by its plan already, and where fewer units would
    prove more than was seen: those that are let go are answered as the champion's are, and make both versions look alike.
    """
    if share is not None and not 0 < share <= 1:
        next_ = f"To take it from everybody: everloop undo {traffic.model}" if share == 0 else "Say 0.1 for a tenth."
        raise EverloopError(f"{share:g} is no share of the units above 0 and up to 1. {next_}")
    if traffic.stage != "canary":
        where = f"is in {traffic.stage}" if traffic.rolling else "rolls nothing out"
        raise EverloopError(f"{traffic.model} {where}; only in a canary has a candidate a share. See: everloop status")
    here, _ = _here(traffic, plan)
    moved = _next(traffic, now, id, f"{by}: {reason}", *made_from)
    if share is None:
        if not traffic.by_hand:
            raise EverloopError(f"{traffic.model} goes by its plan already. See: everloop status")
        return replace(moved, share=here.share if here is not None else traffic.share, by_hand=None)
    if here is not None and share < traffic.share and any(isinstance(win, as_good_as_champion) for win in here.wins_when):
        raise EverloopError(
            f"{traffic.model} is tested for being as good as the champion, and units that are let go would make both look alike. "
            f"Let the test end, or take it back: everloop undo {traffic.model}"
        )
    return replace(moved, since=traffic.since, share=share, by_hand=f"{by}: {reason}")


def require_released(traffic: Traffic) -> None:
    """Raises Overtaken while a person holds the model."""
    if traffic.held:
        raise Overtaken(f"{traffic.model} is held ({traffic.held}): nothing is rolled out before: everloop release {traffic.model}")


def _next(traffic: Traffic, now: datetime, id: str, because: str, *parents: str) -> Traffic:
    return replace(
        traffic, id=id, made_at=now, made_from=(traffic.id, *parents), generation=traffic.generation + 1, since=now, because=because
    )


def _at(traffic: Traffic, number: int, here: Step) -> Traffic:
    return replace(traffic, stage=here.stage, share=here.share, step=number)


def _promoted(traffic: Traffic) -> Traffic:
    if traffic.candidate is None:
        raise EverloopError(f"{traffic.model}: the traffic {traffic.id} is in {traffic.stage} without a candidate. See: everloop history")
    return replace(_steady(traffic), stage="bake", champion=traffic.candidate, previous=traffic.champion)


def _alone(traffic: Traffic, signals: Signals | None) -> Traffic:
    """Only the candidate that has won; the others end."""
    won = winner(signals.trials) if signals is not None else None
    if won is None or won.candidate not in traffic.candidates:
        raise EverloopError(f"{traffic.model}: none of the candidates has won. See: everloop watch {traffic.model}")
    return replace(traffic, candidate=won.candidate, arms=())


def _steady(traffic: Traffic) -> Traffic:
    return replace(traffic, stage="steady", candidate=None, share=0.0, step=0, salt="", arms=(), by_hand=None)


def _here(traffic: Traffic, plan: Plan) -> tuple[Step | None, bool]:
    """The step the traffic is in (None where the plan no longer has it), and whether another one follows."""
    row = steps(plan)
    return (row[traffic.step] if traffic.step < len(row) else None), traffic.step + 1 < len(row)


def _won(signals: Signals | None) -> bool:
    return signals is not None and any(trial.says == "promote" for trial in signals.trials)


def _wanted(here: Step | None, signals: Signals | None) -> float | None:
    """The share a bandit's candidate should have now; None where no bandit is, or nothing is known yet."""
    if here is None or here.floor is None or signals is None or signals.trial is None:
        return None
    # Nothing can be told from arms of which units are lost.
    return None if signals.trial.frozen else divided(signals.trial, here.floor)


def _unsure(signals: Signals | None) -> bool:
    return signals is not None and any(trial.says == "not enough evidence" for trial in signals.trials)
