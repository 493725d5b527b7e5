"""What has no signature of the key a house asks for does not answer there."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.errors import ArtefactBroken, EverloopError, Missing
from everloop.loop.answers import predictors_of
from everloop.loop.handover import from_file, to_file
from everloop.loop.house import open_house
from everloop.loop.serve.routes import write_routes
from everloop.loop.serve.worker import load_with
from everloop.loop.signing import SIGNATURE, sign_now, signature_file
from everloop.loop.turn import turn
from everloop.registry.facts import FACTS
from everloop.registry.one_file import unpacked
from tests.ring.conftest import END

LATER = END + timedelta(hours=1)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two pairs of keys, in PEM."""
    pytest.importorskip("model_signing", reason="the extra signing is not installed")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("release", "other"):
        private, public = folder / f"{name}.key", folder / f"{name}.pub"
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private], check=True, capture_output=True)
        subprocess.run(["openssl", "ec", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return folder


@pytest.fixture
def house_with(prepared, tmp_path):
    """A house of the shop whose everloop.toml says so much about signing, and whose candidates all pass; and its model."""

    def made(name, signing):
        path = tmp_path / name
        if not path.exists():
            shutil.copytree(prepared("shop"), path)
        project, settings = path / "project.py", path / "everloop.toml"
        text = project.read_text().replace('promote_when=beats_champion("wape", by=0.02)', "promote_when=[]")
        project.write_text(text.replace("roll_out=[shadow(days(1)), canary(0.25, every=days(2))]", "roll_out=[]"))
        lines = "".join(f'{key} = "{value}"\n' for key, value in signing.items())
        settings.write_text(settings.read_text().partition("\n[signing]")[0] + f"\n[signing]\n{lines}")
        house = open_house(project)
        return house, house.project.model("demand")

    return made


def champion_of(house, model):
    return house.candidate(house.version(house.traffic(model).champion).candidate)


def test_a_version_is_signed_when_it_is_let_in_and_proven_before_it_answers(house_with, keys):
    house, model = house_with("a", {"key": keys / "release.pub", "private_key": keys / "release.key"})
    turn(house, model, END)
    candidate = champion_of(house, model)
    assert candidate.format == "skops"
    assert predictors_of(house, house.traffic(model))
    load = load_with(house.project, house.settings)
    assert load(candidate).columns == model.columns
    signature_file(house.settings, candidate.artefact).unlink()
    with house.store.transaction() as t:
        t.execute(FACTS.delete().where(FACTS.c.name.startswith(SIGNATURE)))
    for refuses in (lambda: load(candidate), lambda: predictors_of(house, house.traffic(model))):
        with pytest.raises(ArtefactBroken, match=r"has no signature.*release\.pub"):
            refuses()
    sign_now(house, candidate)
    assert load(candidate)


def test_what_one_machine_signed_is_proven_by_the_workers_of_another(house_with, keys, tmp_path):
    house, model = house_with("a", {"key": keys / "release.pub", "private_key": keys / "release.key"})
    turn(house, model, END)
    candidate = champion_of(house, model)
    there = replace(house, settings=replace(house.settings, house=tmp_path / "another machine"))
    load = load_with(there.project, there.settings)
    with pytest.raises(ArtefactBroken, match="has no signature"):
        load(candidate)
    assert predictors_of(there, there.traffic(model)), "who opens the database finds it by itself"
    signed = signature_file(there.settings, candidate.artefact)
    signed.unlink()
    write_routes(there)
    assert load(candidate)
    signed.write_bytes(b"of a key before")
    write_routes(there)
    assert signed.read_bytes() == signature_file(house.settings, candidate.artefact).read_bytes()


def test_another_key_or_another_artefact_is_refused(house_with, keys):
    house, model = house_with("a", {"key": keys / "release.pub", "private_key": keys / "release.key"})
    turn(house, model, END)
    candidate = champion_of(house, model)
    signed = signature_file(house.settings, candidate.artefact)
    house, model = house_with("a", {"key": keys / "other.pub"})
    with pytest.raises(ArtefactBroken, match=r"not as the owner of other\.pub signed it"):
        load_with(house.project, house.settings)(candidate)
    house, model = house_with("a", {"key": keys / "release.pub"})
    path = house.blobs.path(candidate.artefact)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtefactBroken, match="not what was saved"):
        load_with(house.project, house.settings)(candidate)
    signed.write_bytes(b"{}")
    with pytest.raises(ArtefactBroken):
        load_with(house.project, house.settings)(candidate)


def test_a_compiled_form_that_nobody_signed_answers_nobody(house_with, keys):
    house, model = house_with("a", {"key": keys / "release.pub", "private_key": keys / "release.key"})
    turn(house, model, END)
    candidate = champion_of(house, model)
    made = load_with(house.project, house.settings)(candidate)
    assert type(made).__name__ == "Predictor"
    house, model = house_with("a", {})
    assert type(load_with(house.project, house.settings)(candidate)).__name__ == "Compiled"


def test_a_house_that_asks_for_a_signature_lets_nothing_in_that_has_none(house_with, keys):
    house, model = house_with("a", {"key": keys / "release.pub"})
    with pytest.raises(ArtefactBroken, match=r"A candidate for demand has no signature"):
        turn(house, model, END)
    assert champion_of(house, model).format == "baseline"


def test_a_signed_version_goes_where_only_the_public_key_is(house_with, keys, tmp_path):
    staging, prod = house_with("a", {"private_key": keys / "release.key"}), house_with("b", {"key": keys / "release.pub"})
    turn(*staging, END)
    file = tmp_path / "demand.everloop"
    assert to_file(*staging, "demand@1", file, LATER).signed
    carried = unpacked(file.read_bytes(), "x")
    assert carried.artefact_signature is not None
    assert carried.manifest_signature is not None
    came, verdict = from_file(*prod, file, LATER)
    assert came.signed
    assert champion_of(*prod).id == verdict.candidate
    assert predictors_of(prod[0], prod[0].traffic(prod[1]))


def test_a_file_that_is_not_signed_or_signed_by_another_is_not_admitted(house_with, keys, tmp_path):
    plain, other = house_with("a", {}), tmp_path / "plain.everloop"
    turn(*plain, END)
    to_file(*plain, "demand@1", other, LATER)
    prod = house_with("b", {"key": keys / "release.pub"})
    with pytest.raises(ArtefactBroken, match=r"plain\.everloop is not signed"):
        from_file(*prod, other, LATER)
    foreign = house_with("a", {"private_key": keys / "other.key"})
    to_file(*foreign, "demand@1", other, LATER)
    with pytest.raises(ArtefactBroken, match=r"not as the owner of release\.pub signed it"):
        from_file(*prod, other, LATER)
    assert prod[0].journal.read(kind="Handover") == []


def test_without_the_extra_or_a_key_it_is_said(house_with, tmp_path, monkeypatch):
    import sys

    house, model = house_with("a", {})
    with pytest.raises(EverloopError, match=r"private_key = .* in \[signing\]"):
        sign_now(house, None)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    house, model = house_with("a", {"private_key": tmp_path / "a.key"})
    turn_failed = pytest.raises(Missing, match=r"pip install 'everloop\[signing\]'")
    with turn_failed:
        turn(house, model, END)
