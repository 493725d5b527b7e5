"""YAML as people write it: maps and lists in blocks, several lines as a literal block, quotes only where a word would be something else.

In: maps, lists, words, numbers, yes and no. Out: YAML 1.2 text, which YAML 1.1 reads alike. No anchors, no tags, no folding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Data: TypeAlias = "Mapping[str, Data] | Sequence[Data] | str | int | float | bool | None"

_PLAIN = re.compile(r"[A-Za-z_./$][A-Za-z0-9_./@$()=,-]*(?: [A-Za-z0-9_./@$()=,-]+)*")
_OTHER = re.compile(r"(?i)(y|n|yes|no|on|off|true|false|null|~|\.nan|[-+]?\.inf)|[-+.\d][\d_.,:eExXoO+-]*|\d{4}-\d.*")


def yaml(data: Data, above: str = "") -> str:
    r"""Data as YAML, ``above`` it lines of comment.

    >>> print(yaml({"on": {"push": None}, "run": "a\nb\n", "needs": ["x", "no"], "empty": []}), end="")
    "on":
      push:
    run: |
      a
      b
    needs:
      - x
      - "no"
    empty: []
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in above.splitlines())
    return head + "\n".join(_block(data, 0)) + "\n"


def _block(data: Data, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _entry(f"{pad}{_word(key)}:", value, depth)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        for value in data:
            if isinstance(value, Mapping) and value:
                first, *rest = _block(value, depth + 1)
                yield f"{pad}- {first.lstrip()}"
                yield from rest
            else:
                yield from _entry(f"{pad}-", value, depth)
    else:
        yield pad + _scalar(data)


def _entry(head: str, value: Data, depth: int) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value:
        # A block ends where its last line does; one that ends without a break is kept without one.
        yield f"{head} |{'' if value.endswith(chr(10)) else '-'}"
        for line in value.rstrip("\n").split("\n"):
            yield f"{'  ' * (depth + 1)}{line}".rstrip()
    elif isinstance(value, Mapping | list | tuple) and value:
        yield head
        yield from _block(value, depth + 1)
    elif value is None:
        yield head
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Data) -> str:
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)


def _word(text: str) -> str:
    """A word as it is where YAML reads it as just that, else in quotes."""
    if _PLAIN.fullmatch(text) and not _OTHER.fullmatch(text) and "$(" not in text[:2]:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
