"""How readings are said. In: readings and the voice that reads. Out: noun phrases. No clock, no disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from everloop.project.columns import Kind
from everloop.project.reading import AnyReading, Arithmetic, Reading, calendar
from everloop.project.source import Source
from everloop.project.spoken_rows import spoken_rows
from everloop.project.spoken_values import plural, spoken_column, spoken_list, spoken_number, spoken_span, spoken_window, spoken_zone
from everloop.project.spoken_voice import Voice, one_of_a

_OPERATIONS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


def say_reading(voice: Voice, reading: AnyReading | float) -> str:
    """One reading, arithmetic of readings, a calendar or a number as a noun phrase."""
    if isinstance(reading, Reading):
        return _say_run(voice, [reading])
    if isinstance(reading, calendar):
        return _say_calendar(reading)
    if isinstance(reading, Arithmetic):
        left, right = _say_side(voice, reading.left), _say_side(voice, reading.right)
        return f"{left} {_OPERATIONS[reading.operator]} {right}"
    return spoken_number(reading)


def say_readings(voice: Voice, readings: Sequence[AnyReading]) -> list[str]:
    """Readings one after another; neighbours that differ only in one span or one column are said together."""
    return [_say_run(voice, run) if isinstance(run, list) else say_reading(voice, run) for run in _runs(voice, readings)]


def say_window(reading: Reading, lasts: Sequence[timedelta] = ()) -> str:
    """When a reading looks, with a blank before it: " over the last 7 days"; nothing if it has no window."""
    lasts = lasts or ([] if reading.last is None else [reading.last])
    span, side = (reading.next, "next") if reading.next is not None else (lasts[0] if lasts else None, "last")
    if span is None:
        return ""
    if reading.ago is not None:
        return f" over {_spans(lasts)} ending {spoken_span(reading.ago)} ago"
    if reading.each is not None and span > reading.each:
        if reading.each in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)):
            return f" on each of the {side} {span // reading.each} {plural(spoken_window([reading.each]))}"
        return f" in each {spoken_span(reading.each)} of the {side} {spoken_window([span])}"
    return f" over the {side} {spoken_window([span] if side == 'next' else lasts)}"


def say_possession(voice: Voice, reading: AnyReading) -> str:
    """A reading as something the unit has, "the loan's region", without saying as of when."""
    if isinstance(reading, Reading) and (reading.verb == "given" or is_of_the_unit(voice, reading)):
        return f"the {one_of_a(reading.source)}'s {say_column(reading)}"
    if isinstance(reading, Reading) and reading.verb == "outcome":
        return f"the {one_of_a(reading.source)}'s final {say_column(reading)}"
    return say_reading(voice, reading)


def say_figure(voice: Voice, reading: AnyReading) -> str:
    """A reading as a figure of traffic: what visitors do next, per visitor."""
    if isinstance(reading, Reading) and reading.verb in ("any", "none"):
        word = "any" if reading.verb == "any" else "no"
        sentence = f"the chance of {word} {voice.rows(reading.source)}{say_of_whom(voice, reading)}{say_window(reading)}"
    elif isinstance(reading, Reading) and reading.verb == "outcome" and reading.kind == "yes or no":
        sentence = f"the share of {voice.rows(reading.source)} that turn out {say_column(reading)}"
    else:
        sentence = say_reading(voice, reading)
    return f"{sentence}, per {voice.split}"


def is_of_the_unit(voice: Voice, reading: Reading) -> bool:
    """Whether a newest value is that of the one row the question points at: the product's price, not the latest price of orders."""
    source = reading.source
    if reading.verb != "latest" or reading.last is not None or reading.next is not None:
        return False
    return set(voice.model.keys(reading)) - {source.apart} == set(source.id) - {source.apart}


def kind_of(reading: AnyReading | float) -> Kind | None:
    """The kind of what a reading gives, where that is the kind of a column: a total of money is money, a count has none."""
    if isinstance(reading, Reading) and reading.columns and reading.verb not in ("distinct", "which"):
        return reading.source.every_column[reading.columns[0]]
    if isinstance(reading, Arithmetic):
        left, right = kind_of(reading.left), kind_of(reading.right)
        if reading.operator in "+-":
            return left if left == right else None
        return None if left and right else left or (right if reading.operator == "*" else None)
    return None


def say_column(reading: Reading) -> str:
    """The column a reading reads, as a noun: instants are read as days before the moment."""
    return _column(reading.source, reading.columns[0], "days since ")


# -- runs --------------------------------------------------------------------------------------------------------------------------


def _runs(voice: Voice, readings: Sequence[AnyReading]) -> list[list[Reading] | AnyReading]:
    runs: list[list[Reading] | AnyReading] = []
    for reading in readings:
        run = runs[-1] if runs else None
        if isinstance(reading, Reading) and isinstance(run, list) and _goes_on(voice, run, reading):
            run.append(reading)
        else:
            runs.append([reading] if isinstance(reading, Reading) else reading)
    return runs


def _goes_on(voice: Voice, run: list[Reading], reading: Reading) -> bool:
    first, newest = run[0], run[-1]
    if _words(first, "last", "columns") != _words(reading, "last", "columns"):
        return False
    if first.columns == newest.columns == reading.columns:
        return first.last is not None and reading.last is not None and reading.last not in [r.last for r in run]
    together = reading.verb in ("total", "mean", "given") or (
        reading.verb == "latest" and (is_of_the_unit(voice, reading) or "instant" not in (first.kind, reading.kind))
    )
    return together and first.last == newest.last == reading.last and reading.columns not in [r.columns for r in run]


def _words(reading: Reading, *but: str) -> tuple[object, ...]:
    words = ("source", "verb", "columns", "last", "next", "ago", "each", "within", "most", "per")
    return tuple(getattr(reading, word) for word in words if word not in but)


def _say_run(voice: Voice, run: Sequence[Reading]) -> str:
    first = run[0]
    lasts = list(dict.fromkeys(r.last for r in run if r.last is not None))
    columns = list(dict.fromkeys(r.columns[0] for r in run if r.columns))
    match first.verb:
        case "given":
            return f"the {one_of_a(first.source)}'s own {_columns(first.source, columns)}"
        case "latest":
            return _say_latest(voice, first, columns, lasts)
        case "which":
            return _say_which(voice, first, lasts)
        case "outcome":
            return _say_outcome(voice, first)
        case "planned":
            return _say_planned(voice, first)
        case "any" | "none":
            return _say_whether(voice, first, lasts)
        case _:
            return _say_number(voice, first, columns, lasts)


def _say_number(voice: Voice, reading: Reading, columns: Sequence[str], lasts: Sequence[timedelta]) -> str:
    source = reading.source
    window = say_window(reading, lasts) or " so far"
    if reading.verb in ("lowest", "highest") and reading.kind == "instant":
        return f"days since the {'earliest' if reading.verb == 'lowest' else 'latest'} {_instant(voice, reading)}{window}"
    match reading.verb:
        case "count":
            what = "the number of"
        case "distinct":
            what = f"the number of different {plural(spoken_column(columns[0]))} in"
        case _:
            what = f"the {reading.verb} {_columns(source, columns)} of"
    return f"{what} {voice.rows(source)}{say_of_whom(voice, reading)}{window}"


def _say_whether(voice: Voice, reading: Reading, lasts: Sequence[timedelta]) -> str:
    tense = "there will be" if reading.next is not None else "there were" if lasts else "there are"
    word = "any" if reading.verb == "any" else "no"
    return f"whether {tense} {word} {voice.rows(reading.source)}{say_of_whom(voice, reading)}{say_window(reading, lasts)}"


def _say_latest(voice: Voice, reading: Reading, columns: Sequence[str], lasts: Sequence[timedelta]) -> str:
    source = reading.source
    if is_of_the_unit(voice, reading):
        only = f" ({spoken_rows(source.rows, source)})" if source.rows else ""
        named = _columns(source, columns)
        were = "it was" if len(columns) == 1 and not named.startswith("days since ") else "they were"
        return f"the {one_of_a(source)}'s {named}{only}, as {were} then"
    if reading.kind == "instant" and len(columns) == 1:
        return f"days since the latest {_instant(voice, reading)}{say_window(reading, lasts)}"
    return f"the latest {_columns(source, columns)} of {voice.rows(source)}{say_of_whom(voice, reading)}{say_window(reading, lasts)}"


def _instant(voice: Voice, reading: Reading) -> str:
    column, source = reading.columns[0], reading.source
    if column in source.time[:1]:
        return f"{voice.row(source)}{say_of_whom(voice, reading)}"
    return f"{_column(source, column)} in {voice.rows(source)}{say_of_whom(voice, reading)}"


def _say_which(voice: Voice, reading: Reading, lasts: Sequence[timedelta]) -> str:
    items, rows = plural(spoken_column(reading.columns[0])), voice.rows(reading.source)
    if reading.next is not None:
        return f"which {items} come up in {rows}{say_of_whom(voice, reading)}{say_window(reading)}"
    most = "" if reading.most is None else f"{reading.most:,} "
    window = say_window(reading, lasts) or " so far"
    return f"the {most}{items} most seen in {rows}{_by_whom(voice, reading)}{window}"


def _say_outcome(voice: Voice, reading: Reading) -> str:
    row = voice.row(reading.source)
    if reading.kind == "yes or no":
        return f"whether the {row} turns out {_column(reading.source, reading.columns[0])}"
    return f"the {_column(reading.source, reading.columns[0])} each {row} turns out to have"


def _say_planned(voice: Voice, reading: Reading) -> str:
    rows = f"{voice.rows(reading.source)}{say_of_whom(voice, reading)}"
    if not reading.columns:
        return f"the share of the time predicted covered by {rows}"
    return f"the {_column(reading.source, reading.columns[0])} planned in {rows} for the time predicted"


def _say_calendar(reading: calendar) -> str:
    parts = [f"holiday ({reading.holidays})" if part == "holiday" else part for part in reading.parts]
    zone = f", in {spoken_zone(reading.zone)}" if reading.zone else ""
    return f"the {spoken_list(parts)} of the time predicted{zone}"


def _say_side(voice: Voice, side: AnyReading | float) -> str:
    sentence = say_reading(voice, side)
    return f"({sentence})" if isinstance(side, Arithmetic) else sentence


# -- words -------------------------------------------------------------------------------------------------------------------------


def say_of_whom(voice: Voice, reading: Reading) -> str:
    """Whose rows a reading takes, with a blank before it; nothing where it takes those of whoever is asked about."""
    source, unit = reading.source, set(voice.model.unit)
    if reading.per is None or (reading.per and set(reading.per) | {source.apart} == unit | {source.apart}):
        return ""
    same = [spoken_column(column) for column in reading.per if column != source.apart]
    if same:
        return f" of the same {spoken_list(same)}"
    return f" in the whole {spoken_column(source.apart)}" if source.apart else " altogether"


def _by_whom(voice: Voice, reading: Reading) -> str:
    whom = say_of_whom(voice, reading)
    if not whom:
        apart = spoken_column(reading.source.apart or "")
        return f" by the {spoken_list([noun for noun in voice.nouns if noun != apart] or voice.nouns)}"
    return f" by everybody{'' if whom == ' altogether' else whom}" if not reading.per else whom


def _columns(source: Source, columns: Sequence[str]) -> str:
    return spoken_list(_column(source, column, "days since ") for column in columns)


def _column(source: Source, column: str, since: str = "") -> str:
    if source.every_column.get(column) in (datetime, date):
        return since + spoken_column(column.removesuffix("_at").removesuffix("_on") or column)
    return spoken_column(column)


def _spans(spans: Sequence[timedelta]) -> str:
    return spoken_span(spans[0]) if len(spans) == 1 else spoken_window(spans)
