"""The site is built of every page, without a warning; a link that leads nowhere fails it."""

from __future__ import annotations

import subprocess

import pytest
from bench.peers import ROOT, apart, environment

pytestmark = pytest.mark.slow


def site(pages, to):
    where = ("-c", str(ROOT / "docs"), "-d", str(to / "seen"), str(pages), str(to / "html"))
    command = [environment("docs"), "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-n", "-q", *where]
    return subprocess.run(command, env=apart(), capture_output=True, text=True, check=False, timeout=300)


def test_every_page_is_on_the_site_and_every_link_and_anchor_leads_somewhere(tmp_path):
    done = site(ROOT / "docs", tmp_path)
    assert done.returncode == 0, done.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md") if not page.name.endswith(".part.md")}
    assert pages <= {page.stem for page in (tmp_path / "html").glob("*.html")}
    for page in pages:
        text = (tmp_path / "html" / f"{page}.html").read_text(encoding="utf-8")
        assert '<script src="http' not in text, f"{page} asks somebody else for a script"
        assert "@import" not in text


@pytest.mark.parametrize("broken", ["[a](other.md#no-such-head)", "[a](nowhere.md)", "[a](#not-here)"])
def test_a_link_that_leads_nowhere_fails_it(tmp_path, broken):
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "README.md").write_text(f"# One\n\n- [other](other.md): the other\n\n{broken}\n")
    (pages / "other.md").write_text("# Other\n\nText.\n")
    done = site(pages, tmp_path)
    assert done.returncode != 0
    assert "README.md" in done.stderr
    (pages / "README.md").write_text("# One\n\n- [other](other.md): the other\n\n[a](other.md#other)\n")
    assert site(pages, tmp_path).returncode == 0
