"""A shop's front over a house that is played, and requests signed as Shopify's documentation says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette

from everloop.connect.shopify.front import front
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.place import Place
from everloop.settings import Shopify

SECRET = "shpss_of_tests_0123456789abcdef0123"
SHOP = Shopify(
    shop="beans.myshopify.com",
    client_id="5d1f",
    secret=SECRET,
    admin="https://beans.myshopify.com",
    house="http://127.0.0.1:1",
    recommends="recommend",
)


class Played:
    """A house that answers as it is told to; what it was asked stands in ``asked``."""

    def __init__(self, items=("7", "8", "9"), arm="champion"):
        self.items, self.arm, self.asked, self.told, self.turns, self.down = list(items), arm, [], [], [], False
        self.turned = {
            "action": "retrain",
            "fit": True,
            "verdict": "passed",
            "version": "recommend@2",
            "sentence": "recommend@2 was let in.",
        }
        self.entries, self.through, self.champion, self.refuses = [], 0, "recommend@1", None

    def _up(self):
        if self.down:
            raise Unreachable("The house does not answer.")
        if self.refuses:
            raise Refused(*self.refuses)

    def answer(self, model, request):
        (request,) = request["requests"]
        self.asked.append((model, request))
        self._up()
        items = [{"item": item, "score": 1.0} for item in self.items]
        said = {"id": "9d00410c64e5744e", "model": model, "version": "recommend@1", "arm": self.arm, "unit": request["customer_id"]}
        return {"answers": [said | ({"items": items} if items else {"items": None, "error": "it gave no item"})]}

    def outcomes(self, rows):
        self._up()
        self.told += rows
        return {"kept": len(rows), "duplicates": 0, "refused": 0, "examples": []}

    def since(self, after):
        self._up()
        return {"entries": [one for one in self.entries if after is not None and one["seq"] > after], "through": self.through}

    def standing(self):
        self._up()
        return [{"model": "recommend", "champion": self.champion}]

    def operate(self, path, said):
        self.turns.append((path, said))
        self._up()
        return {"turns": [{"model": said["model"], **self.turned}]}

    def receive(self, source, rows):
        raise AssertionError("the front tells no rows")


class Client:
    """Who asks an app, one request after the other on one event loop."""

    def __init__(self, app):
        self.runner, self.transport = asyncio.Runner(), httpx.ASGITransport(app)

    def __del__(self):
        self.runner.close()

    def get(self, url):
        return self.request("GET", url)

    def post(self, url, **said):
        return self.request("POST", url, **said)

    def request(self, method, url, **said):
        async def asked():
            async with httpx.AsyncClient(transport=self.transport, base_url="http://door") as client:
                return await client.request(method, url, **said)

        return self.runner.run(asked())


def opened(folder, house):
    """The front of a shop, and who asks it."""
    made = front(SHOP, Place(folder / "shopify.db"), house, told=lambda _: None)
    return made, Client(Starlette(routes=list(made.routes)))


def proxied(path="recommendations", *, secret=SECRET, at=None, customer="", **said):
    """The address of a request through the app proxy, signed: sorted, and joined without anything between."""
    query = {
        "shop": SHOP.shop,
        "path_prefix": "/apps/everloop",
        "timestamp": str(int(at or time.time())),
        "logged_in_customer_id": customer,
        **said,
    }
    text = "".join(sorted(f"{name}={value}" for name, value in query.items()))
    query["signature"] = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"/shopify/proxy/{path}?{urlencode(query)}"


def flow(client, run="run-0000-1", model="recommend", *, secret=SECRET, **other):
    """Flow asks for a retraining."""
    said = {
        "shop_id": "1",
        "shopify_domain": SHOP.shop,
        "action_run_id": run,
        "handle": "retrain-model",
        "properties": {"model": model},
        **other,
    }
    body = json.dumps(said).encode()
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    headers = {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Shop-Domain": SHOP.shop, "Content-Type": "application/json"}
    return client.post("/shopify/flow/actions/retrain-model", content=body, headers=headers)
