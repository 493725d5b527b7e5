"""Events as AWS sends them to a function, one for each way to ask it; and what the function replies, read back. Values only.

Their shapes are those of AWS's pages: API Gateway's REST APIs (proxy integration, payload 1.0) and HTTP APIs (payload 2.0), which function
URLs send too, and application load balancers. https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

FROM: Final = "203.0.113.9"
HOST: Final = "abc123.lambda-url.eu-central-1.on.aws"


@dataclass(frozen=True)
class Asked:
    """One request over HTTP."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    query: str = ""

    @property
    def heads(self) -> dict[str, str]:
        """Its headers, with those that whatever stands before a function adds."""
        said = {"Host": HOST, "X-Forwarded-For": FROM, "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}
        return said | ({"Content-Type": "application/json"} if self.body else {}) | dict(self.headers or {})

    @property
    def carried(self) -> dict[str, Any]:
        """Its body as JSON can carry it: text, or where it is none base64."""
        try:
            return {"body": self.body.decode() or None, "isBase64Encoded": False}
        except UnicodeDecodeError:
            return {"body": base64.b64encode(self.body).decode(), "isBase64Encoded": True}


def rest_api(asked: Asked) -> dict[str, Any]:
    """As a REST API of API Gateway sends it."""
    several = parse_qs(asked.query, keep_blank_values=True)
    return {
        "resource": "/{proxy+}",
        "path": asked.path,
        "httpMethod": asked.method,
        "headers": asked.heads,
        "multiValueHeaders": {name: [value] for name, value in asked.heads.items()},
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": {"proxy": asked.path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": asked.method,
            "path": f"/prod{asked.path}",
            "stage": "prod",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": FROM, "userAgent": "curl/8"},
        },
        **asked.carried,
    }


def http_api(asked: Asked) -> dict[str, Any]:
    """As an HTTP API of API Gateway sends it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": asked.path,
        "rawQueryString": asked.query,
        "headers": {name.lower(): value for name, value in asked.heads.items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": HOST,
            "http": {"method": asked.method, "path": asked.path, "protocol": "HTTP/1.1", "sourceIp": FROM, "userAgent": "curl/8"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        **asked.carried,
    }


def function_url(asked: Asked) -> dict[str, Any]:
    """As a function URL sends it: base64, whatever the body is."""
    said = http_api(asked)
    return said | ({"body": base64.b64encode(asked.body).decode(), "isBase64Encoded": True} if asked.body else {})


def balancer(asked: Asked) -> dict[str, Any]:
    """As an application load balancer sends it; names and values of the query stay as they were written."""
    pairs = dict(pair.partition("=")[::2] for pair in asked.query.split("&") if pair)
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/house/73e2d6bc24d8a067"
    return {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": asked.method,
        "path": asked.path,
        "queryStringParameters": pairs,
        "headers": {name.lower(): value for name, value in asked.heads.items()},
        **(asked.carried | {"body": asked.carried["body"] or ""}),
    }


WAYS: Final[Mapping[str, Callable[[Asked], dict[str, Any]]]] = {
    "REST API": rest_api,
    "HTTP API": http_api,
    "function URL": function_url,
    "load balancer": balancer,
}
WARM: Final = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def body_of(reply: Mapping[str, Any]) -> bytes:
    """The bytes of what a function replied."""
    body = str(reply.get("body") or "")
    return base64.b64decode(body) if reply.get("isBase64Encoded") else body.encode()


def query_of(**said: str) -> str:
    """A query as it is written in a URL."""
    return urlencode(said)
