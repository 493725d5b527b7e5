"""What everloop.toml says of pipelines, ``[pipeline]``, and what the environment says of the run a process belongs to. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from everloop.errors import SettingsError
from everloop.settings.checks import Checker, span_of, text
from everloop.settings.records import FILE, Pipelines

HOUSE, IMAGE = "EVERLOOP_HOUSE", "EVERLOOP_IMAGE"
"""The variables that say where the house folder is, and which image a process runs in, with its digest; whoever starts it sets them."""
NOT_THE_CODE = ("run",)
"""What is said of a run beside what was installed for it: another one is no reason to answer otherwise."""


def _time_of_day(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('must be a time of day in quotes, such as "04:30"')
    return value


def _retries(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
        raise ValueError("must be a whole number, 0 to 10")
    return value


def _longer_than_nothing(value: Any) -> timedelta:
    if span_of(value) <= timedelta(0):
        raise ValueError('must be a span above 0, such as "2h"')
    return span_of(value)


def _arrives(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(url, str) and "://" in url for url in value.values()):
        raise SettingsError('say a source and the object that tells it is complete: { orders = "s3://shop/orders/{day}/_SUCCESS" }.')
    return dict(value)


def _pods(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError('must be a list of steps, such as ["train"]')
    return tuple(value)


KEYS: dict[str, Checker] = {
    "every": _longer_than_nothing,
    "at": _time_of_day,
    "zone": text,
    "retries": _retries,
    "retry_after": span_of,
    "timeout": _longer_than_nothing,
    "arrives": _arrives,
    "image": text,
    "pods": _pods,
    "folder": text,
    "shared": text,
    "deploy": text,
    "backup": text,
}
"""The keys of ``[pipeline]``, and what each must be."""


def settled(said: Mapping[str, Any]) -> Pipelines:
    """What is said of pipelines, word for word: what the environment holds is filled in where the steps run, and never written down."""
    if "at" in said and "zone" not in said:
        raise SettingsError(f'{FILE}: pipeline.at does not say whose {said["at"]}. Add zone = "Europe/Berlin", or whichever is meant.')
    return Pipelines(**said)


def ran_by(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Which image a process runs in and which run of a scheduler started it, as far as they say so: what goes into a candidate's lineage.

    Sources: GitHub's "Default environment variables", GitLab's "Predefined CI/CD variables", Airflow's "Environment variables" of its
    BashOperator, Jenkins's "Using environment variables".

    >>> ran_by({"CI_JOB_URL": "https://gitlab.example/shop/-/jobs/7", "EVERLOOP_IMAGE": "shop@sha256:ab"})
    (('image', 'shop@sha256:ab'), ('run', 'https://gitlab.example/shop/-/jobs/7'))
    >>> ran_by({"GITHUB_REPOSITORY": "o/shop", "GITHUB_RUN_ID": "5", "GITHUB_SERVER_URL": "https://github.com"})
    (('run', 'https://github.com/o/shop/actions/runs/5'),)
    """
    found = [("image", env[IMAGE])] if env.get(IMAGE) else []
    if env.get("GITHUB_RUN_ID"):
        again = f"/attempts/{env['GITHUB_RUN_ATTEMPT']}" if env.get("GITHUB_RUN_ATTEMPT", "1") != "1" else ""
        where = f"{env.get('GITHUB_SERVER_URL', 'https://github.com')}/{env.get('GITHUB_REPOSITORY', '')}"
        found.append(("run", f"{where}/actions/runs/{env['GITHUB_RUN_ID']}{again}"))
    elif env.get("CI_JOB_URL"):
        found.append(("run", env["CI_JOB_URL"]))
    elif env.get("AIRFLOW_CTX_DAG_ID"):
        found.append(("run", f"airflow {env['AIRFLOW_CTX_DAG_ID']} {env.get('AIRFLOW_CTX_DAG_RUN_ID', '')}".strip()))
    elif env.get("BUILD_URL"):
        found.append(("run", env["BUILD_URL"]))
    return tuple(found)


def beside(folder: str) -> dict[str, str]:
    """The environment of a house of its own in a folder, whatever everloop.toml says of where things are.

    >>> beside(".proposed")["EVERLOOP_REGISTRY"]
    'sqlite:///.proposed/house.db'
    """
    return {
        HOUSE: folder,
        "EVERLOOP_LAKE": f"{folder}/lake",
        "EVERLOOP_BLOBS": f"{folder}/blobs",
        "EVERLOOP_REGISTRY": f"sqlite:///{folder}/house.db",
        "EVERLOOP_EVENTS": f"sqlite:///{folder}/events.db",
    }
