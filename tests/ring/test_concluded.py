"""What a roll-out has come to, for controllers elsewhere: every verdict that was kept replays, told of one that is under way, won, taken
back or never was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everloop import ab, beats_champion, days
from everloop.errors import Unknown
from everloop.loop import hand
from everloop.loop.adopt import adopt
from everloop.loop.concluded import concluded, reply
from everloop.loop.house import open_house
from everloop.loop.keep import keep_record
from everloop.loop.people import undo
from everloop.loop.project_file import project_of
from everloop.records import Signals
from everloop.rollout.verdict import replay
from everloop.serving.verdicts import GATES, is_open
from everloop.settings import read_settings
from tests.ring.shops import BEGIN, Says, Shop, revenue, usual

DAY = timedelta(days=1)


def opened(found):
    return {which for which in GATES if is_open(which, reply(found))}


def test_a_roll_out_is_told_from_its_first_look_to_its_end_and_what_is_told_follows_from_the_record(tmp_path):
    shop = Shop(tmp_path, usual)
    before = concluded(shop.house, "offers")
    assert (before.version.name, before.stage, before.says, before.as_of) == ("offers@2", "canary", "not enough evidence", None)
    assert opened(before) == {"confirm-rollout", "pre-rollout", "rollout"}
    shop.day()
    under_way = concluded(shop.house, "offers@2")
    assert (under_way.stage, under_way.says, under_way.share) == ("canary", "go on", 0.2)
    [trial] = shop.trials()
    assert under_way.trial == trial == replay(trial)
    assert under_way == concluded(shop.house, under_way.version.id)
    said = reply(under_way)
    assert (said.as_of, said.replays, said.p_anytime) == (trial.until, True, min(1.0, 1 / trial.evidence))
    shop.until_over(8)
    over = concluded(shop.house, "offers")
    assert (over.stage, over.says, over.share) == ("over", "promote", 0.0)
    # All verdicts of the roll-out come out again, from nothing but what was counted.
    assert [replay(one) for one in shop.trials()] == shop.trials()
    assert opened(over) == set(GATES) - {"rollback"}


def test_one_that_was_taken_back_is_told_so_with_the_reason_for_ever(tmp_path):
    shop = Shop(tmp_path, usual, Says(fails=0.7))
    shop.until_over(6)
    found = concluded(shop.house, "offers@2")
    assert (found.stage, found.says) == ("over", "roll back")
    assert "answers of the candidate failed" in found.because
    assert opened(found) == {"rollback"}
    assert not found.differs


def test_a_word_of_a_person_ends_it_as_well_and_a_hold_shuts_every_gate(tmp_path):
    shop = Shop(tmp_path, usual)
    shop.day()
    hand.hold(shop.house, shop.model, by="Kim", reason="a sale", now=shop.now)
    held = concluded(shop.house, "offers")
    assert (held.says, held.held) == ("roll back", "Kim: a sale")
    assert opened(held) == {"rollback"}


def test_a_version_that_took_over_and_was_taken_back_in_bake_is_rolled_back(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=[]))
    assert concluded(shop.house, "offers").stage == "bake"
    undo(shop.house, shop.model, by="Kim", reason="not yet", now=shop.now)
    found = concluded(shop.house, "offers@2")
    assert (found.stage, found.says, found.because) == ("over", "roll back", "Kim: not yet")


def test_until_a_gain_that_is_asked_for_is_proven_nothing_is_promoted(tmp_path):
    shop = Shop(tmp_path, usual.but("offers", roll_out=[ab(0.5, wins_when=beats_champion(revenue), within=days(8))]), lift=1.7)
    shop.day()
    early = concluded(shop.house, "offers")
    assert (early.says, opened(early)) == ("not enough evidence", {"confirm-rollout", "pre-rollout", "rollout"})
    while shop.traffic.stage == "canary":
        shop.day()
    won = concluded(shop.house, "offers")
    assert (won.stage, won.says) == ("bake", "promote")
    assert won.decides is not None
    assert won.decides.role == "gain"


def test_a_record_that_was_tampered_with_lets_nobody_go_on(tmp_path):
    shop = Shop(tmp_path, usual)
    shop.day()
    newest = shop.house.journal.read(kind="Signals", model="offers", newest_first=True, limit=1)[0].record
    assert isinstance(newest, Signals)
    assert newest.trial is not None
    forged = replace(newest, id="forged", made_at=shop.now + DAY, trial=replace(newest.trial, says="promote", because="trust me"))
    with shop.house.store.transaction() as t:
        keep_record(shop.house, t, forged, model=shop.model, turn="forged", verb="watch")
    found = concluded(shop.house, "offers")
    assert found.differs
    assert opened(found) == set()


def test_who_asks_how_a_roll_out_stands_reads_none_of_what_was_before_it_and_few_looks_at_once(tmp_path, monkeypatch):
    shop = Shop(tmp_path, usual)
    shop.day()
    read, (newest,) = [], shop.house.journal.read(kind="Signals", model="offers", newest_first=True, limit=1)
    with shop.house.store.transaction() as t:
        for n in range(45):
            later = replace(newest.record, id=f"look {n}", made_at=newest.at + timedelta(minutes=n))
            shop.house.journal.append(t, later, verb="watch")
    kept = type(shop.house.journal).read
    monkeypatch.setattr(type(shop.house.journal), "read", lambda *a, **named: read.append((named, kept(*a, **named))) or read[-1][1])
    found = concluded(shop.house, "offers")
    assert found.signals == "look 44"
    looks = [(named["limit"], len(entries)) for named, entries in read if named["kind"] == "Signals"]
    assert looks == [(20, 20)]
    assert all("limit" in named or named["since"] == found.version.made_at for named, _ in read)


def test_what_was_never_rolled_out_is_not_known_and_those_that_were_are_named(tmp_path):
    house = open_house(project_of(usual), settings=read_settings(tmp_path, house=tmp_path / "house"), turned=True)
    with pytest.raises(Unknown, match="None has begun yet"):
        concluded(house, "offers")
    adopt(house, usual, BEGIN)
    for name in ("offers", "offers@0", "offers@9", "demand", ""):
        with pytest.raises(Unknown):
            concluded(house, name)
