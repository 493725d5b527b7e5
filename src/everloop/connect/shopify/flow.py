"""Shopify Flow asks: the action "Retrain model". In: a request Shopify signed. Out: 202 until it is done, then 200 with what came of it.

Flow sends the same run again, at growing intervals, until it hears 200; a run is begun once, whatever comes in between. Another body under
the same id is refused for good. https://shopify.dev/docs/apps/build/flow/actions/endpoints
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from everloop.clock import wall
from everloop.connect.shopify import verify
from everloop.connect.shopify.runs import AnotherRun, Run, Runs
from everloop.errors import EverloopError
from everloop.settings import Shopify

ACTION = "retrain-model"
LARGEST = 65_536
RUN = re.compile(r"[A-Za-z0-9_.:-]{1,150}")
MODEL = re.compile(r"\w{1,100}")


class NoRun(EverloopError):  # noqa: N818 - named by what happened
    """What is asked for is no run of an action of ours; the merchant reads why."""


@dataclass(frozen=True)
class Actions:
    """What answers Flow for one shop; ``woken`` is set when there is something to carry out (``Runs.carry``)."""

    shop: Shopify
    runs: Runs
    woken: threading.Event = field(default_factory=threading.Event)

    def routes(self) -> list[Route]:
        """The route of each action, by its handle."""
        return [Route("/shopify/flow/actions/{handle}", self.act, methods=["POST"])]

    async def act(self, request: Request) -> Response:
        """202 while a run is under way, 200 with its ``return_value`` once it is done; 4xx is for good, and the merchant reads it."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return JSONResponse({"error": f"An action has at most {LARGEST:,} bytes."}, status_code=413)
        try:
            said = verify.flow(self.shop, request.headers.raw, body)
            id, model = asked(said, request.path_params["handle"], self.shop.recommends or self.shop.forecasts)
            run = await anyio.to_thread.run_sync(self.runs.ask, id, said, model, wall())
        except verify.NotFromShopify as error:
            return JSONResponse({"error": str(error)}, status_code=error.status)
        except AnotherRun as error:
            return JSONResponse({"error": str(error)}, status_code=409)
        except NoRun as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        self.woken.set()
        return told(run)


def asked(said: Mapping[str, Any], handle: str, otherwise: str | None) -> tuple[str, str]:
    """The run's id and the model it is about; the model the shop is set up with where the workflow names none. Raises NoRun.

    >>> asked({"action_run_id": "f81d4fae", "handle": "retrain-model", "properties": {"model": "demand"}}, "retrain-model", None)
    ('f81d4fae', 'demand')
    """
    if handle != ACTION or said.get("handle", ACTION) != ACTION:
        raise NoRun(f"There is no action {str(handle)[:60]!r} here. There is {ACTION}.")
    id, properties = said.get("action_run_id"), said.get("properties")
    if not isinstance(id, str) or not RUN.fullmatch(id):
        raise NoRun("action_run_id is missing, or none.")
    wanted = properties.get("model") if isinstance(properties, dict) else None
    name = wanted.strip() if isinstance(wanted, str) and wanted.strip() else otherwise
    if name is None:
        raise NoRun("Which model? Name it in the action, or say recommends or forecasts in [shopify] of everloop.toml.")
    if not MODEL.fullmatch(name):
        raise NoRun(f"{name[:60]!r} is no model's name.")
    return id, name


def told(run: Run) -> Response:
    """How a run stands, as Flow wants to hear it."""
    if run.state == "open":
        return JSONResponse({"state": "under way"}, status_code=202)
    if run.state == "refused":
        return JSONResponse({"error": run.said.get("message")}, status_code=422)
    return JSONResponse({"return_value": run.said})
