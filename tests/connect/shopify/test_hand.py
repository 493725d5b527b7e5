"""The merchant's hand: what is edited in the admin is done in the house, whatever is lost, late, doubled or nonsense on the way."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from everloop_shops import FakeShop, HereAsked
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ring.conftest import END

from everloop.connect.shopify.flags import EDITED, Flag, Words, asked, flag_of, words_of
from everloop.connect.shopify.hand import BY, Hand, follow
from everloop.connect.shopify.house import Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.seen import SeenFlags
from everloop.errors import EverloopError
from everloop.loop.hand import hold, release, set_share
from everloop.loop.house import open_house
from everloop.loop.people import undo
from everloop.loop.turn import turn
from everloop.records import Decision

LATER = END + timedelta(hours=2)
FLAG = "prices"


class Merchant:
    """A house whose model is in a canary, its shop, and the hand between them."""

    def __init__(self, house, model, folder):
        self.real, self.model = house, model
        self.house, self.shop = HereAsked(house, LATER), FakeShop()
        self.folder = folder
        self.hand = self.again()

    def again(self):
        """The door, started anew."""
        self.hand = Hand(SeenFlags(Place(self.folder / "shopify.db")), self.house, self.shop)
        return self.hand

    @property
    def traffic(self):
        return self.real.traffic(self.model)

    @property
    def flag(self):
        return self.shop.flags[FLAG]["fields"]

    def words(self):
        """What people decided, newest first."""
        decisions = (e.record for e in self.real.journal.read(kind="Decision", newest_first=True))
        return [d for d in decisions if isinstance(d, Decision) and d.by is not None]


@pytest.fixture
def merchant(rolling, tmp_path):
    made = Merchant(*rolling, tmp_path)
    assert made.model.name == FLAG
    made.hand.look()
    return made


@pytest.fixture
def waiting(asking, tmp_path):
    """The same, of a model whose candidate waits for a yes."""
    shutil.copytree(asking, tmp_path / "price")
    house = open_house(tmp_path / "price" / "project.py")
    (model,) = house.project.models.values()
    made = Merchant(house, model, tmp_path)
    made.hand.look()
    return made


# -- from the shop to the house ----------------------------------------------------------------------------------------------------------


def test_the_first_look_makes_a_flag_for_each_model_that_says_how_it_stands(merchant):
    assert merchant.flag["kill_switch"] == "false"
    assert merchant.flag["canary_percent"] == ""
    assert merchant.flag["stage"] == "canary"
    assert merchant.flag["status"].startswith("prices@0 answers; canary: prices@1 answers")
    assert merchant.shop.mirrored()["models"][FLAG]["on"] is True


def test_a_second_look_at_what_nobody_changed_writes_and_does_nothing(merchant):
    before, traffic = len(merchant.shop.asked), merchant.traffic
    assert merchant.hand.look() == []
    assert {document for document, _ in merchant.shop.asked[before:]} == {"metaobjects", "app_metafield"}
    assert merchant.traffic == traffic


@pytest.mark.parametrize("told", ["webhook", "poll"])
def test_an_edited_share_is_in_force_after_one_webhook_or_one_poll(merchant, told):
    webhook = merchant.shop.edit(FLAG, canary_percent="10")
    merchant.hand.heard(webhook) if told == "webhook" else merchant.hand.look()
    assert merchant.traffic.share == 0.1
    word = merchant.words()[0]
    assert (word.action, word.by) == ("share", BY)
    assert "canary_percent says 10 (model_flag prices, changed 2026-11-22T" in word.because[0]
    merchant.hand.look()
    assert "canary: prices@1 answers 10 %" in merchant.flag["status"]
    merchant.shop.edit(FLAG, canary_percent="")
    merchant.hand.look()
    assert merchant.traffic.by_hand is None


@pytest.mark.parametrize("told", ["webhook", "poll"])
def test_the_kill_switch_takes_the_candidate_from_everybody_and_a_theme_hears_of_it(merchant, told):
    webhook = merchant.shop.edit(FLAG, kill_switch="true")
    merchant.hand.heard(webhook) if told == "webhook" else None
    merchant.hand.look()
    assert (merchant.traffic.candidates, bool(merchant.traffic.held)) == ((), True)
    assert merchant.words()[0].by == BY
    assert "kill_switch was switched on" in merchant.words()[0].because[0]
    assert merchant.shop.mirrored()["models"][FLAG]["on"] is False
    assert "until kill_switch is switched off" in merchant.flag["status"]
    merchant.shop.edit(FLAG, kill_switch="false")
    merchant.hand.look()
    assert merchant.traffic.held is None
    assert merchant.words()[0].action == "release"
    assert merchant.shop.mirrored()["models"][FLAG]["on"] is True


def test_the_kill_switch_waits_for_no_look_that_takes_long(merchant):
    webhook = merchant.shop.edit(FLAG, kill_switch="true")
    with merchant.hand.alone():
        merchant.hand.looking, held = _Busy(), merchant.hand.looking
        with pytest.raises(Unreachable):
            merchant.hand.heard(webhook)
        merchant.hand.looking = held
    assert merchant.traffic.held


class _Busy:
    def acquire(self, timeout):
        return False


def test_a_webhook_that_is_older_than_what_was_seen_changes_nothing(merchant):
    old = merchant.shop.edit(FLAG, kill_switch="true")
    new = merchant.shop.edit(FLAG, kill_switch="false")
    merchant.hand.heard(new)
    assert merchant.hand.heard(old) == []
    assert merchant.traffic.held is None
    merchant.hand.look()
    assert merchant.traffic.held is None


def test_the_same_webhook_twice_is_one_word(merchant):
    webhook = merchant.shop.edit(FLAG, kill_switch="true", canary_percent="10")
    for _ in range(3):
        merchant.hand.heard(webhook)
    assert [word.action for word in merchant.words()].count("hold") == 1


@pytest.mark.parametrize(
    "payload",
    [{}, {"type": "other", "handle": FLAG, "fields": {"kill_switch": "true"}}, {"type": "$app:model_flag", "handle": FLAG},
     {"type": "$app:model_flag", "fields": {"kill_switch": "true"}, "handle": "nobody", "updated_at": "2026-11-22T09:0000Z"}],
)  # fmt: skip
def test_what_is_about_something_else_changes_nothing(merchant, payload):
    before = merchant.traffic
    assert merchant.hand.heard(payload) == []
    assert merchant.traffic == before


@pytest.mark.parametrize("name", ["recs/undo?", "../forget?", "recs#", "recs%2Fundo", ""])
def test_a_flag_that_names_another_way_of_the_house_for_a_model_says_nothing_there(tmp_path, name):
    said = []
    house = SimpleNamespace(operate=lambda path, words: said.append(path) or {}, standing=list)
    hand = Hand(SeenFlags(Place(tmp_path / "shopify.db")), house, FakeShop())
    payload = {"type": "app--1--model_flag", "handle": "x?/", "updated_at": "2999-01-01T00:00:00Z"}
    hand.heard(payload | {"fields": {"model": name, "kill_switch": "true"}})
    assert said == []


def test_a_house_that_is_down_hears_it_when_it_is_up_again(merchant):
    webhook = merchant.shop.edit(FLAG, kill_switch="true", canary_percent="10")
    merchant.house.down = True
    with pytest.raises(Unreachable):
        merchant.hand.heard(webhook)
    with pytest.raises(Unreachable):
        merchant.hand.look()
    assert merchant.hand.owes.is_set()
    merchant.house.down = False
    merchant.hand.look()
    assert merchant.traffic.held


def test_a_reply_that_was_lost_is_no_second_word(merchant):
    merchant.shop.edit(FLAG, kill_switch="true")
    merchant.house.loses = 1
    with pytest.raises(Unreachable):
        merchant.hand.look()
    merchant.hand.look()
    assert [word.action for word in merchant.words()].count("hold") == 1


def test_a_shop_that_is_down_is_written_to_when_it_is_up_again_and_the_house_does_not_wait_for_it(merchant):
    webhook = merchant.shop.edit(FLAG, kill_switch="true")
    merchant.shop.down = True
    merchant.hand.heard(webhook)
    assert merchant.traffic.held
    with pytest.raises(Unreachable):
        merchant.hand.look()
    merchant.shop.down = False
    merchant.hand.look()
    assert merchant.shop.mirrored()["models"][FLAG]["on"] is False


# -- nonsense ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["140", "0", "-5", "ten", "10.5", "1e1", "NaN", "9" * 30, "<b>", "10 20"])
def test_a_share_that_means_nothing_leaves_what_is_in_force_and_status_says_why(merchant, said):
    merchant.shop.edit(FLAG, canary_percent="10")
    merchant.hand.look()
    before = merchant.traffic
    merchant.shop.edit(FLAG, canary_percent=said)
    merchant.hand.look()
    assert merchant.traffic == before
    assert merchant.flag["canary_percent"] == said
    assert "no whole number from 1 to 100" in merchant.flag["status"]
    assert "It stays at 10." in merchant.flag["status"]
    written = len(merchant.shop.asked)
    merchant.hand.look()
    assert "metaobject_upsert" not in {document for document, _ in merchant.shop.asked[written:]}, "said once, not at every look"


def test_a_switch_that_says_neither_stays_as_it_is(merchant):
    merchant.shop.edit(FLAG, kill_switch="true")
    merchant.hand.look()
    merchant.shop.edit(FLAG, kill_switch="perhaps")
    merchant.hand.look()
    assert merchant.traffic.held
    assert "'perhaps', which is neither true nor false. It stays on." in merchant.flag["status"]


@pytest.mark.parametrize("name", EDITED)
def test_a_field_that_is_gone_leaves_what_was_said(merchant, name):
    merchant.shop.edit(FLAG, kill_switch="true", canary_percent="10")
    merchant.hand.look()
    del merchant.shop.flags[FLAG]["fields"][name]
    merchant.shop.flags[FLAG]["updated_at"] = merchant.shop.now()
    merchant.hand.look()
    assert merchant.traffic.held
    assert f"The flag has no field {name}" in merchant.flag["status"]


def test_a_flag_that_was_deleted_is_made_again_and_what_it_said_stays_in_force(merchant):
    merchant.shop.edit(FLAG, kill_switch="true", answer="yes 123456")
    merchant.hand.look()
    assert "answers no question" in merchant.flag["status"]
    del merchant.shop.flags[FLAG]
    merchant.hand.look()
    assert merchant.traffic.held
    assert "answers no question" not in merchant.flag["status"]
    assert merchant.flag["kill_switch"] == "true"
    merchant.hand.look()
    assert merchant.traffic.held


def test_a_flag_of_no_model_is_told_so(merchant):
    merchant.shop.edit("demand", kill_switch="true", canary_percent="10", answer="")
    merchant.hand.look()
    assert merchant.shop.flags["demand"]["fields"]["status"] == "The house has no model demand, so this flag does nothing. It has: prices."


fields = st.dictionaries(
    st.sampled_from([*EDITED, "status", "x"]), st.one_of(st.none(), st.text(max_size=30), st.sampled_from(["true", "50", "yes 3f2a91"]))
)


@given(said=fields, kill=st.booleans(), percent=st.one_of(st.none(), st.integers(1, 100)))
@settings(deadline=None)
def test_whatever_fields_say_it_means_a_switch_and_a_share_or_leaves_both(said, kill, percent):
    words = words_of(Flag("recs", "", said), kill=kill, percent=percent)
    assert words.percent is None or 1 <= words.percent <= 100
    complained = " ".join(words.complaints)
    assert words.kill == kill or (said.get("kill_switch") or "").strip().lower() in ("true", "false", "")
    assert words.percent == percent or "canary_percent" not in complained
    assert bool(words.code) <= bool(words.answer)


# -- from the house to the shop ----------------------------------------------------------------------------------------------------------


def test_a_roll_back_of_the_loop_is_written_into_flag_and_mirror(merchant):
    merchant.shop.edit(FLAG, canary_percent="10")
    merchant.hand.look()
    undo(merchant.real, merchant.model, by="the loop", reason="errors", now=LATER + timedelta(hours=1))
    merchant.hand.look()
    assert (merchant.flag["stage"], merchant.flag["candidate"]) == ("steady", "")
    assert "10 % is for the next canary" in merchant.flag["status"]
    told = merchant.shop.mirrored()["models"][FLAG]
    assert (told["stage"], told["candidate"], told["on"]) == ("steady", None, True)
    assert merchant.flag["canary_percent"] == "10", "what the merchant said is the merchant's"


def test_whoever_is_faster_the_mirror_is_read_again_and_written(merchant):
    shop = merchant.shop
    shop.race = [lambda n=n: shop.write("app", "everloop", "serving", f'{{"n": {n}}}') for n in range(3)]
    hold(merchant.real, merchant.model, by="Kim", reason="odd", now=LATER)
    merchant.hand.look()
    assert not shop.race
    assert shop.mirrored()["models"][FLAG]["on"] is False
    sets = [said["metafields"][0] for document, said in shop.asked if document == "metafields_set"]
    assert all("compareDigest" in one for one in sets)
    assert len({one["compareDigest"] for one in sets[-4:]}) == 4


def test_whoever_is_always_faster_is_told_of_and_the_next_look_tries_again(merchant):
    shop = merchant.shop
    shop.race = [lambda n=n: shop.write("app", "everloop", "serving", f'{{"n": {n}}}') for n in range(5)]
    hold(merchant.real, merchant.model, by="Kim", reason="odd", now=LATER)
    with pytest.raises(EverloopError, match="changed since"):
        merchant.hand.look()
    merchant.hand.look()
    assert shop.mirrored()["models"][FLAG]["on"] is False


def test_a_hold_by_somebody_else_shows_in_the_switch_and_the_merchant_may_release_it(merchant):
    hold(merchant.real, merchant.model, by="Kim", reason="odd", now=LATER)
    merchant.hand.look()
    assert merchant.flag["kill_switch"] == "true"
    assert "Held by Kim: odd" in merchant.flag["status"]
    merchant.hand.look()
    assert merchant.traffic.held
    merchant.shop.edit(FLAG, kill_switch="false")
    merchant.hand.look()
    assert merchant.traffic.held is None


def test_while_the_switch_is_on_a_release_by_somebody_else_is_held_again(merchant):
    merchant.shop.edit(FLAG, kill_switch="true")
    merchant.hand.look()
    release(merchant.real, merchant.model, by="Kim", reason="nothing wrong", now=merchant.house.now)
    merchant.hand.look()
    assert merchant.traffic.held
    assert "kill_switch is on (model_flag" in merchant.words()[0].because[0]


def test_a_share_set_by_somebody_else_shows_in_the_flag_and_is_not_taken_for_the_merchants(merchant):
    merchant.shop.edit(FLAG, canary_percent="10")
    merchant.hand.look()
    set_share(merchant.real, merchant.model, 0.2, by="Kim", reason="faster", now=LATER + timedelta(hours=1))
    for _ in range(3):
        merchant.hand.look()
    assert (merchant.flag["canary_percent"], merchant.traffic.share) == ("20", 0.2)
    set_share(merchant.real, merchant.model, None, by="Kim", reason="as planned", now=LATER + timedelta(hours=2))
    for _ in range(3):
        merchant.hand.look()
    assert (merchant.flag["canary_percent"], merchant.traffic.by_hand) == ("", None)


def test_a_share_that_is_no_whole_percent_is_said_in_status_alone(merchant):
    set_share(merchant.real, merchant.model, 0.055, by="Kim", reason="slowly", now=LATER)
    for _ in range(2):
        merchant.hand.look()
    assert merchant.flag["canary_percent"] == ""
    assert merchant.traffic.share == 0.055
    assert "5.5 %" in merchant.flag["status"]


def test_two_who_edit_at_once_both_have_their_way(merchant):
    """The merchant the share, Kim the hold, between two looks."""
    merchant.shop.edit(FLAG, canary_percent="10")
    hold(merchant.real, merchant.model, by="Kim", reason="odd", now=LATER)
    merchant.hand.look()
    assert merchant.flag["kill_switch"] == "true"
    assert merchant.flag["canary_percent"] == "10"
    assert merchant.traffic.held
    assert not merchant.traffic.rolling


def test_the_door_started_anew_does_nothing_twice_and_forgets_nothing(merchant):
    merchant.shop.edit(FLAG, canary_percent="10")
    merchant.hand.look()
    before, words = merchant.traffic, len(merchant.words())
    merchant.again().look()
    assert (merchant.traffic, len(merchant.words())) == (before, words)


def test_a_door_that_lost_its_memory_holds_what_is_held(merchant):
    merchant.shop.edit(FLAG, kill_switch="true")
    merchant.hand.look()
    (merchant.folder / "shopify.db").unlink()
    for suffix in ("-wal", "-shm"):
        (merchant.folder / f"shopify.db{suffix}").unlink(missing_ok=True)
    merchant.again().look()
    assert merchant.traffic.held
    assert merchant.flag["kill_switch"] == "true"


# -- approval ----------------------------------------------------------------------------------------------------------------------------


def code(merchant):
    return merchant.flag["waiting"].split("yes ")[1].split(",")[0]


def test_a_yes_with_the_code_lets_the_candidate_begin_and_is_cleared(waiting):
    assert "Let the candidate begin its roll-out?" in waiting.flag["waiting"]
    waiting.shop.edit(FLAG, answer=f"Yes {code(waiting)}")
    waiting.hand.look()
    assert waiting.traffic.stage == "canary"
    [word] = [e.record for e in waiting.real.journal.read(kind="Approval")]
    assert (word.by, word.approved) == (BY, True)
    assert waiting.flag["answer"] == ""
    assert waiting.flag["waiting"] == ""
    assert "Your answer was carried out" in waiting.flag["status"]


def test_a_no_leaves_everything_as_it_is(waiting):
    waiting.shop.edit(FLAG, answer=f"no {code(waiting)}")
    waiting.hand.look()
    assert not waiting.traffic.rolling
    assert waiting.flag["waiting"] == ""


def test_a_yes_to_what_waits_no_more_is_a_yes_to_nothing_else(waiting):
    said = code(waiting)
    waiting.house.operate(f"models/{FLAG}/reject", {"by": "Ann", "reason": "not now"})
    turn(waiting.real, waiting.model, END + timedelta(days=30), "demand")
    assert waiting.real.approvals.waiting(FLAG), "another question waits by now"
    waiting.shop.edit(FLAG, answer=f"yes {said}")
    waiting.hand.look()
    assert not waiting.traffic.rolling
    assert f"yes {said} answers no question that waits now" in waiting.flag["status"]


@pytest.mark.parametrize("said", ["yes", "ok", "yes please", "true", "yes 12"])
def test_an_answer_without_the_code_is_none(waiting, said):
    waiting.shop.edit(FLAG, answer=said)
    waiting.hand.look()
    assert not waiting.traffic.rolling
    assert waiting.real.approvals.waiting(FLAG)
    assert "Say yes or no with the code" in waiting.flag["status"]


def test_an_answer_whose_reply_was_lost_is_carried_out_once(waiting):
    waiting.shop.edit(FLAG, answer=f"yes {code(waiting)}")
    waiting.house.loses = 1
    with pytest.raises(Unreachable):
        waiting.hand.look()
    waiting.hand.look()
    assert waiting.traffic.stage == "canary"
    assert len(list(waiting.real.journal.read(kind="Approval"))) == 1
    assert "Your answer was carried out" in waiting.flag["status"]


def test_a_yes_while_the_switch_is_on_is_refused_and_said(waiting):
    waiting.shop.edit(FLAG, kill_switch="true", answer=f"yes {code(waiting)}")
    waiting.hand.look()
    assert not waiting.traffic.rolling
    assert "Not taken: answer: prices is held" in waiting.flag["status"]


# -- the thread --------------------------------------------------------------------------------------------------------------------------


def test_what_is_owed_is_done_soon_and_trouble_is_told_once(merchant, monkeypatch):
    monkeypatch.setattr("everloop.connect.shopify.hand.SOON", 0.01)
    stop, told = threading.Event(), []
    merchant.shop.edit(FLAG, kill_switch="true")
    merchant.house.down = True

    def hear(sentence):
        told.append(sentence)
        merchant.house.down = False
        if "is rolled out until" in sentence:
            stop.set()

    follow(merchant.hand, 3600.0, stop, hear)
    assert merchant.traffic.held
    assert [sentence for sentence in told if "does not answer" in sentence] == ["The merchant's flags: The house does not answer."]


def test_a_flag_is_read_alike_from_a_node_and_a_webhook():
    node = {"handle": "recs", "updatedAt": "2026-11-02T09:30:00Z", "fields": [{"key": "kill_switch", "value": "true"}]}
    webhook = {"handle": "recs", "updated_at": "2026-11-02T09:30:00Z", "fields": {"kill_switch": "true"}}
    assert flag_of(node) == flag_of(webhook)
    assert words_of(flag_of(node)).kill
    assert not Words(False, None).kill
    assert asked({"waiting": None}) == ""
