"""What people say: undo, approve, reject, and letting a model of their own in; with actor and reason, in the journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from everloop import gates, rollout
from everloop.clock import wall
from everloop.errors import EverloopError, Overtaken, StoreError, Unknown
from everloop.loop import wiring as do
from everloop.loop.adopt import adopt
from everloop.loop.house import House
from everloop.loop.keep import Keep, Step, keep_record, turn_id
from everloop.loop.overtaken import asked_about
from everloop.loop.serve.compiled import compile_served
from everloop.loop.serve.routes import spread, write_routes
from everloop.loop.spoken import spoken_record
from everloop.loop.tell.answerable import way_back
from everloop.project.model import Model
from everloop.records import Candidate, Decision, Traffic, TrainingSet, Verdict, identity
from everloop.registry.turns import Turn
from everloop.training.admit import admit
from everloop.training.environment import environment


def undo(house: House, model: Model, *, by: str, reason: str, now: datetime, generation: int | None = None) -> str:
    """The version before answers again, at once: one compare-and-set that waits for no turn. Returns what happened, in sentences: also how
    many workers answer by it, and after how long. With ``generation`` only the traffic of that generation is taken back.

    Raises EverloopError where there is nothing to go back to, Overtaken where a turn moved the traffic in this very moment, or it is of
    another generation, ClockWentBack for a ``now`` before that traffic.
    """
    adopt(house, model, now)
    with house.store.transaction() as t:
        there = house.traffic(model, within=t)
        unmoved(model, there, generation)
        house.not_before(there, now)
        moved = take_back(house, t, model, by=by, reason=reason, now=now)
    return " ".join(filter(None, (f"{model.name}: {house.named(moved)}", spread(house, model.name, moved.generation))))


def unmoved(model: Model, traffic: Traffic, generation: int | None) -> None:
    """Raises Overtaken where the traffic in force is of another generation than somebody looked at; None: it was not looked at."""
    if generation is not None and traffic.generation != generation:
        raise Overtaken(
            f"{model.name}: the traffic is of generation {traffic.generation} by now, not {generation}. Look first: everloop status"
        )


def take_back(house: House, t: Connection, model: Model, *, by: str, reason: str, now: datetime) -> Traffic:
    """The way back within a transaction, journalled; what people were asked and have not answered is withdrawn. Raises EverloopError where
    there is nothing to go back to."""
    traffic = way_back(house, house.traffic(model, within=t), within=t)
    id = identity("undo", model.name, traffic.generation, now.isoformat())
    decision = Decision(
        id=id, made_at=now, made_from=(traffic.id,), model=model.name, action="undo", because=(reason,), cause="demand", by=by
    )
    moved = rollout.undo(
        traffic, now=now, id=identity(id, "traffic"), because=f"{by}: {reason}", before=house.champion_before(traffic), made_from=(id,)
    )
    keep_record(house, t, decision, model=model, turn=id, verb="undo")
    keep_record(house, t, moved, model=model, turn=id, verb="undo")
    for question in house.approvals.waiting(model.name, within=t):
        house.approvals.withdraw(t, question.decision, reason=f"{by} took it back", now=now)
    return moved


def turned_here(house: House, model: Model, now: datetime, cause: str) -> str:
    """Once round the ring in this process; the story of it."""
    from everloop.loop.resume import go_round
    from everloop.loop.spoken import story

    return story(house, go_round(house, model, now, cause))


def answer_question(
    house: House,
    model: Model,
    yes: bool,
    *,
    by: str,
    reason: str,
    now: datetime,
    question: str | None = None,
    go_on: Callable[[House, Model, datetime, str], str] = turned_here,
) -> str:
    """A person's word on what a model waits for, whether to undo before anything else; a yes is carried out at once. Returns what happened,
    in sentences.

    ``question`` is the decision the word is about, where whoever says it has seen one: a word on another is refused. ``go_on`` goes round
    the ring where the yes is to a retrain, and tells the story: here, unless a controller is to do it.

    Raises EverloopError where nothing waits, or without a name and a reason; Overtaken for a yes to taking back what is tested no more, a
    yes while the model is held, and a word on a question that waits no more; ClockWentBack for a ``now`` before the traffic in force.
    """
    waiting = house.approvals.waiting(model.name)
    if question is not None:
        waiting = [there for there in waiting if there.decision == question]
        if not waiting:
            raise Overtaken(f"{model.name} does not wait for an answer to {question[:8]} any more; nothing was done. See: everloop status")
    if not waiting:
        raise EverloopError(f"{model.name} is not waiting for anybody. See: everloop status")
    decision = house.journal.get(waiting[0].decision)
    assert isinstance(decision, Decision)
    if yes and decision.asks != "undo":
        rollout.require_released(house.traffic(model))
    turn = identity("approval", decision.id)
    with house.store.transaction() as t:
        house.not_before(house.traffic(model, within=t), now)
        approval = house.approvals.answer(t, decision.id, approved=yes, by=by, reason=reason, now=now, id=identity(turn, "word"))
        keep_record(house, t, approval, model=model, turn=turn, verb="approve" if yes else "reject")
        moved = _carry_out(house, t, model, decision, by=by, reason=reason, now=now, turn=turn) if yes else None
    said = [f"{model.name}: {spoken_record(approval)}"]
    if moved is not None:
        said += [house.named(moved), *filter(None, [spread(house, model.name, moved.generation)])]
    if yes and decision.asks == "retrain":
        said.append(go_on(house, model, now, "approved"))
    return "\n".join(said)


def _carry_out(
    house: House, t: Connection, model: Model, decision: Decision, *, by: str, reason: str, now: datetime, turn: str
) -> Traffic | None:
    """What was agreed to, in the transaction of the word itself; a retrain is opened here and gone through afterwards."""
    if decision.asks == "retrain":
        house.turns.open(t, Turn(id=turn_id(model, now, "approved"), model=model.name, now=now, cause="approved", started_at=wall()))
        return None
    if decision.asks == "promote":
        verdict = next(v for v in (house.verdict(id, within=t) for id in decision.made_from) if v is not None)
        return _let_in(house, t, model, house.candidate(verdict.candidate, within=t), verdict, now=now, turn=turn)
    traffic = house.traffic(model, within=t)
    about = asked_about(house, decision, traffic, within=t)
    if not about:
        raise Overtaken(
            f"{model.name}: what was asked about is tested no more, or another version answers by now; nothing was changed. "
            f"See: everloop history {model.name}. To take back what answers now: everloop undo {model.name}"
        )
    if set(about) < set(traffic.candidates):
        moved = do.dropped(traffic, replace(decision, drops=about), now, identity(turn, "traffic"))
        return keep_record(house, t, moved, model=model, turn=turn, verb="undo")
    return take_back(house, t, model, by=by, reason=reason, now=now)


def _let_in(house: House, t: Connection, model: Model, candidate: Candidate, verdict: Verdict, *, now: datetime, turn: str) -> Traffic:
    """The candidate becomes a version and its roll-out begins."""

    def step(verb: str) -> Step:
        return Step(house, model, now, identity(turn, verb), turn, "approved")

    version = keep_record(house, t, do.admit(step("admit"), candidate, verdict), model=model, turn=turn, verb="admit")
    moved = do.begin(step("begin"), house.traffic(model), version)
    passed = f"{version.name} passed the gate"
    if verdict.by and moved.because.startswith(passed):
        # A word that is kept in this very transaction nobody else can read yet, nor that it was no pass.
        word = f"{verdict.by} let {version.name} in past the gate: {verdict.reason}"
        moved = replace(moved, because=word + moved.because.removeprefix(passed))
    return keep_record(house, t, moved, model=model, turn=turn, verb="begin")


def override(house: House, model: Model, verdict: str, *, by: str, reason: str, now: datetime) -> str:
    """A candidate that no gate let pass is let in all the same, on a person's word, and its roll-out begins. ``verdict`` is the id of what
    the gate said of it. Returns what happened, in sentences.

    Raises Unknown for what is no verdict of the model, EverloopError without a name and a reason, where it passed or is a version
    already, Overtaken while the model is held, where the candidate was judged against another champion than answers now, and where another
    is rolled out; ClockWentBack for a ``now`` before the traffic in force.
    """
    found = house.verdict(verdict)
    if found is None or found.model != model.name:
        raise Unknown("verdict", verdict, where=model.name, next=f"See what there is: everloop history {model.name}")
    if (why := why_settled(house, found)) is not None:
        raise EverloopError(f"{model.name}: {why}. See: everloop status")
    rollout.require_released(house.traffic(model))
    turn = identity("override", found.id, now.isoformat())
    with house.store.transaction() as t:
        traffic = house.traffic(model, within=t)
        house.not_before(traffic, now)
        champion = house.versions.get(traffic.champion, within=t)
        if champion.candidate != found.champion:
            raise Overtaken(
                f"{model.name}: the candidate was judged against another champion than {champion.name}, who answers now. Nothing was "
                f"changed. Judge it again: everloop judge {model.name} {found.candidate}"
            )
        said = gates.override(found, by=by, reason=reason, now=now, id=identity(turn, "word"))
        keep_record(house, t, said, model=model, turn=turn, verb="override")
        moved = _let_in(house, t, model, house.candidate(found.candidate, within=t), said, now=now, turn=turn)
    return " ".join(filter(None, (f"{model.name}: {house.named(moved)}", spread(house, model.name, moved.generation))))


def why_settled(house: House, verdict: Verdict) -> str | None:
    """Why there is nothing to override in what the gate said, whoever answers now; None: there is."""
    if verdict.passed:
        return "the gate let this candidate pass already; there is nothing to override"
    there = _let_in_past(house, verdict)
    return None if there is None else f"this candidate is {there} already"


def _let_in_past(house: House, refused: Verdict) -> str | None:
    """The version that was let in past this verdict; None where none was."""
    for version in house.versions.all(refused.model):
        word = house.verdict(version.verdict)
        if word is not None and refused.id in word.made_from:
            return version.name
    return None


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

    def learnt_elsewhere(keep: Keep) -> tuple[Candidate, TrainingSet]:
        training_set = keep(do.as_of_now, keep(do.snapshot))
        return keep(admit_candidate, training_set), training_set

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
            environment=environment(house.settings.folder, house.settings.ran_by),
            allow_pickle=house.settings.pickle,
        )

    return let_in(house, model, now, f"admit {file.name}", learnt_elsewhere, override=override, by=by, reason=reason)


def let_in(
    house: House,
    model: Model,
    now: datetime,
    cause: str,
    learnt: Callable[[Keep], tuple[Candidate, TrainingSet]],
    *,
    override: bool = False,
    by: str = "",
    reason: str = "",
) -> Verdict:
    """A candidate that was not learnt by this turn, through the same gates as any: its verdict, and its roll-out where it passes.

    ``learnt`` keeps the candidate, and the training set it is judged on. ``override`` needs ``by`` and ``reason``.
    """
    if override and not (by.strip() and reason.strip()):
        raise EverloopError("An override needs a name and a reason. Say --by and --reason.")

    def override_gate(step: Step, verdict: Verdict) -> Verdict:
        return gates.override(verdict, by=by, reason=reason, now=now, id=step.id)

    with house.keeping(model, now, cause) as keep:
        traffic = house.traffic(model)
        candidate, training_set = learnt(keep)
        contest = keep(do.rehearse, traffic, candidate, training_set)
        verdict = keep(do.judge, contest)
        if override and not verdict.passed:
            verdict = keep(override_gate, verdict)
        if keep(do.permit, verdict).advances:
            keep(do.begin, traffic, keep(do.admit, candidate, verdict))
    with suppress(StoreError):  # the controller tells the workers again
        compile_served(house, now)
        write_routes(house)
    return verdict
