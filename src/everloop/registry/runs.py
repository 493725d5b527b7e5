"""Runs: every training with its parameters and its measures, to be filtered, ordered and held beside one another without reading a record.

A run is a candidate of the journal; what a verdict measured and which version came of it are noted in the transaction that keeps them. It
is all in the journal as well, so nothing is decided by what stands here. Reads no clock.
"""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Row,
    Select,
    Table,
    Text,
    case,
    func,
    literal,
    or_,
    select,
)

from everloop.clock import from_microseconds, microseconds
from everloop.errors import EverloopError
from everloop.records import Candidate, Opinion, Outcome, Verdict, Version
from everloop.registry.store import Store
from everloop.registry.written import canonical
from everloop.sql.schema import METADATA

RUNS = Table(
    "runs",
    METADATA,
    Column("candidate", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("learner", Text, nullable=False),
    Column("outcome", Text),
    Column("version", Text),
    Column("said", Text, nullable=False),
)
Index(None, RUNS.c.at)
Index(None, RUNS.c.model, RUNS.c.at)

LONGEST = 200
"""Letters of a parameter that are kept here; the record has all of them."""
OWN = ("model", "learner", "verdict", "version")
SIGNS = ("<=", ">=", "!=", "=", "<", ">", "~")
Sign: TypeAlias = Literal["<=", ">=", "!=", "=", "<", ">", "~"]


@dataclass(frozen=True)
class Run:
    """One training. ``outcome`` is the verdict on it, None where nobody judged it; ``version`` what it was let in as."""

    candidate: str
    model: str
    at: datetime
    learner: str
    outcome: Outcome | None
    version: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Term:
    """One condition on a run: a name, a sign and a value. ``~`` is "has this in it"; without a name the learner or the model has it."""

    name: str
    sign: Sign
    value: str


_TERM = re.compile(r'\s*(?:"([^"]*)"|([^\s<>=!~"]+))(?:\s*(<=|>=|!=|=|<|>|~)\s*(?:"([^"]*)"|([^\s"<>=!~][^\s"]*))?)?')
_LIKE = "Say wape<0.3, max_iter>=100, learner~Boosting or verdict=passed; what has a blank or a sign in it goes in quotes."


def terms_of(text: str) -> tuple[Term, ...]:
    """What somebody wrote to filter runs by, term by term; all of them have to hold.

    >>> [(term.name, term.sign, term.value) for term in terms_of('model=demand "wape gain">=0.02 Boosting')]
    [('model', '=', 'demand'), ('wape gain', '>=', '0.02'), ('', '~', 'Boosting')]

    Raises EverloopError for what is no such text, with the piece that cannot be read.
    """
    found, place = [], 0
    while rest := text[place:].strip():
        term = _TERM.match(text, place)
        if term is None:
            why = "it opens a quote that does not end" if rest[0] == '"' else "it begins with a sign, and no name stands before it"
            raise EverloopError(f"{rest[:60]!r} filters nothing: {why}. {_LIKE}")
        quoted, plain, sign, in_quotes, bare = term.groups()
        name, value = quoted if quoted is not None else plain, in_quotes if in_quotes is not None else bare
        if sign is not None and value is None:
            raise EverloopError(f"{term[0].strip()[:60]!r} filters nothing: after {sign} a value is missing. {_LIKE}")
        found.append(Term("", "~", name) if sign is None else Term(name, cast(Sign, sign), value))
        place = term.end()
    return tuple(found)


@dataclass(frozen=True)
class Runs:
    """The runs of one house."""

    store: Store

    # -- as records are kept --

    def learnt(self, connection: Connection, candidate: Candidate) -> None:
        """A candidate was learnt, or came; the same one again is a no-op. A baseline is no run."""
        if candidate.format == "baseline" or self._said(connection, candidate.id) is not None:
            return
        row = {"candidate": candidate.id, "model": candidate.model, "at": microseconds(candidate.made_at), "learner": candidate.learner}
        connection.execute(RUNS.insert().values(**row, said=canonical(_of_candidate(candidate))))

    def judged(self, connection: Connection, verdict: Verdict) -> None:
        """A verdict was reached on a run; the newest counts."""
        said = self._said(connection, verdict.candidate)
        if said is None:
            return
        told = {**said, "measures": {**said["measures"], **measures_of(verdict)}}
        here = RUNS.update().where(RUNS.c.candidate == verdict.candidate)
        connection.execute(here.values(outcome=verdict.outcome, said=canonical(told)))

    def let_in(self, connection: Connection, candidate: str, version: Version) -> None:
        """A run became this version, or the same as one that was let in before."""
        connection.execute(RUNS.update().where(RUNS.c.candidate == candidate).values(version=version.name))

    # -- looked at --

    def page(
        self,
        terms: Sequence[Term] = (),
        *,
        by: str = "",
        falling: bool = False,
        limit: int = 50,
        offset: int = 0,
        within: Connection | None = None,
    ) -> list[Run]:
        """The runs that meet every term, newest first; ordered ``by`` a measure or a parameter (``falling``: the largest first), and then
        without those that have none."""
        query = select(RUNS).where(*(self._meets(term) for term in terms)).limit(limit).offset(offset)
        if by:
            number = self._number(by)
            query = query.where(number.is_not(None)).order_by(number.desc() if falling else number, RUNS.c.at.desc(), RUNS.c.candidate)
        else:
            query = query.order_by(RUNS.c.at.desc(), RUNS.c.candidate)
        return self._read(query, within)

    def some(self, candidates: Sequence[str], *, within: Connection | None = None) -> list[Run]:
        """These runs, in this order; one that there is not is left out."""
        found = {run.candidate: run for run in self._read(select(RUNS).where(RUNS.c.candidate.in_(candidates)), within)}
        return [found[id] for id in dict.fromkeys(candidates) if id in found]

    def count(self, *, within: Connection | None = None) -> int:
        """How many there are."""
        with self.store.reading(within) as connection:
            return int(connection.execute(select(func.count()).select_from(RUNS)).scalar() or 0)

    def names(self, *, newest: int = 500, within: Connection | None = None) -> tuple[str, ...]:
        """What the newest runs can be found and ordered by: the parameters and measures they have, by name."""
        query = select(RUNS.c.said).order_by(RUNS.c.at.desc()).limit(newest)
        with self.store.reading(within) as connection:
            lots = [json.loads(said) for (said,) in connection.execute(query)]
        return tuple(sorted({name for said in lots for of in ("parameters", "measures") for name in said[of]}))

    def _said(self, connection: Connection, candidate: str) -> dict[str, Any] | None:
        said = connection.execute(select(RUNS.c.said).where(RUNS.c.candidate == candidate)).scalar()
        return None if said is None else dict(json.loads(said))

    def _read(self, query: Select[Any], within: Connection | None) -> list[Run]:
        with self.store.reading(within) as connection:
            return [_run(row) for row in connection.execute(query)]

    def _meets(self, term: Term) -> ColumnElement[bool]:
        if not term.name:
            return or_(RUNS.c.learner.icontains(term.value, autoescape=True), RUNS.c.model.icontains(term.value, autoescape=True))
        if term.name in OWN:
            column = RUNS.c["outcome" if term.name == "verdict" else term.name]
            if term.sign == "=" and term.value:
                return column == term.value  # as it stands, so that an index finds it
            return _compared(func.coalesce(column, ""), term.sign, term.value)
        value = _as_number(term.value)
        if value is not None and term.sign != "~":
            return _compared(self._number(term.name), term.sign, value)
        return _compared(self._text(term.name), term.sign, term.value)

    def _number(self, name: str) -> ColumnElement[Any]:
        """The measure of this name, or the parameter, where it is a number; else NULL."""
        if self.store.engine.dialect.name == "sqlite":
            parameter = self._value("parameters", name)
            return func.coalesce(self._value("measures", name), case((func.typeof(parameter).in_(("integer", "real")), parameter)))
        from sqlalchemy import Double
        from sqlalchemy import cast as as_type

        numbers = (
            case((func.jsonb_typeof(self._value(of, name)) == "number", self._value(of, name, text=True)))
            for of in ("measures", "parameters")
        )
        return func.coalesce(*(as_type(number, Double) for number in numbers))

    def _text(self, name: str) -> ColumnElement[Any]:
        return self._value("parameters", name, text=True)

    def _value(self, of: str, name: str, *, text: bool = False) -> ColumnElement[Any]:
        if '"' in name or "\\" in name:
            raise EverloopError(f"{name!r} is no name of a measure or a parameter.")
        if self.store.engine.dialect.name == "sqlite":
            return func.json_extract(RUNS.c.said, f'$.{of}."{name}"')
        from sqlalchemy import cast as as_type
        from sqlalchemy.dialects.postgresql import JSONB

        read = func.jsonb_extract_path_text if text else func.jsonb_extract_path
        return read(as_type(RUNS.c.said, JSONB), of, name)


_COMPARES = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _compared(column: ColumnElement[Any], sign: Sign, value: Any) -> ColumnElement[bool]:
    """What has no such value fits nothing: a comparison with NULL never holds."""
    found: ColumnElement[bool] = column.icontains(str(value), autoescape=True) if sign == "~" else _COMPARES[sign](column, literal(value))
    return found


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _run(row: Row[Any]) -> Run:
    said = json.loads(row.said)
    return Run(
        row.candidate, row.model, from_microseconds(row.at), row.learner, row.outcome, row.version, said["parameters"], said["measures"]
    )


# -- what a record says of a run -----------------------------------------------------------------------------------------------------


def _of_candidate(candidate: Candidate) -> dict[str, dict[str, Any]]:
    noted = dict(candidate.notes or ())
    told = {name: _plain(value) for name, value in params_of(candidate).items() if name not in ("learner", "columns")}
    words = {name: value for name, value in noted.items() if isinstance(value, str)}
    cost = candidate.cost
    measures = {
        "rows": candidate.rows,
        "columns": len(candidate.columns),
        "seconds": candidate.seconds,
        "cpu_seconds": cost.cpu_seconds if cost else candidate.cpu_seconds,
        **({"money": cost.money} if cost is not None and cost.money is not None else {}),
        **{name: value for name, value in noted.items() if isinstance(value, float)},
    }
    return {"parameters": {name: _short(value) for name, value in {**told, **words}.items()}, "measures": measures}


def _short(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:LONGEST]


def measures_of(verdict: Verdict) -> dict[str, float]:
    """What a verdict measured, under the name of each measure: the candidate's value, the champion's, and by what share it is better."""
    found: dict[str, float | None] = {}
    for name, opinion in by_name(verdict.opinions):
        found |= {name: opinion.candidate, f"{name} of the champion": opinion.champion, f"{name} gain": opinion.effect}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: object) -> object:
    """A parameter that was noted as Python writes it, as the number or the text that it is; anything else as it was noted.

    >>> _plain("60"), _plain("0.1"), _plain("'absolute_error'"), _plain("None"), _plain("log2"), _plain("1e999")
    (60, 0.1, 'absolute_error', 'None', 'log2', '1e999')
    """
    try:
        found = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    finite = isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 2**53
    return found if finite or isinstance(found, str) else value


def params_of(candidate: Candidate) -> dict[str, object]:
    """What its learner was told, by name, and what else decides what it learns."""
    try:
        said = json.loads(candidate.parameters)
    except ValueError:
        said = {}
    told: Mapping[str, Any] = {**said.get("parameters", {}), **said.get("settings", {})} if "identity" in said else said
    return {"learner": candidate.learner, "seed": candidate.seed, "columns": ", ".join(candidate.columns), **told}


def by_name(opinions: Sequence[Opinion]) -> Iterator[tuple[str, Opinion]]:
    """Each opinion under the measure it is on; a further one on the same measure under its clause, so that neither hides the other.

    >>> said = [Opinion(clause=clause, outcome="passed", sentence="", measure="wape") for clause in ("beats_champion()", "at_most(0.5)")]
    >>> [name for name, _ in by_name(said)]
    ['wape', 'at_most(0.5)']
    """
    taken: set[str] = set()
    for opinion in opinions:
        name = opinion.measure if opinion.measure is not None and opinion.measure not in taken else opinion.clause
        taken.add(name)
        yield name, opinion
