"""People and their links in a terminal."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.console.sessions import Letting
from everloop.errors import EverloopError
from everloop.loop.house import open_house
from everloop.registry.sentences import clause


@pytest.fixture
def said(turned, tmp_path):
    """Say something to a copy of the turned house: what comes back on stdout. What could not be done is raised."""
    folder = tmp_path / "price"
    shutil.copytree(turned, folder)

    def words(*arguments):
        done = CliRunner().invoke(app, [*arguments, "--project", str(folder)])
        if isinstance(done.exception, EverloopError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    words.folder = folder
    return words


def test_people_are_let_in_given_another_role_and_let_out_by_name(said):
    assert "Next: everloop person add NAME --role admin" in said("person", "list")
    with pytest.raises(EverloopError, match=r"The first person .*--role admin"):
        said("person", "add", "Vera")
    told = said("person", "add", "kim@shop.example", "--role", "admin", "--by", "Root")
    assert told.startswith("kim@shop.example is let in as admin.\n")
    assert re.search(r"http://127\.0\.0\.1:8321/console/set-up/[\w-]{43}\n$", told)
    said("person", "add", "Vera")
    assert said("person", "role", "Vera", "operator", "--reason", "on call") == "Vera is operator now.\n"
    assert re.search(r"^Vera: operator, since .*; has not set a password yet\.$", said("person", "list"), re.MULTILINE)
    assert said("person", "remove", "Vera", "--reason", "left") == "Vera is let out.\n"
    assert [(p["name"], p["role"], p["ready"]) for p in json.loads(said("person", "list", "--json"))] == [
        ("kim@shop.example", "admin", False)
    ]
    house = open_house(said.folder / "project.py")
    kept = [e.record for e in house.journal.read(kind="Membership")]
    told = [(r.person, r.role) for r in kept if "link" not in r.reason]
    assert told == [("kim@shop.example", "admin"), ("Vera", "viewer"), ("Vera", "operator"), ("Vera", None)]
    assert next((r.person, r.by) for r in kept if "link" in r.reason) == ("kim@shop.example", "Root")
    assert kept[0].by == "Root"
    assert kept[-1].reason == "left"
    assert [(r.role, r.why) for r in kept if r.why] == [("operator", "on call")]
    assert clause(next(r for r in kept if r.why)).startswith("Vera is let in as operator, by ")
    assert clause(next(r for r in kept if r.why)).endswith(": on call")
    house.store.close()


def test_a_link_is_for_somebody_or_for_this_machine_where_there_is_nobody(said):
    assert "/console/enter/" in said("person", "link")
    said("person", "add", "Kim", "--role", "admin")
    with pytest.raises(EverloopError, match="Say whose link"):
        said("person", "link")
    assert "/console/set-up/" in said("person", "link", "Kim")
    with pytest.raises(EverloopError, match="no person 'Nemo'"):
        said("person", "link", "Nemo")


def test_who_opens_an_old_link_is_told_the_command_that_makes_another(said):
    """Of a house in which nobody is let in by name, a link for NAME cannot be made."""
    now = datetime.now(UTC)
    house = open_house(said.folder / "project.py")
    old = said("person", "link").strip().rpartition("/")[2]
    said("person", "link")
    with pytest.raises(EverloopError, match=r"A new one: (everloop person link)$") as told:
        Letting(house).enter(old, now)
    assert "/console/enter/" in said(*str(told.value).rpartition("everloop ")[2].split())
    said("person", "add", "Kim", "--role", "admin")
    with pytest.raises(EverloopError, match=r"A new one: everloop person link NAME$"):
        Letting(house).whose_link("gone", now)
    house.store.close()


@pytest.mark.parametrize("name", ["", "x" * 101, "a/b", "<b>", "_", "a\nb"])
def test_what_is_no_name_is_refused(said, name):
    with pytest.raises(EverloopError, match="is no name for a person"):
        said("person", "add", name, "--role", "admin")


def test_links_are_where_people_reach_the_house(said):
    (said.folder / "everloop.toml").write_text('[console]\nurl = "https://ml.shop.example"\n')
    assert said("person", "link").startswith("https://ml.shop.example/console/enter/")
