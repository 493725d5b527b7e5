"""What everloop.toml says of pipelines, ``[pipeline]``, and what the environment says of the run a process belongs to. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from everloop.errors import SettingsError
from everloop.settings.checks import Checker, span_of, text
from everloop.settings.records import FILE, Pipelines

HOUSE, IMAGE, STAGE = "EVERLOOP_HOUSE", "EVERLOOP_IMAGE", "EVERLOOP_STAGE"
"""The variables that say where the house folder is, which image a process runs in (with its digest), the stage; who starts it sets them."""
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


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError("must be a share from 0 to below 1, such as 0.01")
    return float(value)


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


def _tags(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError('must be a list of tags, such as ["shop"]')
    return tuple(value)


KEYS: dict[str, Checker] = {
    "every": _longer_than_nothing,
    "at": _time_of_day,
    "zone": text,
    "retries": _retries,
    "retry_after": span_of,
    "refused": _share,
    "timeout": _longer_than_nothing,
    "arrives": _arrives,
    "image": text,
    "pods": _pods,
    "folder": text,
    "shared": text,
    "runner": text,
    "tags": _tags,
    "deploy": text,
    "backup": text,
}
"""The keys of ``[pipeline]``, and what each must be."""


def settled(said: Mapping[str, Any]) -> Pipelines:
    """What is said of pipelines, word for word: what the environment holds is filled in where the steps run, and never written down."""
    if "at" in said and "zone" not in said:
        raise SettingsError(f'{FILE}: pipeline.at does not say whose {said["at"]}. Add zone = "Europe/Berlin", or whichever is meant.')
    return Pipelines(**said)


def run_of(env: Mapping[str, str]) -> str | None:
    """Which run of a scheduler or a CI started a process, as far as they say so: it goes into a candidate's lineage.

    Sources: GitHub's "Default environment variables", GitLab's "Predefined CI/CD variables", Airflow's BashOperator (its context as
    variables), Jenkins's "Using environment variables".

    >>> run_of({"CI_JOB_URL": "https://gitlab.example/shop/-/jobs/7"})
    'https://gitlab.example/shop/-/jobs/7'
    >>> run_of({"GITHUB_REPOSITORY": "o/shop", "GITHUB_RUN_ID": "5", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SERVER_URL": "https://github.com"})
    'https://github.com/o/shop/actions/runs/5/attempts/2'
    """
    if env.get("GITHUB_RUN_ID"):
        again = f"/attempts/{env['GITHUB_RUN_ATTEMPT']}" if env.get("GITHUB_RUN_ATTEMPT", "1") != "1" else ""
        where = f"{env.get('GITHUB_SERVER_URL', 'https://github.com')}/{env.get('GITHUB_REPOSITORY', '')}"
        return f"{where}/actions/runs/{env['GITHUB_RUN_ID']}{again}"
    if env.get("AIRFLOW_CTX_DAG_ID"):
        return f"airflow {env['AIRFLOW_CTX_DAG_ID']} {env.get('AIRFLOW_CTX_DAG_RUN_ID', '')}".strip()
    return env.get("CI_JOB_URL") or env.get("BUILD_URL") or None


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
