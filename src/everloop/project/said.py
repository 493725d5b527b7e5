"""How a word is said, and where: its repr, and the file and line of the caller. Reads no clock, opens no file until a mistake is told."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from everloop.errors import Mistake, ProjectError

# Frames of these packages stand between a word and the person who says it.
BETWEEN = frozenset({"everloop", "dataclasses", "importlib", "functools"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the user's file a word was said; ``line`` counts from 1."""

    file: str
    line: int


def caller() -> Place:
    """The nearest place outside everloop that is saying a word right now."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] in BETWEEN:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


def keyword_place(place: Place, keyword: str, words: tuple[str, ...] = ()) -> Place:
    """The line of ``keyword=`` in the call that spans ``place``; the place itself where the file cannot be read or does not say it.

    Of several calls on that line the one of a word in ``words`` is meant, else the shortest.

    Only called when a mistake is told, so a file without mistakes is never opened.
    """
    import ast
    import linecache

    linecache.checkcache(place.file)
    try:
        tree = ast.parse("".join(linecache.getlines(place.file)))
    except (SyntaxError, ValueError):
        return place
    best: ast.keyword | None = None
    nearest = (True, float("inf"))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.lineno <= place.line <= (call.end_lineno or call.lineno):
            called = getattr(call.func, "id", getattr(call.func, "attr", ""))
            distance = (called not in words, float((call.end_lineno or call.lineno) - call.lineno))
            for said_as in call.keywords:
                if said_as.arg == keyword and distance < nearest:
                    best, nearest = said_as, distance
    return place if best is None else Place(place.file, best.lineno)


def said(value: Any) -> str:
    """A value as it is written in a project file: spans as ``days(7)``, kinds by their name, everything else by its repr.

    >>> said(timedelta(hours=36)), said([timedelta(days=1)]), said({"quantity": int})
    ('hours(36)', '[days(1)]', "{'quantity': int}")
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds % length == 0:
                return f"{unit}({int(seconds // length)})"
        return f"minutes({seconds / 60!r})"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(said(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{said(k)}: {said(v)}" for k, v in value.items()) + "}"
    if isinstance(value, type) or inspect.isfunction(value):
        return str(value.__name__)
    return repr(value)


@dataclass(frozen=True, repr=False)
class Word:
    """Whatever can be said in a project file. Its repr is how it is said; it remembers where that was."""

    place: Place = field(default_factory=caller, init=False, compare=False, repr=False)

    def __new__(cls, *values: object, **words: object) -> Word:
        known = [f.name for f in fields(cls) if f.init and f.repr] if words else []
        unknown = [w for w in words if w not in known] if "open_words" not in cls.__dict__ else []
        if unknown:
            from everloop.project.refuse import no_such_keyword

            raise ProjectError([no_such_keyword(cls.__name__, unknown[0], known, caller())])
        return object.__new__(cls)

    def keep(self, **values: object) -> None:
        """Set the fields of a word that takes any number of values; its place too."""
        object.__setattr__(self, "place", caller())
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def mistake(self, what: str, cure: str = "", *, keyword: str | None = None) -> Mistake:
        """A mistake in this word, on its own line or on that of one of its keywords."""
        place = keyword_place(self.place, keyword, (type(self).__name__,)) if keyword else self.place
        return Mistake(place.file, place.line, what, cure)

    def __repr__(self) -> str:
        positional: list[str] = []
        keywords: list[str] = []
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
