"""The card of a version that was learnt, as a user asks for it."""

import json

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.errors import Unknown
from everloop.loop.carded import card_of, write_card
from tests.ring.conftest import first_turn


def test_a_version_and_the_baseline_have_cards_in_every_form(after, tmp_path):
    house, model = after(first_turn, "shop")
    found = card_of(house, model, "demand@1")
    assert sum(found["moves"].values()) == pytest.approx(1)
    assert {one["name"] for one in found["sheet"]} > {"truth"}
    totals = [one["total"] for one in found["examples"]]
    assert len(totals) == 3
    assert totals == sorted(totals)
    for one in found["examples"]:
        assert one["total"] == pytest.approx(one["base"] + one["others"] + sum(part["added"] for part in one["top"]))
        assert {part["column"] for part in one["top"]} <= set(found["moves"])
    assert found["journal_head"] == str(house.journal.head())
    assert json.loads(write_card(house, model, "demand@1", tmp_path / "new" / "card.json").read_text())["version"] == "demand@1"
    assert "<svg" in write_card(house, model, "demand@1", tmp_path / "card.html").read_text()
    assert write_card(house, model, "demand@0", tmp_path / "card.md").read_text().startswith("---\n")
    with pytest.raises(Unknown, match=r"kind of card.*card\.pdf"):
        write_card(house, model, "demand@1", tmp_path / "card.pdf")
    words = ["card", "demand@1", "--project", str(house.project.path), "--house", str(house.settings.house)]
    house.store.close()
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0
    assert said.stdout.startswith("# demand@1")
