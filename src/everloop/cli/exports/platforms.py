"""How a house is run by others: as images and manifests for Kubernetes, KServe, Seldon Core and Docker Compose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from everloop.cli.options import HERE, Json, Project, Stage, To
from everloop.cli.saying import say
from everloop.errors import EverloopError

if TYPE_CHECKING:
    from everloop.connect.kubernetes.facts import Room

    _Known = Callable[[str | None, float | None, Path], Room]

Image = Annotated[str, typer.Option("--image", help="The repository its images are pushed to, without a tag.")]
Base = Annotated[str, typer.Option("--base", help="What they are built on, with its digest: python:3.12-slim@sha256:…")]
Lock = Annotated[Path | None, typer.Option("--lock", help="What is installed, with hashes (default: requirements.txt beside the project).")]
Called = Annotated[str, typer.Option("--name", help="What it is called there (default: as the project's folder).")]
Namespace = Annotated[str, typer.Option("--namespace", help="The namespace of the cluster.")]
Replicas = Annotated[str, typer.Option("--replicas", help="How many answer: at least and at most.")]
File = Annotated[Path | None, typer.Option("--version", help="A version as one file (.everloop) that is baked into the image.")]
Retrain = Annotated[str | None, typer.Option("--retrain", help="Also learn by the calendar: five fields of cron, in UTC.")]
Memory = Annotated[str | None, typer.Option("--memory", help="What who answers takes at most, such as 600Mi (default: as seen here).")]
Cpu = Annotated[float | None, typer.Option("--cpu", help="How many cores who answers keeps busy (default: as seen here).")]
LearningMemory = Annotated[str | None, typer.Option("--learning-memory", help="The same of who learns (default: as its trainings took).")]
Trust = Annotated[bool, typer.Option("--trust", help="The version may build types that skops does not trust by itself.")]
LearningCpu = Annotated[float | None, typer.Option("--learning-cpu", help="The same of who learns.")]


@dataclass(frozen=True)
class _Rooms:
    """What somebody says of room; None: as it was seen."""

    memory: str | None
    cpu: float | None
    learning_memory: str | None
    learning_cpu: float | None


def kubernetes(
    to: To,
    image: Image = "",
    base: Base = "",
    lock: Lock = None,
    name: Called = "",
    namespace: Namespace = "default",
    replicas: Replicas = "2:6",
    retrain: Retrain = None,
    version: File = None,
    trust: Trust = False,
    memory: Memory = None,
    cpu: Cpu = None,
    learning_memory: LearningMemory = None,
    learning_cpu: LearningCpu = None,
    project: Project = HERE,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Dockerfile, manifests, Kustomize overlays and a runbook for Kubernetes; with gates for Argo Rollouts and Flagger."""
    rooms = _Rooms(memory, cpu, learning_memory, learning_cpu)
    said = {"image": image, "base": base, "name": name, "namespace": namespace, "replicas": replicas}
    _write("kubernetes", to, project, stage, as_json, lock=lock, rooms=rooms, retrain=retrain, version=version, trust=trust, **said)


def kserve(
    to: To,
    image: Image = "",
    base: Base = "",
    lock: Lock = None,
    name: Called = "",
    namespace: Namespace = "default",
    replicas: Replicas = "2:6",
    version: File = None,
    trust: Trust = False,
    memory: Memory = None,
    cpu: Cpu = None,
    learning_memory: LearningMemory = None,
    learning_cpu: LearningCpu = None,
    project: Project = HERE,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Dockerfile and an InferenceService for KServe, asked in the Open Inference Protocol."""
    rooms = _Rooms(memory, cpu, learning_memory, learning_cpu)
    said = {"image": image, "base": base, "name": name, "namespace": namespace, "replicas": replicas}
    _write("kserve", to, project, stage, as_json, lock=lock, rooms=rooms, version=version, trust=trust, **said)


def compose(
    to: To,
    image: Image = "",
    base: Base = "",
    lock: Lock = None,
    name: Called = "",
    version: File = None,
    trust: Trust = False,
    memory: Memory = None,
    cpu: Cpu = None,
    learning_memory: LearningMemory = None,
    learning_cpu: LearningCpu = None,
    project: Project = HERE,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Dockerfile and a compose.yaml for one machine."""
    rooms = _Rooms(memory, cpu, learning_memory, learning_cpu)
    said = {"image": image, "base": base, "name": name, "replicas": "1"}
    _write("compose", to, project, stage, as_json, lock=lock, rooms=rooms, version=version, trust=trust, **said)


def seldon(
    to: To,
    image: Image,
    base: Annotated[str, typer.Option("--base", help="Seldon's MLServer, with its digest: seldonio/mlserver:…@sha256:…")],
    version: Annotated[Path, typer.Option("--version", help="A version as one file (.everloop).")],
    storage: Annotated[str, typer.Option("--storage", help="Where model/ is copied to: s3://bucket/path or gs://bucket/path.")],
    trust: Trust = False,
    lock: Lock = None,
    name: Called = "",
    namespace: Namespace = "default",
    replicas: Replicas = "2:6",
    memory: Memory = None,
    cpu: Cpu = None,
    project: Project = HERE,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """A version as a Model for Seldon Core 2, and the Server that is able to load it."""
    from everloop.loop.deployed import Wanted
    from everloop.loop.platforms import write_seldon

    room = _told(_serving, memory, cpu, project)
    folder = _folder(project)
    wanted = Wanted(
        image=image, base=base, lock=lock or folder / "requirements.txt", serving=room, learning=room, name=name, namespace=namespace,
        replicas=replicas, version=version, trust=trust,
    )  # fmt: skip
    written = write_seldon(project, stage or None, wanted, storage, to)
    say({"files": written.files}, str(written), as_json)


def _write(kind: str, to: Path, project: Path, stage: str, as_json: bool, *, lock: Path | None, rooms: _Rooms, **said: Any) -> None:
    """Write a house out for a platform; ``said`` is the rest of what ``Wanted`` holds."""
    from everloop.loop.deployed import Wanted
    from everloop.loop.platforms import write

    serving = _told(_serving, rooms.memory, rooms.cpu, project)
    baked = said.get("version") is not None
    learning = serving if baked else _told(_learning, rooms.learning_memory, rooms.learning_cpu, project)
    wanted = Wanted(lock=lock or _folder(project) / "requirements.txt", serving=serving, learning=learning, **said)
    written = write(kind, project, stage or None, wanted, to)
    say({"files": written.files}, str(written), as_json)


def _told(known: _Known, memory: str | None, cpu: float | None, project: Path) -> Room | EverloopError:
    """The room, or why nobody knows it: that is told with whatever else lacks."""
    try:
        return known(memory, cpu, project)
    except EverloopError as error:
        return error


def _folder(project: Path) -> Path:
    return project if project.is_dir() else project.parent


def _serving(memory: str | None, cpu: float | None, project: Path) -> Room:
    from everloop.connect.needed import asked_settings
    from everloop.loop.room import said_room, serving_room

    if memory is None and cpu is not None:
        raise EverloopError("--cpu is said with --memory: what was seen is believed of both, or of none. Say --memory 600Mi as well.")
    if memory is not None:
        return said_room(0.25 if cpu is None else cpu, memory, "--memory")
    seen = serving_room(asked_settings(_folder(project), None)[0].house)
    if seen is None:
        raise EverloopError(
            "Nobody has seen how much room it takes to answer. Serve it here for a while (everloop run, and ask it), then export beside "
            "it; or say --memory 600Mi --cpu 0.5"
        )
    return seen


def _learning(memory: str | None, cpu: float | None, project: Path) -> Room:
    from everloop.connect.needed import asked_settings
    from everloop.loop.room import learning_room, said_room

    if memory is None and cpu is not None:
        raise EverloopError("--learning-cpu is said with --learning-memory. Say --learning-memory 2Gi as well.")
    if memory is not None:
        return said_room(1.0 if cpu is None else cpu, memory, "--learning-memory")
    seen = learning_room(project)
    if seen is None:
        if not asked_settings(_folder(project), None)[0].registry.startswith("sqlite:"):
            raise EverloopError(
                "The trainings of this house are written down in a database (registry), which no export opens, so nobody here knows how "
                "much room it takes to learn. Say --learning-memory 2Gi --learning-cpu 1"
            )
        raise EverloopError(
            "No training of this house was measured, so nobody knows how much room it takes to learn. Train once (everloop turn), or say "
            "--learning-memory 2Gi --learning-cpu 1"
        )
    return seen
