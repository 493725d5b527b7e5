"""Routes as they are written: the name and the form of the file by which a house tells who answers whom. In: its bytes. Out: records.

Whoever reads it says what he needs of it, as records of his own: a worker everything, a flag only names and shares.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

FILE: Final = "routes.json"
FORM: Final = 1
"""Counts the ways in which the file was ever written."""
T = TypeVar("T")


class _Formed(msgspec.Struct):
    form: object = None


def routes_in(body: bytes, kind: type[T]) -> T:
    """What ``kind`` has a field for. Raises ValueError for bytes that are no routes, and for those of another form.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Numbered:
    ...     number: int
    >>> routes_in(b'{"form": 1, "number": 7, "models": {}}', Numbered)
    Numbered(number=7)
    >>> routes_in(b'{"form": 2}', Numbered)
    Traceback (most recent call last):
    ValueError: its form is not 1
    """
    if msgspec.json.decode(body, type=_Formed).form != FORM:
        raise ValueError(f"its form is not {FORM}")
    return msgspec.json.decode(body, type=kind)
