"""Notices: what an object store says has been written to it, read from whatever they come wrapped in. JSON in, places out. Values only.

- S3 event notifications, as AWS and servers that speak S3 (MinIO, Ceph) send them: ``Records``, each with ``s3.bucket.name``, and
  ``s3.object`` with a ``key`` that is encoded as in a form, ``eTag`` and ``versionId``
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html);
- Amazon EventBridge: ``detail-type`` "Object Created" and ``detail``, with the key as it is
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html);
- either of them as the ``Message`` of Amazon SNS, or the ``body`` of Amazon SQS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

from everloop.serving.bodies import json_value
from everloop.serving.refused import RefusedError

DEEPEST: Final = 4
MOST: Final = 1_000
_CURE = "Send an S3 event notification, or one from EventBridge, SNS or SQS."


@dataclass(frozen=True)
class Notice:
    """An object that was written: where, and what the store calls its content (None: it does not say)."""

    url: str
    etag: str | None = None


@dataclass(frozen=True)
class Notices:
    """What one body says: objects that were written, each once; and where somebody is to say that notices are welcome, if that is asked."""

    written: tuple[Notice, ...] = ()
    confirm: str | None = None


def notices(body: bytes) -> Notices:
    """What a body says. Removals, tests and whatever else a store tells of say nothing.

    >>> one = b'{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "shop"}, "object": {"key": "a+b%2Fc.csv", "eTag": "e1"}}}'
    >>> notices(b'{"Records": [%b]}' % one).written
    (Notice(url='s3://shop/a b/c.csv', etag='e1'),)
    >>> notices(b'{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shop"}')
    Notices(written=(), confirm=None)

    Raises RefusedError for what is no notice.
    """
    said = json_value(body)
    found: dict[Notice, None] = {}
    confirm = None
    for one in said if isinstance(said, list) else [said]:
        if isinstance(one, dict) and one.get("Type") == "SubscriptionConfirmation":
            confirm = str(one.get("SubscribeURL", ""))[:1_000]
        else:
            found.update(dict.fromkeys(_within(one, 0)))
    if len(found) > MOST:
        raise RefusedError("too_large", f"{len(found):,} objects are told of at once; {MOST:,} are the most.")
    return Notices(tuple(found), confirm)


def _within(said: Any, depth: int) -> Iterator[Notice]:
    if not isinstance(said, Mapping) or depth > DEEPEST:
        raise RefusedError("invalid", f"This tells of no object. {_CURE}")
    if isinstance(said.get("Records"), list):
        for record in said["Records"]:
            yield from _within(record, depth + 1)
    elif isinstance(said.get("s3"), Mapping):
        yield from _of_s3(said)
    elif said.get("source") == "aws.s3" or said.get("detail-type") == "Object Created":
        yield from _of_eventbridge(said)
    elif said.get("Type") in ("Notification", "UnsubscribeConfirmation") or isinstance(said.get("body"), str):
        text = said.get("Message", said.get("body"))
        if said.get("Type") != "UnsubscribeConfirmation" and isinstance(text, str):
            yield from _within(json_value(text.encode(), "The message within"), depth + 1)
    elif said.get("Event") != "s3:TestEvent":
        raise RefusedError("invalid", f"This tells of no object. {_CURE}")


def _of_s3(said: Mapping[str, Any]) -> Iterator[Notice]:
    name = str(said.get("eventName", "")).removeprefix("s3:")
    if not name.startswith("ObjectCreated"):
        return
    there = said["s3"]
    bucket, key = _named(there.get("bucket"), "name"), _named(there.get("object"), "key")
    if bucket is None or key is None:
        raise RefusedError("invalid", f"A record does not say its bucket and key. {_CURE}", field="s3")
    yield Notice(f"s3://{bucket}/{unquote_plus(key)}", _etag(there["object"].get("eTag")))


def _of_eventbridge(said: Mapping[str, Any]) -> Iterator[Notice]:
    if said.get("detail-type") != "Object Created":
        return
    there = said.get("detail")
    there = there if isinstance(there, Mapping) else {}
    bucket, key = _named(there.get("bucket"), "name"), _named(there.get("object"), "key")
    if bucket is None or key is None:
        raise RefusedError("invalid", f"The detail does not say its bucket and key. {_CURE}", field="detail")
    yield Notice(f"s3://{bucket}/{key}", _etag(there["object"].get("etag")))


def _named(said: Any, name: str) -> str | None:
    value = said.get(name) if isinstance(said, Mapping) else None
    return value if isinstance(value, str) and value and len(value) <= 1_024 else None


def _etag(said: Any) -> str | None:
    return said.strip('"') if isinstance(said, str) and said else None
