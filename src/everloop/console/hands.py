"""What people do on the pages of a model: take back, stop and let go on, set a share, hurry a step, say yes or no, let in past the gate.
Each is a form; ``loop/`` does it, in the name of who is signed in, and the journal remembers both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from everloop.console.page import Asking, Done, Route
from everloop.console.said import way
from everloop.errors import EverloopError
from everloop.loop import hand, people
from everloop.loop.control.errands import ask
from everloop.loop.house import House
from everloop.project.model import Model

LONGEST = 2_000  # characters of a reason, as over HTTP


def undo(asking: Asking, form: Mapping[str, str]) -> Done:
    """The version before answers again, at once. A form that was looked at before the traffic moved takes nothing back."""
    model = _model(asking)
    reason = form.get("reason", "").strip()[:LONGEST] or "undone on the console"
    said = people.undo(asking.house, model, by=asking.person.name, reason=reason, now=asking.now, generation=_looked_at(form))
    return Done(_back(model, form), said)


def hold(asking: Asking, form: Mapping[str, str]) -> Done:
    """No candidate answers anybody, and nothing is learnt or rolled out, until it is released; whatever was looked at, since a stop that
    comes a moment after a step is meant all the same."""
    model = _model(asking)
    said = hand.hold(asking.house, model, by=asking.person.name, reason=_reason(form), now=asking.now)
    return Done(_back(model, form), said)


def release(asking: Asking, form: Mapping[str, str]) -> Done:
    """Roll-outs may go on."""
    model = _model(asking)
    said = hand.release(asking.house, model, by=asking.person.name, reason=_reason(form), now=asking.now, generation=_looked_at(form))
    return Done(_back(model, form), said)


def share(asking: Asking, form: Mapping[str, str]) -> Done:
    """The share of the units a canary's candidate answers, in percent; empty: as the plan says."""
    model = _model(asking)
    said = hand.set_share(
        asking.house, model, share_of(form.get("percent", "")), by=asking.person.name, reason=_reason(form), now=asking.now,
        generation=_looked_at(form),
    )  # fmt: skip
    return Done(_back(model, form), said)


def promote(asking: Asking, form: Mapping[str, str]) -> Done:
    """The next step of the roll-out, now; sent twice it is one step."""
    model = _model(asking)
    said = hand.go_on(asking.house, model, by=asking.person.name, reason=_reason(form), now=asking.now, generation=_looked_at(form))
    return Done(_back(model, form), said)


def answer(asking: Asking, form: Mapping[str, str]) -> Done:
    """Yes or no to the question that was seen. What a yes to a retrain asks for is done by a controller, not by a page."""
    model, word = _model(asking), form.get("word", "")
    if word not in ("yes", "no"):
        raise EverloopError("Say yes or no: the form had neither.")
    said = people.answer_question(
        asking.house, model, word == "yes", by=asking.person.name, reason=_reason(form), now=asking.now,
        question=form.get("question") or None, go_on=_asked_for,
    )  # fmt: skip
    return Done(_back(model, form), said)


def override(asking: Asking, form: Mapping[str, str]) -> Done:
    """A candidate that no gate let pass is let in all the same."""
    model = _model(asking)
    said = people.override(asking.house, model, form.get("verdict", ""), by=asking.person.name, reason=_reason(form), now=asking.now)
    return Done(way(model.name, "rollout"), said)


def share_of(text: str) -> float | None:
    """A share from percent; None from nothing.

    >>> share_of("12.5"), share_of(" 12,5 % "), share_of("")
    (0.125, 0.125, None)

    Raises EverloopError for what is no number.
    """
    said = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        return float(said) / 100 if said else None
    except ValueError:
        raise EverloopError(f"{text!r} is no share. Say 10 for a tenth of the units, or nothing for what the plan says.") from None


def _model(asking: Asking) -> Model:
    return asking.house.project.model(asking.path["model"])


def _reason(form: Mapping[str, str]) -> str:
    reason = form.get("reason", "").strip()
    if not reason or len(reason) > LONGEST:
        what = "is empty" if not reason else f"has more than {LONGEST:,} characters"
        raise EverloopError(f"The reason {what}. The journal wants to know why; go back and say it.")
    return reason


def _looked_at(form: Mapping[str, str]) -> int:
    """The generation of the traffic that whoever sent a form had before them."""
    said = form.get("generation", "")
    if not (said.isascii() and said.isdecimal() and len(said) < 19):
        raise EverloopError(
            "The form does not say which traffic it is about, so nothing was done. Load the page again, and send it from there."
        )
    return int(said)


def _back(model: Model, form: Mapping[str, str]) -> str:
    """Where the form was."""
    place = form.get("place", "")
    return way(model.name, place) if place in ("rollout", "contests") else way(model.name)


def _asked_for(house: House, model: Model, now: datetime, cause: str) -> str:
    ask(house, "turn", model.name, now, cause)
    return "It is asked for, and a controller will do it."


ROUTES: tuple[Route, ...] = (
    Route("/models/{model}/undo", undo, "operator", "POST", "undo"),
    Route("/models/{model}/hold", hold, "operator", "POST", "hold"),
    Route("/models/{model}/release", release, "operator", "POST", "release"),
    Route("/models/{model}/share", share, "approver", "POST", "share"),
    Route("/models/{model}/promote", promote, "approver", "POST", "promote"),
    Route("/models/{model}/answer", answer, "approver", "POST", "answer"),
    Route("/models/{model}/override", override, "approver", "POST", "override"),
)
