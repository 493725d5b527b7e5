"""Code that changes: what a turn was begun with it is finished with, or it is not gone on with."""

from __future__ import annotations

import pytest

from everloop.errors import CodeChanged
from everloop.loop.code import code_of
from everloop.loop.house import open_house, with_pause
from everloop.loop.keep import turn_id
from everloop.loop.resume import NEXT, go_round
from everloop.loop.turn import turn
from everloop.loop.wiring import open_in_child
from tests.ring.conftest import END
from tests.ring.test_crashes import Crash


def changed(text):
    return text.replace("max_iter=60", "max_iter=59")


def learners(house):
    return [(e.turn, "59" in e.record.parameters) for e in house.journal.read(kind="Candidate") if e.record.format != "baseline"]


def killed_after_training(opened):
    house, model = opened("shop")

    def pause(moment):
        if moment == "kept train":
            raise Crash

    with pytest.raises(Crash):
        turn(with_pause(house, pause), model, END, "demand")
    house.store.close()
    return house.project.path, turn_id(model, END, "demand")


def test_what_other_code_began_is_not_gone_on_with_and_the_turn_is_begun_anew(opened):
    path, first = killed_after_training(opened)
    path.write_text(changed(path.read_text()))
    house = open_house(path)
    model = house.project.model("demand")
    with pytest.raises(CodeChanged, match="begun by another state of the project file"):
        turn(house, model, END, "demand")
    go_round(house, model, END, "demand")
    anew = turn_id(model, END + NEXT, "demand")
    assert (house.turns.find(first).state, house.turns.find(anew).state) == ("superseded", "done")
    assert learners(house) == [(first, False), (anew, True)]
    assert [e.turn for e in house.journal.read(kind="Version") if e.record.number] == [anew]


def test_the_same_code_goes_on_with_it_and_a_change_that_is_taken_back_is_none(opened):
    path, first = killed_after_training(opened)
    before = path.read_text()
    path.write_text(changed(before))
    path.write_text(before)
    house = open_house(path)
    go_round(house, house.project.model("demand"), END, "demand")
    assert learners(house) == [(first, False)]
    assert house.turns.find(first).state == "done"


def test_a_house_that_does_not_look_mixes_two_states_in_one_turn(opened, monkeypatch):
    """The mutant of the first test."""
    from everloop.loop import keep

    path, first = killed_after_training(opened)
    path.write_text(changed(path.read_text()))
    monkeypatch.setattr(keep, "_same_code", lambda house, begun: None)
    house = open_house(path)
    go_round(house, house.project.model("demand"), END, "demand")
    assert learners(house) == [(first, False)], "learnt by the old file"
    assert [e.turn for e in house.journal.read(kind="Version") if e.record.number] == [first], "and let in by the new one"


def test_a_child_that_finds_other_code_than_its_parent_opened_says_so(opened):
    house, _ = opened("shop")
    open_in_child(house.project.path, house.project.code)
    house.project.path.write_text(changed(house.project.path.read_text()))
    with pytest.raises(CodeChanged, match=r"project\.py, or what it imports, was changed"):
        open_in_child(house.project.path, house.project.code)


def test_what_a_project_imports_from_its_folder_is_part_of_it_and_nothing_else(tmp_path):
    def write(name, text):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)

    write("project.py", "import os\nfrom shop import orders\nimport kinds.all")
    write("shop.py", "from taxes import vat")
    write("taxes.py", "vat = 19")
    write("kinds/__init__.py", "")
    write("kinds/deep/one.py", "kind = 1")
    write("notes.py", "nobody = 1")
    first = code_of(tmp_path / "project.py")
    write("notes.py", "nobody = 2")
    assert code_of(tmp_path / "project.py") == first
    for name, text in (("taxes.py", "vat = 7"), ("kinds/deep/one.py", "kind = 2"), ("project.py", "from shop import orders\nimport kinds")):
        before = code_of(tmp_path / "project.py")
        write(name, text)
        assert code_of(tmp_path / "project.py") != before, name


def test_the_same_project_in_another_folder_is_the_same_code(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "project.py").write_text("import shop")
        (tmp_path / folder / "shop.py").write_text("x = 1")
    assert code_of(tmp_path / "one" / "project.py") == code_of(tmp_path / "two" / "project.py")
