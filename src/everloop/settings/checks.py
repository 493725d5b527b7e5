"""What a value of everloop.toml must be: one check for each kind, which returns the value or says what it must be. Reads nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias, cast

from everloop.errors import SettingsError
from everloop.settings.records import FILE, LEVELS, SEVERITIES, Address, Level, Severity, SourceFiles

Checker: TypeAlias = Callable[[Any], Any]
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> timedelta:
    """A span as settings and flags say it: ``0``, ``90s``, ``10m``, ``6h``, ``2d``; never below zero.

    >>> span("90s"), span("0")
    (datetime.timedelta(seconds=90), datetime.timedelta(0))

    Raises SettingsError for anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])|0", text.strip())
    try:
        if match:
            return timedelta(**{_UNITS[match[2]]: float(match[1])}) if match[1] else timedelta(0)
    except OverflowError:
        pass
    raise SettingsError(f"{text!r} is no span. Say 0, 90s, 10m, 6h or 2d.")


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    return value


def place(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if isinstance(value, str) and "://" in value and not re.match(r"(s3|gs|az)://[^/]|\$\{\w+\}", value.strip()):
        raise SettingsError('say a folder, or "s3://bucket/path", "gs://bucket/path" or "az://container/path".')
    return text(value).strip().rstrip("/") or "/"


def redis(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"(rediss?|valkeys?|unix)://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say "redis://host:6379/0", rediss:// where it speaks TLS, or unix:///path/of/its/socket.')
    return value.strip()


def executor(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    doors = r"(processes|ray)$|(ray|ray\+node|dask|dask\+tls)://.|\$\{\w+\}"
    if not isinstance(value, str) or not re.match(doors, value.strip()):
        raise SettingsError('say "processes", "ray", "ray://host:10001", "ray+node://host:6379" or "dask://host:8786".')
    return value.strip()


def http(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"https?://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say "http://host:5000", the address of a tracking server.')
    return value.strip()


def site(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"https?://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say where it is asked, such as "http://127.0.0.1:8321".')
    return value.strip().rstrip("/")


def level(value: Any) -> Level:
    if value not in LEVELS:
        raise ValueError("must be observe, suggest or act")
    return cast(Level, value)


def yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number above 0")
    return value


def one_of(*words: str) -> Checker:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return str(value)

    return check


def price(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("must be a number, 0 or more")
    return float(value)


def span_of(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise ValueError('must be a span in quotes such as "6h" or "2d"')
    return span(value)


def share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a share, 0 to 1")
    return float(value)


def files(value: Any) -> SourceFiles:
    table = value if isinstance(value, dict) else {"files": value}
    for key in table:
        if key not in ("files", "known_after"):
            raise ValueError(f"knows no {key!r}{near(key, ('files', 'known_after'))}")
    files = table.get("files")
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list) or not files or not all(isinstance(f, str) and f.strip() for f in files):
        raise ValueError('must be a file, a list of files, or { files = …, known_after = "0" }')
    after = table.get("known_after")
    if after is not None and not isinstance(after, str):
        raise ValueError('known_after must be a span in quotes, such as "0" or "1h"')
    return SourceFiles(tuple(files), None if after is None else span(after))


def person(value: Any) -> tuple[Address, ...]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        table = item if isinstance(item, dict) else {"to": item}
        to, least = table.get("to"), table.get("from", "info")
        # What was said is not repeated: it may hold a token.
        if not isinstance(to, str) or not to.strip() or not table.keys() <= {"to", "from"}:
            raise SettingsError('say "slack://…", a list of such texts, or { to = "slack://…", from = "warning" }.')
        if least not in SEVERITIES:
            raise SettingsError("from must be info, warning or critical.")
        found.append(Address(to, cast(Severity, least)))
    if not found:
        raise SettingsError("an empty list reaches nobody. Name an address, or take the line out.")
    return tuple(found)


def near(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.75)
    return f"; did you mean {match[0]}?" if match else ""


def filled(text: str, env: Mapping[str, str], name: str) -> str:
    """``${TOKEN}`` replaced by what the environment says: secrets stay out of the file."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in env:
            raise SettingsError(f"{FILE}: {name} needs the environment variable {match[1]}, which is not set.")
        return env[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, text)
