"""``/v1/models/{model}:predict`` and ``/v1/models/{model}``: what clients of TensorFlow Serving ask, in the words of ``tensorflow.py``."""

from __future__ import annotations

from everloop.errors import EverloopError
from everloop.serving import tensorflow as words
from everloop.serving.desk import Ask, Desk, Reply, told
from everloop.serving.inference import number
from everloop.serving.verbs.answers import answered


async def predict(desk: Desk, ask: Ask) -> Reply:
    """Rows or columns in, predictions or outputs out."""
    model = desk.model(ask.name)
    by_column, requests = await desk.read(ask, words.requests, desk.fit(model), ask.body)
    return told(words.reply(by_column, await answered(desk, model, requests, ask.now)))


async def model(desk: Desk, ask: Ask) -> Reply:
    """The versions in force, by number."""
    model = desk.model(ask.name)
    try:
        force = desk.doors.in_force(model.name)
    except EverloopError:
        return told(words.status(model.name, False, []))
    return told(words.status(model.name, desk.ready(), [number(name) for name in force.names]))
