"""A tracking server of MLflow, asked by its REST API. In: a URL, plain data. Out: plain data. No clock, no house.

Source: MLflow REST API 2.0, https://mlflow.org/docs/latest/api_reference/rest-api.html; files go by its artifact proxy
(``/api/2.0/mlflow-artifacts``), which ``mlflow server`` offers unless it is started with ``--no-serve-artifacts``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from everloop.errors import EverloopError

API: Final = "api/2.0/mlflow"
FILES: Final = "api/2.0/mlflow-artifacts/artifacts"
SECONDS: Final = 10.0
MOST: Final = 4 << 30
"""Bytes of one file that is taken from a server, at most."""


class Refused(EverloopError):  # noqa: N818 — named by what happened, as those of errors.py
    """The server answered, and said no. ``code`` is its word for it, such as RESOURCE_DOES_NOT_EXIST."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Unreachable(EverloopError):  # noqa: N818
    """No answer: the server is down, slow, or elsewhere. What was to be said is said later."""


@dataclass(frozen=True)
class Tracking:
    """A tracking server. ``url`` may hold a name and a password; they are never shown."""

    url: str = field(repr=False)
    seconds: float = SECONDS

    @property
    def host(self) -> str:
        """Where it is, without secrets.

        >>> Tracking("https://kim:hush@mlflow.shop:5000/team").host
        'mlflow.shop:5000'
        """
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def get(self, path: str, **said: Any) -> dict[str, Any]:
        """What the server says to a question. Raises Refused, Unreachable."""
        return self._json("GET", f"{API}/{path}", params=said)

    def post(self, path: str, **said: Any) -> dict[str, Any]:
        """Tell the server something. Raises Refused, Unreachable."""
        return self._json("POST", f"{API}/{path}", json=said)

    def delete(self, path: str, **said: Any) -> dict[str, Any]:
        """Take something back. Raises Refused, Unreachable."""
        return self._json("DELETE", f"{API}/{path}", json=said)

    def put_file(self, uri: str, body: bytes) -> None:
        """Keep a file below an artifact URI of this server. Raises Refused, Unreachable, EverloopError where it takes no files."""
        self._ask("PUT", f"{FILES}/{quote(self._proxied(uri))}", content=body)

    def file(self, uri: str) -> bytes:
        """The bytes of a file below an artifact URI of this server. Raises Refused, Unreachable, EverloopError."""
        body = self._ask("GET", f"{FILES}/{quote(self._proxied(uri))}").content
        if len(body) > MOST:
            raise EverloopError(f"A file of MLflow is larger than {MOST >> 30} GB. Nothing was taken.")
        return body

    def files(self, uri: str) -> list[str]:
        """The names of the files in a folder of artifacts and all folders below it, relative to it."""
        found = []
        for one in self._json("GET", FILES, params={"path": self._proxied(uri)}).get("files", ()):
            name = str(one["path"])
            below = [f"{name}/{inner}" for inner in self.files(f"{uri}/{name}")] if one.get("is_dir") else [name]
            found += below
        return found

    def _proxied(self, uri: str) -> str:
        """The path by which the server's proxy knows an artifact URI."""
        match = re.fullmatch(r"mlflow-artifacts:(?://[^/]*)?/(.+)", uri)
        if match is None or ".." in match[1].split("/"):
            where = urlsplit(uri).scheme or "a folder of its own"
            raise EverloopError(
                f"MLflow at {self.host} keeps files in {where} and does not take them itself. Start it with --serve-artifacts."
            )
        return match[1]

    def _json(self, verb: str, path: str, **words: Any) -> dict[str, Any]:
        answer = self._ask(verb, path, **words)
        try:
            said = answer.json()
        except ValueError as error:
            raise Refused("", f"What answers at {self.host} is no tracking server of MLflow: it does not speak JSON.") from error
        return said if isinstance(said, dict) else {}

    def _ask(self, verb: str, path: str, **words: Any) -> httpx.Response:
        try:
            answer = httpx.request(verb, f"{self.url.rstrip('/')}/{path}", timeout=self.seconds, **words)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"MLflow at {self.host} cannot be reached ({type(error).__name__}).") from error
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise Unreachable(f"MLflow at {self.host} cannot answer now (HTTP {answer.status_code}).")
        if answer.is_error:
            raise _refused(self.host, answer)
        return answer


def _refused(host: str, answer: httpx.Response) -> Refused:
    try:
        said = answer.json()
        return Refused(str(said.get("error_code", "")), f"MLflow at {host} said no: {str(said.get('message', ''))[:500]}")
    except (ValueError, AttributeError):
        return Refused("", f"MLflow at {host} said no (HTTP {answer.status_code}).")
