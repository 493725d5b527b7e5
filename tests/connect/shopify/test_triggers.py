"""What Flow is told: once each, nothing missed, and never more than 50,000 bytes."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connect.shopify.fronts import Played

from everloop.connect.shopify.appfiles import app_files
from everloop.connect.shopify.place import Place
from everloop.connect.shopify.triggers import DRIFTED, LARGEST, PROMOTED, ROLLED_BACK, RUNS_OUT, Triggers, fitting, runs_out, size
from everloop.errors import EverloopError


def traffic(seq, champion, verb="advance", **said):
    return {
        "seq": seq,
        "kind": "Traffic",
        "verb": verb,
        "model": "recommend",
        "champion": champion,
        "sentence": f"{champion} answers.",
        **said,
    }


def incident(seq, state="firing", news=True, kind="drift"):
    symptom = {"kind": kind, "about": "price", "sentence": "price drifted"}
    said = {"state": state, "news": news, "severity": "warning", "symptoms": [symptom], "sentence": "price drifted"}
    return {"seq": seq, "kind": "Incident", "verb": "incident", "model": "recommend", **said}


@pytest.fixture
def triggers(tmp_path):
    return Triggers(Place(tmp_path / "shopify.db"))


@pytest.fixture
def house():
    house = Played()
    house.through = 10
    return house


def told_by(triggers):
    told = []
    triggers.post(SimpleNamespace(ask=lambda _, handle, payload: told.append((handle, payload))))
    return told


def test_what_was_there_when_the_door_first_opened_is_told_to_nobody(triggers, house):
    house.entries = [traffic(3, "recommend@1")]
    triggers.look(house)
    triggers.look(house)
    assert told_by(triggers) == []


def test_a_take_over_a_way_back_and_a_drift_are_told_once_each(triggers, house):
    triggers.look(house)
    steps = [
        traffic(11, "recommend@1", "begin"),
        traffic(12, "recommend@2"),
        traffic(13, "recommend@2"),
        traffic(14, "recommend@1", "undo"),
    ]
    house.entries, house.through = [*steps, incident(15), incident(16, news=False), incident(17, "resolved"), incident(18, kind="slip")], 18
    for _ in range(3):
        triggers.look(house)
    told = told_by(triggers)
    assert [handle for handle, _ in told] == [PROMOTED, ROLLED_BACK, DRIFTED]
    assert told[0][1] == {
        "Model": "recommend",
        "Because": "recommend@2 answers.",
        "Version": "recommend@2",
        "Version before": "recommend@1",
    }
    assert told[2][1]["What drifted"] == "price"
    assert told_by(triggers) == []


def test_what_shopify_did_not_take_is_told_again_and_the_rest_waits_its_turn(triggers, house):
    triggers.look(house)
    house.entries, house.through = [traffic(11, "recommend@2"), traffic(12, "recommend@1", "undo")], 12
    triggers.look(house)
    with pytest.raises(EverloopError):
        triggers.post(SimpleNamespace(ask=lambda *_, **__: (_ for _ in ()).throw(EverloopError("throttled"))))
    assert [handle for handle, _ in told_by(triggers)] == [PROMOTED, ROLLED_BACK]


def test_a_house_that_is_down_loses_nothing(triggers, house):
    triggers.look(house)
    house.entries, house.through, house.down = [traffic(11, "recommend@2")], 11, True
    with pytest.raises(EverloopError):
        triggers.look(house)
    house.down = False
    triggers.look(house)
    assert [handle for handle, _ in told_by(triggers)] == [PROMOTED]


def test_that_a_product_runs_out_is_told_once_for_each_day_it_is_expected_on(triggers):
    soon, later = date(2026, 11, 9), date(2026, 11, 10)
    triggers.put(runs_out("7", soon, 6.5, "12 left."), runs_out("7", soon, 6.0, "11 left."), runs_out("7", later, 7, "13 left."))
    assert [(handle, payload["Runs out on"]) for handle, payload in told_by(triggers)] == [
        (RUNS_OUT, "2026-11-09"),
        (RUNS_OUT, "2026-11-10"),
    ]
    triggers.put(runs_out("7", soon, 5.0, "10 left."))
    assert told_by(triggers) == []


@pytest.mark.parametrize(("bytes_", "cut"), [(49_999, False), (50_000, False), (50_001, True), (200_000, True)])
def test_a_payload_is_cut_only_where_shopify_would_refuse_it(bytes_, cut):
    payload = {"Model": "m", "Because": ""}
    payload["Because"] = "x" * (bytes_ - size(payload))
    assert size(payload) == bytes_
    said = fitting(payload)
    assert (said != payload) == cut
    assert LARGEST - 40 < size(said) <= LARGEST or not cut
    assert said["Model"] == "m"


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=30)))
def test_every_way_of_writing_a_payload_fits(short):
    said = fitting({name: text * 3_000 for name, text in short.items()})
    assert all(len(json.dumps(said, ensure_ascii=plain, separators=marks).encode("utf-8", "surrogatepass")) <= LARGEST
               for plain in (True, False) for marks in ((",", ":"), (", ", ": ")))  # fmt: skip


def test_every_field_told_is_one_the_extension_has_and_all_of_them_are_told(triggers, house):
    triggers.look(house)
    house.entries, house.through = [traffic(11, "recommend@2"), traffic(12, "recommend@1", "undo"), incident(13)], 13
    triggers.look(house)
    triggers.put(runs_out("7", date(2026, 11, 9), 6.5, "12 left."))
    told, files = told_by(triggers), app_files()
    flows = {name.split("/")[1] for name, text in files.items() if name.endswith("shopify.extension.toml") and "flow_trigger" in text}
    assert {handle for handle, _ in told} == flows
    for handle, payload in told:
        settings = tomllib.loads(files[f"extensions/{handle}/shopify.extension.toml"])
        fields = settings["settings"]["fields"]
        wanted = {field.get("key", "product_id" if field["type"] == "product_reference" else None) for field in fields}
        assert set(payload) == wanted, handle
        assert settings["extensions"][0]["handle"] == handle
        assert all(re.fullmatch(r"[a-zA-Z\s]*", field["key"]) for field in fields if "key" in field)
