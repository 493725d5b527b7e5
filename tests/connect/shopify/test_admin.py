"""The Admin API asked politely, against the sandbox's bucket, and against answers that go wrong."""

import itertools
import threading

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.connect.shopify.admin import Admin, Throttled, TooCostly, UserErrors
from everloop.connect.shopify.bucket import Bucket
from everloop.connect.shopify.house import Refused, Unreachable
from everloop.connect.shopify.sandbox import running
from everloop.connect.shopify.sandbox.points import Points

PAGE = "query Page { products(first: 48) { nodes { id } } }"


@pytest.fixture(scope="module")
def box():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def admin(box):
    asked = box.admin()
    asked.sleep = lambda _: None
    return asked


class Time:
    """A clock that only sleeping turns."""

    def __init__(self):
        self.at = 0.0

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds


class Token:
    def said(self):
        return "t"

    def instead_of(self, refused):
        raise Refused(401, "invalid_client", "no other")


def answering(*replies, **more):
    """A client whose shop gives these replies in turn, the last for ever; and how often it was asked."""
    turns, asked = itertools.chain(replies, itertools.repeat(replies[-1])), []

    def reply(request):
        asked.append(request)
        one = next(turns)
        if isinstance(one, Exception):
            raise one
        return one

    time = Time()
    client = httpx.Client(transport=httpx.MockTransport(reply))
    return Admin("https://x.myshopify.com", "2026-10", Token(), client, Bucket(clock=time.now), time.sleep, time.now, **more), asked, time


def shop(**cost):
    return httpx.Response(200, json={"data": {"shop": {"id": "1"}}, "extensions": {"cost": cost} if cost else {}})


def throttled(available=0, requested=50):
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": 100}
    cost = {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status}
    return httpx.Response(
        200, json={"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}}
    )


# -- the bucket ------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60), st.integers(200, 2000), st.integers(10, 1000))
def test_no_more_is_ever_spent_than_the_shop_gave(points, most, rate):
    time = Time()
    bucket, spent = Bucket(most, rate, time.now), 0
    for one in points:
        time.sleep(bucket.taken(one))
        spent += one
        assert spent <= most + time.at * rate + 1e-6
    # Mutant: without the wait, 60 queries of 200 points are spent in no time.


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60), st.integers(200, 2000), st.integers(10, 1000))
def test_no_point_is_left_lying_while_somebody_waits(points, most, rate):
    time = Time()
    bucket = Bucket(most, rate, time.now)
    for one in points:
        time.sleep(bucket.taken(one))
    assert time.at <= max(0.0, (sum(points) - most) / rate) + 1e-6


def test_what_the_shop_says_is_left_counts_less_what_is_under_way():
    time = Time()
    bucket = Bucket(2000, 100, time.now)
    bucket.taken(500)
    bucket.taken(50)
    bucket.told(50, {"maximumAvailable": 2000, "currentlyAvailable": 600, "restoreRate": 100})
    assert bucket.taken(150) == pytest.approx(0.5), "600 less the 500 that are under way, less 150"


# -- throttling ------------------------------------------------------------------------------------------------------------------------


def test_who_is_throttled_waits_as_long_as_the_points_take_and_asks_again():
    admin, asked, time = answering(throttled(available=20, requested=50), shop())
    assert admin.ask("shop")["shop"]["id"] == "1"
    assert len(asked) == 2
    assert 0.3 <= time.at <= 0.5


def test_a_shop_that_gives_no_points_for_ten_minutes_is_said():
    admin, _, time = answering(throttled())
    with pytest.raises(Throttled, match="no points for shop in 600 s"):
        admin.ask("shop")
    assert 600 <= time.at < 660


def test_a_full_bucket_and_many_threads_come_out_in_time_with_nothing_lost():
    with running(points=Points(500, 2000)) as sandbox:
        for number in range(48):
            sandbox.shop.add_product(f"Product {number}", "1.00")
        admin, found = sandbox.admin(), []

        def some():
            found.extend(len(admin.said("page", PAGE, {})["products"]["nodes"]) for _ in range(20))

        threads = [threading.Thread(target=some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [48] * 80
        assert sandbox.door.points.refused <= 2, "a client that does not count is refused dozens of times"


def test_a_429_is_waited_for_as_long_as_it_says():
    admin, asked, time = answering(httpx.Response(429, headers={"Retry-After": "2.5"}), shop())
    admin.ask("shop")
    assert (len(asked), time.at) == (2, 2.5)


# -- what goes wrong -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [httpx.Response(503), httpx.ConnectError("no"), httpx.ReadTimeout("slow"), httpx.Response(502, text="<html>")]
)
def test_a_query_is_asked_again_when_the_shop_does_not_answer(broken):
    admin, asked, _ = answering(broken, broken, shop())
    assert admin.ask("shop")["shop"]["id"] == "1"
    assert len(asked) == 3


@pytest.mark.parametrize("broken", [httpx.Response(500), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut")])
def test_a_change_that_may_have_been_heard_is_not_said_twice(broken):
    admin, asked, _ = answering(broken)
    with pytest.raises(Unreachable):
        admin.ask("flow_trigger", handle="drift", payload={})
    assert len(asked) == 1, "Flow would start its workflows twice"


def test_a_change_that_was_not_heard_is_said_again():
    done = httpx.Response(200, json={"data": {"flowTriggerReceive": {"userErrors": []}}})
    admin, asked, _ = answering(httpx.ConnectError("no"), done)
    admin.ask("flow_trigger", handle="drift", payload={})
    assert len(asked) == 2


def test_a_change_that_is_harmless_again_is_said_again():
    done = httpx.Response(200, json={"data": {"metafieldsSet": {"metafields": [], "userErrors": []}}})
    admin, asked, _ = answering(httpx.ReadTimeout("slow"), done)
    admin.ask("metafields_set", metafields=[])
    assert len(asked) == 2


def test_a_shop_that_never_answers_is_unreachable():
    admin, asked, _ = answering(httpx.ConnectError("no route"))
    with pytest.raises(Unreachable, match=r"no route\. It is tried again later"):
        admin.ask("shop")
    assert len(asked) == 6


@pytest.mark.parametrize("text", ["", "null", "[]", "42", "<html>no</html>", '{"data": null}', '{"errors": "Not Found"}'])
def test_an_answer_that_is_none_is_refused_and_never_breaks_the_client(text):
    admin, _, _ = answering(httpx.Response(200, text=text))
    with pytest.raises(Refused):
        admin.ask("shop")


def test_user_errors_are_told_with_their_field_and_code(box, admin):
    product = box.shop.add_product("Beans", "9.00")["id"]
    twice = [{"ownerId": product, "namespace": "$app", "key": "x", "type": "json", "value": "{}", "compareDigest": None}]
    admin.ask("metafields_set", metafields=twice)
    with pytest.raises(UserErrors, match=r"metafields\.0: The resource has been updated") as caught:
        admin.ask("metafields_set", metafields=twice)
    assert caught.value.codes == {"STALE_OBJECT"}


def test_a_query_that_costs_too_much_is_never_asked_again(box, admin):
    calls = box.door.calls
    with pytest.raises(TooCostly, match="Ask for smaller pages"):
        admin.said("all", "{ products(first: 250) { nodes { id variants(first: 100) { nodes { id } } } } }", {})
    assert box.door.calls == calls + 1


def test_a_scope_that_was_not_granted_is_named():
    with running(scopes=["read_products"]) as sandbox, pytest.raises(Refused, match=r"read_orders.*install it again") as caught:
        sandbox.admin().ask("found", filter="")
    assert caught.value.code == "ACCESS_DENIED"


def test_a_field_that_is_not_there_is_refused_with_shopify_s_own_words(admin):
    with pytest.raises(Refused, match="Cannot query field 'colour' on type 'Shop'"):
        admin.said("wrong", "{ shop { colour } }", {})


def test_the_version_that_answered_is_known():
    reply = shop()
    reply.headers["x-shopify-api-version"] = "2027-01"
    admin, _, _ = answering(reply)
    admin.ask("shop")
    assert admin.served == "2027-01"
