"""Next-Gen Events as Shopify sends them beside classic webhooks: what the app's own file subscribes to, with what its query finds. In: what
happens in a shop. Out: deliveries with headers of their own family. https://shopify.dev/docs/apps/build/events

Which fields changed the shop in a box does not remember, so ``fields_changed`` is empty, and every change of a product is one.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from everloop.connect.shopify.appfiles import HEAD, app_files
from everloop.connect.shopify.sandbox.asked import Asked
from everloop.connect.shopify.sandbox.carried import carried, read

ACTIONS: Final = {"create": "create", "updated": "update", "update": "update", "delete": "delete"}
Tells: TypeAlias = Callable[[Mapping[str, str], bytes, datetime], None]
"""Sends a body with what its headers say of it: topic, action and handle."""


@dataclass(frozen=True)
class Subscription:
    """One of the app's: of which things, when, and what is asked of each."""

    handle: str
    topic: str
    actions: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Events:
    """A listener of a shop: what is subscribed to is told by ``tells``; ``asked`` opens the shop to the app's own query."""

    asked: Callable[[], Asked]
    tells: Tells
    subscriptions: tuple[Subscription, ...]

    def __call__(self, topic: str, payload: Mapping[str, Any], at: datetime) -> None:
        kind, action = topic.split("/")[0].removesuffix("s").capitalize(), ACTIONS.get(topic.split("/")[-1])
        for one in self.subscriptions:
            if one.topic == kind and action in one.actions:
                self._told(one, str(action), f"gid://shopify/{kind}/{payload['id']}", at)

    def _told(self, one: Subscription, action: str, id: str, at: datetime) -> None:
        variables = {f"{one.topic.lower()}Id": id}
        body: dict[str, Any] = {"topic": one.topic, "action": action, "handle": one.handle, "fields_changed": []}
        body["query_variables"] = variables
        if action != "delete":
            document, wrong, _ = read(one.query)
            found = {"errors": wrong} if document is None or wrong else carried(self.asked(), document, variables)
            body["data"] = found.get("data")
            if found.get("errors"):
                body["query_errors"] = found["errors"]
        headers = {"topic": one.topic, "action": action, "handle": one.handle}
        self.tells(headers, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), at)


def subscribed() -> Iterator[Subscription]:
    """What the app's file subscribes to.

    >>> [(one.topic, one.actions) for one in subscribed()]
    [('Product', ('create', 'update', 'delete'))]
    """
    for said in tomllib.loads(app_files()[HEAD])["events"]["subscription"]:
        yield Subscription(said["handle"], said["topic"], tuple(said["actions"]), said["query"])
