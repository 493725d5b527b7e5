"""A house as it is deployed: the facts that manifests are written from, gathered from the project, its settings and what was measured.

What could not run is refused by name before a file is written. Secrets are read by nobody: everloop.toml says ``${NAME}`` of them, and that
name is all that goes further.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from everloop.connect.kubernetes.facts import Baked, Deployed, Room
from everloop.connect.locked import MAKE, lacking, locked, normal
from everloop.connect.needed import (
    EXTRAS,
    HIDDEN,
    OF_DEBIAN,
    REPOSITORY,
    all_refused,
    called,
    extras_of,
    many_machines,
    no_secret_inside,
    packages_of,
    pinned,
    stage_of,
    urls_of,
)
from everloop.errors import EverloopError
from everloop.loop.baked import read, refuse_lookups
from everloop.loop.code import bodies_of, imported_by
from everloop.loop.project_file import Project
from everloop.registry.one_file import Carried
from everloop.settings import FILE, Settings

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""The least and the most of each field of a schedule: minute, hour, day, month, day of the week."""
PORTS: Final = {
    "postgresql": 5432, "redis": 6379, "rediss": 6379, "nats": 4222, "tls": 4222, "kafka": 9092, "kafkas": 9092, "ray": 10001, "dask": 8786,
    "http": 80, "https": 443, "s3": 443, "gs": 443, "az": 443,
}  # fmt: skip
BY_FORMAT: Final = {"skops": "scikit-learn", "lightgbm": "lightgbm", "xgboost": "xgboost", "onnx": "onnxruntime"}
"""The package that reads a version of a form, which has to be the release it was learnt with."""


@dataclass(frozen=True)
class Wanted:
    """What whoever exports says. ``lock`` and ``version`` are files; ``serving`` and ``learning`` what was measured, or said, or why nobody
    knows it."""

    image: str
    base: str
    lock: Path
    serving: Room | EverloopError
    learning: Room | EverloopError
    name: str = ""
    namespace: str = "default"
    replicas: str = "2:6"
    retrain: str | None = None
    version: Path | None = None
    trust: bool = False


def deployed(project: Project, settings: Settings, secrets: tuple[str, ...], wanted: Wanted, *looks: Callable[[], object]) -> Deployed:
    """The facts of a deployment. Raises EverloopError with everything that could not run there, or not as it should; ``looks`` are what
    else a platform asks for."""
    if project.path is None:
        raise EverloopError("Only a project file can be put into an image.")
    path, folder = project.path, settings.folder
    name = wanted.name or called(folder.name, longest=52)
    carried = None if wanted.version is None else read(wanted.version)
    local = carried is None and settings.registry.startswith("sqlite:")

    def one_or_many() -> None:
        most = _replicas(wanted.replicas)[1]
        if carried is None and not local:
            many_machines(settings)
        else:
            _alone(settings, secrets, most, carried)

    all_refused(
        *(partial(_checked, what, name, wanted) for what in ("name", "namespace", "image", "base", "retrain")),
        one_or_many,
        lambda: refuse_lookups(project.model(carried.candidate.model)) if carried is not None else None,
        lambda: _files(path, settings),
        lambda: _installed(wanted.lock, project, settings, carried),
        lambda: _below(wanted.lock, folder, "The lock"),
        lambda: _known(wanted.serving),
        lambda: _known(wanted.learning),
        *looks,
    )
    files, (least, most) = _files(path, settings), _replicas(wanted.replicas)
    versions = _installed(wanted.lock, project, settings, carried)
    return Deployed(
        name=name,
        namespace=wanted.namespace,
        image=wanted.image,
        base=wanted.base,
        stage=settings.stage,
        models=tuple(project.models) if carried is None else (carried.candidate.model,),
        files=files,
        libraries=tuple(sorted({OF_DEBIAN[package] for package in OF_DEBIAN if package in versions})),
        locked=_below(wanted.lock, folder, "The lock"),
        serving=_known(wanted.serving),
        learning=_known(wanted.learning),
        workers=settings.serving.workers,
        port=settings.serving.port,
        drain=settings.serving.drain,
        least=1 if local else least,
        most=1 if local else most,
        secrets=secrets,
        reaches=() if carried else tuple(sorted(set(_ports(settings)))),
        retrain=wanted.retrain,
        baked=None if carried is None or wanted.version is None else _baked(carried, wanted.version, folder, wanted.trust),
        local=local,
    )


def _checked(what: str, name: str, wanted: Wanted) -> None:
    """Raises EverloopError where what is said by this option cannot be meant."""
    said = name if what == "name" else getattr(wanted, what)
    if what in ("name", "namespace") and not _NAME.fullmatch(said):
        raise EverloopError(f"--{what} {said!r} is no name in a cluster. Say small letters, digits and dashes, at most 52, such as demand.")
    if what == "image" and not REPOSITORY.fullmatch(said):
        wrong = f"--image {said!r} is no repository without a tag" if said else "--image is not said"
        raise EverloopError(f"{wrong}. Say such as --image registry.example.com/shop/demand")
    if what == "base":
        pinned(said)
    if what == "retrain" and said is not None and not is_schedule(said):
        raise EverloopError(f"--retrain {said!r} is no schedule of five fields. Say such as --retrain '0 3 * * *', in UTC.")


def _known(room: Room | EverloopError) -> Room:
    if isinstance(room, EverloopError):
        raise room
    return room


def is_schedule(text: str) -> bool:
    """Whether a text is a schedule as Kubernetes reads it: five fields of numbers, ranges and steps (robfig/cron, standard form).

    >>> is_schedule("*/15 3-5 1,15 * 1"), is_schedule("0 24 * * *"), is_schedule("every night"), is_schedule("@daily")
    (True, False, False, False)
    """
    fields = text.split()
    if len(fields) != len(_CRON):
        return False
    for field, (least, most) in zip(fields, _CRON, strict=True):
        for part in field.split(","):
            match = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?", part)
            if match is None or any(not least <= int(number) <= most for number in (match[1], match[2]) if number):
                return False
            if match[2] and int(match[1]) > int(match[2]):
                return False
    return True


def _replicas(said: str) -> tuple[int, int]:
    """
    >>> _replicas("2:6"), _replicas("3")
    ((2, 6), (3, 3))
    """
    match = re.fullmatch(r"(\d+)(?::(\d+))?", said)
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= least <= most <= 1000:
        raise EverloopError(f"--replicas {said!r} says not how many answer. Say --replicas 2:6 for two to six of them.")
    return least, most


def _alone(settings: Settings, secrets: tuple[str, ...], most: int, carried: Carried | None) -> None:
    """Raises EverloopError where a house of one container, on a volume or in its image, would need more than that container."""
    if carried is None and most > 1:
        raise EverloopError(
            f"{stage_of(settings)} keeps decisions in a SQLite file (registry), and {most} pods would each have one of their own. Say "
            'registry = "postgresql://…" there, or --replicas 1 for one house on a volume, or --version for a version in the image.'
        )
    for key, said in (("registry", settings.registry), ("events", settings.events), ("lake", settings.lake), ("blobs", settings.blobs)):
        if not said.removeprefix("sqlite:///").startswith(str(settings.house)):
            why = "the version in the image has no use for it" if carried else "the volume has the house alone"
            raise EverloopError(f"{stage_of(settings)} keeps {key} outside of the house folder, and {why}. Say a stage without {key} =.")
    if carried is not None and secrets:
        raise EverloopError(
            f"{stage_of(settings)} asks for {', '.join(secrets)}, and an image with a version in it has no secrets. Say a stage without."
        )


def _files(path: Path, settings: Settings) -> tuple[str, ...]:
    """The files of the image by path below the project's folder. Raises EverloopError where one of them holds what must be in no image."""
    no_secret_inside(settings)
    if settings.signing.private_key is not None:
        raise EverloopError(
            f"[signing] private_key of {FILE} would be in the image. Leave it out of this stage: who answers only asks for key."
        )
    folder, code = settings.folder, [path.resolve().parent / name for name in bodies_of(path)]
    wanted = [*code, folder / FILE, *([settings.signing.key] if settings.signing.key else [])]
    return tuple(_below(file, folder, "A file of the project") for file in wanted if file.is_file())


def _below(file: Path, folder: Path, what: str) -> str:
    try:
        return file.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise EverloopError(
            f"{what}, {file}, is not in the project's folder {folder}, which is all an image is built from. Copy it there."
        ) from None


def _read(lock: Path, wanted: Mapping[str, str | None], extras: Collection[str]) -> str:
    """The lock. ``wanted`` are the packages it has to pin, each at the release a version learnt with, else at that which is here: where
    there is no lock, EverloopError says what to write."""
    try:
        return lock.read_text(encoding="utf-8")
    except OSError as error:
        brought = {normal(package) for package in EXTRAS.values()} | {"everloop"}
        own = f"everloop[{','.join(sorted(extras))}]" if extras else "everloop"
        lines = [f"{own}=={version('everloop')}", *sorted(_at(name, release) for name, release in wanted.items() if name not in brought)]
        raise EverloopError(
            f"There is no {lock} that says what is installed, with hashes ({error.strerror}). Write these lines into requirements.in "
            f"beside the project file, and lock it: {MAKE}\n      " + "\n      ".join(lines)
        ) from None


def _at(package: str, release: str | None) -> str:
    """A package at this release, or the one that is installed here; by its name where it is not."""
    try:
        return f"{package}=={release or version(package)}"
    except PackageNotFoundError:
        return package


def _installed(lock: Path, project: Project, settings: Settings, carried: Carried | None) -> dict[str, str]:
    """What is locked. Raises EverloopError where there is no lock, where it pins not everything, and where the image would lack what the
    project, its settings or the version ask for."""
    assert project.path is not None
    imported = imported_by(project.path)
    wanted = {"everloop": "the image itself"}
    wanted |= {normal(package or module): imported[module] for module, package in packages_of(imported).items()}
    extras = extras_of(project.models.values(), settings if carried is None else None)
    wanted |= {EXTRAS[extra]: why for extra, why in extras.items()}
    if carried is not None and carried.candidate.format in BY_FORMAT:
        wanted[BY_FORMAT[carried.candidate.format]] = carried.version.name
    learnt_with = {normal(package): at for package, at in carried.candidate.environment} if carried is not None else {}
    there = locked(_read(lock, {package: learnt_with.get(package) for package in wanted}, extras), lock.name)
    if said := lacking(wanted, there, lock.name):
        raise EverloopError(said)
    if carried is not None:
        _readable(carried, there, lock.name, settings)
    return there


def _readable(carried: Carried, there: Mapping[str, str], lock: str, settings: Settings) -> None:
    """Raises EverloopError where the image could not read the version that is to be in it."""
    if carried.candidate.format == "pickle" and not settings.pickle:
        raise EverloopError(
            f"{carried.version.name} is stored by pickle, which the image does not load. Allow it: [artefacts] pickle = true"
        )
    package = BY_FORMAT.get(carried.candidate.format)
    then = dict(carried.candidate.environment).get(package or "")
    if package and then and there[package] != then:
        raise EverloopError(
            f"{carried.version.name} learnt with {package} {then}, and {lock} has {there[package]}. Pin {package}=={then} in "
            "requirements.in, or learn it again."
        )


def _ports(settings: Settings) -> Iterator[int]:
    """The ports it reaches out to: databases, brokers, buckets; what a hidden URL says is not known, so those of databases."""
    urls = [*urls_of(settings).values(), settings.lake, settings.blobs]
    urls += [settings.storage.endpoint] if settings.storage.endpoint else []
    urls += [file for source in settings.sources.values() for file in source.files]
    for url in urls:
        scheme, _, rest = url.partition("://")
        kind = scheme.partition("+")[0]
        if not rest or kind == "sqlite":
            continue
        try:
            port = urlsplit(url.replace(HIDDEN, "")).port
        except ValueError:
            port = None
        if port or kind in PORTS:
            yield port or PORTS[kind]
        elif url.startswith(HIDDEN):
            yield PORTS["postgresql"]
    if settings.people:
        yield PORTS["https"]


def _baked(carried: Carried, file: Path, folder: Path, trust: bool) -> Baked:
    if carried.candidate.needs and not trust:
        raise EverloopError(
            f"{carried.version.name} wants to build {', '.join(carried.candidate.needs)}, which skops does not trust by itself. "
            "Say --trust only if you know who made it."
        )
    sha = hashlib.sha256(file.read_bytes()).hexdigest()
    return Baked(
        carried.version.name, carried.candidate.model, _below(file, folder, "The version"), sha, trust and bool(carried.candidate.needs)
    )
