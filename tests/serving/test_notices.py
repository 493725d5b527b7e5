"""Notices of an object store, in every wrapping they come in: the same object is read from each; what is none is refused."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote_plus

import pytest
from everloop_front import Front
from hypothesis import given
from hypothesis import strategies as st

from everloop.serving.keys import Keys, new_key, shown
from everloop.serving.notices import Notice, Notices, notices
from everloop.serving.refused import RefusedError


def of_s3(bucket, key, etag="e1", name="ObjectCreated:Put"):
    there = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "eTag": etag, "size": 3}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": there}]}


def of_eventbridge(bucket, key, etag="e1", kind="Object Created"):
    return {"source": "aws.s3", "detail-type": kind, "detail": {"bucket": {"name": bucket}, "object": {"key": key, "etag": etag}}}


def in_sns(said):
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-central-1:1:orders", "Message": json.dumps(said)}


def in_sqs(said):
    return {"Records": [{"messageId": "m", "body": json.dumps(said)}]}


def read(said):
    return notices(json.dumps(said).encode())


keys = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


@given(keys)
def test_the_same_object_is_read_from_every_wrapping(key):
    s3, bridge = of_s3("shop", key), of_eventbridge("shop", key)
    expected = Notices((Notice(f"s3://shop/{key}", "e1"),))
    assert [read(said) for said in (s3, bridge, in_sns(s3), in_sns(bridge), in_sqs(s3), in_sqs(in_sns(s3)), [s3, bridge])] == [expected] * 7


@pytest.mark.parametrize(
    "said",
    [
        of_s3("shop", "a.csv", name="ObjectRemoved:Delete"),
        of_eventbridge("shop", "a.csv", kind="Object Deleted"),
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shop"},
        {"Type": "UnsubscribeConfirmation", "Message": "You have chosen …"},
        [],
    ],
)
def test_what_tells_of_nothing_written_says_nothing(said):
    assert read(said) == Notices()


def test_a_name_that_minio_gives_is_read_too():
    assert read(of_s3("shop", "a.csv", name="s3:ObjectCreated:Put")).written == (Notice("s3://shop/a.csv", "e1"),)


def test_who_asks_whether_notices_are_welcome_is_heard_and_not_obeyed():
    asked = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": "arn",
        "SubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Confirm",
    }
    assert read(asked) == Notices(confirm="https://sns.eu-central-1.amazonaws.com/?Action=Confirm")


@pytest.mark.parametrize(
    "said",
    [
        {"hello": 1},
        "text",
        7,
        {"Records": ["x"]},
        {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {}, "object": {"key": "a"}}}]},
        {"detail-type": "Object Created", "detail": 3},
        {"Type": "Notification", "Message": "no JSON"},
        {"Type": "Notification", "Message": json.dumps({"Type": "Notification", "Message": json.dumps(in_sns(in_sns(in_sns({}))))})},
    ],
)
def test_what_is_no_notice_is_refused(said):
    with pytest.raises(RefusedError):
        read(said)


def test_more_objects_than_are_taken_at_once_are_refused():
    with pytest.raises(RefusedError, match="1,001 objects are told of at once"):
        read([of_s3("shop", f"{n}.csv") for n in range(1001)])


def test_a_key_may_be_shown_as_the_password_that_sns_puts_into_its_url():
    key, secret = new_key("sns", ["ingest"])
    there = Keys((key,))
    assert shown(there, "Basic " + base64.b64encode(f"everloop:{secret}".encode()).decode()) == key
    for wrong in (f"Basic {secret}", "Basic " + base64.b64encode(secret.encode()).decode(), "Basic ####"):
        assert shown(there, wrong) is None


def test_a_notice_that_calls_itself_text_is_taken_and_what_became_of_it_replied(tmp_path):
    front = Front(tmp_path)
    content = json.dumps(in_sns(of_s3("shop", "a.csv"))).encode()
    said = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
    page = front.ask("POST", "/v1/arrivals", content=content, headers={"content-type": "text/plain"})
    assert page.status_code == 415  # a page of somebody else's in a browser could send it
    reply = front.ask("POST", "/v1/arrivals", content=content, headers=said)
    assert reply.status_code == 200
    assert reply.json() == {"taken": 1, "passed_over": 0, "kept": 1, "duplicates": 0, "refused": 0, "examples": []}
    [(_, told, _)] = front.doors.asked
    assert told.written == (Notice("s3://shop/a.csv", "e1"),)
