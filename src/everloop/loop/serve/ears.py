"""Ears: what children say, passed on line by line with who said it, and what the supervisor says itself.

In: the pipes of children. Out: lines, and each child's last words, by which its death is judged.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from everloop.loop.serve.child import Child
from everloop.loop.serve.lines import line, passed_on
from everloop.loop.serve.supervised import Told
from everloop.settings import Logs

ME = "supervisor"
LONG = 65536
"""Bytes of a line without an end that are kept."""


@dataclass(frozen=True)
class Speaker:
    """How a supervisor speaks, as the settings want it: ``say`` is what a person waits for, the rest goes to stderr."""

    logs: Logs
    say: Callable[[str], None]

    def complain(self, text: str) -> None:
        self._speak("error", text)

    def note(self, text: str) -> None:
        self._speak("info", text)

    def pass_on(self, name: str, text: str) -> None:
        print(passed_on(name, text, self.logs), file=sys.stderr, flush=True)

    def _speak(self, level: str, text: str) -> None:
        print(f"everloop: {text}" if self.logs.form == "text" else line(ME, level, text), file=sys.stderr, flush=True)


def speaker_of(logs: Logs, say: Callable[[str], None], *, as_json: bool) -> Speaker:
    """``as_json``: what is said is one object already, whatever the form of the lines."""
    return Speaker(logs, say if logs.form == "text" or as_json else lambda text: say(line(ME, "info", text)))


@dataclass(frozen=True)
class Ear:
    """One pipe of a process that filled a child's place. ``begun``: the line that has no end yet; None: where it says that it is ready."""

    child: Child
    process: subprocess.Popen[bytes]
    begun: bytearray | None


@dataclass(frozen=True)
class Ears:
    """Hears children by the selector of a loop, whose keys of children's pipes hold an ``Ear``."""

    selector: selectors.BaseSelector
    speaker: Speaker

    def start(self, child: Child, told: Told) -> None:
        """Start a child, and hear it from then on."""
        process, said, ready = child.start(told)
        self.selector.register(said, selectors.EVENT_READ, Ear(child, process, bytearray()))
        self.selector.register(ready, selectors.EVENT_READ, Ear(child, process, None))

    def hear(self, key: selectors.SelectorKey) -> None:
        """What there is to be read of a pipe now."""
        ear: Ear = key.data
        try:
            said = os.read(key.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if ear.begun is None:
            if said and ear.child.process is ear.process:
                ear.child.is_ready()
            self.selector.unregister(key.fileobj)
            os.close(key.fd)
            return
        if not said:
            self._pass_on(ear.child, bytes(ear.begun))
            self.selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
            return
        *whole, rest = bytes(ear.begun + said).split(b"\n")
        for one in whole:
            self._pass_on(ear.child, one)
        ear.begun[:] = rest if len(rest) < LONG else b""

    def drain(self, child: Child) -> None:
        """The last words of one that died."""
        for key in list(self.selector.get_map().values()):
            if isinstance(key.data, Ear) and key.data.process is child.process and key.data.begun is not None:
                while key.fd in self.selector.get_map() and _readable(key.fd):
                    self.hear(key)

    def _pass_on(self, child: Child, said: bytes) -> None:
        if text := said.decode(errors="replace").rstrip():
            child.words.append(text)
            self.speaker.pass_on(child.name, text)


def _readable(fd: int) -> bool:
    with selectors.DefaultSelector() as one:
        one.register(fd, selectors.EVENT_READ)
        return bool(one.select(0))
