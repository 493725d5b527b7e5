"""``everloop export``: what a house knows, and how it is run, for other tools; one file for each kind of tool."""

from __future__ import annotations

import typer

from everloop.cli.exports import clouds, known, pipelines, platforms

exports = typer.Typer(help="Write what the house knows, and how it is run, for other tools.", no_args_is_help=True, rich_markup_mode=None)
for verb in (
    known.feast,
    known.dvc,
    known.assignment,
    known.contract,
    known.prometheus,
    known.grafana,
    known.version,
    known.wandb,
    known.evidently,
    platforms.kubernetes,
    platforms.kserve,
    platforms.seldon,
    platforms.compose,
    clouds.rayserve,
    clouds.terraform,
    pipelines.airflow,
    pipelines.kubeflow,
    pipelines.github,
    pipelines.gitlab,
    pipelines.dvc_pipeline,
):
    exports.command()(verb)
exports.command("lambda")(clouds.aws_lambda)
