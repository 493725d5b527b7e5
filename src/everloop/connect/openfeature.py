"""OpenFeature: which version answers a unit, as a flag; and a flag by which people stop a roll-out. The only file that imports openfeature.

In: a house's ``routes.json``, or a client of whatever flag service a team has. Out: resolutions; whether people say stop. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import (
    FlagNotFoundError,
    InvalidContextError,
    OpenFeatureError,
    ParseError,
    ProviderNotReadyError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from everloop.records import Traffic
from everloop.rollout.assign import arm_of, compared
from everloop.rollout.routes import routes_in

PREFIX: Final = "model:"
Object: TypeAlias = Sequence[FlagValueType] | Mapping[str, FlagValueType]


@dataclass(frozen=True)
class _Named:
    name: str


@dataclass(frozen=True)
class _Route:
    traffic: Traffic
    versions: Mapping[str, _Named]


@dataclass(frozen=True)
class _Routes:
    """As much of a house's routes as a flag needs."""

    models: Mapping[str, _Route]


@dataclass(frozen=True)
class _Resolved:
    """Who answers a unit, and why that one."""

    arm: str
    version: str
    compared: bool
    reason: Reason
    traffic: Traffic

    @property
    def metadata(self) -> dict[str, bool | int | float | str]:
        return {"stage": self.traffic.stage, "share": self.traffic.share, "generation": self.traffic.generation, "compared": self.compared}


class EverloopProvider(AbstractProvider):
    """Flags ``model:NAME`` out of a house's ``routes.json``: the version that answers a unit, and its arm as the variant.

    The targeting key is the unit, as text. Asked for a string, a flag is the version's name (``demand@4``); asked for an object, that
    name with ``arm``, ``compared``, ``stage``, ``share`` and ``generation``. Reasons: ``STATIC`` where one version answers everybody, and
    no unit is asked for; ``SPLIT`` for a unit whose arm is compared with the other, or that a control keeps; ``DEFAULT`` for one the
    roll-out does not cover yet; ``STALE`` while the file cannot be read and what was read last is told. Errors: ``FLAG_NOT_FOUND`` for
    another name or a model that has not begun, ``TARGETING_KEY_MISSING`` where several versions answer, ``INVALID_CONTEXT`` for a key that
    is no text, ``TYPE_MISMATCH`` for other types, ``PROVIDER_NOT_READY`` without a file, ``PARSE_ERROR`` for one that holds no routes.

    The file is looked at whenever a flag is asked for, and read where it is another one; changed models are told by an event.
    """

    def __init__(self, routes: Path | str) -> None:
        super().__init__()
        self._path = Path(routes)
        self._seen: tuple[int, int, int] | None = None
        self._routes: _Routes | None = None
        self._well = True

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Read the routes once. Raises ProviderNotReadyError where there are none, ParseError where they cannot be read."""
        self._look()

    def get_metadata(self) -> Metadata:
        return Metadata(name="everloop")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        who = self._resolve(flag_key, evaluation_context)
        return FlagResolutionDetails(who.version, reason=who.reason, variant=who.arm, flag_metadata=who.metadata)

    def resolve_object_details(
        self, flag_key: str, default_value: Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Object]:
        who = self._resolve(flag_key, evaluation_context)
        value: Object = {"version": who.version, "arm": who.arm, **who.metadata}
        return FlagResolutionDetails(value, reason=who.reason, variant=who.arm, flag_metadata=who.metadata)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        self._mismatch(flag_key)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        self._mismatch(flag_key)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        self._mismatch(flag_key)

    def _mismatch(self, flag: str) -> NoReturn:
        self._route(flag)
        raise TypeMismatchError(f"{flag} is a version: ask for a string (its name) or an object (its name, arm and share).")

    def _resolve(self, flag: str, context: EvaluationContext | None) -> _Resolved:
        route = self._route(flag)
        traffic = route.traffic
        if len(traffic.propensities) == 1:
            arm, counts, reason = next(iter(traffic.propensities)), False, Reason.STATIC
        else:
            unit = _unit(flag, context)
            arm, counts = arm_of(unit, traffic), compared(unit, traffic)
            reason = Reason.SPLIT if counts or arm == "control" else Reason.DEFAULT
        version = traffic.by_arm.get(arm, traffic.champion)
        return _Resolved(arm, route.versions[version].name, counts, reason if self._well else Reason.STALE, traffic)

    def _route(self, flag: str) -> _Route:
        models = self._look().models
        route = models.get(flag.removeprefix(PREFIX)) if flag.startswith(PREFIX) else None
        if route is None:
            raise FlagNotFoundError(
                f"{flag} is no flag of {self._path}. There are: {', '.join(PREFIX + name for name in models) or 'none'}."
            )
        return route

    def _look(self) -> _Routes:
        """What the file says now; what it said last while it cannot be read."""
        try:
            there = self._path.stat()
            seen = (there.st_ino, there.st_mtime_ns, there.st_size)
            if seen == self._seen and self._routes is not None and self._well:
                return self._routes
            read = routes_in(self._path.read_bytes(), _Routes)
        except (OSError, ValueError) as error:
            return self._last(error)
        before, self._routes, self._seen = self._routes, read, seen
        if not self._well:
            self._well = True
            self.emit_provider_ready(ProviderEventDetails(message=f"{self._path} can be read again"))
        if before is not None and (changed := _changed(before, read)):
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=changed))
        return read

    def _last(self, error: Exception) -> _Routes:
        was_well, self._well = self._well, False
        if self._routes is None:
            raise _told(self._path, error) from error
        if was_well:
            self.emit_provider_stale(ProviderEventDetails(message=f"{self._path} cannot be read: {error}"))
        return self._routes


def stopped(client: OpenFeatureClient, traffic: Traffic) -> bool:
    """Whether people say, by the boolean flag ``model:NAME`` of their own flag service, that no candidate of this model shall answer.

    Only a flag that is there and says false does. A flag nobody made, one of another kind, or a service that is out of reach stops
    nothing: a roll-out has its own guards. The targeting key is the model's name; stage, share and generation are attributes.
    """
    about = EvaluationContext(traffic.model, {"stage": traffic.stage, "share": traffic.share, "generation": traffic.generation})
    said = client.get_boolean_details(f"{PREFIX}{traffic.model}", True, about)
    return said.value is False and said.error_code is None and said.reason != Reason.ERROR


def _unit(flag: str, context: EvaluationContext | None) -> str:
    key = context.targeting_key if context is not None else None
    if key is None:
        raise TargetingKeyMissingError(f"{flag} is answered by several versions: say the unit as targeting key.")
    if not isinstance(key, str):
        raise InvalidContextError(f"{flag}: the targeting key is {type(key).__name__}, and a unit is a text.")
    return key


def _told(path: Path, error: Exception) -> OpenFeatureError:
    if isinstance(error, OSError):
        return ProviderNotReadyError(f"{path} cannot be read: {error.strerror}. It is written by: everloop run")
    return ParseError(f"{path} holds no routes: {error}. It is written anew by: everloop run")


def _changed(before: _Routes, after: _Routes) -> list[str]:
    names = sorted({*before.models, *after.models})
    return [f"{PREFIX}{name}" for name in names if before.models.get(name) != after.models.get(name)]
