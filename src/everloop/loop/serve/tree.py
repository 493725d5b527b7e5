"""The tree: a supervisor and its children while they live. One loop waits for words, deaths, signals and the next start.

It owns the listening socket, starts again what dies, replaces workers one by one, and ends with an exit code. Standard library and settings
only, so that it is small and has nothing that could break.
"""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from everloop.loop.serve.announced import answering, joined
from everloop.loop.serve.child import SHORTEST, Child, how, now
from everloop.loop.serve.ears import Ear, Ears, speaker_of
from everloop.loop.serve.served import forget
from everloop.loop.serve.serving import Serving
from everloop.loop.serve.signalled import Signalled, signalled
from everloop.loop.serve.supervised import AGAIN, CANNOT, Told

TRIES = 5
PATIENCE = 20.0
"""Seconds the others may take to end by themselves."""


class Tree:
    """The tree while it lives."""

    def __init__(self, serving: Serving, listener: socket.socket | None, say: Callable[[str], None], children: list[Child]) -> None:
        self.serving, self.listener, self.children = serving, listener, children
        self.speaker = speaker_of(serving.settings.logs, say, as_json=serving.as_json)
        self.selector = selectors.DefaultSelector()
        self.ears = Ears(self.selector, self.speaker)
        self.answers = any(child.works for child in children)
        self.ending: float | None = None
        self.code = 0
        self.announced = self.said = False
        self.to_replace: list[Child] = []

    def run(self) -> int:
        """Live until told to end; returns the exit code."""
        with signalled() as signals:
            self.selector.register(signals.socket, selectors.EVENT_READ)
            for child in self.children:
                self._await_the_first(child)
            try:
                while not (self.ending is not None and not any(child.process for child in self.children)):
                    self._start_what_is_due()
                    self._wait(signals)
                    self._heed(signals)
                    self._bury()
                    self._replace()
                    self._announce()
            finally:
                self._kill_all()
                if self.answers:
                    forget(self.serving.settings.house)
                for child in self.children:
                    child.let_go()
                self.selector.close()
        return self.code

    def _wait(self, signals: Signalled) -> None:
        for key, _ in self.selector.select(self._pause()):
            match key.data:
                case Child() as child:
                    self._wake(child)
                case Ear():
                    self.ears.hear(key)
                case _:
                    signals.woke()

    def _pause(self) -> float | None:
        waits = [child.start_at for child in self.children if child.waits and child.start_at is not None and self.ending is None]
        waits += [] if self.ending is None else [self.ending]
        return max(0.0, min(waits) - now()) if waits else None

    # -- starting --

    def _start_what_is_due(self) -> None:
        for child in self.children:
            if self.ending is None and child.waits and child.start_at is not None and child.start_at <= now():
                self.ears.start(child, self._told(child))

    def _told(self, child: Child) -> Told:
        s = self.serving
        given = self.listener if child.listens else child.asked.socket if child.asked is not None else None
        shown = next((one.asked.path for one in self.children if one.asked is not None), None) if child.works else None
        fd = given.fileno() if given is not None else None
        return Told(s.project, s.house, s.stage, s.turned, alive=None, ready=None, socket=fd, console=shown)

    def _await_the_first(self, child: Child) -> None:
        """Hear when somebody asks for a child that is not there."""
        if child.asked is not None and self.ending is None:
            self.selector.register(child.asked.socket, selectors.EVENT_READ, child)

    def _wake(self, child: Child) -> None:
        """Somebody asks for it: it is started, after a while where it died soon the times before."""
        assert child.asked is not None
        self.selector.unregister(child.asked.socket)
        child.start_at = now() + (child.pause() if child.deaths else 0.0)

    # -- ending --

    def _heed(self, signals: Signalled) -> None:
        while signals.numbers:
            number = signals.numbers.popleft()
            if number == signal.SIGHUP:
                self.to_replace = [child for child in self.children if child.works and child.replaces is None]
                for child in self.children:
                    if child.asked is not None and child.process is not None:
                        child.process.send_signal(signal.SIGTERM)  # it starts anew when it is next asked
            elif self.ending is None:
                self._end(0)
            else:
                self._kill_all()
        if self.ending is not None and now() >= self.ending:
            self._kill_all()

    def _end(self, code: int) -> None:
        """Tell everybody to end; who takes too long is killed."""
        self.code, self.ending = code, now() + PATIENCE + self.serving.settings.serving.drain
        # What comes when the last worker has ended is refused at once, not left to wait for nobody.
        if self.listener is not None:
            self.listener.close()
        for child in self.children:
            if child.process is not None:
                with suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)

    def _kill_all(self) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.kill()
                child.process.wait()

    # -- dying --

    def _bury(self) -> None:
        for child in list(self.children):
            code = child.process.poll() if child.process is not None else None
            if code is None:
                continue
            self.ears.drain(child)
            lived = child.buried()
            if child.replaces is not None:
                self.children.remove(child)
                self.speaker.say(f"{child.name} could not be replaced ({how(code)}); the one before goes on answering.")
            elif self.ending is not None or (child.once and code == 0):
                child.done = True
            else:
                self._died(child, code, lived)

    def _died(self, child: Child, code: int, lived: float) -> None:
        if code == AGAIN and child.ready:
            child.deaths, child.ready, self.announced, child.start_at = 0, False, False, now() + SHORTEST
            self.speaker.note(f"{child.name} wants to be started again, and is.")
            return
        soon = child.count_death(code, lived)
        if child.asked is not None:
            self._asked_again(child, code, soon)
            return
        if not child.ever_ready and (child.tries >= TRIES or code == CANNOT):
            last = "\n  ".join(child.words) or "It said nothing."
            often = f" {child.tries} times in a row" if child.tries > 1 else ""
            self.speaker.complain(f"{child.name} cannot start: it ended{often} ({how(code)}).\n  {last}")
            self._end(CANNOT)
            return
        self.announced = False
        wait = child.pause()
        child.start_at = now() + wait
        self.speaker.complain(f"{child.name} {how(code)}; it is started again in {wait:g} s.")

    def _asked_again(self, child: Child, code: int, soon: bool) -> None:
        """It is started again when it is next asked; who asks now, and would ask for nothing, is let go. The others go on."""
        assert child.asked is not None
        if code != 0:
            self.speaker.complain(f"{child.name} {how(code)}; it is started again when it is next asked.")
        with suppress(BlockingIOError):
            while soon:
                child.asked.socket.accept()[0].close()
        child.start_at = None
        self._await_the_first(child)

    # -- replacing, and saying so --

    def _replace(self) -> None:
        """One after the other: a new worker is ready before the old one ends."""
        if self.ending is not None:
            return
        for new in [child for child in self.children if child.replaces is not None and child.ready]:
            old, new.replaces = new.replaces, None
            assert old is not None
            if old.process is not None:
                old.process.send_signal(signal.SIGTERM)
            old.once = old.done = True
            old.start_at = None
            self.announced = False
        for old in [child for child in self.children if child.done and child.process is None and child.works]:
            self.children.remove(old)
        leaving = any(child.replaces is not None or (child.done and child.process is not None) for child in self.children)
        if self.to_replace and not leaving:
            old = self.to_replace.pop(0)
            self.children.append(Child(old.name, old.module, works=True, replaces=old))

    def _announce(self) -> None:
        lasting = [child for child in self.children if child.lasts]
        if self.announced or self.ending is not None or not all(child.ready for child in lasting):
            return
        first, self.said, self.announced = not self.said, True, True
        if self.listener is not None and self.answers:
            for said in answering(self.serving, self.listener, [child.pid for child in lasting if child.works], first=first):
                self.speaker.say(said)
        elif first:
            self.speaker.say(joined(self.serving, self.listener, [child.pid for child in lasting if not child.listens]))
