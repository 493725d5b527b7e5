"""What a project needs wherever it runs, and the files that say so in the same words everywhere. Values and text only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from everloop.connect.needed import called
from everloop.errors import EverloopError
from everloop.settings import Settings

CLOUD: Final = "everloop.connect.cloud"
REDIS_URL: Final = "REDIS_URL"
"""The environment variable by which exported files say where Redis is."""


@dataclass(frozen=True)
class Needs:
    """What a project needs, as far as its files say it.

    ``secrets`` are the environment variables that ``everloop.toml`` is filled from in this stage; ``extras`` what is installed with
    Everloop; ``packages`` what else its files import, pinned to what is installed here (``lightgbm==4.7.0``);
    ``files`` the project file and what lies beside it that it imports, the project file first.
    """

    name: str
    stage: str
    models: tuple[str, ...]
    settings: Settings
    secrets: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ("project.py",)

    @property
    def called(self) -> str:
        """What is made for it elsewhere is called: small letters, digits and hyphens, at most 24 of them, a letter first.

        >>> Needs("Zoë's shop", "prod", (), Settings(folder=None, house=None, lake="", blobs="", registry="", events="")).called
        'zo-s-shop-prod'
        """
        return called(self.name, self.stage, longest=24)


def requirements(needs: Needs, *more: str) -> str:
    """``requirements.in``: Everloop with what this project asks of it, and the rest pinned as it is here. ``more``: further extras.

    >>> from everloop.settings import read_settings
    >>> print(requirements(Needs("shop", "", ("demand",), read_settings("/shop", environ={}), packages=("lightgbm==4.7.0",)), "lambda"))
    # What the image is made of. Pin it with hashes: uv pip compile --generate-hashes requirements.in -o requirements.txt
    everloop[lambda]==...
    lightgbm==4.7.0
    <BLANKLINE>
    """
    extras = ",".join(sorted({*needs.extras, *more}))
    everloop = f"everloop[{extras}]" if extras else "everloop"
    first = "# What the image is made of. Pin it with hashes: uv pip compile --generate-hashes requirements.in -o requirements.txt"
    return "\n".join([first, f"{everloop}=={version('everloop')}", *needs.packages]) + "\n"


def lying(folder: str) -> dict[str, str]:
    """The files that lie in a folder of this package, by path; a file of Python lies there as ``.py.in``, and is none of this package."""
    return dict(_below(files(CLOUD).joinpath(folder), ""))


def filled(text: str, own: Mapping[str, str]) -> str:
    """A text with a house's own words in the place of those that stand there. Raises EverloopError where one does not stand there."""
    for stands, goes in own.items():
        if stands not in text:
            raise EverloopError(f"{stands!r} stands nowhere in the file it is to be replaced in.")
        text = text.replace(stands, goes)
    return text


def _below(place: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for one in sorted(place.iterdir(), key=lambda found: found.name):
        if one.is_dir():
            yield from _below(one, f"{path}{one.name}/")
        else:
            yield f"{path}{one.name.removesuffix('.in')}", one.read_text("utf-8")
