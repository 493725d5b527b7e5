"""A worker: one process that answers for a house on a socket it was given. In: the socket. Out: replies, and rows in its own log segment.

It is made of parts that each do one thing: ``follow`` knows who answers, ``known`` what is known, ``doors`` what to do, ``serving.app``
how that is said over HTTP. It opens house.db only when something needs more than an answer does.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from everloop.loop.serve.supervised import Told, supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from everloop.loop.house import House
    from everloop.loop.project_file import Project
    from everloop.loop.serve.doors import HouseDoors
    from everloop.loop.serve.follow import Load, Tell, Tried
    from everloop.serving.app import Asgi
    from everloop.serving.metrics import Metrics
    from everloop.settings import Settings

GRACE = 5
"""Seconds that requests in flight have to end in."""
PATIENCE = 1.0
"""Seconds an answer waits for the disk before it is refused, or given and not remembered."""
KEEP_ALIVE = 75
"""Seconds a connection is kept that nobody uses."""
_lines = logging.getLogger(__name__)


def work(told: Told) -> None:
    """Answer until told to end. Raises EverloopError where the project or its settings cannot be read."""
    from everloop.loop.project_file import open_project
    from everloop.loop.serve.lean import without_pandas
    from everloop.loop.serve.lines import speaking
    from everloop.settings import read_settings
    from everloop.training.stand_in import opened as with_stand_ins

    without_pandas()
    project = with_stand_ins(partial(open_project, told.project))
    assert project.path is not None
    settings = read_settings(project.path.parent, stage=told.stage, house=told.house)
    speaking(told.name, settings.logs)
    with ExitStack() as stack:
        doors = opened(told, project, settings, stack)
        doors.follow.begun.wait()  # whoever asks before stands in the socket's line
        gc.freeze()  # what is loaded by now stays loaded, and need not be looked at again whenever rubbish is collected
        serve(told, settings, doors)


def opened(told: Told, project: Project, settings: Settings, stack: ExitStack, *, says: bool = True) -> HouseDoors:
    """The doors of a house, following its routes; what ``stack`` holds is let go of when requests are over.

    ``says``: does this process say in the house folder by whom it answers? Processes of several machines that share one cannot: there they
    are told apart by their numbers.
    """
    from everloop.lake.gather import Gathering
    from everloop.loop.belonging import mark_in
    from everloop.loop.lakes import lake_of
    from everloop.loop.online import folding, online_of
    from everloop.loop.serve.doors import HouseDoors
    from everloop.loop.serve.follow import Follow
    from everloop.loop.serve.known import Known
    from everloop.loop.serve.routes import Living
    from everloop.serving.log import AnswersLog

    def house() -> House:
        from everloop.loop.house import open_house

        return open_house(project, settings=settings, turned=told.turned)

    serving = settings.serving
    models = list(project.models.values())
    lake = folding(lake_of(settings, durability=serving.durability), models, settings)
    keeps = AnswersLog(
        settings.answers,
        durability=serving.durability,
        when_full=serving.when_full,
        patience=PATIENCE,
        house=partial(mark_in, settings.house),
    )
    log = stack.enter_context(keeps)
    gathering = stack.enter_context(Gathering(lake))
    known = Known(lake, models, online_of(lake, settings), turned=told.turned)
    stack.callback(known.close)
    living = Living(settings.house) if says else None
    follow = Follow(
        settings.house, project.models, load_with(project, settings), tried=golden_rows(settings), tell=tell_with(project, house),
        living=living,
    )  # fmt: skip
    stack.callback(follow.close)
    follow.begin()
    doors = HouseDoors(
        project.models, project.sources, house=house, follow=follow, known=known, log=log, gathering=gathering, turned=told.turned
    )
    stack.callback(doors.shadows.close)
    return doors


def load_with(project: Project, settings: Settings) -> Load:
    """What loads a candidate's predictor from the house's own blobs and checks its golden rows. It raises ArtefactBroken."""
    from everloop.loop.stored import blobs_of
    from everloop.records import Candidate
    from everloop.training.predictor import Answering

    blobs = blobs_of(settings)

    def load(candidate: Candidate) -> Answering:
        from everloop.training.light import load_light, load_whole

        given = project.model(candidate.model).baseline
        if settings.signing.key is None:
            return load_light(candidate, blobs.read, settings.compiled, given=given, allow_pickle=settings.pickle)
        from everloop.loop.signing import proven
        from everloop.training.golden import check_golden

        # Compiled forms are copies that nobody signed.
        proven(settings, candidate, blobs.read)
        found = load_whole(candidate, blobs.read, given=given, allow_pickle=settings.pickle)
        if candidate.golden is not None:
            check_golden(found, blobs.read(candidate.golden), where=candidate.id)
        return found

    return load


def golden_rows(settings: Settings) -> Tried:
    """What gives the golden rows of a candidate. It raises ArtefactBroken where they are gone."""
    from everloop.loop.stored import blobs_of
    from everloop.training.golden import read_golden

    blobs = blobs_of(settings)
    return lambda candidate: None if candidate.golden is None else read_golden(blobs.read(candidate.golden))[0]


def tell_with(project: Project, house: Callable[[], House]) -> Tell:
    """What puts into the outbox, once, that a version cannot be loaded."""

    def tell(model: str, version: str, why: str) -> None:
        from everloop.clock import wall
        from everloop.loop.news.alerts import not_loaded
        from everloop.loop.news.put import put_news

        _lines.warning("%s cannot be loaded and does not serve: %s", version, why)
        opened = house()
        try:
            put_news(opened, not_loaded(project.model(model), version, why), wall())
        finally:
            opened.store.close()

    return tell


@contextmanager
def looking(name: str, every: float, look: Callable[[], None]) -> Iterator[None]:
    """Look every so many seconds, in a thread, until the block ends."""
    done = threading.Event()

    def keep_looking() -> None:
        while not done.wait(every):
            look()

    thread = threading.Thread(target=keep_looking, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def telling_of_drops(doors: HouseDoors, metrics: Metrics) -> AbstractContextManager[None]:
    """Answers that were given and not remembered are counted, and somebody is told, within a second."""
    from everloop.clock import wall
    from everloop.errors import EverloopError
    from everloop.loop.news.alerts import not_remembered
    from everloop.loop.news.put import put_news

    known = left_out = 0

    def look() -> None:
        nonlocal known, left_out
        dropped, shadows = doors.log.dropped, doors.shadows.dropped
        if shadows > left_out:
            metrics.add("everloop_shadows_dropped_total", count=shadows - left_out)
            left_out = shadows
        if dropped > known:
            metrics.dropped(dropped - known)
            known = dropped
            with suppress(EverloopError):  # the disk it is about may be the very one
                put_news(doors.house, not_remembered(dropped, wall()), wall())

    return looking("dropped answers", 1.0, look)


def letting_go(doors: HouseDoors) -> AbstractContextManager[None]:
    """When somebody is erased, what was read of them is remembered no longer, and the segment answers are written to is closed, so that
    they can go from it; within half a second."""
    from everloop.errors import EverloopError

    log = doors.known.lake.log
    before: int | None = None

    def look() -> None:
        nonlocal before
        with suppress(EverloopError):  # what cannot be done now is tried again
            went = log.went
            if before is not None and went != before:
                doors.known.let_go()
                doors.log.rotate()
            before = went

    return looking("letting go", 0.5, look)


def answering(
    told: Told, settings: Settings, doors: HouseDoors, metrics: Metrics, stack: ExitStack, *, on_stop: Callable[[], None] | None = None
) -> Asgi:
    """The app that answers by these doors. ``stack`` holds what watches beside it; ``on_stop`` is called when it has replied to all."""
    from everloop.loop.serve.lines import of_requests
    from everloop.serving.app import app
    from everloop.serving.paths import route_of

    def keys() -> Any:
        assert doors.follow.table is not None, "nobody is answered before the routes were read"
        return doors.follow.table.keys

    stack.enter_context(telling_of_drops(doors, metrics))
    stack.enter_context(letting_go(doors))
    line = of_requests(told.name, settings.logs)
    asgi = app(doors, keys=keys, metrics=metrics, largest_body=settings.serving.largest_body, line=line, on_stop=on_stop)
    if settings.serving.traces:
        from everloop.connect.opentelemetry import traced

        asgi = stack.enter_context(traced(asgi, route_of))
        gc.freeze()
    return asgi


def serve(told: Told, settings: Settings, doors: HouseDoors) -> None:
    """Answer on the socket until told to end; requests in flight are finished first."""
    from everloop.loop.serve.hand_on import HandOn
    from everloop.loop.serve.processes import beside
    from everloop.serving.metrics import Metrics

    def leaving() -> None:
        doors.draining = True
        if handing is not None:
            handing.leave()

    handing: HandOn | None = None
    with ExitStack() as stack:
        metrics = stack.enter_context(Metrics(settings.house / "metrics", f"worker-{os.getpid()}"))
        metrics.beside = partial(beside, os.getppid(), metrics.folder)
        asgi = answering(told, settings, doors, metrics, stack)
        handing = HandOn(asgi, told.console) if told.console is not None else None
        asgi = handing or asgi
        assert told.socket is not None, "a worker answers on a socket it was given: everloop serve"
        for number in (signal.SIGTERM, signal.SIGINT):
            # The server hears them while it runs, and raises them again when it is done: logs are closed first.
            signal.signal(number, signal.SIG_IGN)
        if settings.serving.server == "granian":
            from everloop.connect.granian import serve as answer_on
        else:
            answer_on = by_uvicorn
        with socket.socket(fileno=told.socket) as listener:
            answer_on(asgi, listener, ready=told.say_ready, leaving=leaving, drain=settings.serving.drain, grace=GRACE)


def by_uvicorn(
    asgi: Any, listener: socket.socket, *, ready: Callable[[], None], leaving: Callable[[], None], drain: float, grace: int
) -> None:
    """Answer on this socket by uvicorn until told to end: ``ready`` once it answers, ``leaving`` when it is told. It goes on answering for
    ``drain`` seconds then, unless it is told again."""
    import asyncio

    import uvicorn

    class Server(uvicorn.Server):
        told = False

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            await super().startup(sockets)
            ready()

        def handle_exit(self, sig: int, frame: Any) -> None:
            leaving()
            end, again, self.told = super().handle_exit, self.told, True
            if again or not drain:
                end(sig, frame)
            else:
                self.loop.call_soon_threadsafe(self.loop.call_later, drain, end, sig, None)

    config = uvicorn.Config(
        asgi,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=grace,
    )
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(supervised("worker", work))
