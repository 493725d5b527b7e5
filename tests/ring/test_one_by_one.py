"""Answers that are asked for one by one, each at its own moment as over HTTP, are watched by the window and not by the request."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everloop import canary, days
from everloop.loop import watching
from everloop.loop.answers import answer_one
from everloop.loop.turn import turn
from tests.ring.shops import UNITS, Says, Shop, usual

QUICK = canary(0.5, every=days(1))


@pytest.fixture
def baking(tmp_path):
    """A shop whose new champion has just taken over."""
    shop = Shop(tmp_path, usual.but("offers", roll_out=QUICK, roll_back_when=()))
    shop.day()
    assert shop.traffic.stage == "bake"
    return shop


def asked_through_the_day(shop, count, fails=()):
    """So many requests, a minute apart; those numbered in ``fails`` fail. The champion of before answers these in its place."""
    for n in range(count):
        Says.fails_now = n in fails
        answer_one(shop.house, shop.model, [UNITS[n]], shop.now + timedelta(hours=1, minutes=n))
    Says.fails_now = False
    shop.now += timedelta(hours=2 + count // 60)


def test_what_was_seen_is_the_day_and_not_the_last_request(baking):
    asked_through_the_day(baking, 40)
    seen = watching.seen(baking.house, baking.model, baking.traffic, now=baking.now)
    assert (seen.answers, seen.failed) == (40, 0)
    assert len(seen.windows) == len({w.first_at for w in seen.windows})
    assert seen.windows[-1].rows == 40, "one window from tick to tick"


def test_one_request_that_fails_takes_no_version_back_and_many_do_whatever_the_last_one_did(baking):
    champion = baking.traffic.champion
    asked_through_the_day(baking, 40, fails={39})
    turn(baking.house, baking.model, baking.now)
    assert baking.traffic.champion == champion, "one of forty"
    asked_through_the_day(baking, 40, fails=set(range(0, 30, 2)))
    turn(baking.house, baking.model, baking.now)
    assert baking.traffic.champion != champion
    assert "fail" in baking.undone()[-1].because[0]
