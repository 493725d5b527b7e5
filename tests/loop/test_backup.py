"""A running house is copied as it was at one instant; a house made of the copy is the same, but observes, and tells no news twice."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import ExitStack
from datetime import timedelta

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.clock import wall
from everloop.connect.objects import NO_STORAGE
from everloop.errors import ArtefactBroken, EverloopError, HouseFull, StoreError, Unknown
from everloop.lake.receive import receive
from everloop.lake.seal import seal
from everloop.lake.snapshot import read_source
from everloop.loop.answers import answer_due, answers_of, seal_answers
from everloop.loop.autonomy import set_level
from everloop.loop.backup import drill as drills
from everloop.loop.backup import manifest as manifests
from everloop.loop.backup.cut import held
from everloop.loop.backup.drill import ask_again, drill
from everloop.loop.backup.manifest import Place, in_pieces
from everloop.loop.backup.places import places_of, remember
from everloop.loop.backup.proof import check
from everloop.loop.backup.restore import restore
from everloop.loop.backup.shelf import Folder, open_shelf
from everloop.loop.backup.take import Copying, take
from everloop.loop.clean import clean
from everloop.loop.forget import empty, forget
from everloop.loop.forget.looked import found_in
from everloop.loop.house import open_house, with_pause
from everloop.loop.project_file import project_of
from everloop.records import Autonomy, Redaction
from everloop.registry.errands import ERRANDS, Errand, Errands
from everloop.registry.leases import Leases
from everloop.registry.letters import Letter, Letters
from everloop.registry.turns import Turn
from tests.loop import backed_up
from tests.loop.backed_up import BEGIN, OTHER, RARE, asked, bought, closed, house_in, lived_in, orders, settings_in, spends

WORDS = {"by": "Kim", "reason": "she asked"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backup")
    house, now = lived_in(folder / "a")
    taken = take(house, str(folder / "to"))
    closed(house)
    return folder, now, taken


@pytest.fixture
def lived(prepared, tmp_path):
    """A house of one's own, with a backup of it in ``to``."""
    folder, now, taken = prepared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    house = house_in(tmp_path / "a")
    remember(house, {str(tmp_path / "to"): taken.id}, alone=True)
    yield house, str(tmp_path / "to"), now
    closed(house)


def restored_in(folder, to, now, **said):
    """A house restored into a folder, open; and what was said of it."""
    done = restore(project_of(spends), settings_in(folder), to, now=now, **said)
    return house_in(folder), done


def rows_of(house):
    return read_source(house.lake, orders).sort_by("seq")


def test_a_house_made_of_a_backup_is_the_same_to_the_last_bit(lived, tmp_path):
    house, to, now = lived
    other, done = restored_in(tmp_path / "b", to, now)
    assert done.head == house.journal.head()
    assert other.journal.verify(done.head).seq == done.head.seq + 1
    assert rows_of(other).equals(rows_of(house))
    assert answers_of(other, spends).equals(answers_of(house, spends))
    assert set(other.blobs.all()) >= {r.record.body for r in house.journal.read(kind="TrainingSet")}
    shutil.rmtree(house.settings.house / "compiled", ignore_errors=True)
    assert asked(other, now) == asked(house, now)
    closed(other)


def test_a_second_backup_copies_what_is_new_and_reads_no_body_again(lived, monkeypatch):
    house, to, now = lived
    receive(house.lake, orders, [{"order_id": "new", "ordered_at": now, "customer_id": "c9", "amount": 1}], now=now)
    monkeypatch.setattr(type(house.blobs), "read", lambda *_: pytest.fail("a body was read again"))
    first, second = Place(open_shelf(to, NO_STORAGE)).manifest()[1], take(house, to)
    assert 0 < second.new < second.manifest.size
    assert len(second.manifest.pieces & first.pieces) > 10
    assert places_of(house) == {to: second.id}


def test_rows_and_answers_that_are_sealed_while_they_are_copied_are_in_the_copy_once(lived, tmp_path):
    house, _, now = lived
    before, answered = rows_of(house), answers_of(house, spends)
    place = Place(Folder(tmp_path / "other"))
    scratch = house.settings.house / "backing-up"
    with held(house, scratch) as there:
        receive(house.lake, orders, bought(12), now=now)
        answer_due(house, spends, now + timedelta(days=1))
        seal(house.lake, orders)
        seal_answers(house)
        parts = tuple(Copying(house, place, there, scratch, None).parts())
        tables = {name: manifests.Cut(table.version(), int(table.count())) for name, table in there.tables.items()}
    made = manifests.Manifest(
        house="h", taken_at=there.at, release="0", revision="0005", head=str(there.head), tables=tables, parts=parts
    )  # fmt: skip
    check(place, made)
    place.keep(made)
    other, _done = restored_in(tmp_path / "b", str(tmp_path / "other"), now)
    seal(other.lake, orders)
    seal_answers(other)
    assert rows_of(other).equals(before)
    assert answers_of(other, spends).equals(answered)
    assert answers_of(house, spends).num_rows > answered.num_rows
    closed(other)


def test_a_file_of_many_rows_that_goes_into_the_lake_while_it_is_copied_is_in_the_copy(lived, tmp_path, monkeypatch):
    house, to, now = lived
    monkeypatch.setattr("everloop.lake.events.MANY", 5)
    receive(house.lake, orders, bought(13), now=now)
    before = rows_of(house)
    assert list(house.lake.log.beside.glob("*.arrow"))
    take(with_pause(house, lambda moment: seal(house.lake, orders) if moment == "before events.db" else None), to)
    assert not list(house.lake.log.beside.glob("*.arrow"))
    other, _ = restored_in(tmp_path / "b", to, now)
    assert rows_of(other).equals(before)
    closed(other)


def test_a_table_that_was_sealed_beyond_the_log_is_taken_where_the_log_ends(lived, monkeypatch):
    """Between the look at the log and the look at its table rows may arrive and be sealed: such a copy would be refused for ever."""
    from everloop.loop.backup import cut

    house, to, now = lived
    events = cut._events

    def early(*words):
        reached = events(*words)
        receive(house.lake, orders, bought(14), now=now)
        seal(house.lake, orders)
        return reached

    monkeypatch.setattr(cut, "_events", early)
    taken = take(house, to)
    assert taken.manifest.tables["events/orders"].version < house.lake.tables.version("events/orders")
    assert drill(house, to, now=now).passed


def test_a_table_is_opened_before_anybody_waits_and_taken_as_it_is_at_the_instant(lived, monkeypatch):
    from everloop.loop.backup import cut

    house, to, now = lived
    opened, events = type(house.lake.tables).opened, cut._events

    def late(*words):
        receive(house.lake, orders, bought(14), now=now)
        seal(house.lake, orders)
        monkeypatch.setattr(type(house.lake.tables), "opened", lambda *_: pytest.fail("a table was opened while everybody waits"))
        return events(*words)

    monkeypatch.setattr(cut, "_events", late)
    taken = take(house, to)
    monkeypatch.setattr(type(house.lake.tables), "opened", opened)
    assert taken.manifest.tables["events/orders"].version == house.lake.tables.version("events/orders")
    assert drill(house, to, now=now).passed


def test_a_table_that_is_new_at_the_instant_is_in_the_copy(tmp_path, monkeypatch):
    from everloop.loop.backup import cut

    house, names = house_in(tmp_path / "a"), cut.tables_of

    def before(of):
        found = names(of)
        receive(house.lake, orders, bought(1), now=BEGIN)
        seal(house.lake, orders)
        return found

    monkeypatch.setattr(cut, "tables_of", before)
    assert take(house, str(tmp_path / "to")).manifest.tables["events/orders"].rows == 6
    closed(house)


class Killed(BaseException):
    """What a kill is to everything that tidies up."""


@pytest.mark.parametrize("moment", ["before house.db", "databases copied", "tables copied", "copied, not proven", "proven, not there"])
def test_a_backup_that_was_killed_is_none_and_the_next_uses_what_it_left(lived, moment):
    house, to, _now = lived
    ids = Place(open_shelf(to, NO_STORAGE)).ids()

    def die(at):
        if at == moment:
            raise Killed

    with pytest.raises(Killed):
        take(with_pause(house, die), to)
    assert Place(open_shelf(to, NO_STORAGE)).ids() == ids
    assert take(house, to).id in Place(open_shelf(to, NO_STORAGE)).ids()


def test_a_full_disk_is_said_and_leaves_no_backup_and_no_scraps(lived, tmp_path, monkeypatch):
    house, _, _now = lived
    sync, synced = os.fsync, []

    def full(handle):
        synced.append(handle)
        if len(synced) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr("everloop.disk.os.fsync", full)
    with pytest.raises(HouseFull, match=r"no room left in .*full.*say it again"):
        take(house, str(tmp_path / "full"))
    monkeypatch.undo()
    place = Place(Folder(tmp_path / "full"))
    assert place.ids() == []
    assert not list((tmp_path / "full").rglob("*.part"))
    assert not (house.settings.house / "backing-up").exists()
    some = place.pieces()
    taken = take(house, str(tmp_path / "full"))
    assert some
    assert taken.new < taken.manifest.size


def test_a_changed_byte_is_found_and_no_house_is_left(lived, tmp_path):
    _house, to, now = lived
    place = Place(open_shelf(to, NO_STORAGE))
    largest = max((tmp_path / "to" / "pieces").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    largest.write_bytes(largest.read_bytes()[:-1] + b"\0")
    check(place, place.manifest()[1])  # its length is as before
    with pytest.raises(StoreError, match="not what was written"):
        restore(project_of(spends), settings_in(tmp_path / "b"), to, now=now)
    assert not [path for path in (tmp_path / "b").iterdir() if path.is_dir()]
    largest.unlink()
    with pytest.raises(StoreError, match="not whole"):
        check(place, place.manifest()[1])


def test_a_changed_manifest_is_found(lived, tmp_path):
    _, to, _ = lived
    file = next((tmp_path / "to" / "backups").glob("*.json"))
    file.write_bytes(file.read_bytes().replace(b'"form":1', b'"form":2'))
    with pytest.raises(StoreError, match="not what was written"):
        Place(open_shelf(to, NO_STORAGE)).manifest()


def test_a_table_that_lacks_a_file_is_found(lived):
    _, to, _ = lived
    place = Place(open_shelf(to, NO_STORAGE))
    made = place.manifest()[1]
    lacking = [part for part in made.parts if not part.path.endswith(".parquet")]
    with pytest.raises(StoreError, match="without its file"):
        check(place, manifests.msgspec.structs.replace(made, parts=tuple(lacking)))


@pytest.mark.parametrize("there", ["house", "lake"])
def test_nothing_is_restored_over_what_is_there(lived, tmp_path, there):
    _house, to, now = lived
    lake = tmp_path / "c" / "lake"
    settings = settings_in(tmp_path / "b", lake=str(lake))
    full = settings.house if there == "house" else lake
    full.mkdir(parents=True)
    (full / "letter.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        restore(project_of(spends), settings, to, now=now)
    assert (full / "letter.txt").read_text() == "mine"


def test_what_belongs_elsewhere_goes_there(lived, tmp_path):
    house, to, now = lived
    away = tmp_path / "away"
    said = {"lake": str(away / "lake"), "registry": f"sqlite:///{away / 'decisions.db'}", "events": f"sqlite:///{away / 'log.db'}"}
    (tmp_path / "b" / "house").mkdir(parents=True)  # an empty folder is no house
    restore(project_of(spends), settings_in(tmp_path / "b", **said), to, now=now)
    assert {path.name for path in away.iterdir()} >= {"lake", "decisions.db", "log.db"}
    assert not {"lake", "house.db", "events.db"} & {path.name for path in (tmp_path / "b" / "house").iterdir()}
    other = open_house(project_of(spends), settings=settings_in(tmp_path / "b", **said), turned=True)
    assert rows_of(other).equals(rows_of(house))
    closed(other)


def test_a_restored_house_observes_and_tells_nothing_twice(lived, tmp_path):
    house, _, now = lived
    with house.store.transaction() as t:
        Leases(house.store).seize(t, "controller", "host:1:a", seen=None, now=wall(), lasts=timedelta(seconds=10))
        errands = Errands(house.store)
        errands.ask(t, Errand(id="e1", verb="turn", model="spends", now=now, cause="demand", asked_at=now))
        t.execute(ERRANDS.update().where(ERRANDS.c.id == "e1").values(state="taken", taken=1))
        house.turns.open(t, Turn(id="t1", model="spends", now=now, cause="demand", started_at=now))
        letter = Letter(alert="waits", address="a", person="Kim", first_at=now, due_at=now)
        Letters(house.store).open(t, letter)
    take(house, str(tmp_path / "mid"))
    other, done = restored_in(tmp_path / "b", str(tmp_path / "mid"), now)
    assert done.withdrawn == 1
    assert done.level == "observe"
    waiting = other.outbox.waiting()
    assert [one.alert.key.split("/")[0] for one in waiting] == ["restored"]
    assert "1 alerts that waited then are not told again" in waiting[0].alert.sentence
    assert {one.state for one in Letters(other.store).of("waits")} == {"withdrawn"}
    assert set(other.held_back(spends).autonomy.values()) == {"observe"} != set(house.held_back(spends).autonomy.values())
    assert Errands(other.store).find("e1").state == "waiting"
    assert other.turns.find("t1").state == "cancelled"
    lease = Leases(other.store).there("controller")
    assert lease.holder == ""
    assert lease.fence == 2
    assert isinstance(other.journal.read(kind="Autonomy")[0].record, Autonomy)
    set_level(other, "act", now=now, **WORDS)
    assert set(other.held_back(spends).autonomy.values()) == {"act"}
    with pytest.raises(EverloopError, match="is no level"):
        set_level(other, "full", now=now, **WORDS)
    with pytest.raises(EverloopError, match="--by"):
        set_level(other, "act", by="", reason="", now=now)
    closed(other)


def nudged(features):
    """What is known, by one cent more."""
    at, name = next((at, name) for at, name in enumerate(features.column_names) if name.startswith("orders"))
    made = features.set_column(at, name, pc.add(features.column(name), 1))
    return made.set_column(made.column_names.index("baseline"), "baseline", pc.add(made.column("baseline"), 1))


def test_the_drill_finds_an_answer_that_differs(lived, monkeypatch):
    house, to, now = lived
    well = drill(house, to, now=now)
    assert well.passed
    assert well.models[0].same >= 60
    assert well.models[0].unasked == 0
    assert "answers the same to the last bit" in str(well)
    read = drills.featured
    monkeypatch.setattr(drills, "featured", lambda *args: (nudged(read(*args)[0]), None))
    ill = ask_again(house, spends)
    assert len(ill.other) >= 60
    assert "answers differ, first" in str(ill)
    monkeypatch.undo()
    predict = backed_up.Little.predict
    monkeypatch.setattr(backed_up.Little, "predict", lambda self, X: predict(self, X) + 1)
    house.predictors.clear()
    with pytest.raises(ArtefactBroken):
        ask_again(house, spends)
    monkeypatch.setattr(backed_up.Little, "predict", lambda self, X: predict(self, X) * (1 + 2**-52))
    assert len(ask_again(house, spends).other) == 6  # a last bit is enough: the version in shadow answered six


def test_who_was_forgotten_since_is_forgotten_again(lived, tmp_path):
    house, to, now = lived
    first = forget(house, "customer_id", RARE, now=now, **WORDS)
    assert not any("were not told" in one for one in first.left)
    told = Place(open_shelf(to, NO_STORAGE)).told_gone()
    assert [one.id for one in told] == [first.id]
    assert RARE not in str(told)
    other, done = restored_in(tmp_path / "b", to, now)
    assert [one.person for one in done.again] == [first.person]
    assert [str(path) for path in found_in(other.settings.house, RARE)] == []
    assert OTHER in rows_of(other).column("customer_id").to_pylist()
    assert isinstance(other.journal.read(kind="Redaction")[0].record, Redaction)
    assert places_of(other).keys() == {to}
    assert len(Place(open_shelf(to, NO_STORAGE)).told_gone()) == 1
    closed(other)


def test_a_newer_backup_tells_who_was_forgotten(lived, tmp_path):
    house, to, now = lived
    old = Place(open_shelf(to, NO_STORAGE)).ids()[0]
    forget(house, "customer_id", RARE, now=now, **WORDS)
    take(house, to)
    shutil.rmtree(tmp_path / "to" / "forgotten")
    other, done = restored_in(tmp_path / "b", to, now, backup=old)
    assert len(done.again) == 1
    assert RARE not in rows_of(other).column("customer_id").to_pylist()
    closed(other)
    newest, done = restored_in(tmp_path / "c", to, now)
    assert not done.again
    assert RARE not in rows_of(newest).column("customer_id").to_pylist()
    closed(newest)


def test_a_place_that_cannot_be_told_is_said(lived, tmp_path):
    house, _, now = lived
    shutil.rmtree(tmp_path / "to")
    (tmp_path / "to").write_text("no folder any more")
    left = forget(house, "customer_id", RARE, now=now, **WORDS).left
    assert any(str(tmp_path / "to") in one and "were not told" in one for one in left)


def test_a_backup_from_before_everybody_was_forgotten_is_not_restored(lived, tmp_path):
    house, to, now = lived
    empty(house, now=now, **WORDS)
    with pytest.raises(StoreError, match="Everybody was forgotten"):
        restore(project_of(spends), settings_in(tmp_path / "b"), to, now=now)
    take(house, to)
    other, _ = restored_in(tmp_path / "b", to, now)
    assert rows_of(other).num_rows == 0
    closed(other)


def test_older_backups_go_with_what_only_they_are_made_of(lived):
    house, to, now = lived
    forget(house, "customer_id", RARE, now=now, **WORDS)
    done = take(house, to, keep=1)
    place = Place(open_shelf(to, NO_STORAGE))
    assert place.ids() == [done.id]
    assert len(done.went) == 1
    assert set(place.pieces()) == done.manifest.pieces
    assert place.told_gone() == []
    assert drill(house, to, now=now).passed
    with pytest.raises(Unknown, match="There is no backup '2020'"):
        place.manifest("2020")


def test_a_place_without_a_backup_says_so(tmp_path):
    with pytest.raises(EverloopError, match=r"^There is no backup in .*elsewhere\. Make one: everloop backup TO$"):
        Place(open_shelf(str(tmp_path / "elsewhere"), NO_STORAGE)).manifest()


def test_a_place_is_of_one_house(lived, tmp_path):
    _, to, _now = lived
    other = house_in(tmp_path / "z")
    with pytest.raises(StoreError, match="another house"):
        take(other, to)
    closed(other)


def test_a_house_that_is_restored_under_another_project_file_is_told(lived, tmp_path):
    _house, to, now = lived
    path = tmp_path / "project.py"
    path.write_text("changed = True\n")
    made = Place(open_shelf(to, NO_STORAGE))
    one = made.manifest()[1]
    made.keep(manifests.msgspec.structs.replace(one, project="0" * 64, taken_at=one.taken_at + timedelta(minutes=1)))
    other, done = restored_in(tmp_path / "b", to, now)
    assert done.changed
    assert "another than when it was made" in str(done)
    closed(other)


def test_every_file_of_a_house_is_in_its_backup_or_is_made_again(lived):
    """A store that is new here is in backups by itself."""
    house, to, _ = lived
    (house.settings.house / "signatures").mkdir()
    (house.settings.house / "signatures" / "abc.sig").write_text("signed")
    for name in ("serving.json", "runs.db", "runs-2.db", "runs-2.db-journal", "working/shop-1-4711-ab.alive", "parts-x1/parts/0.arrow"):
        (house.settings.house / name).parent.mkdir(parents=True, exist_ok=True)
        (house.settings.house / name).write_text("the truth of nothing")
    with ExitStack() as stack:
        db = sqlite3.connect(house.settings.house / "shopify.db")
        stack.callback(db.close)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE told (x)")
        db.execute("INSERT INTO told VALUES (1)")
        db.commit()
        paths = {part.path for part in take(house, to).manifest.parts}
    assert {"house.db", "events.db", "shopify.db", "signatures/abc.sig"} <= paths
    again = ("runs", "working", "parts-", "backing-up", "compiled", "turns", "serving", "house.json")
    assert not {path for path in paths if path.startswith(again)}


def test_parts_that_a_process_died_over_go_when_the_house_is_cleaned(lived):
    house, _, _ = lived
    old, new = (house.settings.house / f"parts-{name}" for name in ("old", "new"))
    for folder in (old, new):
        (folder / "parts").mkdir(parents=True)
    os.utime(old, (0, 0))
    assert clean(house, dry_run=True).parts == 1
    assert "1 training sets that were half put together" in str(clean(house))
    assert (old.exists(), new.exists()) == (False, True)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 17))
def test_pieces_are_the_bytes_again(bodies, size):
    whole, manifests.PIECE = b"".join(bodies), size
    try:
        pieces = list(in_pieces(bodies))
    finally:
        manifests.PIECE = 8 << 20
    assert b"".join(pieces) == whole
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(pieces)


def test_a_backup_that_was_changed_is_in_the_way_of_no_other(lived, tmp_path):
    house, to, now = lived
    old = Place(open_shelf(to, NO_STORAGE)).ids()[0]
    newer = take(house, to).id
    (tmp_path / "to" / "backups" / f"{newer}.json").write_text("{}")
    assert take(house, to).id > newer > old
    other, done = restored_in(tmp_path / "b", to, now, backup=old)
    assert done.id == old
    closed(other)
