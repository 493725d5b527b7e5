"""Each place a person is taken out of, left out once: the bytes that are still there are found, and the record says so.

The table of mutants of ``loop/forget``: whoever adds a place adds a row here, and plants the marker in it.
"""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.lake.events import SqliteLog
from everloop.loop.answers import TABLE, answer_due, answers_of
from everloop.loop.forget import erase, forget
from everloop.loop.forget.bodies import parquet_again
from everloop.loop.tell.outcomes import tell_outcomes
from everloop.records import Alert
from everloop.registry.blobs import Blobs
from everloop.registry.scrub import Scrub
from everloop.serving.log import AnswersLog
from tests.loop.test_forget import OTHER, RARE, WORDS, lived, nothing_left, of, prepared, sells, spends

__all__ = ["lived", "prepared"]
pytestmark = pytest.mark.slow


@pytest.fixture
def everywhere(lived):
    """A house that names them in every place there is."""
    house, now = lived
    then = now + timedelta(days=1)
    for model in (spends, sells):
        answer_due(house, model, then)
    given = answers_of(house, spends, since=now).filter(pa.compute.field("unit") == RARE)
    hot = given.slice(0, 1).set_column(given.column_names.index("id"), "id", pa.array(["aaaabbbbccccdddd"]))
    with AnswersLog(house.settings.answers) as log:
        log.write(hot)
    named = [{"prediction": given.column("id")[0].as_py(), "name": "kept", "event_id": f"by-{RARE}"}]
    assert tell_outcomes(house, named, then).kept == 1
    house.blobs.save(parquet_again(pa.table({"unit": [RARE, OTHER], "x": [1, 2]})))
    (house.settings.answers / "torn.answers.damaged").write_bytes(f"half an answer of {RARE}".encode())
    with house.store.transaction() as t:
        house.facts.put(t, "spends", "seen", then, {"unit": RARE})
        alert = Alert(model="spends", severity="info", sentence=f"{RARE} asked twice", owner=None, key="twice")
        house.outbox.put(t, alert, at=then)
    return house, then


def _tables(monkeypatch, house, left_out):
    """Leave the tables out that ``left_out`` says."""
    kind = type(house.lake.tables)
    rewrite = kind.rewrite

    def but_those(self, table, change):
        return 0 if left_out(table) else rewrite(self, table, change)

    monkeypatch.setattr(kind, "rewrite", but_those)


def _nothing(where, name, result=None):
    return lambda monkeypatch, _: monkeypatch.setattr(where, name, lambda *_, **__: result)


PLACES = {
    "events": lambda m, house: _tables(m, house, lambda table: table.startswith("events/") and "everloop." not in table),
    "outcomes": lambda m, house: _tables(m, house, lambda table: table.endswith("everloop.outcomes")),
    "truths": lambda m, house: _tables(m, house, lambda table: table.endswith("everloop.truths")),
    "the index of ids": _nothing(erase, "_out_of_index"),
    "answers": lambda m, house: _tables(m, house, lambda table: table == TABLE),
    "answers not sealed yet": _nothing(erase, "answers_closed", ()),
    "segments that are damaged": _nothing(erase, "_damaged"),
    "the online state": _nothing(erase, "online_again"),
    "bodies": lambda m, house: m.setattr(Blobs, "replace", lambda self, sha, body: sha),
    "bodies nobody names": _nothing(erase, "_unnamed"),
    "facts": _nothing(Scrub, "facts", 0),
    "what people were told": _nothing(Scrub, "sentences", 0),
    "free pages of house.db": _nothing(Scrub, "wiped"),
    "free pages of events.db": _nothing(SqliteLog, "wiped"),
}


def test_where_no_place_is_left_out_nothing_is_left(everywhere):
    house, now = everywhere
    before = of(house, OTHER)
    done = forget(house, "customer_id", RARE, now=now, **WORDS)
    assert nothing_left(house) == []
    assert not [line for line in done.left if "still has it" in line]
    assert dict(done.rows)["events/everloop.outcomes"] == 2, "one of them names an answer alone"
    assert of(house, OTHER) == before


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_left_out_is_found_and_told(everywhere, monkeypatch, place):
    house, now = everywhere
    PLACES[place](monkeypatch, house)
    done = forget(house, "customer_id", RARE, now=now, **WORDS)
    left = nothing_left(house)
    assert left, f"{place} was left out and nothing noticed"
    assert {line for line in done.left if "still has it" in line} == {f"{path} still has it" for path in left}
