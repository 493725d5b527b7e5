"""What is released: the whole package and nothing else, which works where nothing else is, with a bill of what it brings."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bench.peers import ROOT, apart
from bench.release import PINS, audited, bill, built, installed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return built(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(made, tmp_path_factory):
    return installed(tmp_path_factory.mktemp("clean") / "env", made[0])


def contents(wheel):
    with zipfile.ZipFile(wheel) as opened:
        return {name: hashlib.sha256(opened.read(name)).hexdigest() for name in opened.namelist()}


def test_the_wheel_has_every_file_of_the_package_and_no_other(made):
    there = {name for name in contents(made[0]) if ".dist-info/" not in name}
    kept = subprocess.run(["git", "ls-files", "src/everloop"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert there == {name.removeprefix("src/") for name in kept}
    assert any(name.endswith("LICENSE") for name in contents(made[0]))


def test_a_wheel_of_the_sdist_is_the_wheel_of_the_checkout(made, tmp_path):
    with tarfile.open(made[1]) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again, _ = built(tmp_path / "again", source)
    assert contents(again) == contents(made[0])


def test_a_house_begins_and_turns_where_nothing_but_the_release_is_installed(python, tmp_path):
    def say(*words, **more):
        command = [python.parent / "everloop", *words]
        done = subprocess.run(command, cwd=tmp_path / "shop", capture_output=True, text=True, env=apart(), timeout=300, check=False, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "shop").mkdir()
    lies = [python, "-c", "import everloop; print(everloop.__file__)"]
    where = subprocess.run(lies, capture_output=True, text=True, env=apart(), check=True)
    assert where.stdout.startswith(str(python.parent.parent)), "not of this checkout"
    say("init", "shop")
    assert "rows kept" in say("ingest")
    assert "demand@1 was let in" in say("turn")
    answered = json.loads(say("answer", "demand", "p07", "--json"))
    assert answered


def test_the_bill_names_what_is_installed_each_at_the_release_that_is_pinned(python, tmp_path):
    said = json.loads(bill(python, tmp_path / "bill.json").read_text())
    assert (said["bomFormat"], said["metadata"]["component"]["name"]) == ("CycloneDX", "everloop")
    named = {one["name"].lower().replace("_", "-"): one for one in said["components"]}
    pinned = {(name, release) for name, release in re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", PINS.read_text(), re.MULTILINE)}
    own = ("pip", "setuptools", "everloop")
    assert {(name, one.get("version")) for name, one in named.items() if name not in own} <= pinned
    assert {"numpy", "duckdb", "deltalake", "scikit-learn"} <= named.keys()
    without = [name for name, one in named.items() if not one.get("licenses") and name not in own[:2]]
    assert without == [], "each says its licence"
    again = bill(python, tmp_path / "again.json")
    assert again.read_bytes() == (tmp_path / "bill.json").read_bytes()


class Advisories(BaseHTTPRequestHandler):
    """As much of OSV as pip-audit asks: nothing is known, but of numpy."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
        affected = [{"package": {"name": "numpy", "ecosystem": "PyPI"}, "ranges": ranges}]
        dates = dict.fromkeys(("modified", "published"), "2099-01-01T00:00:00Z")
        known = {"id": "PYSEC-2099-1", "aliases": [], "summary": "made up", "affected": affected, **dates}
        body = json.dumps({"vulns": [known]} if asked["package"]["name"] == "numpy" and self.server.angry else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def advisories():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    server.angry = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_library_that_is_known_to_be_vulnerable_holds_up_a_release_and_silence_is_no_all_clear(advisories, tmp_path):
    """Asked of advisories that stand still here, so that this is not red the day one is published; ``make release`` asks the real ones."""
    pins = re.search(r"^numpy==.*?(?=^\w)", PINS.read_text(), re.MULTILINE | re.DOTALL)
    assert pins
    (tmp_path / "pins.txt").write_text(pins[0])
    url = f"http://127.0.0.1:{advisories.server_port}/v1/query"
    words = ("--cache-dir", str(tmp_path), "--vulnerability-service", "osv", "--osv-url")
    assert audited(tmp_path / "pins.txt", *words, url)[0]
    advisories.angry = True
    clear, said = audited(tmp_path / "pins.txt", *words, url)
    assert not clear
    assert "PYSEC-2099-1" in said
    with pytest.raises(OSError, match="Nobody could be asked"):
        audited(tmp_path / "pins.txt", *words, "http://127.0.0.1:9/v1/query")
