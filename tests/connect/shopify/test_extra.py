"""Without its extra a command of a shop says which one it needs, before anything is begun."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from everloop.cli import app
from everloop.cli.shopify import extra
from everloop.errors import Missing


@pytest.mark.parametrize("words", ["shopify serve", "shopify sandbox", "shopify import", "shopify reconcile", "shopify publish",
                                   "shopify leave", "demo --shopify"])  # fmt: skip
def test_a_command_without_the_extra_names_it(words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extra, "find_spec", lambda module: None)
    said = CliRunner().invoke(app, words.split())
    assert isinstance(said.exception, Missing)
    assert "everloop[shopify]" in str(said.exception)
