"""A house behind somebody else's server: the very app a worker answers by, for Ray Serve, for AWS Lambda, or for any server of ASGI.

In: a project, and where its house is. Out: the app, what keeps it up to date, and what ends it. Nothing here turns the house or seals what
it answered: that is done by a worker of the same house folder, as beside every other server (``everloop worker``).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from everloop.errors import HouseBusy
from everloop.loop.serve.supervised import Told

if TYPE_CHECKING:
    from everloop.connect.aws_lambda import Doorway, Function
    from everloop.loop.serve.doors import HouseDoors
    from everloop.serving.app import Asgi
    from everloop.settings import Settings

PATIENCE: Final = 60.0
"""Seconds that a server waits for the routes of a house that somebody else is only beginning."""


@dataclass(frozen=True)
class Hosted:
    """A house that answers wherever ``asgi`` is called. It ends with the app's lifespan, or by ``close``."""

    asgi: Asgi
    doors: HouseDoors
    held: ExitStack

    def check(self) -> None:
        """Raises HouseBusy where it cannot answer, and says why."""
        stands = self.doors.ready()
        if not stands.ready:
            raise HouseBusy(stands.why)

    def catch_up(self) -> None:
        """Answer by what is in force now: a process that was stopped meanwhile may have missed it."""
        self.doors.follow.catch_up()

    def let_go(self) -> None:
        """Leave what was answered to whoever seals it, shadows too: it may be stopped at any moment, and keep its lock meanwhile."""
        self.doors.shadows.hurry()
        self.doors.log.rotate()

    def close(self) -> None:
        """Answer no more."""
        self.held.close()


def hosted(told: Told, *, shared: bool = False, counted: Path | None = None) -> Hosted:
    """The house as an app, once it can answer.

    ``shared``: is its folder shared with other machines? Then every answer is on the disk before it is given, and nobody waits to hear by
    whom this process answers. ``counted`` is the folder of its counters, ``metrics/`` of the house unless said. Raises HouseBusy where
    nobody has written who answers, and whatever ``open_project`` and ``read_settings`` raise.
    """
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.loop.serve.lines import speaking
    from everloop.loop.serve.worker import answering, opened
    from everloop.serving.metrics import Metrics
    from everloop.settings import read_settings
    from everloop.training.stand_in import opened as with_stand_ins

    without_pandas()
    project = with_stand_ins(partial(open_project, told.project))
    assert project.path is not None
    settings = read_settings(project.path.parent, stage=told.stage, house=told.house)
    if shared:
        settings = replace(settings, serving=replace(settings.serving, durability="sync"))
    speaking(told.name, settings.logs)
    with ExitStack() as stack:
        doors = opened(told, project, settings, stack, says=not shared)
        if not doors.follow.begun.wait(PATIENCE):
            wrong = doors.follow.wrong or "What answers cannot be loaded."
            raise HouseBusy(f"{wrong} A worker of this house folder writes who answers: everloop worker --house {settings.house}")
        metrics = stack.enter_context(Metrics(counted or settings.house / "metrics", f"worker-{os.getpid()}"))
        asgi = answering(told, settings, doors, metrics, stack, on_stop=lambda: held.close())
        gc.freeze()
        held = stack.pop_all()
    return Hosted(asgi, doors, held)


def keyed_app(project: Path | str, *, key: str, stage: str = "", house: Path | str | None = None) -> Asgi:
    """The house as an app that shows its own key, for a platform that decides who may ask and passes no header on, as SageMaker does.

    Whoever reaches it may do what the key may: give it one that may ``predict``, and nothing else. Raises what ``hosted`` raises.
    """
    behind, shown = hosted(_told(project, house, stage, False, "worker")).asgi, (b"authorization", f"Bearer {key}".encode())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*(head for head in scope["headers"] if head[0] != shown[0]), shown]}
        await behind(scope, receive, send)

    return app


def ray_app(project: Path | str, *, stage: str = "", house: Path | str | None = None, turned: bool = False, **options: Any) -> Any:
    """The house as an application of Ray Serve, as ``everloop export rayserve`` writes it down.

    ``options`` are those of a deployment: ``num_replicas``, ``autoscaling_config``, ``ray_actor_options`` … Raises Missing.
    """
    from everloop.connect.rayserve import application

    return application(partial(hosted, _told(project, house, stage, turned, "ray serve")), **options)


def lambda_handler(
    project: Path | str, *, stage: str = "", house: Path | str | None = None, turned: bool = False, counted: Path | str = "/tmp/everloop"
) -> Function:
    """The house as a handler of AWS Lambda, as ``everloop export lambda`` writes it down; its folder is one that many instances share.

    Made when the function's module is loaded, which is once for each instance. Raises Missing, and what ``hosted`` raises.
    """
    from everloop.connect.aws_lambda import handler

    return handler(hosted(_told(project, house, stage, turned, "lambda"), shared=True, counted=Path(counted)))


def shop_handler(project: Path | str, *, stage: str = "", house: Path | str | None = None) -> Doorway:
    """The door of a shop as a handler of AWS Lambda: webhooks, Flow and the storefront. One instance at a time: it keeps ``shopify.db``.

    Raises SettingsError where everloop.toml names no shop, Missing.
    """
    from everloop.connect.aws_lambda import doorway
    from everloop.errors import SettingsError
    from everloop.settings import read_settings

    settings = read_settings(Path(project).parent, stage=stage or None, house=house)
    if settings.shopify is None:
        raise SettingsError("everloop.toml names no shop, so there is no door of one. Say [shopify], or leave this function out.")
    return doorway(partial(_door, settings))


def _door(settings: Settings) -> tuple[Any, Callable[[], bool]]:
    """A door that lives for one event, and whether a delivery or a run of Flow waits behind it."""
    from everloop.clock import wall
    from everloop.connect.shopify.door import app
    from everloop.connect.shopify.inbox import waiting
    from everloop.connect.shopify.opened import door_of
    from everloop.connect.shopify.runs import Runs

    # Those who write share no memory: the instance before may have been on another machine.
    door = door_of(settings, journal="delete")
    runs = Runs(door.place)
    return app(door), lambda: bool(waiting(door.place, wall(), 1) or runs.open())


def _told(project: Path | str, house: Path | str | None, stage: str, turned: bool, name: str) -> Told:
    return Told(Path(project), None if house is None else Path(house), stage or None, turned, None, None, None, name)
