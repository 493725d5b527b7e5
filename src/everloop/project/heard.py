"""Hearing a word that was written down: the inverse of repr, for readings kept in the journal. Evaluates no Python, only the grammar.

A version may be older than the project file. What it knew is kept as it was said, and is heard again here, so that a champion goes on
reading exactly what it learnt from. Only names of sources, the words of the grammar, the verbs of a Source and literals are understood;
anything else is refused, so a journal cannot run code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from everloop.errors import EverloopError
from everloop.project.columns import money, unit
from everloop.project.conditions import always, at_least, at_most, fresh, meets, one_of
from everloop.project.reading import AnyReading, calendar
from everloop.project.source import Source
from everloop.project.spans import days, hours, minutes

WORDS: Mapping[str, Callable[..., Any]] = {
    word.__name__: word for word in (always, at_least, at_most, calendar, days, fresh, hours, meets, minutes, money, one_of, unit)
}
VERBS = frozenset(
    [
        "total",
        "mean",
        "lowest",
        "highest",
        "count",
        "distinct",
        "any",
        "none",
        "latest",
        "which",
        "given",
        "outcome",
        "planned",
        "where",
        "named",
    ]
)
OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def hear(text: str, sources: Mapping[str, Source]) -> AnyReading:
    """The reading that was said as ``text``, read from these sources.

    Raises EverloopError where the text is not a reading, or names a source that is no longer declared.

    >>> from everloop import Source
    >>> orders = Source("orders", id="line_id", time="at", columns={"quantity": int})
    >>> hear("orders.total('quantity', last=days(7))", {"orders": orders}) == orders.total("quantity", last=days(7))
    True
    >>> hear("orders.__class__", {"orders": orders})
    Traceback (most recent call last):
    everloop.errors.EverloopError: 'orders.__class__' is no reading: .__class__ is not a word of the grammar.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise EverloopError(f"{text!r} is no reading: {error.msg}.") from error
    heard: AnyReading = _hear(tree, sources, text)
    return heard


def _hear(node: ast.expr, sources: Mapping[str, Source], text: str) -> Any:
    def of(part: ast.expr) -> Any:
        return _hear(part, sources, text)

    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [of(e) for e in node.elts]
        case ast.UnaryOp(op=ast.USub()):
            return -of(node.operand)
        case ast.BinOp() if type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](of(node.left), of(node.right))
        case ast.Name(id=name) if name in sources:
            return sources[name]
        case ast.Name(id=name) if name in WORDS:
            return WORDS[name]
        case ast.Attribute(attr=verb) if verb in VERBS:
            return getattr(of(node.value), verb)
        case ast.Call():
            called = of(node.func)
            return called(*[of(a) for a in node.args], **{k.arg: of(k.value) for k in node.keywords if k.arg})
        case ast.Attribute(attr=name):
            raise EverloopError(f"{text!r} is no reading: .{name} is not a word of the grammar.")
        case ast.Name(id=name):
            raise EverloopError(
                f"{text!r} reads {name!r}, which the project no longer declares. Declare it again until another version took over."
            )
        case _:
            raise EverloopError(f"{text!r} is no reading: {ast.unparse(node)} is not part of the grammar.")
