"""AWS Lambda: a handler, the image it is in, and a template of CloudFormation. In: what a project needs. Out: files.

https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from everloop.connect.cloud import image
from everloop.connect.cloud.needs import Needs, filled, lying, requirements
from everloop.connect.needed import all_refused, many_machines, no_secret_inside, pinned, seen_from
from everloop.connect.whole import put_own
from everloop.errors import EverloopError

MARK: Final = "everloop export lambda"
RUNTIME: Final = ("awslambdaric==4.2.2", "boto3==1.44.5")
"""What runs a handler in an image that is none of AWS's own, and what reads its secrets."""
HANDLERS, TEMPLATES = ("handler.py", "shop.py"), ("template.yaml", "shop.yaml")
SHOP: Final = """
## The shop's door

`shop.yaml` deploys the same image once more, as the door of the shop: webhooks, the storefront and Flow. One instance at a time, since
it keeps `shopify.db`; a schedule carries on what waits, every minute. Give Shopify the address it tells, in place of the door's.
"""


def write(folder: Path, needs: Needs, *, base: str = "") -> list[Path]:
    """The handler, the image, the template, and a runbook; where there is a shop its door, too. Returns the files that were written.
    ``base``: what the image is built on, by its digest; empty: whoever builds it says so.

    Raises EverloopError for a house that would not run there, naming everything, and where somebody else's file is in the way; then nothing
    was written.
    """
    all_refused(
        lambda: many_machines(needs.settings),
        lambda: no_secret_inside(needs.settings),
        lambda: _there(needs),
        lambda: seen_from(needs.settings.folder, folder),
        lambda: pinned(base) if base else None,
    )
    stage = f" --stage {needs.stage}" if needs.stage else ""
    shop = needs.settings.shopify is not None
    own = {name: text for name, text in lying("aws_lambda").items() if shop or not name.startswith("shop.")}
    for name in own.keys() & set(HANDLERS):
        own[name] = filled(own[name], {'stage=""': f'stage="{needs.stage}"'})
    for name in own.keys() & set(TEMPLATES):
        said = {'SECRETS: ""': f'SECRETS: "{" ".join(needs.secrets)}"', "Default: everloop\n": f"Default: {needs.called}\n"}
        own[name] = filled(own[name], said)
    scripts = tuple(sorted(own.keys() & set(HANDLERS)))
    runs = ('ENTRYPOINT ["python", "-m", "awslambdaric"]', 'CMD ["handler.handler"]')
    made = image.Made(MARK, seen_from(needs.settings.folder, folder), base, scripts, runs)
    own |= image.files(needs, made)
    model = needs.models[0] if needs.models else "demand"
    words = {"SHOP\n": SHOP if shop else "", "STAGE": stage, "MODEL": model, "NAMES": _named(needs)}
    words |= {"FOLDER": made.folder, "BUILD": image.build(made)}
    own["RUNBOOK.md"] = filled(own["RUNBOOK.md"], words)
    own["requirements.in"] = f"# Written by {MARK}.\n{requirements(needs, 'lambda')}" + "".join(f"{pin}\n" for pin in RUNTIME)
    return put_own(folder, own, MARK)


def _there(needs: Needs) -> None:
    if wrong := list(_not_there(needs)):
        raise EverloopError("\n  ".join(["everloop.toml says what would not hold on Lambda. Nothing was written.", *wrong]))


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
