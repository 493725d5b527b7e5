"""AWS Lambda: a handler, the image it is in, and a template of CloudFormation. In: what a project needs. Out: files.

https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from everloop.connect.cloud.needs import Needs, filled, lying, requirements
from everloop.connect.needed import many_machines, no_secret_inside
from everloop.connect.whole import put_own
from everloop.errors import EverloopError
from everloop.settings import FILE

MARK: Final = "everloop export lambda"
HANDLERS, TEMPLATES = ("handler.py", "shop.py"), ("template.yaml", "shop.yaml")
SHOP: Final = """
## The shop's door

`shop.yaml` deploys the same image once more, as the door of the shop: webhooks, the storefront and Flow. One instance at a time, since
it keeps `shopify.db`; a schedule carries on what waits, every minute. Give Shopify the address it tells, in place of the door's.
"""


def write(folder: Path, needs: Needs) -> list[Path]:
    """The handler, the image, the template, and a runbook; where there is a shop its door, too. Returns the files that were written.

    Raises EverloopError for a house that would not run there, naming everything, and where somebody else's file is in the way; then nothing
    was written.
    """
    many_machines(needs.settings)
    no_secret_inside(needs.settings)
    if wrong := list(_not_there(needs)):
        raise EverloopError("\n  ".join(["everloop.toml says what would not hold on Lambda. Nothing was written.", *wrong]))
    stage = f" --stage {needs.stage}" if needs.stage else ""
    shop = needs.settings.shopify is not None
    own = {name: text for name, text in lying("aws_lambda").items() if shop or not name.startswith("shop.")}
    for name in own.keys() & set(HANDLERS):
        own[name] = filled(own[name], {'stage=""': f'stage="{needs.stage}"'})
    for name in own.keys() & set(TEMPLATES):
        said = {'SECRETS: ""': f'SECRETS: "{" ".join(needs.secrets)}"', "Default: everloop\n": f"Default: {needs.called}\n"}
        own[name] = filled(own[name], said)
    places = {needs.files[0]: "project.py"} | {name: name for name in (*needs.files[1:], FILE)}
    copied = "".join(f"COPY {json.dumps([name, f'/srv/project/{place}'])}\n" for name, place in places.items())
    whole = {"COPY project.py everloop.toml /srv/project/\n": copied}
    own["Dockerfile"] = filled(own["Dockerfile"], whole)
    model = needs.models[0] if needs.models else "demand"
    words = {"SHOP\n": SHOP if shop else "", "STAGE": stage, "MODEL": model, "NAMES": _named(needs)}
    own["RUNBOOK.md"] = filled(own["RUNBOOK.md"], words)
    own["requirements.in"] = f"# Written by {MARK}.\n{requirements(needs, 'lambda')}awslambdaric\nboto3\n"
    return put_own(folder, own, MARK)


def _not_there(needs: Needs) -> Iterator[str]:
    said = needs.settings
    if said.serving.when_full == "drop":
        yield (
            'This house gives answers it may not remember ([serving] when_full = "drop"), and an instance that sleeps cannot count '
            'them. Say when_full = "shed" in the stage that Lambda runs.'
        )
    if said.shopify is not None and urlsplit(said.shopify.house).hostname in ("127.0.0.1", "localhost", "::1"):
        table = f"[{needs.stage}.shopify]" if needs.stage else "[shopify]"
        yield f'The door asks the house at {said.shopify.house}, which is not there. Say {table} house = "https://…", and key.'


def _named(needs: Needs) -> str:
    return ", ".join(f"`{needs.called}/{name}`" for name in needs.secrets) or "there is none"
