"""The Dockerfiles, built by buildah: every step of them is run, and what comes out is looked at as an image.

Base images lie in registries, so they are built on one that is made of this machine's own Python and shell; and in the place of
Everloop and all it is installed with stands a wheel of that name, which notes what it is asked. Whether the real packages install by their
hashes in a clean environment is ``tests/release``'s question.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.connect.deployments import BAKED, LOCAL, SHARED

from everloop.connect.cloud import image
from everloop.connect.cloud.needs import Needs
from everloop.connect.kubernetes import folder
from everloop.settings import read_settings

pytestmark = pytest.mark.slow
PROGRAMS = ("sh", "cp", "rm", "ls", "install", "groupadd", "useradd")
LEFT_OUT = ("site-packages", "test", "idlelib", "tkinter", "turtledemo", "__pycache__", "lib2to3")
NOTES = """
import hashlib, pathlib, sys


def main():
    said = sys.argv[1:]
    if said[0] == "bake":
        where = {name: pathlib.Path(said[said.index(name) + 1]) for name in ("--house", "--key")}
        (where["--house"] / "key").write_text(hashlib.sha256(where["--key"].read_bytes()).hexdigest())
        (where["--house"] / "asked").write_text(" ".join(said))
    print(*said)
"""
KEY = "ev_12_nobody-else-knows"


@pytest.fixture(scope="session")
def buildah(tmp_path_factory):
    """Run buildah with a store of its own."""
    if os.geteuid() != 0 or (shutil.which("buildah") is None and shutil.which("apt-get") is None):
        pytest.skip("JUDGED BY NOBODY: buildah is installed by apt and changes roots, which takes root and a Debian")
    if shutil.which("buildah") is None:
        for words in (["update"], ["install", "-y", "--no-install-recommends", "buildah"]):
            around = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "-qq", *words], env=around, capture_output=True, check=True)
    store = tmp_path_factory.mktemp("images")
    own = ["buildah", "--root", store / "root", "--runroot", store / "run", "--storage-driver", "vfs"]

    def run(*words, cwd=None, ok=True):
        done = subprocess.run([*own, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
        assert not ok or done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout.strip() if ok else f"exit code {done.returncode}: {done.stdout}{done.stderr}"

    yield run
    shutil.rmtree(store, ignore_errors=True)


def libraries(program):
    """The shared libraries a program or another library is linked with, by path."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", told)}


@pytest.fixture(scope="session")
def wheel():
    """A wheel that is called everloop and notes what it is asked; its bytes."""
    body, info = io.BytesIO(), "everloop-0.1.0.dist-info"
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("everloop.py", NOTES)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: everloop\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\neverloop = everloop:main\n")
        names = ("everloop.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/entry_points.txt", f"{info}/RECORD")
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    return body.getvalue()


@pytest.fixture(scope="session")
def base(buildah, wheel, tmp_path_factory):
    """An image with this machine's Python and shell, and a pip that looks into /wheels and nowhere else."""
    root = tmp_path_factory.mktemp("base") / "root"
    python, standard = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    shutil.copytree(standard, root / standard.relative_to("/"), ignore=shutil.ignore_patterns(*LEFT_OUT, "config-*"), symlinks=True)
    programs = [python, *(Path(shutil.which(name) or f"/usr/sbin/{name}").resolve() for name in PROGRAMS)]
    needed = {library for one in [*programs, *(standard / "lib-dynload").glob("*.so")] for library in libraries(one)}
    for path in (python, *needed):
        (root / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path.relative_to("/"))
    for place in ("bin", "etc", "tmp", "usr/bin", "usr/sbin", "var/lib/apt/lists", "wheels"):
        (root / place).mkdir(parents=True, exist_ok=True)
    for name, path in zip(PROGRAMS, programs[1:], strict=True):
        shutil.copy(path, root / "bin" / name)
    for name in ("python", "python3"):
        (root / "bin" / name).symlink_to(python)
    (root / "usr/bin/apt-get").write_text('#!/bin/sh\necho "$@" >> /var/apt.said\n')
    (root / "usr/bin/apt-get").chmod(0o755)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\n")
    (root / "wheels" / "everloop-0.1.0-py3-none-any.whl").write_bytes(wheel)
    for each in (root, *root.rglob("*")):
        if each.is_dir():
            each.chmod(0o755)  # some Pythons lie in somebody's home
    (root / "tmp").chmod(0o1777)
    with tarfile.open(root.parent / "base.tar", "w") as archive:
        archive.add(root, ".")
    made = buildah("from", "scratch")
    buildah("add", made, root.parent / "base.tar", "/")
    buildah("config", "--env", "PATH=/bin:/usr/bin:/usr/sbin", made)
    buildah("commit", "--rm", "--quiet", made, "localhost/base:1")
    shutil.rmtree(root)
    return "localhost/base:1"


@pytest.fixture
def project(tmp_path, wheel):
    """A folder with what an image is to hold, and beside it what it must not."""
    shop = tmp_path / "shop"
    digest = hashlib.sha256(wheel).hexdigest()
    held = {"project.py": "", "everloop.toml": "", "shop/__init__.py": "", "shop/sizes.py": "", "demand-3.everloop": "a version"}
    held |= {"requirements.txt": f"everloop==0.1.0 --hash=sha256:{digest}\n"}
    beside = {"release.key": "mine", ".everloop/journal.db": "rows", ".git/config": "", "data/orders.csv": "rows", "shop/.env": "hush"}
    for name, text in (held | beside).items():
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        (shop / name).write_text(text)
    (tmp_path / "key").write_text(KEY)
    return shop


def built(buildah, base, project, made, target=None, argument="BASE", ok=True):
    """Build in the project's folder as the runbooks say: what the image says of itself, and where its files are."""
    for name, text in made.items():
        (project / "deploy" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "deploy" / name).write_text(text)
    words = ["bud", "--isolation", "chroot", "--quiet", "-f", "deploy/Dockerfile", "--ignorefile", "deploy/Dockerfile.dockerignore"]
    words += ["--build-arg", f"{argument}={base}", "--secret", f"id=predict_key,src={project.parent / 'key'}", "-t", "localhost/made"]
    told = buildah(*words, *(["--target", target] if target else []), ".", cwd=project, ok=ok)
    if not ok:
        return told
    said = json.loads(buildah("inspect", "--type", "image", "localhost/made"))["OCIv1"]["config"]
    return said, Path(buildah("mount", buildah("from", "--pull-never", "localhost/made")))


def inside(root, folder):
    return sorted(path.relative_to(root / folder).as_posix() for path in (root / folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("target", ["serving", "training"])
def test_a_house_is_built_for_who_answers_and_for_who_learns(buildah, base, project, target):
    said, root = built(buildah, base, project, folder.files(SHARED, "deploy"), target)
    assert (said["User"], said["Entrypoint"], said["WorkingDir"]) == ("10001:10001", ["everloop"], "/app")
    assert said["Cmd"][0] == {"serving": "serve", "training": "worker"}[target]
    assert inside(root, "app") == ["everloop.toml", "project.py", "shop/__init__.py", "shop/sizes.py"]
    assert (root / "house").stat().st_uid == 10001
    assert (root / "srv/everloop/bin/everloop").exists()
    assert not (root / "build").exists(), "what installs it stays behind"
    assert [path.name for path in (root / "srv/everloop/bin").glob("pip*")] == []
    assert re.search("(?m)^everloop:.:10001:10001:.*/usr/sbin/nologin$", (root / "etc/passwd").read_text())
    if target == "serving":
        assert [port.split("/")[0] for port in said["ExposedPorts"]] == ["8321"]


def test_a_version_is_baked_in_and_the_key_is_in_no_file(buildah, base, project):
    said, root = built(buildah, base, project, folder.files(BAKED, "deploy"), "serving")
    assert (root / "baked/key").read_text() == hashlib.sha256(KEY.encode()).hexdigest()
    assert "--model demand --house /baked" in (root / "baked/asked").read_text()
    assert said["User"] == "10001:10001"
    found = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and KEY.encode() in path.read_bytes()]
    assert found == []


def test_what_debian_has_to_bring_is_asked_of_it(buildah, base, project):
    _, root = built(buildah, base, project, folder.files(LOCAL, "deploy"), "serving")
    assert "install --yes --no-install-recommends libgomp1" in (root / "var/apt.said").read_text()


def test_another_file_than_was_locked_is_not_installed(buildah, base, project):
    lock = project / "requirements.txt"
    lock.write_text("everloop==0.1.0 --hash=sha256:" + "0" * 64 + "\n")
    assert "DO NOT MATCH THE HASHES" in built(buildah, base, project, folder.files(SHARED, "deploy"), "serving", ok=False)


def test_an_image_for_a_cloud_is_built_on_what_is_said_and_on_nothing_else(buildah, base, project):
    scripts = ("handler.py",)
    needs = Needs("shop", "", ("demand",), read_settings(project, environ={}), files=("project.py", "shop/sizes.py"))
    made = image.files(needs, image.Made("everloop export lambda", "deploy", "", scripts, ('ENTRYPOINT ["everloop"]',)))
    made |= {"requirements.txt": (project / "requirements.txt").read_text()} | dict.fromkeys(scripts, "")
    said, root = built(buildah, base, project, made, argument="PYTHON")
    assert (said["User"], said["Entrypoint"]) == ("10001", ["everloop"])
    assert inside(root, "srv/project") == ["everloop.toml", "project.py", "shop/sizes.py"]
    assert sorted(path.name for path in (root / "srv").iterdir()) == sorted(["project", "venv", *scripts])
    assert [path.name for path in (root / "srv/venv/bin").glob("pip*")] == []
    told = built(buildah, base, project, made, argument="OTHER", ok=False)
    assert not told.startswith("exit code 0"), "what it is built on was not said"
