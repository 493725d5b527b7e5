"""What everloop.toml says of streams: ``[streams.NAME]``. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from everloop.errors import SettingsError
from everloop.settings.checks import Checker, filled, near, text
from everloop.settings.records import FILE, Stream


def address(value: Any) -> str:
    """Where a broker is. What was said is not repeated: it may hold a password."""
    if not isinstance(value, str) or not re.match(r"(nats|tls|kafkas?)://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say "nats://127.0.0.1:4222", or kafka:// and where it is.')
    return value.strip()


def _subject(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200 or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", value):
        raise ValueError("must be words of letters, digits, _ and - with dots between them")
    return value


_RULES: dict[str, Checker] = {"url": address, "subject": _subject, "source": text, "answers": text}


def stream(value: Any) -> dict[str, Any]:
    """What one ``[streams.NAME]`` says. Raises SettingsError, or ValueError for a value that is none."""
    if not isinstance(value, dict):
        raise SettingsError('is a table: url = "nats://127.0.0.1:4222", subject = "shop.orders", source = "orders".')
    unknown = sorted(value.keys() - _RULES.keys())
    if unknown:
        raise SettingsError(f"there is no {unknown[0]}{near(unknown[0], _RULES)}.")
    lacking = [name for name in ("url", "subject") if name not in value]
    if lacking:
        raise SettingsError(f"lacks {' and '.join(lacking)}.")
    if ("source" in value) == ("answers" in value):
        raise SettingsError(
            'say either source = "orders" (its rows come from there) or answers = "demand" (its answers go there; "*": all).'
        )
    said = {}
    for key, inner in value.items():
        try:
            said[key] = _RULES[key](inner)
        except ValueError as error:
            raise SettingsError(f"{key} {error}, not {inner!r}.") from None
    return said


def settled(said: Mapping[str, Mapping[str, Any]], env: Mapping[str, str]) -> dict[str, Stream]:
    """Streams by name, what the environment holds filled in. Raises SettingsError where two bring rows of one source from one place."""
    found = {name: Stream(**{**one, "url": filled(one["url"], env, f"streams.{name}.url")}) for name, one in said.items()}
    places: dict[tuple[str, str, str | None], str] = {}
    for name, one in found.items():
        other = places.setdefault((one.url, one.subject, one.source), name)
        if other != name:
            raise SettingsError(f"{FILE}: streams.{other} and streams.{name} say the same. Take one of them out.")
    return found
