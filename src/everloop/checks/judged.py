"""One clause judged: counts become a finding, with a sentence that can be read aloud. Arithmetic; no clock, no disk."""

from __future__ import annotations

from typing import Final

from scipy.special import bdtrc

from everloop.checks.clauses import Count, column_of
from everloop.project.conditions import RowCondition, always, at_least, at_most, one_of
from everloop.project.source import Source
from everloop.project.spoken_rows import spoken_bound
from everloop.project.spoken_values import spoken_amount, spoken_count, spoken_share
from everloop.records import Finding, Outcome

#: The newest rows fail where rows that meet a clause would look this bad less than once in a thousand times.
LUCK: Final = 0.001


def judged(condition: always | at_least | at_most | one_of, source: Source, count: Count) -> Finding:
    """The finding of one clause: the worse of all rows and of the newest.

    >>> orders = Source("orders", id="line_id", columns={"price": int}, must=at_most("price", 500, share=0.9))
    >>> judged(orders.must[0], orders, Count(rows=1000, broken=20, new_rows=20, new_broken=20, examples=())).sentence
    'In orders, price is at most 500 in 0 % of the 20 newest rows; 90 % are needed.'
    """
    share, newest = float(condition.share), bool(count.new_rows) and not met_by_newest(count.new_rows, count.new_broken, condition.share)
    # Where both fall short, the sentence is about whichever falls shorter.
    newest = newest and (met_by_all(count.rows, count.broken, share) or count.new_broken * count.rows >= count.broken * count.new_rows)
    rows, broken = (count.new_rows, count.new_broken) if newest else (count.rows, count.broken)
    outcome: Outcome = "failed" if newest or not met_by_all(rows, broken, share) else "passed"
    if rows == 0:
        outcome = "not enough evidence"
    met = (rows - broken) / rows if rows else None
    return Finding(
        source=source.name, clause=repr(condition), outcome=outcome, rows=rows, broken=broken, met=met, share=share,
        sentence=_sentence(condition, source, rows, broken, newest),
        examples=tuple(example(column_of(condition), source, *one) for one in count.examples),
    )  # fmt: skip


def met_by_all(rows: int, broken: int, share: float) -> bool:
    """Whether a share of rows holds, exactly.

    >>> met_by_all(100, 1, 0.99), met_by_all(100, 2, 0.99), met_by_all(10, 0, 1.0)
    (True, False, True)
    """
    # 100 * (1 - 0.99) is a little more or less than 1 in floating point; a billionth of a row is nobody.
    return broken <= rows * (1.0 - share) + 1e-9 * max(rows, 1)


def met_by_newest(rows: int, broken: int, share: float) -> bool:
    """Whether so many broken of a few rows may still be chance, if each breaks with chance ``1 - share`` (upper binomial tail).

    >>> met_by_newest(20, 2, 0.99), met_by_newest(20, 4, 0.99), met_by_newest(20, 1, 1.0)
    (True, False, False)
    """
    if met_by_all(rows, broken, share):
        return True
    return share < 1.0 and float(bdtrc(broken - 1, rows, 1.0 - share)) >= LUCK


def _sentence(condition: RowCondition, source: Source, rows: int, broken: int, newest: bool) -> str:
    column = column_of(condition)
    if isinstance(condition, always):
        says, share = f"{column} is there", condition.share
    elif isinstance(condition, at_least | at_most | one_of):
        says, share = f"{column} is {spoken_bound(condition, source.every_column[column])}", condition.share
    else:
        raise TypeError(f"{condition!r} is no clause about a column")
    if rows == 0:
        return f"In {source.name}, no row says {column}, so nothing can be said of it."
    of = f"the {rows:,} newest rows" if newest and rows > 1 else "the newest row" if newest else spoken_count(rows, "row")
    if broken == 0:
        return f"In {source.name}, {says} in {'all ' if rows > 1 else ''}{of}."
    needed = "all are" if share == 1 else f"{spoken_share(share)} are"
    return f"In {source.name}, {says} in {spoken_share((rows - broken) / rows)} of {of}; {needed} needed."


def example(column: str, source: Source, seq: int, name: str, value: object) -> str:
    """A broken row by its id and its value; what is private is not shown, for reports are kept for good."""
    named = f"row {seq}" if set(source.id) & set(source.private) else name.replace("\x1f", " ")
    if value is None:
        return f"{named}: empty"
    shown = "private" if column in source.private else spoken_amount(value, source.every_column[column])
    return f"{named[:60]}: {shown if len(shown) <= 60 else shown[:57] + '…'}"
