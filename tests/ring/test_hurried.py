"""A person hurries a roll-out, or lets in whom no gate let pass: at once, in their name, and never past a hold or a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop import ab, beats_champion, days
from everloop.errors import EverloopError, Overtaken, Unknown
from everloop.loop.hand import go_on, hold, set_share
from everloop.loop.keep import keep_record
from everloop.loop.look import history, why
from everloop.loop.people import override, undo
from everloop.loop.replayed import replayed
from tests.ring.conftest import END
from tests.ring.shops import Shop, revenue, usual

LATER = END + timedelta(hours=2)
KIM = {"by": "Kim", "reason": "we have seen enough"}


def test_a_step_that_is_hurried_is_the_plans_next_and_the_last_one_lets_the_candidate_take_over(tmp_path):
    shop = Shop(tmp_path, usual)
    candidate = shop.traffic.candidate
    assert (shop.traffic.stage, shop.traffic.share) == ("canary", 0.2)
    go_on(shop.house, shop.model, **KIM, now=shop.now)
    assert (shop.traffic.stage, shop.traffic.share, shop.traffic.because) == ("canary", 0.5, "Kim: we have seen enough")
    go_on(shop.house, shop.model, **KIM, now=shop.now)
    assert (shop.traffic.stage, shop.traffic.champion) == ("bake", candidate)
    decision = next(e.record for e in shop.house.journal.read(kind="Decision", newest_first=True))
    assert (decision.action, decision.by, decision.advances, decision.by_hand) == ("advance", "Kim", True, False)
    lines, _ = history(shop.house, shop.model)
    assert "Kim: we have seen enough" in lines[-1]
    assert why(shop.house, shop.traffic.id)[0]
    with pytest.raises(EverloopError, match="nothing in shadow or canary"):
        go_on(shop.house, shop.model, **KIM, now=shop.now)
    shop.house.journal.verify()
    shop.day()


def test_no_step_is_hurried_while_it_is_held_or_the_share_was_set_by_hand(rolling):
    house, model = rolling
    set_share(house, model, 0.2, **KIM, now=LATER)
    with pytest.raises(EverloopError, match="set by hand"):
        go_on(house, model, **KIM, now=LATER)
    hold(house, model, **KIM, now=LATER)
    with pytest.raises(Overtaken, match="is held"):
        go_on(house, model, **KIM, now=LATER)


def test_a_test_is_not_hurried_for_it_would_have_proven_nothing(tmp_path):
    tested = usual.but("offers", roll_out=[ab(0.5, within=days(20), wins_when=beats_champion(on=revenue, by=0.0))])
    shop = Shop(tmp_path, tested)
    before = shop.traffic
    with pytest.raises(EverloopError, match="has proven nothing"):
        go_on(shop.house, shop.model, **KIM, now=shop.now)
    assert shop.traffic == before


@pytest.mark.parametrize(("by", "reason"), [("", "because"), ("Kim", " ")])
def test_whoever_hurries_has_a_name_and_a_reason(rolling, by, reason):
    house, model = rolling
    with pytest.raises(EverloopError, match="name and a reason"):
        go_on(house, model, by=by, reason=reason, now=LATER)


def refused_in(house, model):
    """The verdict that let the candidate in, as if it had said no."""
    passed = next(e.record for e in house.journal.read(kind="Verdict", model=model.name))
    refused = replace(passed, id="refused", outcome="failed", made_at=LATER)
    with house.store.transaction() as t:
        keep_record(house, t, refused, model=model, turn=None, verb="judge")
    return refused


def test_a_refused_candidate_is_let_in_on_a_persons_word_which_its_version_rests_on(rolling):
    house, model = rolling
    refused = refused_in(house, model)
    with pytest.raises(EverloopError, match="another roll-out"):
        override(house, model, refused.id, **KIM, now=LATER)
    undo(house, model, by="Kim", reason="to begin with", now=LATER)
    said = override(house, model, refused.id, **KIM, now=LATER)
    traffic = house.traffic(model)
    assert traffic.stage == "canary"
    assert "Kim let prices@1 in past the gate: we have seen enough" in said
    word = next(e.record for e in house.journal.read(kind="Verdict", newest_first=True))
    assert (word.by, word.reason, word.made_from, word.opinions) == ("Kim", "we have seen enough", (refused.id,), refused.opinions)
    house.journal.verify()
    with pytest.raises(Unknown, match="verdict"):
        override(house, model, "nothing", **KIM, now=LATER)


def test_a_candidate_that_was_judged_against_another_champion_is_not_let_in(rolling):
    house, model = rolling
    refused = refused_in(house, model)
    go_on(house, model, **KIM, now=LATER)
    assert house.traffic(model).stage == "bake"
    with pytest.raises(Overtaken, match="another champion"):
        override(house, model, refused.id, **KIM, now=LATER)


def test_nobody_is_let_in_while_the_model_is_held_or_without_a_reason(rolling):
    house, model = rolling
    refused = refused_in(house, model)
    undo(house, model, by="Kim", reason="to begin with", now=LATER)
    with pytest.raises(EverloopError, match="without a reason"):
        override(house, model, refused.id, by="Kim", reason=" ", now=LATER)
    hold(house, model, **KIM, now=LATER)
    with pytest.raises(Overtaken, match="is held"):
        override(house, model, refused.id, **KIM, now=LATER)
    assert not house.traffic(model).rolling


def test_what_was_hurried_is_still_judged_by_its_own_evidence(tmp_path):
    shop = Shop(tmp_path, usual)
    shop.day()
    go_on(shop.house, shop.model, **KIM, now=shop.now)
    shop.day()
    look = next(e.record for e in shop.house.journal.read(kind="Signals", newest_first=True))
    (again,) = replayed(shop.house, [look])
    assert not again.differs
