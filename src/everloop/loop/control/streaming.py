"""What a controller does with streams: each is taken, or put to, in a thread of its own. In: a house. Out: what the streams do to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from everloop.errors import Unknown
from everloop.loop.answers_told import tell_answers
from everloop.loop.house import House
from everloop.loop.streams import take_stream

LOOK_EVERY: Final = 0.2
LAST_BREATH: Final = 2.0
"""Seconds the threads may take to end."""


def stream_all(house: House, told: Callable[[str], object], ended: Callable[[], bool]) -> None:
    """Carry every stream of ``[streams]`` until ``ended``; none where business time is turned by hand. One of a source or a model that the
    project does not have is ``told``, and holds up no other."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, name="everloop stream", daemon=True) for work in _works(house, told, stop)]
    for thread in threads:
        thread.start()
    while not ended():
        stop.wait(LOOK_EVERY)
    stop.set()
    for thread in threads:
        thread.join(LAST_BREATH)


def _works(house: House, told: Callable[[str], object], stop: threading.Event) -> Iterator[Callable[[], None]]:
    for name, one in ({} if house.turned else house.settings.streams).items():
        try:
            if one.source is not None:
                house.project.source(one.source)
            elif one.answers != "*":
                house.project.model(one.answers or "")
        except Unknown as error:
            told(f"The stream {name} is left alone: {error}")
        else:
            yield partial(take_stream if one.source is not None else tell_answers, house, name, stop=stop, told=told)
