"""How a house runs elsewhere: behind Ray Serve, as a Lambda function, on machines of AWS."""

from __future__ import annotations

from typing import Annotated

import typer

from everloop.cli.options import HERE, Folder, Json, Project, Stage, To
from everloop.cli.saying import say

Base = Annotated[str, typer.Option("--base", help="What the image is built on, with its digest (default: said when it is built).")]


def rayserve(
    to: To,
    replicas: Annotated[int, typer.Option("--replicas", help="How many processes answer, on all nodes together.")] = 2,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """An application of Ray Serve around this house, the configuration it is deployed with, and a runbook."""
    from everloop.connect.cloud.ray_files import write
    from everloop.loop.export import spoken_views
    from everloop.loop.needs import needs_of

    files = write(to, needs_of(project, stage=stage, house=house), replicas=replicas)
    say({"files": files}, spoken_views(files, to, "serve run serve_config.yaml, beside the project; RUNBOOK.md says how"), as_json)


def aws_lambda(
    to: To, base: Base = "", project: Project = HERE, house: Folder = None, stage: Stage = "", as_json: Json = False
) -> None:  # fmt: skip
    """A handler of AWS Lambda, the image it is in, a template of CloudFormation, and a runbook."""
    from everloop.connect.cloud.lambda_files import write
    from everloop.loop.export import spoken_views
    from everloop.loop.needs import needs_of

    files = write(to, needs_of(project, stage=stage, house=house), base=base)
    say({"files": files}, spoken_views(files, to, "build the image and deploy template.yaml; RUNBOOK.md says how"), as_json)


def terraform(
    to: To,
    machine: Annotated[bool, typer.Option("--machine", help="One machine that does everything, in the place of services.")] = False,
    base: Base = "",
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    as_json: Json = False,
) -> None:
    """Terraform for AWS: services on ECS with Postgres, S3 and Redis, or one machine; and a runbook."""
    from everloop.connect.cloud.terraform import write
    from everloop.loop.export import spoken_views
    from everloop.loop.needs import needs_of

    files = write(to, needs_of(project, stage=stage, house=house), machine=machine, base=base)
    say(
        {"files": files}, spoken_views(files, to, f"terraform -chdir={to} init && terraform -chdir={to} plan; RUNBOOK.md says how"), as_json
    )
