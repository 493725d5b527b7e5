"""The image of a house for a cloud: one Dockerfile, and what of the project is sent to its builder.

In: what a project needs, and where the files are. Out: text. What is installed is pinned by its hash and so is what it is built on.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from everloop.connect.cloud.needs import Needs
from everloop.connect.needed import OF_DEBIAN
from everloop.settings import FILE

PROJECT = "/srv/project"
"""Where the image has the project."""
USER = 10001
"""Who its processes run as: nobody of the image's own, and who the file systems here let write."""


@dataclass(frozen=True)
class Made:
    """How it is made: the folder of the Dockerfile as seen from the project's, what it is built on by its digest (empty: whoever builds it
    says so), the scripts beside the Dockerfile that it holds, and what it runs."""

    mark: str
    folder: str
    base: str
    scripts: tuple[str, ...]
    runs: tuple[str, ...]


def files(needs: Needs, made: Made) -> dict[str, str]:
    """The Dockerfile and what belongs to it, by name."""
    return {"Dockerfile": "\n".join(_lines(needs, made)) + "\n", "Dockerfile.dockerignore": _sent(needs, made)}


def build(made: Made, image: str = "…") -> str:
    """How it is built, in the project's folder."""
    said = "" if made.base else " --build-arg PYTHON=python:3.12-slim@sha256:…"
    return f"docker build -f {shlex.quote(f'{made.folder}/Dockerfile')}{said} -t {image} ."


def _lines(needs: Needs, made: Made) -> list[str]:
    return [
        "# syntax=docker/dockerfile:1",
        f"# Written by {made.mark}; it is yours to change. Built in the project's folder, where {FILE} is:",
        f"#   {build(made)}",
        "# requirements.txt is requirements.in with hashes, so that an image made again is the same one.",
        *_base(made),
        "FROM ${PYTHON} AS built",
        f"COPY {json.dumps([f'{made.folder}/requirements.txt', '/tmp/requirements.txt'])}",
        "RUN python -m venv /srv/venv \\",
        "    && /srv/venv/bin/pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r /tmp/requirements.txt \\",
        "    && /srv/venv/bin/pip uninstall --yes --quiet pip \\",
        "    && /srv/venv/bin/python -m compileall -q /srv/venv/lib",
        "",
        "FROM ${PYTHON}",
        *_libraries(needs),
        f"RUN useradd --uid {USER} --no-create-home --shell /usr/sbin/nologin everloop",
        "COPY --from=built /srv/venv /srv/venv",
        *(f"COPY {json.dumps([name, f'{PROJECT}/{place}'])}" for name, place in _held(needs).items()),
        *(f"COPY {json.dumps([f'{made.folder}/{name}', f'/srv/{name}'])}" for name in made.scripts),
        "# What keeps a worker small, and does not spin; see everloop/loop/serve/lean.py",
        "ENV PATH=/srv/venv/bin:$PATH PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \\",
        "    OMP_WAIT_POLICY=PASSIVE ARROW_DEFAULT_MEMORY_POOL=system MALLOC_ARENA_MAX=2",
        f"USER {USER}",
        "WORKDIR /srv",
        *made.runs,
    ]


def _base(made: Made) -> list[str]:
    if made.base:
        return [f"ARG PYTHON={made.base}"]
    return [
        "# Without a digest it would be another image tomorrow, so none is said here: docker buildx imagetools inspect python:3.12-slim",
        "ARG PYTHON",
    ]


def _libraries(needs: Needs) -> list[str]:
    """What of Debian the packages need, as the release of the base image has it."""
    installed = {*needs.extras, *(pin.partition("==")[0].lower() for pin in needs.packages)}
    libraries = sorted({OF_DEBIAN[package] for package in OF_DEBIAN if package in installed})
    if not libraries:
        return []
    return [
        "# hadolint ignore=DL3008",
        "RUN apt-get update \\",
        f"    && apt-get install --yes --no-install-recommends {' '.join(libraries)} \\",
        "    && rm -rf /var/lib/apt/lists/*",
    ]


def _held(needs: Needs) -> dict[str, str]:
    """The files of the project that it holds, and where: the project file is called project.py there; a public key lies as it does here."""
    key, folder = needs.settings.signing.key, needs.settings.folder
    keys = [key.relative_to(folder).as_posix()] if key is not None and key.is_relative_to(folder) else []
    return {needs.files[0]: "project.py"} | {name: name for name in (*needs.files[1:], FILE, *keys)}


def _sent(needs: Needs, made: Made) -> str:
    """What is sent to the builder: what the image holds, and nothing of the house, of Git or of anybody's keys."""
    wanted = [f"{made.folder}/requirements.txt", *(f"{made.folder}/{name}" for name in made.scripts), *_held(needs)]
    return "\n".join([f"# Written by {made.mark}", "*", *(f"!{path}" for path in wanted)]) + "\n"
