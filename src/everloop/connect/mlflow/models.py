"""Registered models of MLflow: a version for each of ours, and aliases that say who answers. No clock, no house."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from everloop.connect.mlflow.rest import Refused, Tracking
from everloop.connect.mlflow.runs import Run
from everloop.errors import EverloopError, Unknown

OURS: Final = "everloop_version"
"""The tag of a version that this product mirrored: what it is called here, such as demand@3."""
OURS_ID: Final = "everloop_version_id"
STAGES: Final = {"production": "champion", "staging": "candidate"}
"""MLflow's old stages by the aliases that took their place."""
CONTEST: Final = "challenger"
"""The alias that asks for a contest: whoever it is set on is to be judged here."""


@dataclass(frozen=True)
class There:
    """A version as the server knows it: its number there, where its files are, and its tags."""

    name: str
    number: str
    source: str
    run: str
    tags: Mapping[str, str]

    @property
    def ours(self) -> str | None:
        """What it is called here, where it was mirrored from here."""
        return self.tags.get(OURS)


def registered(server: Tracking, name: str, *, description: str) -> None:
    """The registered model of this name, made where there is none."""
    try:
        server.post("registered-models/create", name=name, description=description[:5000])
    except Refused as refused:
        if refused.code != "RESOURCE_ALREADY_EXISTS":
            raise


def versions(server: Tracking, name: str) -> list[There]:
    """Every version of a registered model."""
    found: list[There] = []
    token = ""
    while True:
        more = {"page_token": token} if token else {}
        page = server.get("model-versions/search", filter=f"name='{name}'", max_results=200, **more)
        found += [_there(one) for one in page.get("model_versions", ())]
        token = str(page.get("next_page_token") or "")
        if not token:
            return found


def made(server: Tracking, name: str, run: Run, *, folder: str, id: str, called: str, tags: Mapping[str, str], description: str) -> There:
    """The version of that id, made of a run's folder where nobody has told of it yet."""
    for there in versions(server, name):
        if there.tags.get(OURS_ID) == id:
            return there
    told = [{"key": key, "value": value[:5000]} for key, value in {**tags, OURS: called, OURS_ID: id}.items()]
    source = f"{run.files}/{folder}"
    said = server.post("model-versions/create", name=name, source=source, run_id=run.id, tags=told, description=description[:5000])
    return _there(said["model_version"])


def aliases(server: Tracking, name: str) -> dict[str, str]:
    """The aliases of a registered model, each with the number of its version; none where there is no such model."""
    try:
        said = server.get("registered-models/get", name=name)["registered_model"]
    except Refused as refused:
        if refused.code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {str(one["alias"]): str(one["version"]) for one in said.get("aliases", ())}


def point(server: Tracking, name: str, wanted: Mapping[str, str | None]) -> None:
    """Set each alias on the version of that number; None takes it away."""
    there = aliases(server, name)
    for alias, number in wanted.items():
        if number is not None and there.get(alias) != number:
            server.post("registered-models/alias", name=name, alias=alias, version=number)
        if number is None and alias in there:
            server.delete("registered-models/alias", name=name, alias=alias)


def version_at(server: Tracking, uri: str) -> There:
    """The version that ``models:/name@alias``, ``models:/name/7`` or ``models:/name/Production`` means. Raises Unknown, EverloopError."""
    match = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/([^/@]+))", uri)
    if match is None:
        raise EverloopError(f"{uri!r} is no version of MLflow. Say models:/name@alias or models:/name/7.")
    name, alias, other = match[1], match[2], match[3]
    alias = alias or STAGES.get(other.lower()) if other and not other.isdecimal() else alias
    try:
        if alias:
            return _there(server.get("registered-models/alias", name=name, alias=alias)["model_version"])
        return _there(server.get("model-versions/get", name=name, version=other)["model_version"])
    except Refused as refused:
        raise Unknown("version", uri, where=f"MLflow at {server.host}", next=str(refused)) from refused


def folder_of(server: Tracking, there: There) -> str:
    """The artifact URI of the folder a version's files are in, also where it was logged as a model of MLflow 3. Raises Refused."""
    source = there.source
    if (model := re.fullmatch(r"models:/(m-\w+)", source)) is not None:
        return str(server.get(f"logged-models/{model[1]}")["model"]["info"]["artifact_uri"])
    if (run := re.fullmatch(r"runs:/(\w+)/(.+)", source)) is not None:
        return f"{server.get('runs/get', run_id=run[1])['run']['info']['artifact_uri']}/{run[2]}"
    return source


def _there(said: Mapping[str, Any]) -> There:
    tags = {str(tag["key"]): str(tag.get("value", "")) for tag in said.get("tags", ())}
    return There(str(said["name"]), str(said["version"]), str(said.get("source", "")), str(said.get("run_id", "")), tags)
