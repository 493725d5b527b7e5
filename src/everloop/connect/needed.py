"""What a project needs wherever it is taken, to a cluster or a cloud: said by its settings and its imports. No store is opened, and no
secret is read: everloop.toml says ``${NAME}`` of them, and that name is all that goes further."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

from everloop.errors import EverloopError
from everloop.project.model import Model
from everloop.settings import FILE, STAGE, Settings, of_person, read_settings, secrets_aloud

HIDDEN: Final = "secret://"
"""How a value begins that only the environment knows."""
EXTRAS: Final = {
    "pandas": "pandas", "postgres": "psycopg", "redis": "redis", "streams": "faststream", "ray": "ray", "dask": "distributed",
    "signing": "model-signing", "opentelemetry": "opentelemetry-sdk", "granian": "granian",
}  # fmt: skip
"""The package that an extra is installed for."""
OF_DEBIAN: Final = {"lightgbm": "libgomp1"}
"""What of Debian a package needs that a slim image has not."""
PINNED: Final = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
"""An image by its digest."""
REPOSITORY: Final = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+|[a-z0-9]+([._-]+[a-z0-9]+)*")
"""How images are called without a tag, whoever keeps them."""
_DATABASE, _OBJECTS = ("postgresql://", "postgresql+psycopg://", "postgres://", HIDDEN), ("s3://", "gs://", "az://", HIDDEN)
_SHARED: Final = {"registry": _DATABASE, "events": _DATABASE, "lake": _OBJECTS, "blobs": _OBJECTS}
"""How the URL of each store begins that several machines can share; one that only the environment knows is believed."""


def all_refused(*looks: Callable[[], object]) -> None:
    """Look at everything, and then refuse what has to be refused: somebody who exports is told once of all that lacks.

    >>> all_refused(lambda: 1, lambda: pinned(""), lambda: pinned("python:3.12-slim"))
    Traceback (most recent call last):
    everloop.errors.EverloopError: Nothing was written; 2 things have to be said or mended first.
      --base is not said. Say...
      --base 'python:3.12-slim' is not pinned, and...
    """
    wrong: list[EverloopError] = []
    for look in looks:
        try:
            look()
        except EverloopError as error:
            if str(error) not in map(str, wrong):
                wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        lines = [f"Nothing was written; {len(wrong)} things have to be said or mended first.", *map(str, wrong)]
        raise EverloopError("\n  ".join(lines))


def pinned(base: str) -> None:
    """Raises EverloopError for what an image is built on that could be another one tomorrow."""
    if not PINNED.fullmatch(base):
        said = f"--base {base!r} is not pinned, and would be another image tomorrow" if base else "--base is not said"
        raise EverloopError(
            f"{said}. Say python:3.12-slim@sha256:…; what is behind the @ says: docker buildx imagetools inspect python:3.12-slim"
        )


def seen_from(folder: Path, to: Path) -> str:
    """Where files are written, as seen from the project's folder, from which images are built and commands are run. Raises EverloopError
    for a place outside of it.

    >>> seen_from(Path("/shop"), Path("/shop/infra/aws"))
    'infra/aws'
    """
    seen = Path(os.path.relpath(to.resolve(), folder.resolve())).as_posix()
    if seen == ".." or seen.startswith("../") or seen == ".":
        raise EverloopError(
            f"--to {to} is not a folder inside of the project's ({folder}), from which the images are built. Say such as --to "
            f"{folder / 'deploy'}"
        )
    return seen


class Names(dict[str, str]):
    """An environment in which every variable stands for itself; which were asked for is kept, and none is read."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        self[name] = f"{HIDDEN}{name}"
        return self[name]


def asked_settings(
    folder: Path, stage: str | None, house: Path | None = None, *, there: Mapping[str, str] | None = None
) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a stage without its secrets, and the names of those it asks for. Raises what ``read_settings`` raises.

    Of this machine's environment only that of the stage counts, where none is said: where stores are here is nobody's business there.
    ``there``: what is set where the settings are read, such as a house of its own, in the place of that; it is nothing to ask for.
    """
    names = Names(there or {})
    around = os.environ if there is None else there
    settings = read_settings(folder, stage=stage or around.get(STAGE), house=house, environ=names)
    return settings, tuple(sorted(names.keys() - (there or {}).keys()))


def urls_of(settings: Settings) -> dict[str, str]:
    """The URLs that settings say, by the key that says them."""
    urls = {"registry": settings.registry, "events": settings.events, "online.url": settings.online, "mlflow.url": settings.mlflow}
    urls |= {f"streams.{name}.url": stream.url for name, stream in settings.streams.items()}
    urls |= {"executor.url": settings.executor.url}
    return {key: said for key, said in urls.items() if said is not None}


def no_secret_inside(settings: Settings) -> None:
    """Raises EverloopError where everloop.toml holds a password or a token itself, in whichever stage: the file goes into the image."""
    said = secrets_aloud(settings.folder)
    held, addresses = [key for key in said if not of_person(key)], [key for key in said if of_person(key)]
    if said:
        told = []
        if held:
            told.append(f"{', '.join(held)} in {FILE} {'hold passwords or tokens' if len(held) > 1 else 'holds a password or a token'}")
        if addresses:
            told.append(f"{', '.join(addresses)} in {FILE} may be one: with most services the address itself is the token")
        raise EverloopError(
            f'{"; ".join(told)}; and the file would be in the image. Say "${{NAME}}" there, such as "${{PG_PASSWORD}}", and its value in a '
            "Secret."
        )


def packages_of(imported: Iterable[str]) -> dict[str, str | None]:
    """The package that holds each module, as installed here; None where none does. What Python and Everloop bring themselves is left out.

    >>> packages_of(["os", "sklearn", "everloop", "shop_of_nobody"])
    {'shop_of_nobody': None, 'sklearn': 'scikit-learn'}
    """
    there, brought = packages_distributions(), {*sys.stdlib_module_names, "everloop"}
    return {module: there[module][0] if module in there else None for module in sorted(imported) if module not in brought}


def extras_of(models: Iterable[Model], settings: Settings | None) -> dict[str, str]:
    """The extras of Everloop that a house needs to answer and to learn, each with what asks for it.

    ``settings`` is None for a version that is taken along alone: it has no use for any store.

    >>> extras_of([], read_settings("/shop", events="postgresql://db/house", environ={}))
    {'postgres': 'events in everloop.toml'}
    """
    fed = next((model.name for model in models if model.fed_as == "pandas"), None)
    found = {} if fed is None else {"pandas": f'fed_as="pandas" of {fed}'}
    return found if settings is None else found | dict(_by_settings(settings))


def _by_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, url in (("registry", settings.registry), ("events", settings.events)):
        if not url.startswith("sqlite:"):
            yield "postgres", f"{key} in {FILE}"
    if settings.online is not None:
        yield "redis", f"online.url in {FILE}"
    for name in settings.streams:
        yield "streams", f"streams.{name}.url in {FILE}"
    executor = re.split(r"\W", settings.executor.url or "")[0]
    if executor in ("ray", "dask"):
        yield executor, f"executor.url in {FILE}"
    if settings.signing.key is not None:
        yield "signing", "[signing] key"
    if settings.serving.traces:
        yield "opentelemetry", "[serving] traces = true"
    if settings.serving.server == "granian":
        yield "granian", '[serving] server = "granian"'


def called(*words: str, longest: int) -> str:
    """What is made elsewhere is called so: small letters, digits and hyphens, a letter first, at most ``longest`` of them.

    >>> called("Zoë's shop", "prod", longest=24), called("My_Shop 2", "", longest=52), called("24 beans", longest=8)
    ('zo-s-shop-prod', 'my-shop-2', 'house-24')
    """
    joined = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return (joined if joined[:1].isalpha() else f"house-{joined}")[:longest].rstrip("-")


def stage_of(settings: Settings) -> str:
    """Where a stage is said, as sentences name it."""
    return f"[{settings.stage}] of {FILE}" if settings.stage else FILE


def many_machines(settings: Settings) -> None:
    """Raises EverloopError naming every store of a house that is a file of one machine, where it runs on several."""
    here = [name for name, shared in _SHARED.items() if not getattr(settings, name).startswith(shared)]
    if here:
        lines = "".join(f'\n  {name} = "{_SHARED[name][0]}…"' for name in here)
        names, stage = ", ".join(here), stage_of(settings)
        raise EverloopError(f"What several machines share cannot lie on one: {names}. Each would have its own. Say in {stage}:{lines}")


def from_files(settings: Settings) -> tuple[str, ...]:
    """The sources whose rows come from files of this machine, which no other has."""
    return tuple(name for name, source in settings.sources.items() if any("://" not in file for file in source.files))
