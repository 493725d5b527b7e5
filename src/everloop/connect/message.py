"""A message to a person, and what may be said of where it goes without saying a secret. Pure: no clock, no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote

HOSTED = frozenset(
    {"alertmanager", "alertmanagers", "form", "forms", "json", "jsons", "mailto", "mailtos", "mmost", "mmosts", "xml", "xmls"}
)
"""Schemes in whose URL a host stands where a host belongs; elsewhere it is often a token."""
_LONGEST = 200

Fact: TypeAlias = str | list[str]


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one person is told at once. Two messages of the same ``key`` are the same message: whoever has it may drop the second.

    ``facts`` go beside the text to whoever reads data: which alerts it is about, where the journal ended.
    """

    key: str
    severity: Literal["info", "warning", "critical"]
    title: str
    body: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def masked(url: str) -> str:
    """A recipient's URL as it may be said aloud: what kind it is, and its host where that is surely a host.

    >>> masked("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#ops")
    'slack://…'
    >>> masked("mailtos://ada:hush@shop.example:587/bob@shop.example?from=x")
    'mailtos://shop.example:587/…'
    >>> masked("hush")
    '…'
    """
    scheme, parted, rest = url.partition("://")
    if not parted or not re.fullmatch(r"[A-Za-z][\w.+-]*", scheme):
        return "…"
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    if scheme.lower() not in HOSTED or not re.fullmatch(r"[\w.-]+(:\d+)?|\[[\da-fA-F:]+\](:\d+)?", host):
        return f"{scheme}://…"
    return f"{scheme}://{host}/…"


def without_secrets(said: str, url: str) -> str:
    """What a library said of a send, on one line, without any part of the URL that may be secret.

    >>> without_secrets("POST /services/T1JJ3/xyzzy failed", "slack://T1JJ3/xyzzy")
    'POST /services/…/… failed'
    """
    shown = masked(url)
    parts = {url, unquote(url), *re.split(r"[/?#&=:@,\s]+", url)}
    parts |= {form for part in parts for form in (unquote(part), quote(part, safe=""))}
    # A short part tells nobody anything, and would tear ordinary words apart.
    for part in sorted((p for p in parts if len(p) > 3 and p not in shown), key=len, reverse=True):
        said = said.replace(part, "…")
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", said).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
