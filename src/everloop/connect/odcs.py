"""Data contracts as the Open Data Contract Standard (3.x) writes them. In: YAML, sources. Out: terms to judge; or the YAML of sources.

What a term means is in ``odcs_terms.py``. Needs the standard's own model of itself: ``everloop[contracts]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from everloop.connect.odcs_terms import Refused, Term, of_service, terms_of
from everloop.errors import EverloopError, Missing
from everloop.project.columns import Kind, is_numeric, money, unit
from everloop.project.conditions import always, at_least, at_most, fresh, meets, one_of, usual_volume
from everloop.project.source import Source

VERSION = "v3.1.0"
MOST_SAID = 1_000_000
"""Words, numbers and lists of a contract, each as often as it is said."""


@dataclass(frozen=True)
class Contract:
    """A contract as read: its name, and what it asks, term by term."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Habit:
    """What the rows of a source are like, for a contract that is suggested: how many there are, what share of a column is empty, its
    bounds or its few values, and the longest it was silent.
    """

    rows: int
    empty: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    values: Mapping[str, Sequence[str]]
    silent: timedelta | None = None


def read(text: str, sources: Mapping[str, Source], *, name: str = "contract.yaml") -> Contract:
    """The terms of a contract about these sources; a table of it that is no source is refused, by name.

    Raises EverloopError for text that is no contract of version 3, Missing without the extra.
    """
    try:
        import yaml
        from open_data_contract_standard.model import OpenDataContractStandard
    except ModuleNotFoundError:
        raise Missing("open-data-contract-standard", "contracts", "A data contract") from None
    try:
        plain = yaml.safe_load(text)
        if not isinstance(plain, dict):
            what = "it is empty" if plain is None else f"it is a {type(plain).__name__}, not a table of words"
            raise EverloopError(f"{name} is no data contract: {what}. It begins with kind: DataContract.")
        _bounded(plain, name)
        said = OpenDataContractStandard.model_validate(plain)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise EverloopError(f"{name} is no data contract: {_wrong(error)}") from error
    if said.kind != "DataContract" or not str(said.apiVersion or "").lstrip("v").startswith("3."):
        raise EverloopError(
            f"{name} is no data contract that is read here: kind is {said.kind!r}, apiVersion {said.apiVersion!r}. "
            "It takes kind: DataContract and apiVersion: v3.0.0 or newer."
        )
    terms: list[Term] = []
    mine: dict[str, Source] = {}
    for table in said.schema_ or ():
        source = sources.get(str(table.name)) or sources.get(str(table.physicalName))
        if source is None:
            terms.append(Refused(str(table.name), "everything", "the project declares no such source"))
        else:
            mine[source.name] = source
            terms += terms_of(table, source)
    if not said.schema_:
        raise EverloopError(f"{name} has no schema, so it asks nothing of any table.")
    terms += [of_service(service, mine) for service in said.slaProperties or ()]
    return Contract(said.name or said.id or name, tuple(terms))


def _bounded(plain: object, name: str) -> None:
    """Refuse what a few lines say too often: an alias of YAML stands for all it names, also for aliases. Raises EverloopError."""
    seen, left = 0, [plain]
    while left:
        one = left.pop()
        seen += 1
        left += [*one, *one.values()] if isinstance(one, dict) else one if isinstance(one, list) else []
        if seen > MOST_SAID or len(left) > MOST_SAID:
            raise EverloopError(f"{name} is no data contract: its aliases make more than {MOST_SAID:,} words of it.")


def _wrong(error: Exception) -> str:
    """What is wrong, in a line: of a file that does not fit the standard the first three places."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    places = getattr(error, "errors", None)
    if places is None:
        return " ".join(str(error).split())[:300]
    found = [f"{'.'.join(map(str, one['loc'])) or 'all of it'}: {one['msg']}" for one in places(include_url=False, include_input=False)]
    more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
    return ("; ".join(found[:3]) + more)[:300] + "."


def write(name: str, sources: Iterable[Source], habits: Mapping[str, Habit] | None = None) -> str:
    """The contract of sources as YAML: their columns, what ``must=`` says, and where ``habits`` are given what rows were like so far.

    Raises Missing without the extra.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise Missing("PyYAML", "contracts", "A data contract") from None
    sources = list(sources)
    services = [_service(source, c.span) for source in sources for c in source.must if isinstance(c, fresh)]
    for source in sources:
        habit = (habits or {}).get(source.name)
        if habit and habit.silent and not any(isinstance(c, fresh) for c in source.must):
            services.append(_service(source, habit.silent))
    contract = {
        "kind": "DataContract", "apiVersion": VERSION, "id": f"everloop-{name}", "name": name, "version": "1.0.0", "status": "active",
        "schema": [_table(source, (habits or {}).get(source.name)) for source in sources],
        **({"slaProperties": services} if services else {}),
    }  # fmt: skip
    return str(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True))


def _table(source: Source, habit: Habit | None) -> dict[str, Any]:
    own = {name: kind for name, kind in source.every_column.items() if source.parent_of(name) is None}
    made: dict[str, Any] = {
        "name": source.name, "physicalName": source.name, "logicalType": "object", "physicalType": "table",
        "properties": [_property(source, name, kind, habit) for name, kind in own.items()],
    }  # fmt: skip
    if habit is not None:
        made["quality"] = [{"type": "library", "metric": "rowCount", "mustBeGreaterOrEqualTo": int(0.9 * habit.rows)}]
    return made


def _property(source: Source, name: str, kind: Kind, habit: Habit | None) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "logicalType": _logical(kind)}
    if name in source.id:
        made |= {"required": True, "primaryKey": True, "primaryKeyPosition": source.id.index(name) + 1}
        made |= {"unique": True} if len(source.id) == 1 else {}
    if isinstance(kind, money | unit):
        made["customProperties"] = [{"property": "unit", "value": _unit(kind)}]
    if name in source.private:
        made["classification"] = "restricted"
    options: dict[str, Any] = {}
    quality: list[dict[str, Any]] = []
    for condition in source.must:
        if isinstance(condition, fresh | usual_volume | meets) or name != (
            condition.column if isinstance(condition, always) else condition.what
        ):
            continue
        if isinstance(condition, always) and condition.share == 1:
            made["required"] = True
        elif isinstance(condition, at_least | at_most) and condition.share == 1:
            options["minimum" if isinstance(condition, at_least) else "maximum"] = condition.value
        else:
            quality.append(_quality(condition))
    if habit is not None:
        _suggest(
            name, habit, made, options, quality, {type(c) for c in source.must if name == getattr(c, "what", getattr(c, "column", None))}
        )
    return made | ({"logicalTypeOptions": options} if options else {}) | ({"quality": quality} if quality else {})


def _quality(condition: always | at_least | at_most | one_of) -> dict[str, Any]:
    """A clause that a share of rows may break, as far as the standard's library can say it; a bound it cannot is said in our own words."""
    most = {"mustBe": 0} if condition.share == 1 else {"unit": "percent", "mustBeLessOrEqualTo": round(100 * (1 - condition.share), 6)}
    if isinstance(condition, always):
        return {"type": "library", "metric": "nullValues", **most}
    if isinstance(condition, one_of):
        return {"type": "library", "metric": "invalidValues", "arguments": {"validValues": list(condition.values)}, **most}
    return {"type": "custom", "engine": "everloop", "implementation": repr(condition)}


def _suggest(
    name: str, habit: Habit, made: dict[str, Any], options: dict[str, Any], quality: list[dict[str, Any]], said: set[type]
) -> None:  # fmt: skip
    empty = habit.empty.get(name)
    if empty == 0 and habit.rows and not made.get("required") and always not in said:
        made["required"] = True
    elif empty and always not in said:
        quality.append(
            {"type": "library", "metric": "nullValues", "unit": "percent", "mustBeLessOrEqualTo": round(min(150 * empty + 1, 100), 1)}
        )
    if name in habit.bounds:
        low, high = habit.bounds[name]
        wide = (high - low) / 2
        if at_least not in said:
            options.setdefault("minimum", 0 if low >= 0 else _round(low - wide))
        if at_most not in said:
            options.setdefault("maximum", _round(high + wide))
    if name in habit.values and one_of not in said:
        quality.append(_quality(one_of(name, *habit.values[name])))


def _round(value: float) -> float:
    rounded = float(f"{value:.2g}")
    return int(rounded) if rounded.is_integer() else rounded


def _logical(kind: Kind) -> str:
    if is_numeric(kind):
        return "integer" if kind is int or isinstance(kind, money) else "number"
    return "boolean" if kind is bool else "timestamp" if kind is datetime else "date" if kind is date else "string"


def _unit(kind: money | unit) -> str:
    if isinstance(kind, unit):
        return kind.symbol
    return f"minor units of {kind.currency or 'the currency in ' + str(kind.column)}"


def _service(source: Source, span: timedelta) -> dict[str, Any]:
    seconds = span.total_seconds()
    value, unit_of = next((seconds / n, u) for n, u in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")) if seconds % n == 0 or n == 1)
    element = f"{source.name}.{source.time[0]}" if source.time else source.name
    return {"property": "freshness", "value": int(value) if value == int(value) else value, "unit": unit_of, "element": element}
