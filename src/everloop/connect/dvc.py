"""DVC: a folder of data with the ``.dvc`` file that DVC itself would write beside it, so that Git pins the data. Imports nothing of DVC.

In: bodies, and words that say where they are from. Out: ``NAME/`` with the bodies, ``NAME.dvc``, ``NAME.pins.toml`` and a line in
``.gitignore``, as ``dvc add NAME`` of DVC 3 leaves them. The same bodies always give the same files. Absent: clock, house.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from everloop.connect.whole import put
from everloop.errors import EverloopError

HEAD: Final = "# Written by everloop export dvc: what the folder beside this file holds, and what it was made from.\n"
Pin: TypeAlias = "str | int | Mapping[str, Pin]"
Pins: TypeAlias = Mapping[str, Pin]


@dataclass(frozen=True)
class Exported:
    """What stands in the folder now: the hash by which DVC knows it, its files by name, and those that were other before."""

    md5: str
    size: int
    files: tuple[str, ...]
    changed: tuple[str, ...]


def write(folder: Path, name: str, bodies: Mapping[str, bytes], pins: Pins) -> Exported:
    """Write ``bodies`` (by path below ``NAME/``) and what pins them. The data is there before the files that speak of it.

    ``changed`` names the files that were there and are other now, new ones and those that are gone. Raises EverloopError where ``NAME``
    is there and was not written by this, or the folder cannot be written.
    """
    data, noted = folder / name, folder / f"{name}.pins.toml"
    if data.exists() and not (noted.exists() and noted.read_text("utf-8").startswith(HEAD)):
        raise EverloopError(f"{data} is there already and was not written by everloop. Move it, or export to another folder.")
    before = dict(_hashes(data)) if data.is_dir() else {}
    after = {relative: md5(body) for relative, body in bodies.items()}
    _swap(data, bodies)
    put(noted, (HEAD + toml(pins)).encode())
    put(folder / f"{name}.dvc", pointer(name, after, sum(map(len, bodies.values()))).encode())
    _ignored(folder, name)
    changed = sorted(relative for relative in {*before, *after} if before.get(relative) != after.get(relative)) if before else []
    return Exported(f"{md5(manifest(after))}.dir", sum(map(len, bodies.values())), tuple(sorted(after)), tuple(changed))


def pinned(folder: Path, name: str) -> dict[str, Any]:
    """What ``NAME.pins.toml`` says. Raises EverloopError where there is none, or it is none of ours."""
    path = folder / f"{name}.pins.toml"
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EverloopError(f"There is no {path}. Export first: everloop export dvc {name} --to {folder}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise EverloopError(f"{path} cannot be read: {error}. Take it from Git again: git checkout -- {path.name}") from None


def said_by(folder: Path, name: str) -> str | None:
    """The hash that ``NAME.dvc`` says the data has; None where there is no such file, or it says none."""
    path = folder / f"{name}.dvc"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []  # ".dvc" itself is a folder of DVC's
    return next((line.partition("md5:")[2].strip() for line in lines if line.lstrip("- ").startswith("md5:")), None)


def pin_of(path: Path) -> str | None:
    """What DVC knows a file by (``md5:…``), where ``FILE.dvc`` stands beside it or a folder above it is tracked; None where neither is.

    Raises EverloopError where the file is not what is pinned, or is not there and waits in a remote.
    """
    path = path.absolute()
    own = said_by(path.parent, path.name)
    if own is not None:
        if not path.exists():
            raise EverloopError(f"{path} is tracked by DVC and not here. Next: dvc pull {path}.dvc")
        if (found := md5(path.read_bytes())) != own:
            raise EverloopError(
                f"{path} is {found} and not what {path.name}.dvc pins ({own}). Next: dvc checkout {path}.dvc, or dvc add {path}"
            )
        return f"md5:{own}"
    for folder in path.parents:
        if (whole := said_by(folder.parent, folder.name)) is None or not whole.endswith(".dir"):
            continue
        if not path.exists():
            raise EverloopError(f"{path} is tracked by DVC and not here. Next: dvc pull {folder}.dvc")
        if (found := f"{md5(manifest(dict(_hashes(folder))))}.dir") != whole:
            raise EverloopError(
                f"{folder} is not what {folder.name}.dvc pins ({whole}). Next: dvc checkout {folder}.dvc, or dvc add {folder}"
            )
        return f"md5:{whole}"
    return None


def md5(body: bytes) -> str:
    """The hash DVC names contents by; it guards against mistakes, not against malice."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def track(file: Path, body: bytes) -> Path:
    """Write what ``dvc add FILE`` writes beside a file of these bytes; returns the ``.dvc`` file. Raises EverloopError."""
    noted = put(
        file.with_name(f"{file.name}.dvc"), f"outs:\n- md5: {md5(body)}\n  size: {len(body)}\n  hash: md5\n  path: {file.name}\n".encode()
    )
    _ignored(file.parent, file.name)
    return noted


def manifest(files: Mapping[str, str]) -> bytes:
    """The list of a folder's files as DVC writes it into ``….dir``, of which the folder's own hash is made.

    >>> manifest({"b": "2", "a/b": "1"})
    b'[{"md5": "1", "relpath": "a/b"}, {"md5": "2", "relpath": "b"}]'
    """
    return json.dumps([{"md5": files[relative], "relpath": relative} for relative in sorted(files)]).encode()


def pointer(name: str, files: Mapping[str, str], size: int) -> str:
    """The text of ``NAME.dvc`` for a folder of these files (path → hash), ``size`` bytes in all."""
    return f"outs:\n- md5: {md5(manifest(files))}.dir\n  size: {size}\n  nfiles: {len(files)}\n  hash: md5\n  path: {name}\n"


def toml(pins: Pins) -> str:
    r"""Words and numbers as TOML, tables last.

    >>> toml({"model": "a\"b", "sources": {"orders": {"rows": 3}}})
    'model = "a\\"b"\n\n[sources.orders]\nrows = 3\n'
    """
    return "\n".join(_lines(pins, ())) + "\n"


def _lines(pins: Pins, within: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in pins.items() if not isinstance(value, Mapping)}
    if within and plain:
        yield ""
        yield f"[{'.'.join(map(_key, within))}]"
    for key, word in plain.items():
        yield f"{_key(key)} = {word if isinstance(word, int) else _text(word)}"
    for key, value in pins.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*within, key))


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").isalnum() else _text(name)


def _text(word: str) -> str:
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")  # the one control character JSON lets through


def _hashes(data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(data.rglob("*")):
        if path.is_file():
            yield path.relative_to(data).as_posix(), md5(path.read_bytes())


def _swap(data: Path, bodies: Mapping[str, bytes]) -> None:
    """The folder anew beside its place, then renamed there: DVC may have linked what is there to its cache, which is never written to."""
    fresh, old = (data.with_name(f".{data.name}.{secrets.token_hex(4)}.{end}") for end in ("part", "old"))
    try:
        for relative, body in bodies.items():
            put(fresh / relative, body)
        if data.exists():
            data.rename(old)
        fresh.rename(data)
    except OSError as error:
        if old.exists() and not data.exists():
            old.rename(data)
        raise EverloopError(f"{data} cannot be written: {error.strerror}. What was there stands as it was.") from error
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)


def _ignored(folder: Path, name: str) -> None:
    """Git leaves the data to DVC."""
    path = folder / ".gitignore"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    if f"/{name}" not in lines:
        put(path, ("\n".join([*lines, f"/{name}"]) + "\n").encode())
