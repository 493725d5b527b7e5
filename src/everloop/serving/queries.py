"""What stands behind the question mark of a path: one parameter at most, and one that is mistyped is refused. Bytes in, values out."""

from __future__ import annotations

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
    said = parameter(query, "explain", "explain=true")
    if said not in (None, "true", "false"):
        raise RefusedError("invalid", f"explain is {short(said)}. Say explain=true, or nothing.", field="explain")
    return said == "true"


def parameter(query: bytes, wanted: str, example: str) -> str | None:
    """The one parameter a query may have; another one could be this one mistyped, and is refused. Raises RefusedError (422)."""
    said = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None) if query else []
    for name, _ in said:
        if name != wanted or len(said) > 1:
            what = f"There is no parameter {short(name)}.{did_you_mean(name, [wanted])}" if name != wanted else f"{wanted} comes twice."
            raise RefusedError("invalid", f"{what} Say {example}, or nothing.", field=name[:60])
    return said[0][1] if said else None
