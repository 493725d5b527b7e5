"""Runs in Feast's own environment: ``in_feast.py REPOSITORY``, with one JSON object on stdin and one on stdout.

``requests``: bodies for its feature server, whose status and reply come back under the same name. ``online``: the same asked of the
client, as columns. ``history``: ``features`` joined to ``rows`` by point in time, as rows in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import warnings
from datetime import datetime

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from feast import FeatureStore  # noqa: E402
from feast.feature_server import get_app  # noqa: E402


def replied(app, body):
    """What the feature server replies, asked as its web server asks it."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/get-online-features", "raw_path": b"/get-online-features",
        "query_string": b"", "headers": [(b"content-type", b"application/json")], "scheme": "http", "server": ("localhost", 80),
        "client": ("localhost", 1),
    }  # fmt: skip
    with contextlib.suppress(Exception):  # its last handler replies, then raises again
        asyncio.run(app(scope, receive, send))
    return {"status": sent[0]["status"], "body": json.loads(b"".join(m.get("body", b"") for m in sent))}


def joined(store, asked):
    rows = pd.DataFrame(asked["rows"])
    rows["event_timestamp"] = [datetime.fromisoformat(at) for at in rows["event_timestamp"]]
    rows["place"] = range(len(rows))
    found = store.get_historical_features(entity_df=rows, features=asked["features"]).to_df().sort_values("place")
    names = [name.partition(":")[2] for name in asked["features"]]
    return [[None if pd.isna(value) else value for value in row] for row in found[names].itertuples(index=False)]


def main():
    said = json.load(sys.stdin)
    out = {}
    with contextlib.redirect_stdout(sys.stderr):
        store = FeatureStore(sys.argv[1])
        if "requests" in said:
            app = get_app(store)
            out["requests"] = {name: replied(app, body) for name, body in said["requests"].items()}
        if "online" in said:
            ask = said["online"]
            features = store.get_feature_service(ask["feature_service"]) if "feature_service" in ask else ask["features"]
            out["online"] = store.get_online_features(features=features, entity_rows=ask["entities"]).to_dict()
        if "history" in said:
            out["history"] = joined(store, said["history"])
    json.dump(out, sys.stdout)


main()
