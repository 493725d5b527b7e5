"""All of a house carries its mark: what was another's is not taken for its own because a URL was changed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from everloop.errors import StoreError
from everloop.lake.receive import receive
from everloop.lake.snapshot import read_source
from everloop.loop.answers import answer_one, answers_of, seal_answers
from everloop.loop.backup.manifest import Part
from everloop.loop.backup.proof import check
from everloop.loop.backup.restore import restore
from everloop.loop.backup.take import take
from everloop.loop.belonging import FILE, MARK, mark_in
from everloop.loop.forget import empty
from everloop.loop.house import open_house
from everloop.loop.project_file import project_of
from everloop.loop.stored import OWNER, owner_of
from everloop.registry.facts import FACTS
from everloop.serving.log import AnswersLog, unsealed
from everloop.serving.segment import read, segments
from tests.loop.backed_up import BEGIN, OTHER, bought, closed, house_in, orders, settings_in, spends

NOW = BEGIN + timedelta(days=2)


def lived_in(folder, **said):
    """A house with rows and one answer that is not sealed."""
    house = house_in(folder, **said)
    receive(house.lake, orders, bought(1), now=NOW - timedelta(hours=1))
    answer_one(house, spends, [OTHER], NOW)
    return house


def as_before_marks(house):
    """The same house as an earlier release left it, closed."""
    settings = house.settings
    with house.store.transaction() as t:
        t.execute(FACTS.delete().where(FACTS.c.name == MARK))
    closed(house)
    with closing(sqlite3.connect(settings.events.removeprefix("sqlite:///"))) as log:
        log.execute("DROP TABLE owner")
        log.commit()
    for file in (settings.house / FILE, f"{settings.lake}/{OWNER}", f"{settings.blobs}/{OWNER}"):
        (settings.house / file).unlink()
    for path in segments(settings.answers):
        rows = read(path).rows
        path.unlink()
        with AnswersLog(settings.answers) as log:
            log.write(rows)


def test_a_house_that_is_opened_again_is_asked_of_its_folder_alone(tmp_path, monkeypatch):
    house = lived_in(tmp_path)
    closed(house)
    monkeypatch.setattr("everloop.loop.belonging.owner_of", lambda *_: pytest.fail("a place was asked"))
    again = house_in(tmp_path)
    assert len(again.mark) == 16
    closed(again)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"registry": "sqlite:///{0}/other.db"}, "The folder .* belongs to the house whose decisions are at sqlite:.*house.db"),
        ({"events": "sqlite:///{0}/other-events.db"}, "has its event log elsewhere.*It was at sqlite:.*events.db when"),
        ({"lake": "{0}/other-lake"}, "has its lake elsewhere: at .*other-lake there is nothing of it"),
        ({"blobs": "{0}/other-blobs"}, "has its bodies elsewhere"),
    ],
)
def test_a_house_whose_url_is_changed_is_refused_and_nothing_of_it_moves(tmp_path, changed, said):
    house = lived_in(tmp_path)
    closed(house)
    waiting = segments(house.settings.answers)
    with pytest.raises(StoreError, match=f"(?s){said}.*everloop backup TO.*everloop restore TO"):
        house_in(tmp_path, **{name: url.format(tmp_path) for name, url in changed.items()})
    assert segments(house.settings.answers) == waiting != []
    again = house_in(tmp_path)
    assert answers_of(again, spends).num_rows == 1
    closed(again)


@pytest.mark.parametrize("what", ["events", "lake", "blobs"])
def test_what_is_another_houses_is_named(tmp_path, what):
    house = lived_in(tmp_path / "a")
    closed(house)
    with pytest.raises(StoreError, match="is another house's than the decisions at"):
        house_in(tmp_path / "b", **{what: getattr(house.settings, what)})


def test_another_folder_joins_a_house_and_no_other(tmp_path):
    house = lived_in(tmp_path / "a")
    there = {name: getattr(house.settings, name) for name in ("registry", "events", "lake", "blobs")}
    joined = house_in(tmp_path / "b", **there)
    assert joined.mark == house.mark
    closed(joined)
    stranger = lived_in(tmp_path / "c")
    closed(stranger)
    with pytest.raises(StoreError, match=r"The folder .*c/house belongs to the house whose decisions are at"):
        house_in(tmp_path / "c", **there)
    closed(house)


def test_a_house_of_before_marks_is_given_one_and_loses_nothing(tmp_path):
    house = lived_in(tmp_path)
    as_before_marks(house)
    again = house_in(tmp_path)
    assert mark_in(again.settings.house) == owner_of(again.settings.lake, again.settings.storage) == again.lake.log.owner() == again.mark
    assert answers_of(again, spends).num_rows == 1
    assert read_source(again.lake, orders).num_rows == 6
    closed(again)


def test_a_folder_of_before_marks_that_holds_another_houses_decisions_is_refused(tmp_path):
    house = lived_in(tmp_path)
    as_before_marks(house)
    with pytest.raises(StoreError, match="lie the decisions of another house"):
        house_in(tmp_path, registry=f"sqlite:///{tmp_path}/new.db")


def test_answers_of_before_marks_are_not_taken_by_a_house_that_never_answered(tmp_path):
    house = lived_in(tmp_path)
    seal_answers(house)
    as_before_marks(house)
    with pytest.raises(StoreError, match=r"holds no decision, and .*lake holds answers"):
        house_in(tmp_path / "b", lake=house.settings.lake)


def test_a_house_whose_marking_was_killed_is_marked_to_the_end(tmp_path):
    house = lived_in(tmp_path)
    mark = house.mark
    with house.store.transaction() as t:
        house.facts.put(t, "", MARK, house.facts.latest("", MARK).at, {"mark": mark, "settled": False})
    closed(house)
    for file in (house.settings.house / FILE, house.settings.house / "lake" / OWNER):
        file.unlink()
    again = house_in(tmp_path)
    assert owner_of(again.settings.lake, again.settings.storage) == again.mark == mark
    closed(again)


def test_answers_say_whose_they_are_and_those_of_another_house_are_put_aside(tmp_path, caplog):
    mine, other = lived_in(tmp_path / "a"), lived_in(tmp_path / "b")
    (segment,) = segments(other.settings.answers)
    shutil.copy(segment, mine.settings.answers)
    assert unsealed(mine.settings.answers, mine.mark).num_rows == 1
    assert unsealed(mine.settings.answers).num_rows == 1  # one id, asked of two houses
    (own,) = set(segments(mine.settings.answers)) - {mine.settings.answers / segment.name}
    own.unlink()
    seal_answers(mine)
    assert answers_of(mine, spends).num_rows == 0
    assert (mine.settings.answers / f"{segment.name}.foreign").exists()
    assert "answers of another house" in caplog.text
    for house in (mine, other):
        closed(house)


def test_a_house_that_is_restored_is_another_than_the_one_it_is_a_copy_of(tmp_path):
    house = lived_in(tmp_path / "a")
    take(house, str(tmp_path / "to"))
    restore(project_of(spends), settings_in(tmp_path / "b"), str(tmp_path / "to"), now=NOW)
    copy = house_in(tmp_path / "b")
    assert copy.mark not in ("", house.mark)
    assert copy.salt == house.salt
    assert answers_of(copy, spends).equals(answers_of(house, spends))
    with pytest.raises(StoreError, match="belongs to the house whose decisions are at"):
        open_house(project_of(spends), settings=replace(house.settings, registry=copy.settings.registry), turned=True)
    for one in (copy, house):
        closed(one)


def test_what_a_folder_holds_of_another_house_is_in_no_backup(tmp_path):
    """A lake that was left in the folder once had the same names as the house's own, which no restore could bring back."""
    house = lived_in(tmp_path, lake=str(tmp_path / "lake"), blobs=str(tmp_path / "blobs"))
    stray = {"lake/events/orders/_delta_log/00000000000000000000.json", "blobs/ab/cd"}
    for name in stray:
        (house.settings.house / name).parent.mkdir(parents=True)
        (house.settings.house / name).write_text("another's")
    seal_answers(house)
    taken = take(house, str(tmp_path / "to"))
    names = [part.path for part in taken.manifest.parts]
    assert not stray & set(names)
    assert len(names) == len(set(names))
    restore(project_of(spends), settings_in(tmp_path / "b"), str(tmp_path / "to"), now=NOW)
    closed(house)


def test_a_backup_with_two_files_of_one_name_is_refused(tmp_path):
    from everloop.connect.objects import NO_STORAGE
    from everloop.loop.backup.manifest import Place, msgspec
    from everloop.loop.backup.shelf import open_shelf

    house = lived_in(tmp_path)
    manifest = take(house, str(tmp_path / "to")).manifest
    twice = msgspec.structs.replace(manifest, parts=(*manifest.parts, Part("lake/x", 0, ()), Part("lake/x", 0, ())))
    with pytest.raises(StoreError, match="Of lake/x there are two"):
        check(Place(open_shelf(str(tmp_path / "to"), NO_STORAGE)), twice)
    closed(house)


def test_a_house_that_was_emptied_is_still_the_same_house(tmp_path):
    house = lived_in(tmp_path)
    empty(house, now=NOW, by="Kim", reason="the end")
    (house.settings.house / FILE).unlink()
    again = house_in(tmp_path)
    assert again.mark == house.mark
    for one in (again, house):
        closed(one)
