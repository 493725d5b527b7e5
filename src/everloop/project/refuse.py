"""Refusing what cannot be meant: the small checks every word makes, and how a list of names is read. In: values and the place where they
were said. Out: nothing, or a ProjectError. Reads no clock; opens the user's file only to find a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import NoReturn

from everloop.errors import Mistake, ProjectError
from everloop.project.said import Place, keyword_place, said

_waiting: ContextVar[list[Mistake] | None] = ContextVar("mistakes that wait to be told together", default=None)


@contextmanager
def together() -> Iterator[None]:
    """While this is open, a model that cannot be meant waits: the mistakes of all are told at its end. Raises ProjectError.

    What else goes wrong meanwhile follows from them, and is not told where there are any.
    """
    waiting: list[Mistake] = []
    before = _waiting.set(waiting)
    try:
        yield
    except ProjectError as error:
        raise ProjectError([*waiting, *error.mistakes]) from error
    except Exception as error:
        if waiting:
            raise ProjectError(waiting) from error
        raise
    finally:
        _waiting.reset(before)
    if waiting:
        raise ProjectError(waiting)


def tell(mistakes: Sequence[Mistake]) -> None:
    """Tell a model's mistakes: at once, or with those of the file's other models. Raises ProjectError."""
    waiting = _waiting.get()
    if waiting is None:
        raise ProjectError(mistakes)
    waiting += mistakes


def refuse(what: str, cure: str = "", *, place: Place, keyword: str | None = None) -> NoReturn:
    """Tell one mistake."""
    raise ProjectError([mistake(what, cure, place=place, keyword=keyword)])


def mistake(what: str, cure: str = "", *, place: Place, keyword: str | None = None, words: tuple[str, ...] = ()) -> Mistake:
    """One mistake, on the line of the keyword if the file says it there, in a call of one of ``words``."""
    where = keyword_place(place, keyword, words) if keyword else place
    return Mistake(where.file, where.line, what, cure)


def listed(names: Iterable[str], last: str = "and") -> str:
    """Names as a person lists them.

    >>> listed(["wape", "mae", "bias"]), listed(["a"]), listed(["a", "b"], "or")
    ('wape, mae and bias', 'a', 'a or b')
    """
    several = list(names)
    if len(several) < 2:
        return "".join(several)
    return ", ".join(several[:-1]) + f" {last} {several[-1]}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`` Did you mean 'quantity'?`` with its leading blank, or nothing.

    >>> did_you_mean("quantty", ["amount", "quantity"])
    " Did you mean 'quantity'?"
    """
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1) if isinstance(name, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""


def no_such_keyword(word: str, keyword: str, known: Sequence[str], place: Place) -> Mistake:
    """A keyword a word does not have."""
    hint = did_you_mean(keyword, known)
    cure = "" if hint or not known else f"It has {listed(f'{k}=' for k in known)}."
    words = (word.rsplit(".", 1)[-1], "but")
    return mistake(f"{word} has no {keyword}=.{hint}", cure, place=place, keyword=keyword, words=words)


def is_number(value: object) -> bool:
    """Whether it is a plain finite number; yes and no are none.

    >>> is_number(2.5), is_number(True), is_number(float("nan"))
    (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def span(value: object, *, place: Place, keyword: str | None = None, word: str = "", zero: bool = False) -> None:
    """Refuse what is no span of time: ``last=7``, ``shadow(6)``, ``last=days(0)``."""
    if isinstance(value, timedelta):
        if value < timedelta(0) or (value == timedelta(0) and not zero):
            refuse(f"{_as_said(value, keyword, word)} is no span of time; it must be longer than nothing.", place=place, keyword=keyword)
        return
    if is_number(value):
        cures = [f"{unit}({value:g})" for unit in ("days", "hours", "minutes")]
        if keyword:
            cure = f"Say {keyword}={cures[0]}, {cures[1]} or {cures[2]}."
        else:
            cure = "Say " + listed((f"{word}({c})" for c in cures), "or") + "."
        refuse(f"{_as_said(value, keyword, word)} has no unit; time is never a bare number.", cure, place=place, keyword=keyword)
    cure = f"Say {keyword}=days(7), or hours(…) or minutes(…)." if keyword else f"Say {word}(hours(6)), or days(…) or minutes(…)."
    refuse(f"{_as_said(value, keyword, word)} is no span of time.", cure, place=place, keyword=keyword)


def share(value: object, *, place: Place, keyword: str | None = None, word: str = "", above_zero: bool = False) -> None:
    """Refuse what is no share: shares run from 0 to 1."""
    if is_number(value) and 0 <= value <= 1 and not (above_zero and value == 0):  # type: ignore[operator]
        return
    cure = ""
    if is_number(value) and 1 < value <= 100:  # type: ignore[operator]
        right = f"{value / 100:g}"  # type: ignore[operator]
        cure = f"Say {f'{keyword}={right}' if keyword else f'{word}({right})'} for {value:g} %."
    refuse(f"{_as_said(value, keyword, word)} is not a share; shares run from 0 to 1.", cure, place=place, keyword=keyword)


def number(value: object, *, place: Place, keyword: str | None = None, word: str = "", least: float | None = None) -> None:
    """Refuse what is no number, or too small a one."""
    if is_number(value) and (least is None or value >= least):  # type: ignore[operator]
        return
    bound = "" if least is None else f" of at least {least:g}"
    refuse(f"{_as_said(value, keyword, word)} is no number{bound}.", place=place, keyword=keyword)


def zone(name: object, *, place: Place) -> None:
    """Refuse a zone the IANA list does not have."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        refuse(
            f"zone={name!r} is no time zone.", 'Say one of the IANA names, such as "Europe/Berlin" or "UTC".', place=place, keyword="zone"
        )


def _as_said(value: object, keyword: str | None, word: str) -> str:
    return f"{keyword}={said(value)}" if keyword else f"{word}({said(value)})"
