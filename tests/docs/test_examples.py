"""Every Python block of every page compiles and runs, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from everloop_pages import ROOT, Block, anchors, blocks, links, pages
from typer.testing import CliRunner

from everloop.cli import app

PAGES = pages()
NAMED = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def python(text: str) -> list[Block]:
    return [block for block in blocks(text) if block.language in ("python", "py")]


def declares_a_project(block: Block) -> bool:
    return bool(re.search(r"^from everloop import\b", block.text, re.MULTILINE)) and "Model(" in block.text


def run(page: Path) -> int:
    """Run a page's blocks in order, in one namespace; those that declare a project alone, since they are whole files. Returns how many."""
    found = python(page.read_text(encoding="utf-8"))
    page_wide: dict[str, object] = {"__name__": f"page_{page.stem}"}
    for block in found:
        # Blank lines before it, so that a mistake names the line of the page.
        compiled = compile("\n" * (block.line - 1) + block.text, str(page), "exec", dont_inherit=True)
        exec(compiled, {"__name__": f"page_{page.stem}"} if declares_a_project(block) else page_wide)
    return len(found)


@NAMED
def test_every_python_block_compiles_and_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(page) == len(re.findall(r"^ *```(?:py|python)\b", page.read_text(encoding="utf-8"), re.MULTILINE))


def test_there_are_blocks_to_run():
    assert sum(len(python(page.read_text(encoding="utf-8"))) for page in PAGES) >= 5
    for name in ("README.md", "docs/words.md"):
        assert any(declares_a_project(block) for block in python((ROOT / name).read_text(encoding="utf-8"))), name


@pytest.mark.parametrize(
    ("was", "broken", "error"),
    [
        ('per="product_id"', 'per="product"', "ProjectError"),
        ("roll_out=[", "roll_outs=[", "ProjectError"),
        ("    roll_out=[", "    roll_out=[[", "SyntaxError"),
        ("canary, days", "days", "NameError"),
    ],
)
def test_a_page_with_an_example_that_does_not_run_is_noticed(was, broken, error, tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert was in text
    (tmp_path / "README.md").write_text(text.replace(was, broken), encoding="utf-8")
    with pytest.raises(Exception, match=r".") as raised:
        run(tmp_path / "README.md")
    assert raised.type.__name__ == error


@NAMED
def test_a_script_that_opens_a_house_may_be_read_again_by_its_children(page):
    scripts = [block.text for block in blocks(page.read_text(encoding="utf-8")) if re.search(r"open_house\((Path\()?\"", block.text)]
    unguarded = [text for text in scripts if re.search(r"^\S.*open_house\((Path\()?\"", text, re.MULTILINE)]
    assert unguarded == []
    assert all('if __name__ == "__main__":' in text for text in scripts)


def test_the_readme_shows_what_init_says_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["init", "shop"]).stdout
    assert f"$ everloop init shop\n{said}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def dead_links(page: Path) -> list[str]:
    """The links of a page to files or headings there are not."""
    dead = []
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            dead.append(link)
    return dead


@NAMED
def test_every_link_leads_to_a_file_that_exists(page):
    assert dead_links(page) == []


def test_a_dead_link_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    told = "# One head\n[a](page.md), [b](other.md), [c](#one-head), [d](#two-heads), [e](https://example.org/x)\n"
    page.write_text(told, encoding="utf-8")
    assert dead_links(page) == ["other.md", "#two-heads"]


def test_the_list_of_pages_names_every_page():
    listed = {link.partition("#")[0] for link in links((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))}
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
