"""What every CI does with a project, whichever runs it: installed, linted, tested, judged apart from the house that answers, scanned."""

from __future__ import annotations

import re
import shlex
from typing import Final

from everloop.connect.needed import REPOSITORY
from everloop.errors import EverloopError
from everloop.project.pipeline import Pipeline, most_refused

PASSED: Final = "passed"
"""The folder with a file for each model that every gate let through, called as the model."""
BUILD: Final = 'docker build --build-arg PASSED="$(ls {passed} | xargs)" --tag {image} .'
"""An image of the project's own Dockerfile, told which models were let in: one that bakes versions bakes those (``ARG PASSED``)."""

TESTED: Final = (
    'python -m pytest --junitxml reports/tests.xml || {{ said=$?; [ "$said" -eq 5 ] || exit "$said"; '
    'echo "{warning}There are no tests yet (pytest said 5). Write some, beside project.py"; }}'
)
"""The project's tests. That there are none is no failure of a change (pytest's "Exit codes": 5, no tests were collected)."""

PROPOSED: Final = ".everloop-proposed"
"""The folder of the house a proposed change is judged in."""

SCAN: Final = (
    "docker run --rm --volume /var/run/docker.sock:/var/run/docker.sock aquasec/trivy:0.67.2 image --exit-code 1 --severity CRITICAL,HIGH "
    "--ignore-unfixed {image}"
)
"""Trivy over an image: exit code 1 where something critical or high is known that has a cure."""


def tests(pipeline: Pipeline, warning: str) -> dict[str, str]:
    """By name: what a change has to pass before anything learns from it. ``warning``: how a line begins that the CI shows as one."""
    smokes = [_said(pipeline, f"judge {model} --smoke") for model in pipeline.models]
    return {
        "Lint": "ruff check .",
        "Test": TESTED.format(warning=warning),
        "Read it aloud": _said(pipeline, "explain"),
        "Once round on made-up rows": "\n".join(smokes),
    }


def _said(pipeline: Pipeline, words: str) -> str:
    """A command of the terminal for this project file."""
    return " ".join(["everloop", words, *map(shlex.quote, pipeline.file)])


def below(pipeline: Pipeline, path: str) -> str:
    """A path beside the project file, as seen from the root of what is checked out."""
    return f"{pipeline.below}/{path}" if pipeline.below else path


def image_of(pipeline: Pipeline) -> str:
    """What the image is made of, in a sentence."""
    file = below(pipeline, "Dockerfile")
    return f"The image is built from {file} where at least one model was let in; it is told which by --build-arg PASSED."


def installed(*, tests: bool = False) -> str:
    """How a machine without the image gets what it needs."""
    return "pip install -r requirements.txt" + (" ruff pytest" if tests else "")


def typed(text: str) -> str:
    r"""A text as a word of shell, in which nothing but ``${NAME}`` means anything.

    >>> print(typed("s3://${BACKUPS}/a b$(id)`id`"))
    "s3://${BACKUPS}/a b\$(id)\`id\`"
    """
    return '"' + re.sub(r'[\\"`]|\$(?!\{\w+\})', r"\\\g<0>", text) + '"'


def pushed_to(said: str) -> str:
    """A repository of images, which lines of shell are written around; it may begin with a variable. Raises EverloopError.

    >>> pushed_to("$CI_REGISTRY_IMAGE/models"), pushed_to("ghcr.io/shop/models")
    ('$CI_REGISTRY_IMAGE/models', 'ghcr.io/shop/models')
    """
    if not REPOSITORY.fullmatch(re.sub(r"^\$(\w+|\{\w+\})(?=/|$)", "variable", said)):
        raise EverloopError(f"--image {said!r} is no repository without a tag. Say such as --image registry.example.com/shop/models")
    return said


def judged_apart(pipeline: Pipeline) -> list[str]:
    """Lines that learn from what ``$MODEL`` would be after the change and judge it, in the house of its own that the
    environment names (``settings.beside``); ``$NOW`` is their instant.

    With a place of backups the house begins as a copy, so that the champion is the one that answers; else the baseline is. A verdict that
    is no pass is told, and ends nothing: whether to merge is for people to say.
    """
    begin = [f"restore {typed(pipeline.backup)}"] if pipeline.backup else []
    now = '--now "$NOW"'
    words = [
        *begin,
        " ".join(("ingest", now, *most_refused(pipeline.refused))),
        f'check "$MODEL" {now} --junit "reports/check-$MODEL.xml"',
        f'train "$MODEL" {now}',
        f'judge "$MODEL" {now} --junit "reports/judge-$MODEL.xml" --comment "reports/comment-$MODEL.md"',
    ]
    *lines, judge = (_said(pipeline, said) for said in words)
    return [*lines, f"{judge} || [ $? -eq 1 ]"]
