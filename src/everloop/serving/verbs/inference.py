"""``/v2``: a model asked, and asked about, in the Open Inference Protocol. What its words mean is ``serving/inference.py``."""

from __future__ import annotations

from everloop.errors import EverloopError
from everloop.serving import inference
from everloop.serving.desk import Ask, Desk, Reply, release, told
from everloop.serving.verbs.answers import answered


async def infer(desk: Desk, ask: Ask) -> Reply:
    """Answers as tensors; where a version is named, by that one or by none."""
    model = desk.model(ask.name)
    fit, force = desk.fit(model), desk.doors.in_force(model.name)
    version = inference.version_in(model, force, ask.version) if ask.version else None
    said, requests = await desk.read(ask, inference.meant, fit, ask.body)
    if version is not None:
        inference.all_by(model, version, desk.doors.assigned(model.name, requests))
    answers = await answered(desk, model, requests, ask.now)
    if version is not None:
        # Who answers may have changed on the way, and a candidate that fails is answered for.
        inference.all_by(model, version, [answer.version for answer in answers])
    return told(inference.reply(fit, said, answers, force))


async def model(desk: Desk, ask: Ask) -> Reply:
    """What a model takes and gives."""
    model = desk.model(ask.name)
    force = desk.doors.in_force(model.name)
    if ask.version:
        inference.version_in(model, force, ask.version)
    return told(inference.metadata(desk.fit(model), force))


async def model_ready(desk: Desk, ask: Ask) -> Reply:
    """Whether a model, or a version of it, can answer."""
    model = desk.model(ask.name)
    try:
        force = desk.doors.in_force(model.name)
    except EverloopError:
        return told(inference.InferenceModelReady(model.name, False), 400)
    if ask.version:
        inference.version_in(model, force, ask.version)
    ready = desk.ready()
    return told(inference.InferenceModelReady(model.name, ready), 200 if ready else 400)


async def live(desk: Desk, ask: Ask) -> Reply:
    """This process lives."""
    return told(inference.InferenceLive(True))


async def ready(desk: Desk, ask: Ask) -> Reply:
    """Whether this worker can answer."""
    ready = desk.ready()
    # The protocol wants a status from 400 to 499 of who is not ready.
    return told(inference.InferenceReady(ready, ready), 200 if ready else 400)


async def server(desk: Desk, ask: Ask) -> Reply:
    """Which server this is."""
    return told(inference.server(await desk.in_thread(desk.looking, release)))
