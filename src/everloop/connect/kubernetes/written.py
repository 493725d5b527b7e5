"""Manifests as YAML. In: plain data, and why it is so. Out: text, the same for the same data. Only this file imports PyYAML for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Manifest: TypeAlias = Mapping[str, Any]


def yaml_text(mark: str, why: str, *manifests: Manifest) -> str:
    r"""One file: who wrote it and why, then each manifest. Keys stay in their order, and nothing is an alias of anything.

    >>> print(yaml_text("everloop export kubernetes", "For whom it may concern.", {"port": "8321", "on": ["yes", 1]}), end="")
    # Written by everloop export kubernetes
    # For whom it may concern.
    port: '8321'
    'on':
      - 'yes'
      - 1
    """
    import yaml

    class Plain(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)  # a list stands in from its key, as kubectl and people write it

        def ignore_aliases(self, data: object) -> bool:
            return True

    head = "".join(f"# {line}\n" for line in (f"Written by {mark}", *why.splitlines()))
    words: dict[str, Any] = {"Dumper": Plain, "sort_keys": False, "width": 4096, "default_flow_style": False}
    return head + "---\n".join(yaml.dump(_plain(manifest), **words) for manifest in manifests)


def _plain(value: Any) -> Any:
    """Tuples as lists, and what is empty because nothing was said (None) left out."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
