"""The site of these pages, by Sphinx: ``make docs`` writes it to build/docs. A link or an anchor that leads nowhere fails it.

MyST reads Markdown as GitHub does (CommonMark, tables, the same anchors), so the pages are read here and there alike. What stands on the
left of each is the list of docs/README.md: there is no second one.
"""

import re
from pathlib import Path

project = "Everloop"
extensions = ["myst_parser"]
root_doc = "README"
source_suffix = {".md": "markdown"}
exclude_patterns = ["*.part.md"]
myst_heading_anchors = 6
html_theme = "furo"
html_title = "Everloop"
html_show_copyright = False
html_show_sphinx = False
# Blocks of JSON and Python that leave something out (…) are shown as they are.
suppress_warnings = ["misc.highlighting_failure"]


def listed(app, page, text):
    """The list of pages, once more as Sphinx asks for it."""
    if page == root_doc:
        names = re.findall(r"^- \[[^\]]+\]\((\w[\w-]*)\.md\)", text[0], re.MULTILINE)
        text[0] += "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""])


def begins(app, exception):
    """Who asks for the site alone gets the list."""
    if exception is None and app.builder.format == "html":
        refresh = f'<!doctype html><meta http-equiv="refresh" content="0; url={root_doc}.html"><a href="{root_doc}.html">{project}</a>\n'
        (Path(app.outdir) / "index.html").write_text(refresh, encoding="utf-8")


def setup(app):
    app.connect("source-read", listed)
    app.connect("build-finished", begins)
