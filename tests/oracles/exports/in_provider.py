"""What Terraform's AWS provider calls things, as plain facts: ``in_provider.py FOLDER FILES…`` writes ``aws_provider.json`` to its output.

``FOLDER`` is ``package/lib`` of npm's @cdktf/provider-aws (21.22.1, of provider 6), whose types are made from the provider's schema;
``FILES`` are the ``.tf`` files whose resources are looked up. For each: the names of its attributes and blocks, those of blocks within
included, and which of its own it must have. Standard library only; run by hand when another resource is used.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def main(folder: Path, files: list[str]) -> None:
    text = "\n".join(Path(file).read_text("utf-8") for file in files)
    found = {}
    for kind, name in sorted(set(re.findall(r'(?m)^(resource|data) "aws_(\w+)"', text))):
        types = folder / ("data-aws-" * (kind == "data") + name.replace("_", "-")) / "index.d.ts"
        said = types.read_text("utf-8")
        attributes = {snake(one) for one in re.findall(r"readonly (\w+)\??:", said)}
        top = re.search(r"export interface \w+Config extends .*?\{(.*?)\n\}", said, re.DOTALL)
        outputs = {snake(one) for one in re.findall(r"\n    get (\w+)\(\):", said)}
        required = sorted(snake(one) for one in re.findall(r"readonly (\w+):", top[1])) if top else []
        tells = sorted({one for one in outputs if not one.endswith("_input")} - attributes - {"cdktf"})
        found[f"{kind} aws_{name}"] = {"names": sorted(attributes), "required": required, "tells": tells}
    lines = (f"{json.dumps(name)}: {json.dumps(said)}" for name, said in sorted(found.items()))
    sys.stdout.write("{" + ",\n".join(lines) + "}\n")


def snake(name: str) -> str:
    """A name of TypeScript's as Terraform has it."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
