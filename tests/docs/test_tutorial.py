"""docs/tutorial.md as a stranger follows it: files saved, commands typed in order, and what it shows comes out, but for figures."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from everloop_pages import ROOT, blocks, read

PAGE = read("docs/tutorial.md")


def typed(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the page, in order, and what the page shows of its output; a bash block is one command."""
    for block in blocks(text):
        if block.language == "bash":
            yield block.text, ""
        elif block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield command, shown


def pattern(line: str) -> str:
    """What a line shown stands for: any figures where it has some, anything where it says ``…``."""
    told = re.sub(r"\d[\d,.]*", "0", line)
    return ".*".join(re.escape(part).replace("0", r"\d[\d,.]*") for part in told.split("…"))


def missing(shown: str, output: str) -> list[str]:
    """The lines of the page that did not come out."""
    return [line for line in shown.splitlines() if not re.search(rf"^{pattern(line)}", output, re.MULTILINE)]


def test_what_the_page_shows_is_compared_but_for_figures():
    assert missing("late: 7,200 rows kept.\n1 · … UTC\n…\n", "late: 18 rows kept.\n1 · 2026-11-22 19:18 UTC · 3 rows\n") == []
    assert missing("late: 7,200 rows kept.\n", "late: none kept.\n") == ["late: 7,200 rows kept."]


def test_every_command_of_the_page_is_found():
    commands = "\n".join(command for command, _ in typed(PAGE))
    for verb in ("explain", "ingest", "check --now", "turn --now", "score --now", "withdraw", "run", "undo", "status", "history"):
        assert f"everloop {verb}" in commands, verb


@pytest.mark.slow
def test_a_stranger_comes_from_the_files_to_an_answer(tmp_path):
    for name, block in zip(("make_parcels.py", "project.py"), (b for b in blocks(PAGE) if b.language == "python"), strict=True):
        (tmp_path / name).write_text(block.text)
    port = free_port()
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "make_parcels.py"], cwd=tmp_path, check=True, timeout=60)
    played, server = "", None
    try:
        for command, shown in typed(PAGE):
            if command == "everloop run":
                server = served(tmp_path, environ, port)
                continue
            done = bash(command.replace("localhost:8321", f"localhost:{port}"), tmp_path, environ)
            assert missing(shown, done.stdout) == [], f"{command}\n{done.stdout}{done.stderr}"
            played += done.stdout
    finally:
        if server is not None:
            server.terminate()
            server.wait(60)
    assert re.search(r"^late: Retrain: nothing has been learnt yet\.$", played, re.MULTILINE)
    assert "Passed: Log loss" in played
    assert "late@1 answers 25 % of the units" in played
    assert "The candidate takes over" in played


def bash(command: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    everloop = f"everloop() {{ '{sys.executable}' -c 'from everloop.cli import main; main()' \"$@\"; }}\n"
    return subprocess.run(
        ["bash", "-c", everloop + command], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=600
    )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def served(folder: Path, environ: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from everloop.cli import main; main()", "run", "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except OSError:
            if server.poll() is None and time.monotonic() < end:
                time.sleep(0.2)
                continue
            server.kill()
            raise
        return server
