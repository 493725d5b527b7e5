"""AWS Lambda: a handler, the image it is in, and a template of CloudFormation. In: what a project needs. Out: files.

https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from everloop.connect.cloud.needs import Needs, filled, lying, many_machines, requirements
from everloop.connect.whole import put_own
from everloop.errors import EverloopError

MARK: Final = "everloop export lambda"
LARGEST: Final = 6 * 1024 * 1024
"""Bytes of one event, its reply included: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def write(folder: Path, needs: Needs) -> list[Path]:
    """The handler, the image, the template, and a runbook; the files that were written.

    Raises EverloopError for a house on one machine, for one that gives answers it may not have kept, and where somebody else's file is in
    the way; then nothing was written.
    """
    many_machines(needs, "lambda")
    if needs.settings.serving.when_full == "drop":
        raise EverloopError(
            'This house gives answers it may not remember ([serving] when_full = "drop"), and an instance of Lambda that sleeps cannot '
            'count them. Say when_full = "shed" in the stage that Lambda runs.'
        )
    stage = f" --stage {needs.stage}" if needs.stage else ""
    own = lying("aws_lambda")
    own["handler.py"] = filled(own["handler.py"], {'stage=""': f'stage="{needs.stage}"'})
    own["template.yaml"] = filled(own["template.yaml"], {'SECRETS: ""': f'SECRETS: "{" ".join(needs.secrets)}"'})
    own["template.yaml"] = filled(own["template.yaml"], {"Default: everloop\n": f"Default: {needs.called}\n"})
    copied = "".join(f"COPY {name} /srv/project/{name}\n" for name in (*needs.files[1:], "everloop.toml"))
    whole = {"COPY project.py everloop.toml /srv/project/\n": f"COPY {needs.files[0]} /srv/project/project.py\n{copied}"}
    own["Dockerfile"] = filled(own["Dockerfile"], whole)
    model = needs.models[0] if needs.models else "demand"
    own["RUNBOOK.md"] = filled(own["RUNBOOK.md"], {"STAGE": stage, "MODEL": model, "NAMES": _named(needs)})
    own["requirements.in"] = f"# Written by {MARK}.\n{requirements(needs, 'lambda')}awslambdaric\nboto3\n"
    return put_own(folder, own, MARK)


def _named(needs: Needs) -> str:
    return ", ".join(f"`{needs.called}/{name}`" for name in needs.secrets) or "there is none"
