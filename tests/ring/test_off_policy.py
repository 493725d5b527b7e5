"""What a version would be worth if it answered everybody, from a log in which it answered some: held to what was made to be true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everloop import ab, beats_champion, days
from everloop.loop import off_policy as judged
from everloop.loop.off_policy import off_policy, spoken_off_policy
from everloop.loop.steps import train_now
from tests.ring.shops import Says, Shop, orders, usual

IF_ALL = math.exp(7 + 0.6**2 / 2)  # what somebody spends in a day, on average, where everybody buys daily
AS_BEFORE = IF_ALL / 2  # and where they buy every other day
BOUGHT = [ab(0.5, wins_when=beats_champion(orders.total("amount", next=days(1))), within=days(8))]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Half of the customers are answered by a candidate, and buy twice as often for it."""
    shop = Shop(tmp_path_factory.mktemp("shop"), usual.but("offers", roll_out=BOUGHT, roll_back_when=()), Says(), lift=2.0)
    for _ in range(2):
        shop.day()
    return shop


def money(worths):
    return next(worth for worth in worths if "loss" not in worth.what)


def named(shop, version):
    return shop.house.versions.get(version).name


def test_the_log_tells_what_the_candidate_would_earn_of_everybody_and_the_mean_does_not(shop, monkeypatch):
    monkeypatch.setattr(judged, "LEAST", 50.0)
    rolled = next(t for t in reversed(shop.trials()) if t.candidate)
    new, old = (money(off_policy(shop.house, shop.model, named(shop, v), shop.now)) for v in (rolled.candidate, rolled.champion))
    assert new.enough
    for estimate in (new.ips, new.snips, new.dr):
        assert estimate.low < IF_ALL < estimate.high
    for estimate in (old.ips, old.snips, old.dr):
        assert estimate.low < AS_BEFORE < estimate.high
    # The rival, what was earned on average, is between the two and in neither interval.
    assert old.dr.high < new.as_answered < new.dr.low


def test_few_rewards_are_not_enough_evidence_and_the_sentence_says_so(shop, monkeypatch):
    monkeypatch.setattr(judged, "LEAST", 400.0)
    worths = off_policy(shop.house, shop.model, None, shop.now)
    assert not any(worth.enough for worth in worths)
    assert "not enough evidence" in spoken_off_policy(shop.model, worths, shop.now)


def test_a_candidate_that_never_answered_is_asked_again_about_what_was_logged(shop, monkeypatch):
    monkeypatch.setattr(judged, "LEAST", 50.0)
    rolled = next(t for t in reversed(shop.trials()) if t.candidate)
    by_log = money(off_policy(shop.house, shop.model, named(shop, rolled.candidate), shop.now))
    made = train_now(shop.house, shop.model, shop.now)
    again = money(off_policy(shop.house, shop.model, made.id, shop.now))
    assert again.version == made.id
    assert again.snips.value == pytest.approx(by_log.snips.value, rel=0.15), "it says what the candidate says, so it earns what that earns"
    monkeypatch.setattr(Says, "predict", lambda self, X: 3.7 * np.asarray(X)[:, 0] + 1)
    other = money(off_policy(shop.house, shop.model, made.id, shop.now))
    assert other.unheard > 0.9
    assert not other.enough
    assert "could be told" in str(other)


def test_nobody_of_another_model_and_nothing_unheard_of_is_judged(shop):
    with pytest.raises(Exception, match="offers@9"):
        off_policy(shop.house, shop.model, "offers@9", shop.now)
