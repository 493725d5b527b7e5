"""The verbs of a Source: each gives one Reading, or a tuple of them where spans or columns are several. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

from everloop.errors import ProjectError
from everloop.project import refuse
from everloop.project.columns import called, is_numeric
from everloop.project.reading import Reading, Verb, read_as
from everloop.project.said import Place, caller

if TYPE_CHECKING:
    from everloop.project.source import Source

Names: TypeAlias = str | Sequence[str]
Spans: TypeAlias = timedelta | Sequence[timedelta]
Readings: TypeAlias = tuple[Reading, ...]


def as_names(names: Names | None) -> tuple[str, ...]:
    """One name or several, as a tuple.

    >>> as_names("a"), as_names(["a", "b"]), as_names(None)
    (('a',), ('a', 'b'), ())
    """
    return () if names is None else tuple(names) if isinstance(names, tuple | list) else (cast(str, names),)


class Verbs:
    """What can be read from a source. ``last=``, ``next=``, ``ago=`` and ``each=`` are spans; without a window everything known counts.

    ``per=`` are columns (default: whatever the model is asked about; ``()``: everything together); ``last=[a, b]`` gives one reading each.
    """

    @overload
    def total(self, column: str, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def total(
        self, column: str, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ...,
        each: timedelta | None = ..., per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def total(self, column: str, **words: Any) -> Reading | Readings:
        """The sum of a column over a window; 0 where there is nothing."""
        return readings(self, "total", (column,), WINDOW, words)

    @overload
    def mean(self, column: str, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def mean(
        self, column: str, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ...,
        each: timedelta | None = ..., per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def mean(self, column: str, **words: Any) -> Reading | Readings:
        """The mean of a column over a window; empty where there is nothing."""
        return readings(self, "mean", (column,), WINDOW, words)

    @overload
    def lowest(self, column: str, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def lowest(
        self, column: str, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ...,
        each: timedelta | None = ..., per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def lowest(self, column: str, **words: Any) -> Reading | Readings:
        """The least value of a column over a window; empty where there is nothing."""
        return readings(self, "lowest", (column,), WINDOW, words)

    @overload
    def highest(self, column: str, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def highest(
        self, column: str, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ...,
        each: timedelta | None = ..., per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def highest(self, column: str, **words: Any) -> Reading | Readings:
        """The greatest value of a column over a window; empty where there is nothing."""
        return readings(self, "highest", (column,), WINDOW, words)

    @overload
    def distinct(self, column: str, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def distinct(
        self, column: str, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ...,
        each: timedelta | None = ..., per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def distinct(self, column: str, **words: Any) -> Reading | Readings:
        """How many different values a column has in a window; 0 where there is nothing."""
        return readings(self, "distinct", (column,), WINDOW, words)

    @overload
    def count(self, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def count(
        self, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ..., each: timedelta | None = ...,
        per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def count(self, **words: Any) -> Reading | Readings:
        """How many rows there are in a window."""
        return readings(self, "count", (), WINDOW, words)

    @overload
    def any(self, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def any(
        self, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ..., each: timedelta | None = ...,
        per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def any(self, **words: Any) -> Reading | Readings:
        """Whether there is at least one row in a window."""
        return readings(self, "any", (), WINDOW, words)

    @overload
    def none(self, *, last: Sequence[timedelta], ago: timedelta | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def none(
        self, *, last: timedelta | None = ..., next: timedelta | None = ..., ago: timedelta | None = ..., each: timedelta | None = ...,
        per: Names | None = ...,
    ) -> Reading: ...  # fmt: skip
    def none(self, **words: Any) -> Reading | Readings:
        """Whether there is not one row in a window."""
        return readings(self, "none", (), WINDOW, words)

    @overload
    def latest(self, column: str, /, *, last: timedelta | None = ..., next: timedelta | None = ..., per: Names | None = ...) -> Reading: ...
    @overload
    def latest(
        self, column: str, /, *columns: str, last: Spans | None = ..., next: timedelta | None = ..., per: Names | None = ...
    ) -> Readings: ...
    def latest(self, *columns: str, **words: Any) -> Reading | Readings:
        """The newest value of a column; an instant is read as days before the moment. Several columns give one reading each."""
        return readings(self, "latest", columns, ("last", "next", "per"), words)

    @overload
    def which(self, column: str, *, last: Sequence[timedelta], most: int | None = ..., per: Names | None = ...) -> Readings: ...
    @overload
    def which(
        self, column: str, *, last: timedelta | None = ..., next: timedelta | None = ..., most: int | None = ..., per: Names | None = ...
    ) -> Reading: ...
    def which(self, column: str, **words: Any) -> Reading | Readings:
        """With ``next``: the values that come up, a ranked list. With ``last``: those most seen."""
        return readings(self, "which", (column,), ("last", "next", "most", "per"), words)

    @overload
    def given(self, column: str, /) -> Reading: ...
    @overload
    def given(self, *columns: str) -> Readings: ...
    def given(self, *columns: str) -> Reading | Readings:
        """The columns of the row asked about, as first said; none named: all of them."""
        source = cast("Source", self)
        made = readings(source, "given", columns or tuple(source.columns), (), {})
        return made if columns or isinstance(made, tuple) else (made,)

    def outcome(self, column: str, *, within: timedelta | None = None) -> Reading:
        """The row's column as it ends up; empty means not known yet."""
        return cast(Reading, readings(self, "outcome", (column,), ("within",), {"within": within}))

    def planned(self, column: str | None = None) -> Reading:
        """What was announced, before the moment, for the time predicted; no column: the share of it covered. Needs ``known=``."""
        source = cast("Source", self)
        if source.known is None:
            what = f"{source.name}.planned(…) looks ahead, but {source.name} does not say when each row was announced."
            cure = f'Add known="announced_at" to Source({source.name!r}); without it history would know the future.'
            refuse.refuse(what, cure, place=caller())
        return cast(Reading, readings(self, "planned", () if column is None else (column,), (), {}))


WINDOW = ("last", "next", "ago", "each", "per")
SPANS = ("last", "next", "ago", "each", "within")


def readings(of: Verbs, verb: Verb, columns: tuple[str, ...], known: Sequence[str], words: dict[str, Any]) -> Reading | Readings:
    """The reading a verb makes, or one for each column and each span; a mistake is told at once."""
    source, place = cast("Source", of), caller()
    for word in words:
        if word not in known:
            raise ProjectError([refuse.no_such_keyword(f"{source.name}.{verb}", word, known, place)])
    if verb in ("latest",) and not columns:
        refuse.refuse(f"{source.name}.{verb}() names no column.", place=place)
    for column in columns:
        _check_column(source, verb, column, place)
    _check_words(source, verb, words, place)
    lasts = words.get("last")
    several = isinstance(lasts, Sequence)
    per = words.get("per")
    one_each: list[tuple[str, ...]] = [(c,) for c in columns] or [()]
    made = tuple(
        Reading(
            source=source, verb=verb, columns=chosen, last=last, next=words.get("next"), ago=words.get("ago"), each=words.get("each"),
            within=words.get("within"), most=words.get("most"), per=None if per is None else as_names(per), place=place,
        )
        for chosen in one_each
        for last in (lasts if several else [lasts])  # type: ignore[union-attr]
    )  # fmt: skip
    return made if several or len(columns) > 1 else made[0]


def _check_column(source: Source, verb: Verb, column: object, place: Place) -> None:
    from everloop.project.source import no_such_column

    known = source.every_column
    if column not in known:
        raise ProjectError([no_such_column(source, column, place)])
    kind = known[str(column)]
    wanted = ("number", "instant") if verb in ("lowest", "highest") else ("number",)
    if verb in ("total", "mean", "lowest", "highest") and read_as(kind) not in wanted:
        numbers = [c for c, k in known.items() if is_numeric(k)]
        cure = f"Numbers have one: {refuse.listed(numbers)}." if numbers else ""
        refuse.refuse(f"{source.name}.{verb}({column!r}): {column} is {called(kind)}, and has no {verb}.", cure, place=place)
    if verb == "which" and read_as(kind) != "category":
        what = f"{source.name}.which({column!r}): {column} is {called(kind)}, and only a category can be listed."
        refuse.refuse(what, place=place)


def _check_words(source: Source, verb: Verb, words: dict[str, Any], place: Place) -> None:
    from everloop.project.source import no_such_column

    for word in SPANS:
        value = words.get(word)
        several = value if word == "last" and isinstance(value, Sequence) and not isinstance(value, str) else [value]
        for span in several:
            if value is not None:
                refuse.span(span, place=place, keyword=word)
    said_as = f"{source.name}.{verb}(…)"
    if words.get("last") is not None and words.get("next") is not None:
        refuse.refuse(f"{said_as} looks back and ahead at once.", "Say last= or next=, not both.", place=place)
    if words.get("ago") is not None and words.get("last") is None:
        refuse.refuse(f"{said_as} says ago=, but not how long a window.", "Add last=.", place=place, keyword="ago")
    if words.get("each") is not None:
        ahead, each = words.get("next"), words["each"]
        if ahead is None or ahead % each:
            refuse.refuse(
                f"{said_as} cannot be cut into steps by each=.", "Say next=, a whole number of steps.", place=place, keyword="each"
            )
    most = words.get("most")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        refuse.refuse(f"most={most!r} is no number of values.", "Say a whole number, 1 or more.", place=place, keyword="most")
    for column in as_names(words.get("per")):
        if column not in source.every_column:
            raise ProjectError([no_such_column(source, column, place)])
