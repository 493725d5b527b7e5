"""The skew meter over houses that live: events come in as they arrive, answers go out through the doors, and nothing may differ."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from everloop.lake.receive import receive
from everloop.loop.adopt import adopt
from everloop.loop.answers import answer_due, answer_one, answers_of
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.supervised import Told
from everloop.loop.serve.worker import opened as open_doors
from everloop.loop.skew import measure

END = datetime(2026, 11, 1, tzinfo=UTC)
KINDS = ("shop", "churn", "fraud", "price", "recommend")


@pytest.fixture
def doors():
    """The doors of a house, as a worker opens them."""
    with ExitStack() as stack:

        def doors_of(house):
            write_routes(house)
            told = Told(house.project.path, None, None, True, None, None, None)
            return open_doors(told, house.project, house.settings, stack)

        yield doors_of


def asked_of(house, model, count):
    """Requests about units there are; of the rows of a source, about rows that have not come yet, made of ones that have."""
    if not hasattr(model.per, "name"):
        source = next(t for t in house.tables(model).values() if set(model.unit) <= set(t.column_names))
        return source.select(list(model.unit)).group_by(list(model.unit)).aggregate([]).slice(0, count).to_pylist()
    found = house.tables(model)[model.per.name].slice(0, count).to_pylist()
    return [{name: f"new-{row[name]}" if name in model.unit else row[name] for name in model.request} for row in found]


def more_of(source, rows, moment, n):
    """Rows that came before come again: new ones, a correction, one that is late."""
    made = []
    for at, row in enumerate(rows):
        new = {name: row[name] for name in (*source.id, *source.time, *source.columns) if name in row}
        for name in source.id if at % 3 else ():
            new[name] = f"{row[name]}-{n}-{at}"
        for name in source.time[:1]:
            new[name] = (moment - timedelta(hours=30 * (at % 3), microseconds=at)).isoformat()
        made.append(new)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_house_that_works_has_no_skew(opened, doors, kind):
    house, model = opened(kind)
    adopt(house, model, END)
    door, requests = doors(house), asked_of(house, model, 6)
    answers = 0
    for n in range(5):
        moment = END + timedelta(hours=7 * n + 1)
        for source in model.sources:
            if source.time:
                rows = house.tables(model)[source.name].slice(10 * n, 8).to_pylist()
                receive(house.lake, source, more_of(source, rows, moment, n), now=moment)
        answers += len(
            door.predict(model.name, [{**r, model.unit[0]: f"{r[model.unit[0]]}"} for r in requests], moment + timedelta(seconds=1))
        )
    found = measure(house, model, now=END + timedelta(days=2), since=END, share=1.0)
    assert (found.answers, found.unread) == (answers, 0)
    assert found.clean, str(found)
    assert found.values >= answers * len(model.columns)


def test_the_terminal_says_what_differs_and_its_exit_code_says_no(opened, doors):
    import json

    import pyarrow as pa
    import pyarrow.compute as pc
    from typer.testing import CliRunner

    from everloop.cli import app
    from everloop.serving.log import AnswersLog

    house, model = opened("shop")
    adopt(house, model, END)
    doors(house).predict(model.name, asked_of(house, model, 3), END + timedelta(seconds=1))
    words = ["skew", model.name, "--project", str(house.project.path), "--share", "1", "--now", (END + timedelta(hours=1)).isoformat()]
    clean = CliRunner().invoke(app, words)
    assert (clean.exit_code, "no skew in 15 values of 3 answers" in clean.output) == (0, True), clean.output
    rows = answers_of(house, model)
    row = rows.filter(pc.equal(rows["unit"], rows["unit"][0])).slice(0, 1).to_pylist()[0]
    features = json.loads(row["features"]) | {"orders_price_latest": 1.0}
    with AnswersLog(house.settings.answers) as log:
        wrong = row | {"id": "wrong", "moment": row["moment"] + 1, "features": json.dumps(features)}
        log.write(pa.Table.from_pylist([wrong], schema=rows.schema))
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 1
    assert "orders_price_latest: 25 % differ" in said.output
    [plain] = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert [f["feature"] for f in plain["features"] if f["mismatch"]] == ["orders_price_latest"]


def test_answers_of_every_tick_are_read_again_as_they_were(opened):
    house, model = opened("shop")
    adopt(house, model, END)
    answer_due(house, model, END + timedelta(days=1))
    answer_one(house, model, [str(next(iter(asked_of(house, model, 1)[0].values())))], END + timedelta(days=1, hours=1))
    found = measure(house, model, now=END + timedelta(days=2), since=END, share=1.0)
    assert found.clean, str(found)
    assert found.answers > 10


def test_a_private_key_of_a_request_is_known_again_and_its_event_named(opened, doors):
    from everloop.loop.serve.known import Known

    house, model = opened("fraud")
    adopt(house, model, END)
    door = doors(house)
    [request] = asked_of(house, model, 1)
    moment = END + timedelta(hours=1)
    source = model.per
    row = {**request, "payment_id": "just-now", "asked_at": (moment - timedelta(minutes=5)).isoformat()}
    assert isinstance(door.known, Known)
    receive(house.lake, source, [row], now=moment - timedelta(minutes=4))
    true = door.known.features

    def without(model, requests, now, carts=()):
        table = true(model, requests, now)
        [name] = [name for name in model.columns if "last_1h" in name]
        return table.set_column(table.column_names.index(name), name, [[0.0]])

    door.known.features = without
    door.predict(model.name, [request], moment)
    found = measure(house, model, now=moment + timedelta(hours=1), share=1.0)
    [skew] = found.skewed
    assert (skew.mismatch, found.unread) == (1, 0)
    assert "payments row just-now" in skew.event
    assert "was left out" in skew.event
