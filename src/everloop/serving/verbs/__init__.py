"""The verbs of the app: what each path of ``paths.py`` does, one file for each kind of visitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from everloop.serving.desk import Ask, Desk, Reply
from everloop.serving.verbs import answers, happened, inference, invocations, open_to_all, operating, rollouts, tensorflow

Verb: TypeAlias = Callable[[Desk, Ask], Awaitable[Reply]]

VERBS: Final[Mapping[str, Verb]] = {
    "predict": answers.predict, "beside": answers.beside, "features": answers.features,
    "events": happened.events, "truths": happened.truths, "outcomes": happened.outcomes, "predictions": happened.predictions,
    "arrivals": happened.arrivals,
    "turn": operating.turn, "score": operating.score,
    "undo": operating.undo, "approve": operating.approve, "reject": operating.reject, "cancel": operating.cancel,
    "hold": operating.hold, "release": operating.release, "share": operating.share,
    "forget": operating.forget, "known": operating.known,
    "verdict": rollouts.verdict, "gate": rollouts.gate,
    "status": operating.status, "history": operating.history, "incidents": operating.incidents,
    "acknowledge": operating.acknowledge, "snooze": operating.snooze,
    "metrics": operating.metrics, "live": open_to_all.live, "ready": open_to_all.ready,
    "openapi": open_to_all.openapi, "docs": open_to_all.docs, "home": open_to_all.home, "infer": inference.infer,
    "infer_by": inference.infer, "oip_model": inference.model, "oip_version": inference.model, "oip_model_ready": inference.model_ready,
    "oip_version_ready": inference.model_ready, "oip_live": inference.live, "oip_ready": inference.ready, "oip_server": inference.server,
    "invocations": invocations.invocations, "ping": invocations.ping, "health": invocations.ping, "version": invocations.version,
    "tf_predict": tensorflow.predict, "tf_model": tensorflow.model,
}  # fmt: skip
"""By the name of a path."""
