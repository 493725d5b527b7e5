"""Writing a house out for platforms: facts in, files in a folder. Everything that can be refused is refused before the first is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from everloop.connect import compose, kserve, seldon
from everloop.connect.kubernetes import folder as kubernetes
from everloop.connect.mlflow.folder import model_folder
from everloop.connect.needed import asked_settings, from_files, seen_from
from everloop.connect.whole import put, put_own
from everloop.errors import EverloopError
from everloop.loop.baked import read
from everloop.loop.deployed import Wanted, deployed
from everloop.loop.project_file import Project, open_project
from everloop.settings import Settings

WRITES: Final[Mapping[str, tuple[str, Callable[..., dict[str, str]]]]] = {
    "kubernetes": (kubernetes.MARK, kubernetes.files),
    "kserve": (kserve.MARK, kserve.files),
    "compose": (compose.MARK, compose.files),
}
NEXT: Final = {
    "kubernetes": "kubectl kustomize {to}/base",
    "kserve": "kubectl kustomize {to}/base",
    "compose": "docker compose -f {to}/compose.yaml config",
}


@dataclass(frozen=True)
class Written:
    """What was written, and what to do next."""

    files: tuple[Path, ...]
    folder: Path
    next: str

    def __str__(self) -> str:
        names = ", ".join(path.relative_to(self.folder).as_posix() for path in self.files)
        return f"Wrote {names} in {self.folder}.\nNext: {self.next}; then as {self.folder / 'README.md'} says."


def write(kind: str, project: Path, stage: str | None, wanted: Wanted, to: Path) -> Written:
    """Write a house out for ``kubernetes``, ``kserve`` or ``compose``. Raises what ``deployed`` raises, and EverloopError where a file of
    somebody else is in the way; then nothing was written."""
    opened, settings, secrets = _opened(project, stage)

    def replicas_come_and_go() -> None:
        if kind == "kserve" and wanted.version is None and settings.registry.startswith("sqlite:"):
            raise EverloopError(
                "KServe starts and ends replicas as it likes, and a house whose decisions are in a SQLite file has one. Say a stage with "
                'registry = "postgresql://…", or --version for a version in the image.'
            )

    said = deployed(opened, settings, secrets, wanted, replicas_come_and_go, lambda: seen_from(settings.folder, to))
    mark, files = WRITES[kind]
    made = files(said, seen_from(settings.folder, to), from_files=() if said.baked else from_files(settings))
    return Written(tuple(put_own(to, made, mark)), to, NEXT[kind].format(to=to))


def write_seldon(project: Path, stage: str | None, wanted: Wanted, storage: str, to: Path) -> Written:
    """Write a version out for Seldon Core 2: its folder, the Model, and the Server. Raises as ``write`` does."""
    from importlib.metadata import version as release_of

    opened, settings, secrets = _opened(project, stage)
    assert wanted.version is not None

    def read_from() -> None:
        if "://" not in storage:
            raise EverloopError(f"--storage {storage!r} is no place Seldon reads from. Say s3://bucket/path or gs://bucket/path.")

    said = deployed(opened, settings, secrets, wanted, read_from, lambda: seen_from(settings.folder, to))
    carried = read(wanted.version)
    placed = seldon.Placed(
        name=said.name,
        namespace=said.namespace,
        model=carried.candidate.model,
        version=carried.version.name,
        number=carried.version.number,
        storage=storage.rstrip("/"),
        image=said.image,
        base=said.base,
        locked=said.locked,
        serving=said.serving,
        least=said.least,
        most=said.most,
    )
    bodies = model_folder(carried.candidate, wanted.version.read_bytes(), None, run="", release=release_of("everloop"))
    files = put_own(to, seldon.files(placed, seen_from(settings.folder, to)), seldon.MARK)
    bodies["model-settings.json"] = seldon.settings(placed).encode()
    files += [put(to / "model" / name, body) for name, body in bodies.items()]
    return Written(tuple(files), to, f"kubectl kustomize {to}")


def _opened(project: Path, stage: str | None) -> tuple[Project, Settings, tuple[str, ...]]:
    opened = open_project(project)
    assert opened.path is not None
    settings, secrets = asked_settings(opened.path.parent, stage)
    return opened, settings, secrets
