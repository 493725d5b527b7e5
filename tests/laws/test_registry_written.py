"""Law: every record that can be written is read back as it was, and written again as it was."""

import json
import types
import typing
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everloop import records
from everloop.registry.written import KINDS, read_as, read_back, written

zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))])
PLAIN = {
    str: st.text(st.characters(), max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones),
    type(None): st.none(),
}


def values(hint):
    """Any value a field with this hint may hold."""
    origin, given_ = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is typing.Literal:
        return st.sampled_from(given_)
    if origin is tuple and given_[-1] is Ellipsis:
        return st.lists(values(given_[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, given_))
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values, given_))
    assert is_dataclass(hint), hint
    hints = typing.get_type_hints(hint)
    return st.builds(hint, **{f.name: values(hints[f.name]) for f in fields(hint)})


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_every_record_goes_round(kind, data):
    record = data.draw(values(KINDS[kind]))
    body = written(record)
    assert read_back(kind, body) == record
    assert written(read_back(kind, body)) == body
    assert body.isascii()
    assert json.loads(body)["id"] == record.id


@pytest.mark.parametrize("noun", [records.Prediction, records.Received, records.Alert, records.Shape])
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_nouns_outside_the_journal_go_round_too(noun, data):
    from everloop.registry.written import _builtins, canonical

    value = data.draw(values(noun))
    assert read_as(noun, canonical(_builtins(value))) == value
