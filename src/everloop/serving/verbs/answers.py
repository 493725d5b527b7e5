"""Answers: a model asked in Everloop's own shape, and what is known of units in Feast's. In: requests. Out: answers, each in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from everloop.project.model import Model
from everloop.records import Prediction
from everloop.serving import asks
from everloop.serving.arriving import FEW
from everloop.serving.bodies import json_value
from everloop.serving.desk import Ask, Desk, Reply, encode, meant, told
from everloop.serving.doors import Row
from everloop.serving.fits import Fit
from everloop.serving.queries import explain
from everloop.serving.refused import RefusedError
from everloop.spans import learnt

MOST_EXPLAINED = 100


async def predict(desk: Desk, ask: Ask) -> Reply:
    """One answer, or a list of them: on the event loop where a request says itself what is known of it, else in a thread."""
    model, why = desk.model(ask.name), explain(ask.query)
    fit, form = desk.form(model)
    request = form.read(ask.body) if form is not None and not why and len(ask.body) <= FEW else None
    if request is not None:
        with desk.in_line:
            soon = desk.doors.answer_soon(model.name, request, ask.now)
            if soon is not None:
                return _one(_answer(desk, model, await soon))
    requests, several = await desk.read(ask, _requests, fit, ask.body)
    if why and len(requests) > MOST_EXPLAINED:
        what = f"{len(requests):,} requests in one body. Say explain=true of at most {MOST_EXPLAINED}: reasons take longer than answers."
        raise RefusedError("too_large", what, field="requests")
    answers = await answered(desk, model, requests, ask.now, explain=why)
    if several:
        return told({"answers": answers})
    return _one(answers[0])


async def answered(desk: Desk, model: Model, requests: Sequence[Row], now: datetime, *, explain: bool = False) -> list[asks.Answered]:
    """An answer to each request, asked at the doors."""
    given: Sequence[Prediction] = ()
    because: Sequence[asks.Because | str] = ()
    if requests:
        with desk.under_way:
            given = await desk.in_thread(desk.answering, desk.doors.predict, model.name, requests, now)
            if explain:
                because = await desk.in_thread(desk.answering, desk.doors.because, model.name, given)
    if len(given) != len(requests):
        raise RuntimeError(f"{model.name}: {len(given)} answers to {len(requests)} requests")
    learnt(model=model.name, questions=len(requests))
    answers = [_answer(desk, model, one) for one in given]
    for answer, why in zip(answers, because, strict=explain):
        asks.explain(answer, why)
    return answers


async def beside(desk: Desk, ask: Ask) -> Reply:
    """What goes with a product or a cart."""
    model = desk.model(ask.name)
    said = await desk.read(ask, meant, ask.body, asks.BesideAsk)
    with desk.under_way:
        version, found = await desk.in_thread(desk.answering, desk.doors.beside, model.name, said.items, said.most, ask.now)
    return told(asks.BesideReply(model=model.name, version=desk.doors.named(version), items=[asks.Item(*one) for one in found]))


async def features(desk: Desk, ask: Ask) -> Reply:
    """What models know of units."""
    said = await desk.read(ask, meant, ask.body, asks.OnlineFeaturesAsk)
    with desk.under_way:
        return told(await desk.in_thread(desk.answering, desk.doors.online_features, said, ask.now))


def _one(answer: asks.Answered) -> Reply:
    learnt(model=answer.model, answer=answer.id, version=answer.version, arm=answer.arm)
    return Reply(200 if answer.error is msgspec.UNSET else 503, encode(answer))


def _answer(desk: Desk, model: Model, given: Prediction) -> asks.Answered:
    version = desk.doors.named(given.version)
    labels = tuple(desk.doors.labels(given.version)) if model.kind == "shares" else ()
    said = asks.answer_of(model.shape, given, version, labels, baseline=desk.doors.is_baseline(given.version), each=model.each)
    desk.metrics.add("everloop_answers_total", model.name, version, given.arm)
    if said.error is not msgspec.UNSET:
        desk.metrics.add("everloop_answer_errors_total", model.name)
    return said


def _requests(fit: Fit, body: bytes) -> tuple[list[Row], bool]:
    return fit.requests(json_value(body))
