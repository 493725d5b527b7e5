"""``/invocations``, ``/ping``, ``/health``, ``/version``: what MLflow's and SageMaker's clients ask, in the words of ``invocations.py``."""

from __future__ import annotations

from everloop.serving import invocations as words
from everloop.serving.bodies import JSON
from everloop.serving.desk import AGAIN, Ask, Desk, Reply, release, told
from everloop.serving.queries import parameter
from everloop.serving.verbs.answers import answered

TEXT = "text/plain; charset=utf-8"


async def invocations(desk: Desk, ask: Ask) -> Reply:
    """A table in, predictions out."""
    model = desk.model(words.asked_of(parameter(ask.query, "model", "model=NAME"), desk.doors.models))
    requests = await desk.read(ask, words.requests, desk.fit(model), ask.content_type, ask.body)
    return told(words.reply(await answered(desk, model, requests, ask.now)))


async def ping(desk: Desk, ask: Ask) -> Reply:
    """Whether this worker can answer, in a status alone."""
    ready = desk.ready()
    return Reply(200 if ready else 503, b"\n", JSON, () if ready else AGAIN)


async def version(desk: Desk, ask: Ask) -> Reply:
    """Everloop's version, as text."""
    return Reply(200, (await desk.in_thread(desk.looking, release)).encode(), TEXT)
