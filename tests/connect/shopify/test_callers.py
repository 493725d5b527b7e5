"""Whoever makes up names of browsers is let in no faster than a shop needs, and keeps nobody out who was there before."""

from __future__ import annotations

import json

from tests.connect.shopify.fronts import Played, opened, proxied

from everloop.connect.shopify.callers import EACH, KNOWN, Callers
from everloop.connect.shopify.proxy import Storefront


def made_up(number):
    return f"made-up-{number:08}"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_in_a_flood_of_made_up_names_few_are_let_in_and_who_was_there_before_is_not_kept_out():
    clock = Clock()
    callers = Callers(60, clock)
    assert callers.let("b7c1d2e3-0000")
    let = sum(callers.let(made_up(n)) for n in range(10_000))
    clock.now = 60.0
    let += sum(callers.let(made_up(10_000 + n)) for n in range(10_000))
    assert let == 59 + 60
    assert callers.let("b7c1d2e3-0000")
    assert callers.let("42", vouched=True)


def test_nobody_asks_without_an_end():
    callers = Callers(60, Clock())
    assert sum(callers.let("42", vouched=True) for _ in range(1_000)) == EACH


def test_no_more_names_are_remembered_than_fit():
    callers = Callers(10**9, Clock())
    for number in range(KNOWN + 10):
        callers.let(made_up(number))
    assert len(callers._known) == KNOWN


def test_a_newcomer_too_many_is_shown_the_list_worked_out_beforehand_and_is_asked_about_nowhere(tmp_path):
    house = Played()
    made, client = opened(tmp_path, house)
    made.shelf.lay({"5": ["7"]})
    _only(client, 1)
    assert [client.get(proxied(unit=made_up(n), product="5")).json()["source"] for n in range(3)] == ["model", "precomputed", "precomputed"]
    assert len(house.asked) == 1
    row = {"prediction": "9d00410c64e5744e", "name": "click", "event_id": "9d00410c64e5744e:click:7"}
    told = [client.post(proxied("outcomes"), content=json.dumps([row | {"unit": made_up(n)}])).status_code for n in range(3)]
    assert told == [202, 429, 429]
    assert client.get(proxied(customer="42", product="5")).json()["source"] == "model"


def _only(client, newcomers):
    storefront = next(
        r.endpoint.__self__ for r in client.transport.app.routes if isinstance(getattr(r.endpoint, "__self__", None), Storefront)
    )
    storefront.callers = Callers(newcomers)
