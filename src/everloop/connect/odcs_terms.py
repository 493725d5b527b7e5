"""What an Open Data Contract asks of a source, as rules. In: a schema object of the contract, a Source. Out: rules, and what is refused.

Nothing is passed over in silence: a term that cannot be judged here is *refused*, with the reason, and told beside the findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from everloop.checks.clauses import RowTest, test_of
from everloop.checks.in_force import quoted
from everloop.checks.rules import NONE, Rule, Within
from everloop.project.columns import Kind, called, is_numeric, text
from everloop.project.conditions import at_least, at_most, fresh
from everloop.project.source import Source


@dataclass(frozen=True)
class Refused:
    """A term that is not judged here, and why."""

    source: str
    clause: str
    why: str

    def __str__(self) -> str:
        return f"{self.source}: {self.clause} is not judged here: {self.why}."


@dataclass(frozen=True)
class Lacking:
    """A column the contract promises and the source does not declare, or declares as something else."""

    source: str
    clause: str
    sentence: str


Term: TypeAlias = Rule | Refused | Lacking | tuple[str, fresh]

TYPES: Mapping[str, tuple[Any, ...]] = {"string": (str, text), "boolean": (bool,), "date": (date, datetime), "timestamp": (datetime,)}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SPANS = {"second": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h", "day": "d", "week": "w"}
FORMATS = {
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$",
    "ipv4": r"^(\d{1,3}\.){3}\d{1,3}$",
}
OTHERS = ("relationships", "transformLogic", "map")


def terms_of(said: Any, source: Source) -> Iterator[Term]:
    """Everything one schema object (``said``) asks of a source, in the order in which it is said."""
    keys = sorted((p.primaryKeyPosition or 0, p.name) for p in said.properties or () if p.primaryKey)
    for property in said.properties or ():
        yield from _of_property(property, source, len(keys))
    names = tuple(name for _, name in keys if name in source.every_column)
    if names and len(names) == len(keys):
        yield Rule(source.name, "primaryKey", f"{' with '.join(names)} is unlike every other", RowTest(names[0], apart=names))
    for place, quality in enumerate(said.quality or ()):
        yield from _of_quality(quality, source, None, f"quality[{place}]")
    if said.relationships:
        yield Refused(source.name, "relationships", "whether a row's parent is there is not looked up")


def _of_property(said: Any, source: Source, keys: int) -> Iterator[Term]:
    name, kind = said.name, source.every_column.get(said.name)
    if kind is None:
        yield Lacking(source.name, name, f"{source.name} declares no column {name}, which the contract promises.")
        return
    if said.logicalType and not _fits(said.logicalType, kind):
        sentence = f"In {source.name}, {name} is {called(kind)}, and the contract says {said.logicalType}."
        yield Lacking(source.name, f"{name}.logicalType", sentence)
        return
    if said.logicalType and said.logicalType not in (*NUMBERS, *TYPES):
        yield Refused(source.name, f"{name}.logicalType", f"no column here is of a type {said.logicalType[:60]!r}")
    if said.required or (said.primaryKey and keys):
        yield _rule(source, name, f"{name}.required", f"{name} is there", f"{quoted(name)} IS NOT NULL", empties=True)
    if said.unique:
        yield Rule(source.name, f"{name}.unique", f"{name} is unlike every other", RowTest(name, apart=(name,)))
    for option, value in (said.logicalTypeOptions or {}).items():
        yield _of_option(option, value, source, name, kind, said.logicalTypeOptions)
    if said.enum:
        yield _one_of(source, name, f"{name}.enum", [one.value for one in said.enum])
    for place, quality in enumerate(said.quality or ()):
        yield from _of_quality(quality, source, name, f"{name}.quality[{place}]")
    for other in OTHERS:
        if getattr(said, other, None):
            yield Refused(source.name, f"{name}.{other}", "it says how a value is made or meant, not what it may be")


NUMBERS = ("integer", "number")


def _fits(logical: str, kind: Kind) -> bool:
    if logical in NUMBERS:
        return is_numeric(kind) and (logical == "number" or kind is not float)
    return kind in TYPES.get(logical, (kind,))


def _rule(source: Source, name: str, clause: str, says: str, met: str, *, empties: bool = False) -> Rule:
    judged = "true" if empties else f"{quoted(name)} IS NOT NULL"
    return Rule(source.name, clause, says, RowTest(name, judged, f"NOT ({met}) AND {judged}"))


BOUNDS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def _of_option(option: str, value: Any, source: Source, name: str, kind: Kind, options: Mapping[str, Any]) -> Term:
    clause, column = f"{name}.{option}", quoted(name)
    if option in BOUNDS and isinstance(value, int | float) and not isinstance(value, bool) and is_numeric(kind):
        sign = BOUNDS[option]
        if options.get(f"exclusive{option.capitalize()}") is True:  # until 3.0 this was said beside the bound
            sign = sign[0]
        return _rule(source, name, clause, f"{name} is {WORDS[sign]} {value}", f"{column} {sign} {_number(value)}")
    if option in BOUNDS and value is True:
        return Refused(source.name, clause, "it only says how another bound is meant, which is judged so")
    if option == "multipleOf" and is_numeric(kind) and isinstance(value, int | float) and value > 0:
        return _rule(source, name, clause, f"{name} is a multiple of {value}", f"{column} % {_number(value)} = 0")
    if option in ("minLength", "maxLength") and kind in TYPES["string"] and isinstance(value, int):
        sign = ">=" if option == "minLength" else "<="
        return _rule(source, name, clause, f"{name} has {WORDS[sign]} {value} characters", f"length({column}) {sign} {value}")
    if option == "pattern" and kind in TYPES["string"]:
        return _pattern(source, name, clause, str(value))
    if option == "format" and value in FORMATS and kind in TYPES["string"]:
        return _pattern(source, name, clause, FORMATS[value])
    return Refused(source.name, clause, f"{option} = {value!r} says nothing that is known of {called(kind)}")


def _pattern(source: Source, name: str, clause: str, pattern: str) -> Term:
    import duckdb

    try:  # the engine's own regular expressions decide, and not every one of others is one of its own
        duckdb.execute("SELECT regexp_matches('', ?)", [pattern])
    except duckdb.Error:
        return Refused(source.name, clause, f"{pattern!r} is no regular expression that DuckDB reads")
    return _rule(source, name, clause, f"{name} matches {pattern}", f"regexp_matches({quoted(name)}, {_text(pattern)})")


def _one_of(source: Source, name: str, clause: str, values: list[Any]) -> Rule:
    column, kind = quoted(name), source.every_column[name]
    if is_numeric(kind) or kind is bool:
        there = [_number(float(v)) for v in values if isinstance(v, int | float)] or ["NULL"]
        met = f"CAST({column} AS DOUBLE) IN ({', '.join(there)})"
    else:
        met = f"CAST({column} AS VARCHAR) IN ({', '.join(_text(str(v)) for v in values) or 'NULL'})"
    return _rule(
        source,
        name,
        clause,
        f"{name} is one of {', '.join(map(str, values[:8]))}{' …' if len(values) > 8 else ''}",
        f"coalesce({met}, false)",
    )


def _of_quality(said: Any, source: Source, name: str | None, clause: str) -> Iterator[Term]:
    metric = said.metric or said.rule
    called_by = f"{clause} ({metric or said.type or 'text'})"
    if said.type == "custom" and said.engine == "everloop" and name:
        yield _own_words(str(said.implementation), source, clause)
        return
    if (said.type or "library") != "library" or not metric:
        why = {"text": "it is prose", "sql": "its query would be run by nobody but the owner of the data"}.get(
            said.type or "", "it is another tool's"
        )
        yield Refused(source.name, called_by, why)
        return
    broken, of = _limits(said), "percent" if said.unit == "percent" else "rows"
    if metric == "rowCount":
        yield (
            Rule(source.name, called_by, "", None, broken)
            if of == "rows"
            else Refused(source.name, called_by, "of what the share is to be")
        )
        return
    found = _counted(metric, said.arguments or {}, source, name, called_by)
    if isinstance(found, Refused):
        yield found
    else:
        yield Rule(source.name, called_by, found.says, found.test, broken, of)  # type: ignore[arg-type]


def _own_words(said: str, source: Source, clause: str) -> Term:
    """A bound that a share of rows may break, as ``must=`` says it, which is how our own export writes it."""
    match = re.fullmatch(r"(at_least|at_most)\('(\w+)', (-?[\d.e+-]+), share=([\d.]+)\)", said)
    if match is None or match[2] not in source.every_column:
        return Refused(source.name, clause, f"{said!r} is no bound on a column of it")
    condition = (at_least if match[1] == "at_least" else at_most)(match[2], float(match[3]), share=float(match[4]))
    most = Within(high=round(100 * (1 - float(match[4])), 6))
    return Rule(
        source.name,
        f"{clause} ({said})",
        f"{match[2]} is {match[1].replace('_', ' ')} {match[3]}",
        test_of(condition, source),
        most,
        "percent",
    )


def _counted(metric: str, arguments: Mapping[str, Any], source: Source, name: str | None, clause: str) -> Rule | Refused:
    """The test whose broken rows a metric of the standard's library counts."""
    columns = tuple(arguments.get("properties") or ()) or ((name,) if name else ())
    if unknown := [c for c in columns if c not in source.every_column]:
        return Refused(source.name, clause, f"{source.name} declares no column {unknown[0]}")
    if metric == "duplicateValues" and columns:
        return Rule(source.name, clause, f"{' with '.join(columns)} is unlike every other", RowTest(columns[0], apart=columns))
    if metric in ("nullValues", "missingValues") and name:
        also = [v for v in arguments.get("missingValues") or () if v is not None]
        met = f"{quoted(name)} IS NOT NULL" + (
            f" AND CAST({quoted(name)} AS VARCHAR) NOT IN ({', '.join(_text(str(v)) for v in also)})" if also else ""
        )
        return _rule(source, name, clause, f"{name} is there", met, empties=True)
    if metric == "invalidValues" and name and arguments.get("validValues"):
        return _one_of(source, name, clause, list(arguments["validValues"]))
    if metric == "invalidValues" and name and arguments.get("pattern") and source.every_column[name] in TYPES["string"]:
        found = _pattern(source, name, clause, str(arguments["pattern"]))
        return found if isinstance(found, Rule | Refused) else Refused(source.name, clause, "it is no pattern")
    return Refused(source.name, clause, f"{metric} with {', '.join(arguments) or 'no arguments'} is not known")


def _limits(said: Any) -> Within:
    if said.mustBe is not None or said.mustNotBe is not None:
        value = float(said.mustBe if said.mustBe is not None else said.mustNotBe)
        return Within(value, value, outside=said.mustBe is None)
    for pair, outside in ((said.mustBeBetween, False), (said.mustNotBeBetween, True)):
        if pair:
            return Within(float(pair[0]), float(pair[1]), outside=outside)
    low = said.mustBeGreaterThan if said.mustBeGreaterThan is not None else said.mustBeGreaterOrEqualTo
    high = said.mustBeLessThan if said.mustBeLessThan is not None else said.mustBeLessOrEqualTo
    if low is None and high is None:
        return NONE
    return Within(low, high, said.mustBeGreaterThan is not None, said.mustBeLessThan is not None)


def of_service(said: Any, sources: Mapping[str, Source]) -> Term:
    """One property of the service level: freshness is judged, whatever else is promised is not about rows."""
    name, clause = str(said.element or "").split(".")[0], f"slaProperties.{said.property}"
    if len(sources) == 1 and not name:
        name = next(iter(sources))
    unit = SPANS.get(str(said.unit or "d").lower().rstrip("s"), str(said.unit or "d").lower())
    if said.property not in ("freshness", "latency"):
        return Refused(name or "the contract", clause, "it is no promise about the rows themselves")
    if name not in sources or unit not in UNITS or not re.fullmatch(r"\d+(\.\d+)?", str(said.value)):
        return Refused(
            name or "the contract", clause, f"{said.value!r} {said.unit or ''} of {said.element or 'nothing'} is no span of a source"
        )
    return name, fresh(timedelta(seconds=float(said.value) * UNITS[unit]))


def _number(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)" if isinstance(value, float) else str(int(value))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
