"""A test whose shares move with what customers did, on a clock that is turned."""

from __future__ import annotations

from everloop import bandit, beats_champion, days
from everloop.loop.answers import answers_of
from everloop.records import Decision
from everloop.registry.history import history
from everloop.rollout.verdict import replay
from tests.ring.shops import Says, Shop, orders, usual

SOON = [bandit(0.1, wins_when=beats_champion(orders.any(next=days(1)), confidence=0.999), within=days(12))]


def test_customers_move_to_the_better_version_every_answer_says_its_chance_and_who_counted_goes_on_counting(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=SOON), Says(), lift=1.3)
    candidate = shop.traffic.candidate
    assert shop.traffic.share == 0.5
    for _ in range(2):
        shop.day()
    lived = [t for t in history(shop.house.journal, "offers") if t.candidate == candidate and t.stage == "canary"]
    shares = [t.share for t in lived]
    assert len(shares) > 1
    assert shares[-1] > 0.7
    assert len({(t.since, t.step, t.salt) for t in lived}) == 1, "it is one step of one roll-out"
    rows = [r for r in answers_of(shop.house, shop.model).to_pylist() if r["arm"] == "candidate"]
    assert {round(r["propensity"], 6) for r in rows} <= {round(share, 6) for share in shares}
    for trial in shop.trials():
        assert replay(trial) == trial
    units = [sum(e.candidate + e.champion for e in trial.epochs) for trial in shop.trials()]
    assert units == sorted(units), "nobody who counted is left out again"
    told = [e.record for e in shop.house.journal.read(kind="Decision") if isinstance(e.record, Decision)]
    assert any("units move to whichever version does better" in decision.because for decision in told)
    shop.house.journal.verify()
