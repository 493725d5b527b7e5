"""How a word is said, and where: its repr, and the file and line of the caller. Reads no clock, opens no file until a mistake is told."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the user's file a word was said; ``line`` counts from 1."""

    file: str
    line: int


def caller() -> Place:
    """The nearest place outside everloop that is saying a word right now."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] in ("everloop", "dataclasses"):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


def said(value: Any) -> str:
    """A value as it is written in a project file: spans as ``days(7)``, everything else by its repr.

    >>> said(timedelta(hours=36)), said([timedelta(days=1)])
    ('hours(36)', '[days(1)]')
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        for unit, length in (("days", 86400), ("hours", 3600)):
            if seconds and seconds % length == 0:
                return f"{unit}({int(seconds // length)})"
        return f"minutes({seconds / 60:g})"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(said(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{said(k)}: {said(v)}" for k, v in value.items()) + "}"
    return repr(value)


@dataclass(frozen=True, repr=False)
class Word:
    """Whatever can be said in a project file. Its repr is how it is said; it remembers where that was."""

    place: Place = field(default_factory=caller, init=False, compare=False, repr=False)

    def __repr__(self) -> str:
        positional, keywords = [], []
        for f in fields(self):
            if not f.repr:
                continue
            value = getattr(self, f.name)
            if f.metadata.get("many"):
                positional += [said(v) for v in value]
            elif not f.kw_only:
                if value != f.default:
                    positional.append(said(value))
            elif value != f.default:
                keywords.append(f"{f.name}={said(value)}")
        return f"{type(self).__name__}({', '.join(positional + keywords)})"
