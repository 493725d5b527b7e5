"""The files of a deployment, by path. In: facts. Out: what is written, and nothing is written here."""

from __future__ import annotations

from everloop.connect.kubernetes import image, learning, network, overlays, serving
from everloop.connect.kubernetes.facts import Deployed
from everloop.connect.kubernetes.runbook import runbook
from everloop.connect.kubernetes.written import Manifest, yaml_text

MARK = "everloop export kubernetes"


def files(said: Deployed, folder: str, *, from_files: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file, by path below the folder it is written to; ``folder`` is that one as seen from the project's."""
    parts = base(said)
    made = {
        "README.md": runbook(said, MARK, folder, answers=said.name, overlays=not said.local, from_files=from_files),
        **built(said, MARK),
        "base/kustomization.yaml": yaml_text(
            MARK, "What there is. An overlay, or your own, goes on top.", overlays.base(said, list(parts))
        ),
        **{f"base/{name}": yaml_text(MARK, why, manifest) for name, (why, manifest) in parts.items()},
    }
    for name, why, manifests in _overlays(said):
        made |= {f"overlays/{name}/{file}": yaml_text(MARK, why, manifest) for file, manifest in manifests.items()}
    if not said.local and not said.baked:
        example = f"# Written by {MARK}\n{overlays.PUT_IN}=flagger:ev_…@{said.address}\n"
        made[f"overlays/flagger/{overlays.AUTHORITY}.example"] = example
        made["overlays/flagger/.gitignore"] = f"# Written by {MARK}\n{overlays.AUTHORITY}\n"
    return made


def built(said: Deployed, mark: str) -> dict[str, str]:
    """How its image is built."""
    return {"Dockerfile": image.dockerfile(said, mark), "Dockerfile.dockerignore": image.dockerignore(said, mark)}


def base(said: Deployed) -> dict[str, tuple[str, Manifest]]:
    """Each file of the base: why it is as it is, and what it says."""
    room = f"Room: {said.serving.seen}"
    found: dict[str, tuple[str, Manifest]] = {
        "account.yaml": ("Rights in the cluster: none.", network.account(said)),
        "serving.yaml": (f"Who answers.\n{room}", serving.deployment(said)),
        "service.yaml": ("Where it answers.", network.service(said)),
        "network.yaml": ("Who may speak to whom.", network.policy(said)),
    }
    if said.local:
        return found | {"house.yaml": ("Decisions in a file: one house, one pod.", serving.volume(said))}
    found |= {
        "autoscaler.yaml": ("How many answer.", serving.autoscaler(said)),
        "disruption.yaml": ("How many may be away.", serving.disruption(said)),
    }
    if not said.baked:
        found["worker.yaml"] = (f"Who turns the house.\nRoom: {said.learning.seen}", learning.worker(said))
        why = (
            "Learning by the calendar, beside what the house decides itself."
            if said.retrain
            else "Learning when somebody says so (see README.md)."
        )
        found["retrain.yaml"] = (why, learning.cron(said))
    return found


def _overlays(said: Deployed) -> list[tuple[str, str, dict[str, Manifest]]]:
    if said.local:
        return []
    found = [("canary", "One pod of a new image, behind the same Service.", overlays.canary(said))]
    if not said.baked:
        model = said.models[0]
        found += [
            ("argo", f"Rolled out by Argo Rollouts, as far as the roll-out of {model} bears it.", overlays.argo(said, model)),
            ("flagger", f"Rolled out by Flagger, as far as the roll-out of {model} bears it.", overlays.flagger(said, model)),
        ]
    return found
