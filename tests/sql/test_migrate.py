"""A house's tables: made, brought up to date, and left alone where they are newer."""

import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import everloop.registry
from everloop.errors import StoreError
from everloop.sql import migrate
from everloop.sql.engine import open_engine, reading
from everloop.sql.migrate import REVISIONS, revision, upgrade
from everloop.sql.schema import METADATA

for noun in everloop.registry.__all__:
    getattr(everloop.registry, noun)  # loaded, it has put its tables into METADATA


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'house.db'}"


def test_a_new_house_has_the_tables_the_code_speaks_of(url):
    engine = upgrade(url)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, "alembic_version"}
    engine.dispose()


def test_a_table_that_the_code_forgot_would_be_noticed(url):
    engine = upgrade(url)
    file = sqlite3.connect(engine.url.database)
    file.execute("ALTER TABLE turns DROP COLUMN cause")
    file.close()
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()


def test_every_revision_is_known_by_name():
    scripts = ScriptDirectory(str(migrate._FOLDER))
    assert tuple(s.revision for s in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_upgrading_twice_is_as_good_as_once(url):
    upgrade(url).dispose()
    engine = upgrade(url)
    assert revision(engine) == REVISIONS[-1]
    engine.dispose()


def test_a_house_that_is_up_to_date_does_not_load_alembic(url):
    upgrade(url).dispose()
    script = "import sys; from everloop.sql.migrate import upgrade; upgrade(sys.argv[1]); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script, url], check=False).returncode == 0


def test_a_house_of_a_newer_release_is_left_alone(url):
    engine = upgrade(url)
    file = sqlite3.connect(engine.url.database)
    file.execute("UPDATE alembic_version SET version_num = '9999'")
    file.commit()
    with pytest.raises(StoreError, match=r"newer release .*9999.*Nothing was changed.*pip install --upgrade"):
        upgrade(url)
    assert file.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    file.close()
    engine.dispose()


def test_a_migration_that_fails_leaves_an_empty_house(url, monkeypatch):
    engine = open_engine(url)
    file = sqlite3.connect(engine.url.database)
    file.execute("CREATE TABLE approvals (x)")  # the last table the first revision makes is in the way
    file.commit()
    with pytest.raises(StoreError, match="approvals"):
        upgrade(engine)
    assert file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("approvals",)]
    file.execute("DROP TABLE approvals")
    file.commit()
    file.close()
    assert revision(upgrade(engine)) == REVISIONS[-1]
    engine.dispose()


def test_two_processes_that_open_a_new_house_both_can(url):
    script = "import sys; from everloop.sql.migrate import upgrade; sys.stdin.readline(); upgrade(sys.argv[1])"
    both = [subprocess.Popen([sys.executable, "-c", script, url], stdin=subprocess.PIPE) for _ in range(2)]
    for child in both:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in both:
        child.communicate(timeout=60)
    assert [child.returncode for child in both] == [0, 0]
