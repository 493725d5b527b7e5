"""The files of the app: what ``shopify app deploy`` wants to see, filled in for one shop. In: a client id, an address. Out: a folder.

They lie in ``app/`` of this package as they are, valid as they stand; only what must be this house's own is put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import urlsplit

from everloop.connect.whole import put
from everloop.errors import EverloopError

HEAD = "shopify.app.toml"
MARK = "Written by everloop shopify app"
CLIENT_ID, ADDRESS, MODEL = "00000000000000000000000000000000", "https://everloop.example", 'models["recommend"]'
"""What stands in the files where a house's own goes."""
ARM = "extensions/everloop-storefront/snippets/everloop-arm.liquid"


def app_files(client_id: str = CLIENT_ID, address: str = ADDRESS, model: str = "recommend") -> dict[str, str]:
    """Every file of the app by its path, filled in. Raises EverloopError for what cannot stand in a TOML file, or no https address.

    >>> sorted(app_files())[:2]
    ['extensions/drift-detected/shopify.extension.toml', 'extensions/everloop-storefront/assets/everloop.css']
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or any(letter in address for letter in "\"'\\\n "):
        raise EverloopError(
            f"{address} is no address Shopify can ask. Say where the door is reached from beyond, such as https://shop.example.com"
        )
    if not client_id.isalnum():
        raise EverloopError("The client id is letters and digits. It stands in the Dev Dashboard, under Settings.")
    if not re.fullmatch(r"\w+", model):
        raise EverloopError(f"{model} is no model's name.")
    there = files("everloop.connect.shopify").joinpath("app")
    found = {path: file.read_text("utf-8") for path, file in _below(there, "")}
    found[ARM] = files("everloop.connect.arms").joinpath("everloop-arm.liquid").read_text("utf-8")
    own = {CLIENT_ID: client_id, ADDRESS: address.rstrip("/"), MODEL: f'models["{model}"]'}
    return {path: _filled(text, own) for path, text in found.items()}


def write(folder: Path, client_id: str, address: str, model: str = "recommend") -> list[Path]:
    """Write the app into a folder that is empty, or that was written by this; the paths written. Raises EverloopError."""
    head = folder / HEAD
    if folder.exists() and any(folder.iterdir()) and not (head.is_file() and MARK in head.read_text("utf-8", "replace")):
        raise EverloopError(f"{folder} holds something else. Say --to a folder that is empty, or that everloop shopify app wrote.")
    return [put(folder / path, text.encode()) for path, text in sorted(app_files(client_id, address, model).items())]


def _filled(text: str, own: Mapping[str, str]) -> str:
    for stands, goes in own.items():
        text = text.replace(stands, goes)
    return text


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _below(entry, f"{path}{entry.name}/")
        else:
            yield f"{path}{entry.name}", entry
