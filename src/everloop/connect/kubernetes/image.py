"""The images of a house: one Dockerfile with a stage for who answers and one for who learns. In: facts. Out: text.

What is installed is pinned by its hash and so is what it is built on: the same files make the same image tomorrow. It runs as nobody, and
holds no secret; a version that is baked in is checked against its golden rows while the image is built, or there is none.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence

from everloop.connect.kubernetes.facts import APP, BAKED, HOUSE, SECRET, USER, Baked, Deployed


def dockerfile(said: Deployed, mark: str) -> str:
    """The Dockerfile: ``docker build --target serving`` and ``--target training``, from the project's folder."""
    return "\n".join([*_head(said, mark), *_installed(said), *_project(said), *_learns(said), *_answers(said)]) + "\n"


def dockerignore(said: Deployed, mark: str) -> str:
    """What of the project's folder is sent to the builder: what the image holds, and nothing of the house, of Git or of anybody's keys."""
    wanted = [said.locked, *said.files, *([said.baked.file] if said.baked else [])]
    return "\n".join([f"# Written by {mark}", "*", *(f"!{path}" for path in wanted)]) + "\n"


def _head(said: Deployed, mark: str) -> list[str]:
    return [
        "# syntax=docker/dockerfile:1",
        f"# Written by {mark}",
        f"ARG BASE={said.base}",
        "",
    ]


def _installed(said: Deployed) -> list[str]:
    return [
        "# What is installed, each file by its hash; what installs it goes again.",
        "FROM ${BASE} AS installed",
        f"COPY {said.locked} /build/requirements.txt",
        "RUN python -m venv /srv/everloop \\",
        "    && /srv/everloop/bin/pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r /build/requirements.txt \\",
        "    && /srv/everloop/bin/pip uninstall --yes --quiet pip",
        "",
    ]


def _project(said: Deployed) -> list[str]:
    lines = ["FROM ${BASE} AS project"]
    if said.libraries:
        lines += [
            "# Of Debian's own, as the release of the base image has it: that is pinned above.",
            "# hadolint ignore=DL3008",
            "RUN apt-get update \\",
            f"    && apt-get install --yes --no-install-recommends {' '.join(said.libraries)} \\",
            "    && rm -rf /var/lib/apt/lists/*",
        ]
    return [
        *lines,
        f"RUN groupadd --system --gid {USER} everloop \\",
        f"    && useradd --system --uid {USER} --gid {USER} --no-create-home --home-dir /tmp --shell /usr/sbin/nologin everloop \\",
        f"    && install -d -o {USER} -g {USER} {HOUSE}",
        "ENV PATH=/srv/everloop/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp",
        "COPY --from=installed /srv/everloop /srv/everloop",
        f"WORKDIR {APP}",
        *_copied(said.files),
        f"USER {USER}:{USER}",
        'ENTRYPOINT ["everloop"]',
        "",
    ]


def _copied(files: Sequence[str]) -> Iterable[str]:
    """One line for each folder, since COPY puts everything it is given into one."""
    folders: dict[str, list[str]] = {}
    for path in files:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    for folder, inside in folders.items():
        yield f"COPY {json.dumps([*inside, f'./{folder}/' if folder else './'])}"


def _learns(said: Deployed) -> list[str]:
    if said.baked:
        return []
    return ["# Turns the house: learns, judges, rolls out.", "FROM project AS training", f'CMD ["worker", "--house", "{HOUSE}"]', ""]


def _bakes(said: Deployed, baked: Baked) -> list[str]:
    words = ["everloop", "bake", f"/build/{baked.file.rpartition('/')[2]}", "--model", baked.model, "--house", BAKED, "--project", APP]
    stage = ["--stage", said.stage] if said.stage else []
    return [*words, "--key", f"/run/secrets/{SECRET}", *stage, *(["--trust"] if baked.trusted else [])]


def _answers(said: Deployed) -> list[str]:
    lines = []
    if said.baked:
        lines = [
            f"# {said.baked.version}, sha256 {said.baked.sha256}, in force in a house of its own.",
            "FROM project AS baked",
            f"COPY {json.dumps([said.baked.file, '/build/'])}",
            "USER 0",
            f"RUN install -d -o {USER} -g {USER} {BAKED}",
            f"USER {USER}:{USER}",
            "# Without a key nobody could ask it from beyond its own pod. Its text is in no layer: the house keeps its hash.",
            f"RUN --mount=type=secret,id={SECRET},required=true,uid={USER} \\",
            f"    {shlex.join(_bakes(said, said.baked))}",
            "",
        ]
    lines += [
        "# Answers over HTTP.",
        f"FROM {'baked' if said.baked else 'project'} AS serving",
        f"EXPOSE {said.port}",
        f'CMD ["serve", "--host", "0.0.0.0", "--port", "{said.port}", "--house", "{HOUSE}"]',
    ]
    return lines
