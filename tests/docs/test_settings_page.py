"""docs/settings.md against settings/: the same keys, variables and defaults, and the file it shows can be read."""

from __future__ import annotations

import re

import pytest
from everloop_pages import PACKAGE, blocks, code, pages, read, rows, section

from everloop.settings import ENVIRONMENT, read_settings
from everloop.settings.read import KEYS

PAGE = read("docs/settings.md")


def keys() -> set[str]:
    """Every setting as the page says it: ``house``, ``[sources]``, ``[training] child``."""
    found = set()
    for key, rule in KEYS.items():
        found |= {key} if not isinstance(rule, dict) else {f"[{key}]" if inner == "*" else f"[{key}] {inner}" for inner in rule}
    return found


def told_keys(page: str) -> set[str]:
    return {" ".join(code(row[0])) for row in rows(page) if not row[0].startswith("`EVERLOOP_")}


def test_every_setting_stands_there_and_no_other():
    assert told_keys(PAGE) == keys()


def test_every_variable_stands_there_and_no_other():
    assert {code(row[0])[0] for row in rows(section(PAGE, "What beats what"))} == set(ENVIRONMENT)


@pytest.mark.parametrize(
    ("was", "broken"), [("`[prices]`", "`[cost]`"), ("| `lake` |", "| `lakes` |"), ("| `[training]` `child` |", "| x |")]
)
def test_a_page_with_another_setting_is_noticed(was, broken):
    assert was in PAGE
    assert told_keys(PAGE.replace(was, broken)) != keys()


def test_no_page_speaks_of_a_variable_there_is_not():
    spoken_of = {page.name: set(re.findall(r"\bEVERLOOP_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8"))) for page in pages()}
    assert spoken_of["settings.md"] == set(ENVIRONMENT)
    for name, said in spoken_of.items():
        assert said <= set(ENVIRONMENT), name


def test_the_environment_is_read_in_one_file():
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name != "settings":
            assert not re.search(r"EVERLOOP_[A-Z]|os\.getenv", file.read_text(encoding="utf-8")), file.name


def test_the_defaults_are_told_as_they_are(tmp_path):
    true = read_settings(tmp_path, environ={})
    told = {" ".join(code(row[0])): row[1] for row in rows(PAGE) if len(row) == 3}
    assert told["house"].strip("`") == true.house.name
    assert told["autonomy"].strip("`") == true.autonomy
    assert int(told["[training] max_questions"].replace(",", "")) == true.max_questions
    assert told["[training] child"].strip("`") == str(true.child).lower()
    assert told["[artefacts] pickle"].strip("`") == str(true.pickle).lower()
    for name in ("lake", "registry", "events"):
        file = told[name].split("`")[1]
        assert getattr(true, name).endswith(f".everloop/{file}".rstrip("/")), name


def test_the_file_the_page_shows_can_be_read(tmp_path):
    (shown,) = [block.text for block in blocks(PAGE) if block.language == "toml"]
    (tmp_path / "everloop.toml").write_text(shown, encoding="utf-8")
    secrets = dict.fromkeys(re.findall(r"\$\{(\w+)\}", shown), "hush")
    here, there = (read_settings(tmp_path, stage=stage, environ=secrets) for stage in (None, "prod"))
    assert here.house == tmp_path / ".everloop"
    assert there.registry.startswith("postgresql://")
    assert set(KEYS) <= set(re.findall(r"^\[?(\w+)\]?(?: =|\s|$)", shown, re.MULTILINE)), "the file shows every setting"
