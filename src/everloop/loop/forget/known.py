"""What a house knows of one person, written down for them: rows by source, answers, truths, outcomes, and who has learnt from them."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from everloop.clock import from_microseconds, said
from everloop.lake.seal import seal
from everloop.lake.shape import OWN
from everloop.lake.snapshot import read_source
from everloop.loop.answers import answers_of
from everloop.loop.forget.erase import every_source
from everloop.loop.forget.person import Person, find, of_models
from everloop.loop.house import House

INSTANTS = ("event_at", "known_at")


def known_of(house: House, column: str, value: str) -> dict[str, Any]:
    """Everything that is kept of somebody, as plain data: ``rows`` by source, oldest first, and ``answers`` by model.

    Raises Unknown for a column that nothing has.
    """
    for source in every_source(house):
        if house.lake.log.counters(source.name).last_seq:
            seal(house.lake, source)
    person = find(house, column, value)
    return {"column": column, "value": value, "rows": _rows(house, person), "answers": _answers(house, person)}


def _rows(house: House, person: Person) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for source in every_source(house):
        if seqs := person.seqs.get(source.name):
            events = read_source(house.lake, source)
            mine = events.filter(pc.is_in(events.column("seq"), value_set=_numbers(seqs)))
            names = [name for name in mine.column_names if name not in OWN.names or name in (*INSTANTS, "deleted")]
            found[source.name] = [_plain(row) for row in mine.select(names).to_pylist()]
    return found


def _answers(house: House, person: Person) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for model in house.project.models.values():
        given = answers_of(house, model)
        mine = given.filter(of_models(house, person, given)) if given.num_rows else given
        if mine.num_rows:
            names = ["id", "unit", "moment", "version", "arm", "answer", "says", "features", "request"]
            found[model.name] = [row | {"moment": said(from_microseconds(row["moment"]))} for row in mine.select(names).to_pylist()]
    return found


def _numbers(seqs: Any) -> Any:
    import pyarrow as pa

    return pa.array(sorted(seqs), pa.int64())


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _instant(value) if name in INSTANTS else value for name, value in row.items() if value is not None}


def _instant(value: int) -> str | None:
    try:
        return from_microseconds(value).isoformat()
    except (ValueError, OverflowError):
        return None
