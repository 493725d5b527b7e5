"""Docker Compose: a house on one machine that runs containers. In: facts. Out: the text of files.

Source: the Compose Specification (https://compose-spec.io). Secrets are asked of the environment by name (``${NAME:?…}``), so that a file
with one of them missing does not start; they stand in no file that is written here.
"""

from __future__ import annotations

import shlex
from typing import Any

from everloop.connect.kubernetes.facts import APP, BAKED, BEFORE_IT_ENDS, HOUSE, SECRET, Deployed, Room
from everloop.connect.kubernetes.folder import built
from everloop.connect.kubernetes.written import yaml_text

MARK = "everloop export compose"
LOOKS = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/health/ready', timeout=2)"


def files(said: Deployed, folder: str, *, from_files: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file, by path below the folder it is written to."""
    why = f"docker compose -f {folder}/compose.yaml up --build --wait, from the project's folder.\nRoom: {said.serving.seen}"
    return {"README.md": _page(said, folder, from_files), **built(said, MARK), "compose.yaml": yaml_text(MARK, why, composed(said, folder))}


def composed(said: Deployed, folder: str) -> dict[str, Any]:
    """The services: who answers, and beside it who turns the house, unless one process does both."""
    services = {"serving": _answers(said, folder)}
    volumes: dict[str, Any] = {} if said.baked else {"house": {}}
    if not said.local and not said.baked:
        services["worker"] = _service(said, folder, "training", ["worker"], said.learning, "working", stop_grace_period="60s")
        volumes["working"] = {}
    if said.baked:
        services["serving"]["build"]["secrets"] = [SECRET]
    kept = {SECRET: {"environment": "PREDICT_KEY"}} if said.baked else None
    return {"name": said.name, "services": services, "volumes": volumes or None, "secrets": kept}


def _answers(said: Deployed, folder: str) -> dict[str, Any]:
    looks = {"test": ["CMD", "python", "-c", LOOKS.format(port=said.port)], "interval": "5s", "timeout": "3s", "start_period": "60s"}
    ends = said.grace if said.drain else said.grace - BEFORE_IT_ENDS  # nobody waits here before it is told to end
    more: dict[str, Any] = {
        "ports": [f"127.0.0.1:{said.port}:{said.port}"],
        "healthcheck": {**looks, "retries": 3},
        "stop_grace_period": f"{ends}s",
    }
    one = _service(said, folder, "serving", said.answers, said.serving, "house", **more)
    if said.baked:
        # The house that was baked in, put where it may be written to; exec, so that signals reach it.
        line = f"cp -a {BAKED}/. {HOUSE} && exec everloop {shlex.join(one['command'])}"
        one |= {"entrypoint": ["sh", "-c"], "command": [line], "tmpfs": ["/tmp", HOUSE], "volumes": None}
    return one


def _service(said: Deployed, folder: str, target: str, words: list[str], room: Room, volume: str, **more: Any) -> dict[str, Any]:
    above = "/".join([".."] * len([part for part in folder.split("/") if part not in ("", ".")])) or "."
    stage = ["--stage", said.stage] if said.stage else []
    return {
        "image": f"{said.image}-{target}:${{TAG:-local}}",
        "build": {"context": above, "dockerfile": f"{folder}/Dockerfile", "target": target},
        "command": [*words, "--project", APP, "--house", HOUSE, *stage],
        "environment": {name: f"${{{name}:?say it in the environment}}" for name in said.secrets} or None,
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp"],
        "shm_size": "256mb",
        "volumes": [{"type": "volume", "source": volume, "target": HOUSE}],
        "deploy": {"resources": {"limits": {"memory": f"{room.most_mebi}M"}, "reservations": {"memory": f"{room.asked_mebi}M"}}},
        "restart": "unless-stopped",
        **more,
    }


def _page(said: Deployed, folder: str, from_files: tuple[str, ...]) -> str:
    compose = f"docker compose -f {folder}/compose.yaml"
    of = "serving" if said.local or said.baked else "worker"
    stage = f" --project {APP} --house {HOUSE}" + (f" --stage {said.stage}" if said.stage else "")
    lines = [
        f"<!-- Written by {MARK} -->",
        f"# {said.name} by Docker Compose",
        "",
        "```sh",
        *(f"export {name}=…" for name in said.secrets),
        *(["export PREDICT_KEY=ev_…   # who may ask it: everloop key add till predict, in any house"] if said.baked else []),
        f"{compose} up --build --wait",
        *([] if said.baked else [f"{compose} exec {of} everloop key add till predict{stage}   # a key is asked of everybody"]),
        f"curl -s http://127.0.0.1:{said.port}/health/ready",
        "```",
        "",
        "How it stands, and how it is taken back:",
        "",
        "```sh",
        f"{compose} ps && {compose} logs --tail 50",
        *(
            []
            if said.baked
            else [
                f"{compose} exec {of} everloop status{stage}",
                f"{compose} exec {of} everloop undo {said.models[0]} --by $USER --reason 'it doubles every Monday'{stage}",
            ]
        ),
        "```",
    ]
    lines += [
        "",
        *(
            f"- `{source}` is read from a file beside the project: its rows come by `POST /v1/events/{source}` here."
            for source in from_files
        ),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"
