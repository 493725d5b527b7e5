"""Tokens: renewed early, by one at a time, sealed, and got again whatever is lost."""

import dataclasses
import json
import multiprocessing
import threading

import httpx
import pytest

from everloop.connect.shopify.admin import Admin
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.sandbox import running
from everloop.connect.shopify.tokens import Pair, Tokens
from everloop.settings import Shopify


@pytest.fixture
def box():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "shopify.db")


class Hand:
    """A wall clock in our hands."""

    def __init__(self):
        self.at = 1_800_000_000.0

    def now(self):
        return self.at


def tokens(box, place, hand=None, **settings):
    said = dataclasses.replace(box.settings, **settings)
    return Tokens(said, place, box.client, now=hand.now if hand else Hand().now, sleep=lambda _: None)


def test_a_token_is_asked_for_once_and_kept_for_everybody(box, place):
    hand = Hand()
    first = tokens(box, place, hand).said()
    assert tokens(box, place, hand).said() == first
    assert box.door.grants.given == 1


def test_a_token_is_renewed_before_it_ends(box, place):
    hand = Hand()
    kept = tokens(box, place, hand)
    first = kept.said()
    hand.at += 86_399 - 301
    assert kept.said() == first
    hand.at += 2
    assert kept.said() != first, "a request that is under way for minutes would be refused at its end"


def test_an_offline_token_is_renewed_by_the_one_that_came_with_it(box, place):
    hand = Hand()
    kept = tokens(box, place, hand)
    kept.exchange("an ID token")
    first = kept.said()
    hand.at += 3_500
    assert kept.said() != first
    assert box.door.grants.given == 2
    assert Admin(box.url, "2026-10", kept, box.client).ask("shop")["shop"]["myshopifyDomain"] == box.shop.domain


def test_an_answer_that_was_lost_while_renewing_costs_nothing(box, place):
    hand = Hand()
    kept = tokens(box, place, hand)
    kept.exchange("an ID token")
    hand.at += 3_500
    box.faults.grants.append(0)
    assert kept.said().startswith("shpat_")
    assert box.door.grants.given == 3, "one of them nobody heard of"
    hand.at += 3_500
    assert kept.said().startswith("shpat_"), "the pair that was kept still renews"


def test_a_process_that_was_killed_after_the_shop_renewed_and_before_it_was_kept_goes_on(box, place):
    hand = Hand()
    killed = tokens(box, place, hand)
    killed.exchange("an ID token")
    hand.at += 3_500
    killed._keep = lambda pair: pair  # what would have been written never was
    killed.said()
    assert tokens(box, place, hand).said().startswith("shpat_")


def test_a_token_the_shop_took_back_is_got_again_in_the_middle_of_a_call(box, place):
    admin = Admin(box.url, "2026-10", tokens(box, place), box.client)
    admin.ask("shop")
    box.door.grants.take_back()
    assert admin.ask("shop")["shop"]["id"]


def test_of_many_threads_that_are_refused_one_renews(box, place):
    kept = tokens(box, place)
    old = kept.said()
    got = []
    threads = [threading.Thread(target=lambda: got.append(kept.instead_of(old))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert box.door.grants.given == 2


def in_a_process(settings, file, ready, got):
    ready.wait()
    got.put(Tokens(settings, Place(file), now=lambda: 1_800_003_500.0).said())


def test_of_two_processes_that_renew_at_once_one_does(box, place):
    hand = Hand()
    kept = tokens(box, place, hand)
    kept.exchange("an ID token")
    context = multiprocessing.get_context("spawn")
    ready, got = context.Event(), context.Queue()
    processes = [context.Process(target=in_a_process, args=(box.settings, place.file, ready, got)) for _ in range(2)]
    for process in processes:
        process.start()
    ready.set()
    found = [got.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found[0] == found[1]
    assert box.door.grants.given == 2, "the second would have used up what the first was given"


@pytest.mark.parametrize("skew", [-86_400 * 3, 86_400 * 3])
def test_a_clock_that_is_wrong_costs_a_call_and_never_the_shop(box, place, skew):
    hand = Hand()
    admin = Admin(box.url, "2026-10", tokens(box, place, hand), box.client)
    admin.ask("shop")
    hand.at += skew
    assert admin.ask("shop")["shop"]["id"]


def test_tokens_are_sealed_on_the_disk(box, place):
    token = tokens(box, place).said()
    said = b"".join(f.read_bytes() for f in place.file.parent.iterdir())
    assert token.encode() not in said
    assert b"shpat_" not in said


def test_a_secret_that_was_changed_still_opens_what_the_one_before_sealed(box, place):
    hand = Hand()
    first = tokens(box, place, hand).said()
    assert tokens(box, place, hand, secret="new", old_secret=box.settings.secret).said() == first
    assert box.door.grants.given == 1


def test_a_token_nobody_can_open_is_asked_for_anew(box, place):
    hand = Hand()
    first = tokens(box, place, hand).said()
    box.door.grants.secret = "new"
    assert tokens(box, place, hand, secret="new").said() != first


def test_a_file_that_was_half_written_is_no_token(box, place):
    hand = Hand()
    first = tokens(box, place, hand).said()
    with place.transaction() as t:
        t.execute("update tokens set sealed = substr(sealed, 1, 40)")
    assert tokens(box, place, hand).said() != first


def test_a_shop_that_refuses_says_what_to_do(box, place):
    with pytest.raises(Refused, match="client_id and secret its own"):
        tokens(box, place, secret="wrong").said()


def test_a_shop_that_does_not_answer_is_unreachable(box, place):
    box.faults.grants += [503] * 9
    with pytest.raises(Unreachable, match="status 503"):
        tokens(box, place).said()


def test_what_was_kept_is_forgotten_when_the_app_is_uninstalled(box, place):
    kept = tokens(box, place)
    kept.said()
    kept.forget()
    with place.transaction() as t:
        assert t.execute("select count(*) from tokens").fetchone() == (0,)


def test_a_token_from_the_future_is_not_believed():
    assert not Pair(access="x", got_at=1_000.0, ends_at=87_400.0).good_at(500.0)


def test_we_ask_as_shopify_s_own_package_does(place):
    shopify_app = pytest.importorskip("shopify_app")
    ours, theirs = [], []
    lives = {"expires_in": 3_599, "refresh_token": "r", "refresh_token_expires_in": 7_775_999}
    given = {"access_token": "t", "scope": "read_products", **lives}

    def keeping(kept):
        def reply(request):
            kept.append((str(request.url), json.loads(request.content)))
            return httpx.Response(200, json=given)

        return httpx.Client(transport=httpx.MockTransport(reply))

    hand = Hand()
    said = Shopify(shop="beans.myshopify.com", client_id="id", secret="hush", admin="https://beans.myshopify.com", house="")
    ask = Tokens(said, place, keeping(ours), now=hand.now)
    ask._renewed(None)
    ask.exchange("an.id.token")
    ask.instead_of("t")
    app, client = shopify_app.ShopifyApp(client_id="id", client_secret="hush"), keeping(theirs)
    app.exchange_using_client_credentials(shop="beans", http_client=client)
    details = {"exchangeable": True, "token": "an.id.token", "claims": {"dest": "https://beans.myshopify.com"}}
    app.exchange_using_token_exchange("offline", details, http_client=client)
    past = {"shop": "beans", "refresh_token": "r", "expires": "2020-01-01T00:00:00Z", "refresh_token_expires": "2099-01-01T00:00:00Z"}
    app.refresh_token_exchanged_access_token({"access_mode": "offline", "token": "t", "scope": "", **past}, http_client=client)
    assert ours == theirs
    assert len(ours) == 3
