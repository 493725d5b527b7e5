"""The console's own files: one style sheet, one script, one picture, and the style of all plots. Nothing else is given out."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from everloop import plots

KINDS = {"console.css": "text/css", "live.js": "text/javascript", "ring.svg": "image/svg+xml", "plots.css": "text/css"}


@lru_cache(len(KINDS))
def body(file: str) -> tuple[bytes, str]:
    """A file and what it hashes to."""
    read = plots_css().encode() if file == "plots.css" else (Path(__file__).parent / "static" / file).read_bytes()
    return read, f'"{hashlib.sha256(read).hexdigest()[:16]}"'


def plots_css() -> str:
    """The style of plots, which follows the system, and follows the viewer's choice where that is another."""
    light, rest = plots.STYLE.split("{", 1)[1].split(";display:block", 1)
    dark = rest.split("(prefers-color-scheme:dark){.el-plot{", 1)[1].split("}", 1)[0]
    return plots.STYLE + f":root[data-theme=dark] .el-plot{{{dark}}}:root[data-theme=light] .el-plot{{{light}}}"


async def answer(request: Request) -> Response:
    """One of the files; a browser that has it is told so."""
    file = request.path_params["file"]
    if file not in KINDS:
        return PlainTextResponse("There is no such file.", 404)
    read, tag = body(file)
    headers = {"cache-control": "private, max-age=0, must-revalidate", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(read, media_type=KINDS[file], headers=headers)
