"""What people say: undo, approve, reject, and letting a model of their own in; with actor and reason, in the journal."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TypeVar

from everloop import gates, rollout
from everloop.errors import EverloopError
from everloop.loop import wiring as do
from everloop.loop.adopt import adopt
from everloop.loop.house import House
from everloop.loop.keep import Step, keep_record
from everloop.loop.spoken import spoken_record
from everloop.project.model import Model
from everloop.records import Candidate, Decision, Record, TrainingSet, Verdict, identity
from everloop.training.admit import admit
from everloop.training.environment import environment

R = TypeVar("R", bound=Record)


def undo(house: House, model: Model, *, by: str, reason: str, now: datetime) -> str:
    """The version before answers again, at once: one compare-and-set that waits for no turn. Returns what happened, in a sentence.

    Raises EverloopError where there is nothing to go back to, Overtaken where a turn moved the traffic in this very moment.
    """
    adopt(house, model, now)
    traffic = house.traffic(model)
    id = identity("undo", model.name, traffic.generation, now.isoformat())
    decision = Decision(
        id=id, made_at=now, made_from=(traffic.id,), model=model.name, action="undo", because=(reason,), cause="demand", by=by
    )
    moved = rollout.undo(
        traffic, now=now, id=identity(id, "traffic"), because=f"{by}: {reason}", before=house.champion_before(traffic), made_from=(id,)
    )
    with house.store.transaction() as t:
        keep_record(house, t, decision, model=model, turn=id, verb="undo")
        keep_record(house, t, moved, model=model, turn=id, verb="undo")
        for question in house.approvals.waiting(model.name, within=t):
            house.approvals.withdraw(t, question.decision, reason=f"{by} took it back", now=now)
    return f"{model.name}: {house.named(moved)}"


def answer_question(house: House, model: Model, yes: bool, *, by: str, reason: str, now: datetime) -> str:
    """A person's word on what a model waits for; a yes is carried out at once. Returns what happened, in sentences.

    Raises EverloopError where nothing waits, or without a name and a reason.
    """
    waiting = house.approvals.waiting(model.name)
    if not waiting:
        raise EverloopError(f"{model.name} is not waiting for anybody. See: everloop status")
    question = waiting[0]
    decision = house.journal.get(question.decision)
    assert isinstance(decision, Decision)
    turn = identity("approval", question.decision)
    with house.store.transaction() as t:
        approval = house.approvals.answer(t, question.decision, approved=yes, by=by, reason=reason, now=now, id=identity(turn, "word"))
        keep_record(house, t, approval, model=model, turn=turn, verb="approve" if yes else "reject")
    said = [f"{model.name}: {spoken_record(approval)}"]
    if yes:
        said.append(_carry_out(house, model, decision, by=by, reason=reason, now=now, turn=turn))
    return "\n".join(said)


def _carry_out(house: House, model: Model, decision: Decision, *, by: str, reason: str, now: datetime, turn: str) -> str:
    if decision.asks == "retrain":
        from everloop.loop.spoken import story
        from everloop.loop.turn import turn as go_round

        return story(house, go_round(house, model, now, "approved"))
    if decision.asks == "promote":
        verdict = next(v for v in map(house.verdict, decision.made_from) if v is not None)
        return _let_in(house, model, house.candidate(verdict.candidate), verdict, now=now, turn=turn)
    return undo(house, model, by=by, reason=reason, now=now)


def _let_in(house: House, model: Model, candidate: Candidate, verdict: Verdict, *, now: datetime, turn: str) -> str:
    """The candidate becomes a version and its roll-out begins, in one transaction."""

    def step(verb: str) -> Step:
        return Step(house, model, now, identity(turn, verb), turn, "approved")

    with house.store.transaction() as t:
        version = keep_record(house, t, do.admit(step("admit"), candidate, verdict), model=model, turn=turn, verb="admit")
        moved = do.begin(step("begin"), house.traffic(model), version)
        keep_record(house, t, moved, model=model, turn=turn, verb="begin")
    return f"{spoken_record(version)} {house.named(moved)}"


def admit_file(
    house: House,
    model: Model,
    file: Path,
    now: datetime,
    *,
    override: bool = False,
    trust: bool = False,
    by: str = "",
    reason: str = "",
) -> Verdict:
    """A model trained elsewhere, through the same gates: its verdict, and its roll-out where it passes or a person overrides.

    ``override`` needs ``by`` and ``reason``. ``trust`` loads a pickle. Raises what ``training.admit`` raises.
    """
    if override and not (by.strip() and reason.strip()):
        raise EverloopError("An override needs a name and a reason. Say --by and --reason.")
    with house.keeping(model, now, f"admit {file.name}") as keep:

        def admit_candidate(step: Step, training_set: TrainingSet) -> Candidate:
            return admit(
                model,
                file,
                house.table(training_set),
                training_set,
                id=step.id,
                now=now,
                save=house.blobs.save,
                trust=trust,
                environment=environment(house.settings.folder),
                allow_pickle=house.settings.pickle,
            )

        def override_gate(step: Step, verdict: Verdict) -> Verdict:
            return gates.override(verdict, by=by, reason=reason, now=now, id=step.id)

        traffic = house.traffic(model)
        snapshot = keep(do.snapshot)
        training_set = keep(do.as_of_now, snapshot)
        candidate = keep(admit_candidate, training_set)
        contest = keep(do.rehearse, traffic, candidate, training_set)
        verdict = keep(do.judge, contest)
        if override and not verdict.passed:
            verdict = keep(override_gate, verdict)
        if keep(do.permit, verdict).advances:
            keep(do.begin, traffic, keep(do.admit, candidate, verdict))
    return verdict
