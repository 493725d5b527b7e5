"""A version baked into an image answers there as it did at home, under the number it had there, and knows nothing of anybody."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pyarrow as pa
import pytest

from everloop.connect.needed import asked_settings
from everloop.errors import ArtefactBroken, EverloopError
from everloop.loop.baked import bake
from everloop.loop.deployed import Wanted, deployed
from everloop.loop.handover import to_file
from everloop.loop.house import open_house
from everloop.loop.look import why
from everloop.loop.platforms import write, write_seldon
from everloop.loop.project_file import open_project
from everloop.loop.serve.keys import keys_of, list_keys
from everloop.loop.serve.routes import read_routes
from everloop.serving.keys import allowed, new_key
from tests.connect.deployments import BASE, ROOM
from tests.loop.test_deployed import lock
from tests.ring.conftest import END
from tests.ring.test_serving import Served


@pytest.fixture
def file(rolling, tmp_path):
    """A version out of a house, as one file in the project's folder; and the project."""
    house, model = rolling
    candidate = house.traffic(model).candidate
    name = house.version(candidate).name
    file = house.settings.folder / "version.everloop"
    to_file(house, model, name, file, END + timedelta(hours=2))
    return house, model, file, name


def new_house(house, tmp_path, where="baked"):
    return open_house(house.project.path, folder=tmp_path / where)


def test_it_answers_everybody_from_the_first_request_on_by_the_number_it_had(file, tmp_path):
    home, model, version_file, name = file
    house = new_house(home, tmp_path)
    version = bake(house, model, version_file, END, trust=True)
    assert version.name == name
    traffic = house.traffic(model)
    assert (traffic.champion, traffic.stage, traffic.candidates) == (version.id, "steady", ())
    assert model.name in str(read_routes(house.settings.house / "routes.json"))
    mine, theirs = house.candidate(version.candidate), home.candidate(home.version(home.traffic(model).candidate).candidate)
    assert (mine.artefact, mine.golden, mine.columns) == (theirs.artefact, theirs.golden, theirs.columns)
    assert house.blobs.read(mine.artefact) == home.blobs.read(theirs.artefact)
    assert any("baked into this image" in line for line in why(house, traffic.id)[0])
    house.journal.verify()
    house.store.close()


def test_who_may_ask_it_is_let_in_by_a_key_of_which_the_image_has_the_hash(file, tmp_path):
    home, model, version_file, _ = file
    key, text = new_key("till", ["predict"])
    (tmp_path / "predict_key").write_text(text + "\n")
    house = new_house(home, tmp_path)
    bake(house, model, version_file, END, key=tmp_path / "predict_key", trust=True)
    far = {"peer": "10.0.0.4", "host": "demand.shop.svc", "forwarded": False}
    assert allowed(keys_of(house), f"Bearer {text}", scope="predict", **far) is None
    assert allowed(keys_of(house), f"Bearer {text}", scope="operate", **far).status == 403
    assert key.digest in str(list_keys(house)[0].digest)
    assert not any(text.encode() in file.read_bytes() for file in (tmp_path / "baked").rglob("*") if file.is_file())
    house.store.close()
    other = new_house(home, tmp_path, "other")
    for said, complains in (("ev_no", "That is no key"), (None, "cannot be read")):
        wrong = tmp_path / "wrong"
        wrong.unlink(missing_ok=True)
        if said:
            wrong.write_text(said)
        with pytest.raises(EverloopError, match=complains):
            bake(other, model, version_file, END, key=wrong, trust=True)
    other.store.close()


def test_a_house_that_has_begun_is_not_baked_into(file, tmp_path):
    home, model, version_file, _ = file
    house = new_house(home, tmp_path)
    bake(house, model, version_file, END, trust=True)
    with pytest.raises(EverloopError, match="has begun"):
        bake(house, model, version_file, END, trust=True)
    house.store.close()


def test_what_was_changed_on_the_way_is_in_no_image(file, tmp_path):
    home, model, version_file, _ = file
    body = bytearray(version_file.read_bytes())
    body[len(body) // 2] ^= 1
    version_file.write_bytes(bytes(body))
    house = new_house(home, tmp_path)
    with pytest.raises(ArtefactBroken):
        bake(house, model, version_file, END, trust=True)
    assert house.pointers.current(model.name) is None
    house.store.close()


def wanted(home, version_file, **words):
    lock(home.settings.folder, **words)
    return Wanted(
        image="demand", base=BASE, lock=home.settings.folder / "requirements.txt", serving=ROOM, learning=ROOM, version=version_file,
        trust=True,
    )  # fmt: skip


def test_an_image_that_would_lack_what_the_version_learnt_with_is_refused(file):
    home, model, version_file, name = file
    folder = home.settings.folder
    settings, secrets = asked_settings(folder, None)
    learnt = dict(home.candidate(home.version(home.traffic(model).candidate).candidate).environment)
    right = wanted(home, version_file, **{"scikit-learn": learnt["scikit-learn"]})
    said = deployed(open_project(folder), settings, secrets, right)
    assert (said.baked.version, said.local) == (name, False)
    shutil.copy(version_file, folder.parent / "away.everloop")
    with pytest.raises(EverloopError, match="is not in the project's folder"):
        deployed(open_project(folder), settings, secrets, Wanted(**(vars(right) | {"version": folder.parent / "away.everloop"})))
    other = wanted(home, version_file, **{"scikit-learn": "0.1.0"})
    with pytest.raises(EverloopError, match=f"{name} learnt with scikit-learn"):
        deployed(open_project(folder), settings, secrets, other)


def test_it_is_written_out_for_each_platform(file):
    home, model, version_file, name = file
    learnt = dict(home.candidate(home.version(home.traffic(model).candidate).candidate).environment)
    said, folder = wanted(home, version_file, **{"scikit-learn": learnt["scikit-learn"]}), home.settings.folder
    for kind in ("kubernetes", "kserve", "compose"):
        done = write(kind, home.project.path, None, said, folder / kind)
        assert name in (folder / kind / "README.md").read_text() or kind == "compose"
        assert done.files
    with pytest.raises(EverloopError, match="no place Seldon reads from"):
        write_seldon(home.project.path, None, said, "here", folder / "seldon")
    assert not (folder / "seldon").exists()
    write_seldon(home.project.path, None, said, "s3://shop/demand", folder / "seldon")
    assert {"MLmodel", "version.everloop", "model-settings.json"} <= {path.name for path in (folder / "seldon" / "model").iterdir()}


@pytest.mark.slow
def test_an_unpacked_house_answers_over_http_what_the_version_answered_at_home(file, tmp_path):
    home, model, version_file, name = file
    _, text = new_key("till", ["predict"])
    (tmp_path / "predict_key").write_text(text)
    house = new_house(home, tmp_path)
    bake(house, model, version_file, END, key=tmp_path / "predict_key", trust=True)
    house.store.close()
    shutil.copytree(tmp_path / "baked", tmp_path / "pod")  # as a pod unpacks it
    candidate = home.candidate(home.version(home.traffic(model).candidate).candidate)
    rows = home.tables(model)["houses"].slice(0, 40)
    known = pa.table({column: rows[column.removeprefix("houses_")] for column in candidate.columns})
    expected = home.predictor(candidate).answer(known).value.tolist()
    asked = [
        {"house_id": f"new-{n}", "features": {column: known[column][n].as_py() for column in candidate.columns}} for n in range(len(known))
    ]
    up = Served(home.settings.folder, "serve", "--house", str(tmp_path / "pod"))
    try:
        with up.client() as client:
            assert client.post("/v1/models/prices/predict", json=asked[0]).status_code == 401
            reply = client.post("/v1/models/prices/predict", json={"requests": asked}, headers={"authorization": f"Bearer {text}"})
    finally:
        up.end()
    assert reply.status_code == 200, reply.text
    answers = reply.json()["answers"]
    assert {answer["version"] for answer in answers} == {name}
    assert [answer["value"] for answer in answers] == expected
