"""A house of doors that do as they are told, and a client that asks the app over it. No disk but for metrics, no clock but the wall's."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from datetime import date, datetime

import httpx
import pyarrow as pa

from everloop import Model, Source, days, every, money, quantiles, yes_above
from everloop.records import Prediction, Received
from everloop.serving.app import app
from everloop.serving.asks import Because, FeatureNames, FeatureVector, OnlineFeaturesReply
from everloop.serving.doors import InForce, Ready
from everloop.serving.keys import Keys
from everloop.serving.metrics import Metrics
from everloop.serving.verdicts import VerdictReply

JSON = {"content-type": "application/json"}
HERE = "http://localhost:8321"


def learn(rows):
    return rows


orders = Source(
    "orders",
    id="line_id",
    time="ordered_at",
    columns={"product_id": str, "customer_id": str, "quantity": int, "price": money("EUR"), "kind": str, "paid": bool},
)
payments = Source(
    "payments",
    id="payment_id",
    time="paid_at",
    columns={"amount": money("EUR"), "share": float, "country": str, "online": bool, "due": date, "seen": datetime, "fraud": bool},
)


def model(name, predicts, per="customer_id", **words):
    return Model(
        name, **({"predicts": predicts, "per": per, "asked": every(days(7)), "knows": KNOWN, "learner": learn, "fed_as": "pandas"} | words)
    )


KNOWN = [orders.total("quantity", last=days(7)), orders.latest("kind")]
demand = model("demand", orders.total("quantity", next=days(7)), per="product_id")
churn = model("churn", orders.none(next=days(28)), answers=yes_above(0.5))
taste = model("taste", orders.latest("kind", next=days(28)))
spread = model("spread", orders.total("quantity", next=days(14), each=days(7)), answers=quantiles(0.1, 0.5, 0.9))
picks = model(
    "picks", orders.which("product_id", next=days(7), most=2), candidates=orders.which("product_id", last=days(28), per=()), knows=KNOWN[0]
)
fraud = Model(
    "fraud",
    predicts=payments.outcome("fraud", within=days(30)),
    per=payments,
    knows=list(payments.given("amount", "share", "country", "online", "due", "seen")),
    learner=learn,
    fed_as="pandas",
)

SHAPES = {
    "demand": {"value": 2.5},
    "churn": {"value": 0.75, "says": "yes"},
    "taste": {"values": (0.25, 0.75), "says": "tea"},
    "spread": {"values": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)},
    "picks": {"items": ("p2", "p1"), "values": (0.5, 0.25)},
    "fraud": {"value": 0.01},
}


class FakeDoors:
    """Doors that remember what was asked; ``fails`` names a door and what it raises."""

    def __init__(self, *, turned=False, fails=None, error=None, hold=None):
        self.turned, self.fails, self.error, self.kept = turned, fails or {}, error, hold
        self.models = {m.name: m for m in (demand, churn, taste, spread, picks, fraud)}
        self.sources = {"orders": orders, "payments": payments}
        self.asked, self.is_ready, self.received = [], Ready(True, generations=(("demand", 3),)), None
        self.at_the_door = threading.Semaphore(0)
        self.force, self.why = InForce("demand@3"), None
        self.concluded = VerdictReply(
            rollout="demand@4", model="demand", stage="canary", share=0.1, verdict="passed", says="go on", because="nothing is found"
        )

    def _ask(self, door, *given):
        self.asked.append((door, *given))
        self.at_the_door.release()
        if door in self.fails:
            raise self.fails[door]

    def predict(self, model, requests, now):
        self._ask("predict", model, list(requests), now)
        if self.kept is not None:
            self.kept.wait(10)
        said = {} if self.error else SHAPES[model]
        return [
            Prediction(
                id=f"a{n}",
                model=model,
                version="v4" if self.force.candidate and next(iter(row.values())) == "new" else "v3",
                arm="champion",
                unit=str(next(iter(row.values()))),
                moment=now,
                error=self.error,
                **said,
            )
            for n, row in enumerate(requests)
        ]

    def answer_soon(self, model, request, now):
        return None

    def because(self, model, given):
        self._ask("because", model, list(given))
        return self.why or [Because((("orders_quantity_total_last_7d", 3.0, 0.5),), 1.5, 0.5, "answer")] * len(given)

    def in_force(self, model):
        if "in_force" in self.fails:
            raise self.fails["in_force"]
        return self.force

    def assigned(self, model, requests):
        self.asked.append(("assigned", model, list(requests)))
        return ["demand@4" if row[next(iter(row))] == "new" else "demand@3" for row in requests]

    def beside(self, model, items, most, now):
        self._ask("beside", model, list(items), most, now)
        return "v3", [("p9", 0.5), ("p8", 0.0)]

    def online_features(self, asked, now):
        self._ask("online_features", asked, now)
        rows = len(next(iter(asked.entities.values())))
        results = [FeatureVector([None] * rows, ["NOT_FOUND"] * rows, ["1970-01-01T00:00:00Z"] * rows)]
        return OnlineFeaturesReply(FeatureNames(["customer_id"]), results)

    def named(self, version):
        return f"demand@{version[1:]}"

    def labels(self, version):
        return ("coffee", "tea")

    def is_baseline(self, version):
        return version == "v0"

    def receive(self, source, rows, now, known_after):
        self._ask("receive", source, rows, now, known_after)
        done = Future()
        done.set_result(self.received or self._received(source, rows))
        return done

    def _received(self, source, rows):
        return Received(source=source, kept=len(rows), duplicates=0, refused=0, through_seq=len(rows))

    def truths(self, told, now):
        self._ask("truths", list(told), now)
        return self.received or self._received("truths", told)

    def outcomes(self, told, now):
        self._ask("outcomes", list(told), now)
        return self.received or self._received("outcomes", told)

    def predictions(self, told, now):
        self._ask("predictions", list(told), now)
        return self.received or self._received("predictions", told)

    def arrived(self, notices, now):
        self._ask("arrived", notices, now)
        return [self._received("orders", notices.written)] if notices.written else []

    def turn(self, model, now, cause, once=None):
        self._ask("turn", model, now, cause)
        return [{"decision": "d1", "action": "hold", "sentence": "nothing fired"}]

    def score(self, model, now):
        self._ask("score", model, now)
        return {"demand": 12}

    def history(self, after):
        self._ask("history", after)
        return [{"seq": 7, "kind": "Traffic", "model": "demand", "sentence": "demand@2 answers everybody."}], 7

    def undo(self, model, by, reason, now):
        self._ask("undo", model, by, reason, now)
        return "demand@2 answers again."

    def approve(self, model, yes, by, reason, now, question=None):
        self._ask("approve", model, yes, by, reason, question, now)
        return "So be it."

    def hold(self, model, by, reason, now):
        self._ask("hold", model, by, reason, now)
        return "demand is held."

    def release(self, model, by, reason, now):
        self._ask("release", model, by, reason, now)
        return "demand may go on."

    def share(self, model, share, by, reason, now):
        self._ask("share", model, share, by, reason, now)
        return "demand@3 answers a tenth."

    def cancel(self, model, by, reason):
        self._ask("cancel", model, by, reason)
        return "The turn has ended."

    def forget(self, column, value, everybody, by, reason, now):
        self._ask("forget", column, value, everybody, by, reason, now)
        return "churn: forgotten", {"rows": []}

    def known_of(self, column, value):
        self._ask("known", column, value)
        return {"rows": {}, "answers": {}}

    def status(self):
        self._ask("status")
        if self.kept is not None:
            self.kept.wait(10)
        return [{"model": "demand", "champion": "demand@3"}]

    def verdict(self, rollout):
        self._ask("verdict", rollout)
        return self.concluded

    def incidents(self, model, every):
        self._ask("incidents", model, every)
        return [{"model": "demand", "state": "firing"}]

    def acknowledge(self, incident, by, reason, now):
        self._ask("acknowledge", incident, by, reason, now)
        return "demand: firing, acknowledged by ann", {"incident": incident}

    def snooze(self, incident, until, by, reason, now):
        self._ask("snooze", incident, until, by, reason, now)
        return "demand: firing, snoozed", {"incident": incident}

    def ready(self):
        return self.is_ready


class Front:
    """The app over such doors, asked without a socket."""

    def __init__(self, folder, *, doors=None, keys=(), **words):
        self.doors, self.folder = doors or FakeDoors(), folder
        self.metrics = Metrics(folder, "w1")
        self.app = app(self.doors, keys=lambda: Keys(tuple(keys)), metrics=self.metrics, **words)

    def client(self, peer="127.0.0.1", base=HERE):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True, client=(peer, 50000))
        return httpx.AsyncClient(transport=transport, base_url=base)

    def ask(self, method, path, *, peer="127.0.0.1", base=HERE, **words):
        async def once():
            async with self.client(peer, base) as client:
                return await client.request(method, path, **words)

        return asyncio.run(once())

    def post(self, path, body, **words):
        """A JSON body, as an object or as the bytes themselves."""
        if isinstance(body, bytes):
            return self.ask("POST", path, content=body, headers=JSON | words.pop("headers", {}), **words)
        return self.ask("POST", path, content=json.dumps(body), headers=JSON | words.pop("headers", {}), **words)

    def get(self, path, **words):
        return self.ask("GET", path, **words)

    def raw(self, *messages, path="/v1/models/demand/predict", method="POST", headers=(), **scope):
        """One request as the server hands it over, message by message; what is sent back."""
        sent, left = [], list(messages)

        async def receive():
            if not left:
                raise AssertionError("it was read on")
            return left.pop(0)

        async def send(message):
            sent.append(message)

        whole = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8321),
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers],
        } | scope
        asyncio.run(self.app(whole, receive, send))
        return sent, left


def part(body=b"", more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def stream(table, **options):
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
