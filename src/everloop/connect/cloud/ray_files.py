"""Ray Serve: an application around a house, and the configuration it is deployed with. In: what a project needs. Out: files.

https://docs.ray.io/en/latest/serve/production-guide/config.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from everloop.connect.cloud.needs import Needs, filled, lying, requirements
from everloop.connect.needed import all_refused, no_secret_inside
from everloop.connect.whole import put_own
from everloop.errors import EverloopError

MARK: Final = "everloop export rayserve"
HEAD_NODE: Final = '          resources: {"node:__internal_head__": 0.001} # this house is on SQLite, which is a file of one machine\n'


def write(folder: Path, needs: Needs, *, replicas: int) -> list[Path]:
    """The application, its configuration, what it is installed with, and a runbook; the files that were written.

    They are no image's: where Ray runs them they lie beside the project. Replicas of a house on SQLite stay on Ray's head node. Raises
    EverloopError where a password would be among them, and where a file of somebody else is in the way.
    """
    all_refused(lambda: _some(replicas), lambda: no_secret_inside(needs.settings))
    own = lying("ray")
    own["serve_app.py"] = filled(own["serve_app.py"], {'stage=""': f'stage="{needs.stage}"'})
    one_machine = needs.settings.registry.startswith("sqlite:")
    said = {"num_replicas: 1\n": f"num_replicas: {replicas}\n", "port: 8321\n": f"port: {needs.settings.serving.port}\n"}
    own["serve_config.yaml"] = filled(own["serve_config.yaml"], {**said, "        # HEAD\n": HEAD_NODE if one_machine else ""})
    model = needs.models[0] if needs.models else "demand"
    words = {"MODEL": model, "STAGE": f" --stage {needs.stage}" if needs.stage else "", ":8321/": f":{needs.settings.serving.port}/"}
    own["RUNBOOK.md"] = filled(own["RUNBOOK.md"], words)
    own["requirements.in"] = f"# Written by {MARK}.\n{requirements(needs, 'rayserve')}"
    return put_own(folder, own, MARK)


def _some(replicas: int) -> None:
    if replicas < 1:
        raise EverloopError(f"--replicas {replicas} answers nobody: say 1 or more.")
