"""Mutants: one wrong character, or nearly, in one of the two readings. Each must make the comparison of the two find a difference.

A mutant changes the text of a function of the real code, or a constant of it, while a comparison runs; the other reading stays right.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, Final, Literal

import pyarrow as pa

from bench.features_exact import Heard, differences, folded, learnt
from everloop.features import finalize, fold, packed, plan, versions, window

Wrong = tuple[Callable[..., Any], str, str]


@dataclass(frozen=True)
class Mutant:
    """What is wrong: ``texts`` of functions, or a constant; in which reading; and in which columns, by part of their name, it must show."""

    name: str
    side: Literal["online", "offline"]
    texts: tuple[Wrong, ...] = ()
    constant: tuple[str, str, str] | None = None
    shows: str = ""


def _constant(name: str, of: str, said: str) -> tuple[str, str, str]:
    return of, name, said


MUTANTS: Final = (
    Mutant("a row at the moment itself counts", "offline", constant=_constant("KNOWN", "window", "v.known_at <= {at}")),
    Mutant("the far edge of a window is outside it", "offline", constant=_constant("FROM", "window", "v.event_at > {start}")),
    Mutant("a row leaves a microsecond late", "offline", constant=_constant("FROM", "window", "v.event_at + 1 >= {start}")),
    Mutant("the last instant of a version is not its own", "offline", constant=_constant("IN_FORCE", "window", "{at} < v.next_known")),
    Mutant(
        "hops are rounded up on one side",
        "online",
        texts=((plan.tell, "(moment + begin) // hop", "-((-moment - begin) // hop)"),),
    ),
    Mutant(
        "extremes are left as they are when a row is taken out",
        "online",
        texts=((packed.Shape.take_out, "return sure", "return True"),),
        shows="lowest",
    ),
    Mutant(
        "decimals are summed as floats",
        "online",
        texts=(
            (packed.whole, "return None if split is None else (split[0] << 80) + split[1]", "return value if split else None"),
            (packed.kept_number, "if -LONG <= value < LONG", "if isinstance(value, float) or -LONG <= value < LONG"),
            (finalize.one_total, "total / (1 << 100) if decimal else float(total)", "float(total)"),
        ),
        shows="weight_total",
    ),
    Mutant(
        "whole sums wrap around at 64 bits",
        "offline",
        texts=((finalize.total_of, "float(s) for s in sums", "float((s + 2**63) % 2**64 - 2**63) for s in sums"),),
        shows="quantity_total",
    ),
    Mutant(
        "the mean of nothing is zero",
        "offline",
        texts=((finalize.mean_of, "return divided(", "return np.nan_to_num(divided("), (finalize.mean_of, "np.float64))", "np.float64)))")),
        shows="mean",
    ),
    Mutant(
        "the newest value skips what is empty",
        "online",
        texts=((packed.Shape.put_in, "for k in (*self.lasts,", "for k in (*(k for k in self.lasts if one[k] is not None),"),),
        shows="latest",
    ),
    Mutant(
        "what was told before counts twice",
        "online",
        texts=(
            (fold._OfState.changes, "None if body is None else decode(body) for id, body", "None for id, body"),
            (fold._OfState.changes, "if step[0] > mark.seq", "if step[0]"),
            (fold._Key.change, "if self.row[0] >= seq", "if not seq"),
        ),
        shows="count",
    ),
    Mutant("deletions are not taken out of tiles", "online", texts=((fold._OfState.key, "if deleted or not all", "if not all"),)),
    Mutant(
        "of rows at one instant the newest is the one that came last",
        "online",
        texts=((packed.Shape.put_in, "one[self.newest :] >= tile[self.newest :]", "one[self.newest] >= tile[self.newest]"),),
        shows="latest",
    ),
    Mutant("minus zero stays", "online", texts=((fold._decimal, "float(value) + 0.0", "float(value)"),), shows="weight"),
    Mutant("what is no number is a number", "online", texts=((fold._decimal, "or value - value != 0", ""),), shows="weight"),
    Mutant(
        "a value that is empty counts in a mean",
        "online",
        texts=((packed.Shape.one, "0 if whole(value) is None else 1", "1"),),
        shows="mean",
    ),
    Mutant(
        "windows end with the newest row, not with the moment",
        "online",
        texts=((plan.tell, "(moment + begin) // hop", "(((numbers[-1] + 1) * hop if numbers else moment) + begin) // hop"),),
    ),
    Mutant("a row is in the tile of its arrival", "online", texts=((fold._OfState.changes, "= event[:4]", "= (*event[:3], event[4])"),)),
    Mutant(
        "a version that comes after a higher one is in force",
        "offline",
        constant=_constant("NEXT_KNOWN", "versions", "lead(known_at) OVER (PARTITION BY id ORDER BY seq)"),
    ),
    Mutant("a correction does not end the version before", "offline", constant=_constant("NEXT_KNOWN", "versions", "NULL::BIGINT")),
)

CONSTANTS: Final = {"window": window, "versions": versions}


def killed(heard: Heard, mutants: tuple[Mutant, ...] = MUTANTS) -> dict[str, int]:
    """How many values each mutant changes, where it must show, of what was heard. Raises ValueError where even the real code differs."""
    heard = as_other_stores_hold(heard)
    right = learnt(heard)
    if real := differences(folded(heard), right) + differences(heard.told, right):
        raise ValueError(f"The real code differs: {dict(real)}")
    found: dict[str, int] = {}
    for mutant in mutants:
        with put_in_place(mutant):
            made = _attempt(folded if mutant.side == "online" else learnt, heard)
        # A wrong rule that makes a fold or a query fail is found out as well.
        wrong = {"it failed": heard.values} if made is None else differences(made, right)
        found[mutant.name] = sum(n for column, n in wrong.items() if made is None or mutant.shows in column)
    return found


def as_other_stores_hold(heard: Heard) -> Heard:
    """The same rows, every other zero of a decimal minus zero and every other empty one NaN or infinite, as a table may hold them."""
    weight = heard.events["weight"].to_pylist()
    odd = {0.0: (0.0, -0.0), None: (None, float("nan"), float("inf"))}
    made = [odd[value][i % len(odd[value])] if value in odd else value for i, value in enumerate(weight)]
    at = heard.events.column_names.index("weight")
    return replace(heard, events=heard.events.set_column(at, "weight", pa.array(made, pa.float64(), from_pandas=False)))


def _attempt(read: Callable[[Heard], pa.Table], heard: Heard) -> pa.Table | None:
    try:
        return read(heard)
    except (KeyError, ValueError, IndexError, OverflowError):
        return None


@contextmanager
def put_in_place(mutant: Mutant) -> Iterator[None]:
    """The real code with the mutant in it, as long as this lasts."""
    with ExitStack() as stack:
        for function in dict.fromkeys(function for function, _, _ in mutant.texts):
            stack.enter_context(_text([(old, new) for of, old, new in mutant.texts if of is function], function))
        if mutant.constant is not None:
            stack.enter_context(_everywhere(*mutant.constant))
        yield


@contextmanager
def _text(changes: list[tuple[str, str]], function: Callable[..., Any]) -> Iterator[None]:
    assert isinstance(function, FunctionType)
    said = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        if old not in said:
            raise ValueError(f"{function.__qualname__} no longer says {old!r}: mend the mutant.")
        said = said.replace(old, new)
    names: dict[str, Any] = {}
    exec(compile(f"from __future__ import annotations\n{said}", function.__code__.co_filename, "exec"), function.__globals__, names)
    right, function.__code__ = function.__code__, names[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = right


@contextmanager
def _everywhere(of: str, name: str, said: str) -> Iterator[None]:
    """A constant changed in every module that holds it."""
    right = getattr(CONSTANTS[of], name)
    holding = [m for n, m in sys.modules.items() if n.startswith("everloop.features") and getattr(m, name, None) is right]
    for module in holding:
        setattr(module, name, said)
    try:
        yield
    finally:
        for module in holding:
            setattr(module, name, right)
