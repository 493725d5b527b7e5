"""Terraform for AWS: services on ECS, or one machine. In: what a project needs. Out: files.

Modules lie in ``ecs/`` and ``machine/`` as they are; ``project.tf`` alone is written anew from the project. What a house may do, whose
secrets it reads and where they come from is in ``roles.tf``; no secret stands in any file, and none in the state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from everloop.connect.cloud import image
from everloop.connect.cloud.needs import REDIS_URL, Needs, filled, lying, requirements
from everloop.connect.needed import all_refused, from_files, no_secret_inside, pinned, seen_from
from everloop.connect.whole import put_own
from everloop.errors import EverloopError
from everloop.settings import FILE

MARK: Final = "everloop export terraform"
LONGEST: Final = 90
"""Seconds a task may go on answering when it was told to end: ECS ends it after 120."""


def write(folder: Path, needs: Needs, *, machine: bool, base: str = "") -> list[Path]:
    """A root module and its runbook, for services their image too; the files that were written. ``base``: what the image is built on, by
    its digest; empty: whoever builds it says so.

    Raises EverloopError for what would not run there, named, and where a file of somebody else is in the way; then nothing was written.
    """
    all_refused(
        lambda: no_secret_inside(needs.settings),
        lambda: _refuse(needs, machine),
        lambda: seen_from(needs.settings.folder, folder),
        lambda: pinned(base) if base else None,
    )
    seen = seen_from(needs.settings.folder, folder)
    own = lying("machine" if machine else "ecs")
    secrets = [name for name in needs.secrets if machine or name != REDIS_URL]
    said: dict[str, object] = {"name": needs.called, "stage": needs.stage}
    said |= {} if machine else {"redis": needs.settings.online is not None}
    said |= {"secrets": secrets, "port": needs.settings.serving.port, "drain": round(needs.settings.serving.drain)}
    if machine:
        said |= {"door": needs.settings.shopify.port if needs.settings.shopify else 0, "files": _taken(needs)}
    own["project.tf"] = project(said)
    stage, model = f" --stage {needs.stage}" if needs.stage else "", needs.models[0] if needs.models else "demand"
    words = {"MODEL": model, "NAMES": ", ".join(f"`{needs.called}/{name}`" for name in secrets) or "there is none"}
    if machine:
        flags = f"--project /srv/everloop/project --house /var/lib/everloop/house{stage}"
        words |= {"FLAGS": flags, "PORT": str(needs.settings.serving.port), "FOLDER": seen}
        if "lightgbm" in needs.extras:
            own["cloud-init.yaml"] = filled(own["cloud-init.yaml"], {"  - python3.12\n": "  - python3.12\n  - libgomp\n"})
        words |= {"FILES": ", ".join(f"`{name}`" for name in _taken(needs)), " ROWS": _rows(needs)}
    else:
        made = image.Made(MARK, seen, base, (), ('ENTRYPOINT ["everloop"]',))
        own |= image.files(needs, made)
        words |= {"CALLED": needs.called, "STAGE": stage, "FOLDER": seen, "BUILD": image.build(made)}
    own["RUNBOOK.md"] = filled(own["RUNBOOK.md"], words)
    own["requirements.in"] = f"# Written by {MARK}.\n{requirements(needs, *(() if machine else ('postgres',)))}"
    return put_own(folder, own, MARK)


def project(said: Mapping[str, object]) -> str:
    """The one file that differs from project to project: values by name, as HCL.

    >>> print(project({"name": "shop-prod", "secrets": ["SLACK_TOKEN"]}))
    # Written by everloop export terraform, anew by the next one: what this project needs.
    locals {
      name    = "shop-prod"
      secrets = ["SLACK_TOKEN"]
    }
    <BLANKLINE>
    """
    widest = max(map(len, said))
    lines = [f"  {name:<{widest}} = {_hcl(value)}" for name, value in said.items()]
    first = f"# Written by {MARK}, anew by the next one: what this project needs."
    return "\n".join([first, "locals {", *lines, "}"]) + "\n"


def _hcl(value: object) -> str:
    """A value as HCL has it: as JSON, but that a text could hold a template.

    >>> print(_hcl("${a} %{b} 100%"))
    "$${a} %%{b} 100%"
    """
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def _taken(needs: Needs) -> list[str]:
    """The files of the project that a machine gets, by path below its folder."""
    folder, key = needs.settings.folder, needs.settings.signing.key
    own = [FILE] if (folder / FILE).is_file() else []
    keys = [key.relative_to(folder).as_posix()] if key is not None and key.is_relative_to(folder) else []
    return [*needs.files, *own, *keys, "requirements.txt"]


def _rows(needs: Needs) -> str:
    """What is said of sources whose rows lie beside the project: they are left there."""
    names = from_files(needs.settings)
    said = "Rows of {} stay where they are: send them by `POST /v1/events/NAME`, or put the files into the folder on the machine."
    return " " + said.format(", ".join(f"`{name}`" for name in names)) if names else ""


def _refuse(needs: Needs, machine: bool) -> None:
    """Raises EverloopError for a house that would not run there as its settings say, naming everything."""
    wrong, where = (list(_not_on_a_machine(needs)), "that machine") if machine else (list(_not_on_ecs(needs)), "ECS")
    if wrong:
        raise EverloopError("\n  ".join([f"everloop.toml says what would not hold on {where}. Nothing was written.", *wrong]))


def _not_on_a_machine(needs: Needs) -> Iterator[str]:
    private = needs.settings.signing.private_key
    if private is not None and private.is_relative_to(needs.settings.folder):
        yield (
            f"[signing] private_key is {private.name} in the project's folder, and no private key is sent anywhere. Bring it to the "
            'machine yourself, and say where it is there: private_key = "/var/lib/everloop/release.key".'
        )


def _not_on_ecs(needs: Needs) -> Iterator[str]:
    said = needs.settings
    if said.online is not None and REDIS_URL not in needs.secrets:
        table = f"[{needs.stage}.online]" if needs.stage else "[online]"
        yield f'Redis is made by these files, and where it is is known only then. Say {table} url = "${{{REDIS_URL}}}"'
    if said.serving.drain > LONGEST:
        yield f"A task has 120 seconds to end, and [serving] drain = {said.serving.drain:g} takes most of them. Say {LONGEST} at most."
    if said.signing.key is not None or said.signing.private_key is not None:
        yield "[signing] names files of this machine. Put the public key into the image, and say its path in the stage that runs there."
    if local := from_files(said):
        yield (
            f"[sources] names files of this machine for {', '.join(local)}. Say where they are in object storage, or move that table into "
            "a stage of this machine, such as [dev.sources]: elsewhere rows come in over HTTP and by streams."
        )
    if said.shopify is not None:
        yield (
            "A shop's door keeps shopify.db, which wants a disk of its own, and tasks have none. Say --machine, or leave the door where it "
            "is, and say [shopify] in its stage alone."
        )
