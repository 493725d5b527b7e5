"""What stands behind the question mark of a path: a parameter at most once, and one that is mistyped is refused. Bytes in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from everloop.errors import EverloopError
from everloop.serving.refused import RefusedError, did_you_mean, short
from everloop.settings import span


def known_after(query: bytes) -> timedelta | None:
    """``known_after=1h`` of a query.

    >>> known_after(b"known_after=90s"), known_after(b"")
    (datetime.timedelta(seconds=90), None)

    Raises RefusedError (422).
    """
    said = parameter(query, "known_after", "known_after=1h")
    try:
        return None if said is None else span(said)
    except EverloopError as error:
        raise RefusedError("invalid", f"known_after: {error}", field="known_after") from None


def explain(query: bytes) -> bool:
    """``explain=true`` of a query. Raises RefusedError (422).

    >>> explain(b"explain=true"), explain(b"")
    (True, False)
    """
    return _yes(parameter(query, "explain", "explain=true"), "explain")


def after(query: bytes) -> int | None:
    """``after=1042`` of a query. Raises RefusedError (422).

    >>> after(b"after=1042"), after(b"")
    (1042, None)
    """
    said = parameter(query, "after", "after=1042")
    if said is not None and not (said.isascii() and said.isdigit() and len(said) < 19):
        raise RefusedError("invalid", f"after is {short(said)}. Say the number that a reply ended with, such as after=1042.", field="after")
    return None if said is None else int(said)


def which_incidents(query: bytes) -> tuple[str | None, bool]:
    """``model=demand`` and ``all=true`` of a query. Raises RefusedError (422).

    >>> which_incidents(b"model=demand&all=true"), which_incidents(b"")
    (('demand', True), (None, False))
    """
    said = _parameters(query, {"model": "model=NAME", "all": "all=true"})
    return said.get("model"), _yes(said.get("all"), "all")


def parameter(query: bytes, wanted: str, example: str) -> str | None:
    """The one parameter a query may have; another one could be this one mistyped, and is refused. Raises RefusedError (422)."""
    return _parameters(query, {wanted: example}).get(wanted)


def _parameters(query: bytes, examples: Mapping[str, str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None) if query else []:
        if name not in examples or name in said:
            what = (
                f"There is no parameter {short(name)}.{did_you_mean(name, list(examples))}"
                if name not in examples
                else f"{name} comes twice."
            )
            raise RefusedError("invalid", f"{what} Say {' or '.join(examples.values())}, or nothing.", field=name[:60])
        said[name] = value
    return said


def _yes(said: str | None, name: str) -> bool:
    if said not in (None, "true", "false"):
        raise RefusedError("invalid", f"{name} is {short(said)}. Say {name}=true, or nothing.", field=name)
    return said == "true"
