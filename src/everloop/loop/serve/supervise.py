"""Supervising: the process everything else hangs on. It owns the listening socket, starts the others and starts again what dies.

Standard library and settings only, so that it is small and has nothing that could break. In: where the house is and how many workers it
wants. Out: an exit code. Children are fresh processes that die with it; their words are passed on, each line with who said it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from everloop.errors import EverloopError, HouseBusy
from everloop.loop.serve.lean import LEAN
from everloop.loop.serve.lines import line, passed_on
from everloop.loop.serve.processes import present
from everloop.loop.serve.supervised import AGAIN, CANNOT
from everloop.settings import Settings

BACKLOG = 1024
SHORTEST, LONGEST = 0.1, 5.0
"""Seconds before what died is started again: twice as long each time."""
LIVED = 10.0
"""Seconds after which a child counts as having started."""
TRIES = 5
PATIENCE = 20.0
"""Seconds the others may take to end by themselves."""
FILE = "serving.json"
ME = "supervisor"
BEGIN, WORKER = "everloop.loop.serve.begin", "everloop.loop.serve.worker"
CONTROL, KEEP = "everloop.loop.control.process", "everloop.loop.control.keeper"
METRICS = "everloop.loop.serve.scraped"
CONSOLE, LINK = "everloop.console.serve", "console.link"
"""The console is a process that starts when it is first asked; the link that opens it once, which whoever begins leaves in this file."""


@dataclass(frozen=True)
class Serving:
    """What is to be served: ``project`` and its settings, where to listen, how many workers, and whether a controller turns the house."""

    project: Path
    settings: Settings
    house: Path | None = None
    stage: str | None = None
    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1
    turned: bool = False
    controller: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Asked:
    """A socket in a folder that only this user may look into: who connects wakes the one who is to answer there."""

    path: str
    socket: socket.socket


@dataclass
class Child:
    """One place in the tree, and the process that fills it now. ``once``: it is not started again when it has done its work."""

    name: str
    module: str
    once: bool = False
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    ready: bool = False
    ever_ready: bool = False
    done: bool = False
    deaths: int = 0
    tries: int = 0
    start_at: float | None = 0.0
    words: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    replaces: Child | None = None
    after: Child | None = None
    asked: Asked | None = None
    """Where it is asked, if it starts only then; without it the others go on."""
    held: int | None = None

    def let_go(self) -> None:
        """Close the pipe by which the child sees that this process lives."""
        if self.held is not None:
            os.close(self.held)
            self.held = None

    @property
    def waits(self) -> bool:
        """Whether it is to be started at ``start_at``."""
        return self.start_at is not None and self.process is None and not self.done and (self.after is None or self.after.done)

    @property
    def lasts(self) -> bool:
        """Whether the house is there only once this one is."""
        return not self.once and self.replaces is None and self.asked is None

    @property
    def works(self) -> bool:
        """Whether it is a worker, which answers on the socket."""
        return self.module == WORKER

    @property
    def listens(self) -> bool:
        """Whether it is given the socket."""
        return self.works or self.module == METRICS

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None


def attend(
    serving: Serving, processes: int, *, metrics: tuple[str, int] | None = None, say: Callable[[str], None] = partial(print, flush=True)
) -> int:
    """Work for a house in so many processes, which answer nobody, until told to end; returns the exit code.

    They are started again when they die, as those of ``supervise`` are, beside which they may work in the same folder: who answers there
    tells in its metrics what they use. ``metrics``: where they are told here, too. Raises EverloopError where that address is taken.
    """
    children = [Child(f"joined worker {n}", CONTROL) for n in range(1, processes + 1)]
    with ExitStack() as stack:
        stack.enter_context(present(serving.settings.house / "metrics", "joined"))
        listener = stack.enter_context(listening(*metrics)) if metrics is not None else None
        if listener is not None:
            children.append(Child("metrics", METRICS))
        return _Tree(serving, listener, say, children).run()


def supervise(serving: Serving, *, say: Callable[[str], None] = partial(print, flush=True)) -> int:
    """Serve until told to end; returns the exit code: 0 when it was told to, 2 where it cannot be done.

    SIGTERM and SIGINT let requests in flight finish, a second one does not; SIGHUP replaces the workers one by one. Raises EverloopError
    where the address is taken, HouseBusy where this house is served already.
    """
    with (
        _alone(serving.settings.house),
        listening(serving.host, serving.port) as listener,
        _asked(serving.settings.console.on) as console,
    ):
        return _Tree(serving, listener, say, _children(serving, console)).run()


def _children(serving: Serving, console: Asked | None) -> list[Child]:
    """Who begins, who turns the house or keeps its folder, who answers, and who shows it."""
    begin = Child("begin", BEGIN, once=True)
    # What a house begins with stands before anybody turns it.
    beside = [Child("controller", CONTROL, after=begin)] if serving.controller else []
    if not serving.controller and not serving.settings.registry.startswith("sqlite:"):
        beside = [Child("keeper", KEEP, after=begin)]  # who answers is decided on other machines, and nobody else would tell those here
    shows = [Child("console", CONSOLE, start_at=None, asked=console)] if console is not None else []
    return [begin, *beside, *(Child(f"worker {n}", WORKER) for n in range(1, serving.workers + 1)), *shows]


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there; port 0: on any free one. Raises EverloopError."""
    try:
        if not 0 <= port <= 65535:
            raise OverflowError("a port is from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, OverflowError, UnicodeError) as error:
        raise EverloopError(f"{host} and port {port} are no address to listen on: {error}. Say --host 127.0.0.1 --port 8321") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise EverloopError(
                    f"Port {port} of {host} is taken by another process. Say another one: --port {port + 1 if port < 65535 else 0}, or "
                    f"--port 0 for any that is free."
                ) from error
            raise EverloopError(f"Nobody may listen on {host}:{port} here: {error.strerror}. Say --host 127.0.0.1 --port 8321") from error
        listener.listen(BACKLOG)
        yield listener


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached, as people say it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def from_here(url: str) -> str:
    """The same address as this machine itself asks for it: what listens everywhere is reached at this machine's own.

    >>> from_here("http://0.0.0.0:8321"), from_here("http://[::]:8321"), from_here("http://192.0.2.7:8321")
    ('http://127.0.0.1:8321', 'http://[::1]:8321', 'http://192.0.2.7:8321')
    """
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


class _Tree:
    """The tree while it lives: one loop that waits for words, deaths, signals and the next start."""

    def __init__(self, serving: Serving, listener: socket.socket | None, say: Callable[[str], None], children: list[Child]) -> None:
        self.serving, self.listener, self.children, self.logs = serving, listener, children, serving.settings.logs
        self.say = say if self.logs.form == "text" or serving.as_json else lambda text: say(line(ME, "info", text))
        self.selector = selectors.DefaultSelector()
        self.file = serving.settings.house / FILE
        self.answers = any(child.works for child in children)
        self.signals: list[int] = []
        self.ending: float | None = None
        self.code = 0
        self.announced = self.said = False
        self.to_replace: list[Child] = []

    def run(self) -> int:
        here, there = socket.socketpair()
        here.setblocking(False)
        there.setblocking(False)
        before = {s: signal.signal(s, self._signalled) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)}
        woken = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        self.selector.register(here, selectors.EVENT_READ)
        for child in self.children:
            self._await_the_first(child)
        try:
            while not (self.ending is not None and not any(child.process for child in self.children)):
                self._start_what_is_due()
                for key, _ in self.selector.select(self._pause()):
                    if key.fileobj is here:
                        with suppress(BlockingIOError):
                            here.recv(4096)
                    elif isinstance(key.data, Child):
                        self._wake(key.data)
                    else:
                        self._hear(key)
                self._heed()
                self._bury()
                self._replace()
                self._announce()
        finally:
            signal.set_wakeup_fd(woken)
            for which, handler in before.items():
                signal.signal(which, handler)
            self._kill_all()
            if self.answers:
                self.file.unlink(missing_ok=True)
            for child in self.children:
                child.let_go()
            self.selector.close()
            here.close()
            there.close()
        return self.code

    # -- starting --

    def _start_what_is_due(self) -> None:
        for child in self.children:
            if self.ending is None and child.waits and child.start_at is not None and child.start_at <= now():
                self._start(child)

    def _start(self, child: Child) -> None:
        s = self.serving
        ready, theirs = os.pipe()
        # Nobody ever writes into it: the child sees it close. One for each, since the kernel tells one process of one pipe.
        alive, child.held = os.pipe()
        answers = [self.listener.fileno()] if child.listens and self.listener is not None else []
        answers += [child.asked.socket.fileno()] if child.asked is not None else []
        passed = [alive, theirs, *answers]
        command = [sys.executable, "-m", child.module, "--name", child.name, "--project", str(s.project)]
        command += ["--alive", str(alive), "--ready", str(theirs)]
        command += ["--house", str(s.house)] if s.house else []
        command += ["--stage", s.stage] if s.stage else []
        command += ["--turned-clock"] if s.turned else []
        command += ["--socket", str(answers[0])] if answers else []
        shown = next((one.asked.path for one in self.children if one.asked is not None), None)
        command += ["--console", shown] if child.works and shown is not None else []
        # Ctrl-C is the supervisor's to hear: children are told in an orderly way, so they are in no group of the terminal's.
        child.process = subprocess.Popen(
            command,
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(child.works),
            process_group=0,
        )
        os.close(theirs)
        os.close(alive)
        child.began, child.ready, child.start_at = now(), False, None
        child.words.clear()
        assert child.process.stdout is not None
        os.set_blocking(child.process.stdout.fileno(), False)
        os.set_blocking(ready, False)
        self.selector.register(child.process.stdout, selectors.EVENT_READ, (child, child.process, bytearray()))
        self.selector.register(ready, selectors.EVENT_READ, (child, child.process, None))

    def _pause(self) -> float | None:
        waits = [child.start_at for child in self.children if child.waits and child.start_at is not None and self.ending is None]
        waits += [] if self.ending is None else [self.ending]
        return max(0.0, min(waits) - now()) if waits else None

    # -- hearing --

    def _hear(self, key: selectors.SelectorKey) -> None:
        child, process, line = key.data
        try:
            said = os.read(key.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if line is None:
            if said and child.process is process:
                child.ready = child.ever_ready = True
                child.tries = 0
            self.selector.unregister(key.fileobj)
            os.close(key.fd)
            return
        if not said:
            self._pass_on(child, bytes(line))
            self.selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
            return
        line += said
        *whole, rest = bytes(line).split(b"\n")
        for one in whole:
            self._pass_on(child, one)
        line[:] = rest if len(rest) < 65536 else b""

    def _pass_on(self, child: Child, line: bytes) -> None:
        if text := line.decode(errors="replace").rstrip():
            child.words.append(text)
            print(passed_on(child.name, text, self.logs), file=sys.stderr, flush=True)

    def _complain(self, text: str) -> None:
        said = f"everloop: {text}" if self.logs.form == "text" else line(ME, "error", text)
        print(said, file=sys.stderr, flush=True)

    def _note(self, text: str) -> None:
        print(f"everloop: {text}" if self.logs.form == "text" else line(ME, "info", text), file=sys.stderr, flush=True)

    def _signalled(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self.signals.append(number)

    def _heed(self) -> None:
        while self.signals:
            number = self.signals.pop(0)
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

    # -- who starts when asked --

    def _await_the_first(self, child: Child) -> None:
        """Hear when somebody asks for a child that is not there."""
        if child.asked is not None and self.ending is None:
            self.selector.register(child.asked.socket, selectors.EVENT_READ, child)

    def _wake(self, child: Child) -> None:
        """Somebody asks for it: it is started, after a while where it died soon the times before."""
        assert child.asked is not None
        self.selector.unregister(child.asked.socket)
        wait = min(LONGEST, SHORTEST * 2 ** (child.deaths - 1)) if child.deaths else 0.0
        child.start_at = now() + wait

    def _asked_again(self, child: Child, code: int, soon: bool) -> None:
        """It is started again when it is next asked; who asks now, and would ask for nothing, is let go. The others go on."""
        assert child.asked is not None
        if code != 0:
            self._complain(f"{child.name} {how(code)}; it is started again when it is next asked.")
        with suppress(BlockingIOError):
            while soon:
                child.asked.socket.accept()[0].close()
        child.start_at = None
        self._await_the_first(child)

    # -- dying --

    def _bury(self) -> None:
        for child in list(self.children):
            code = child.process.poll() if child.process is not None else None
            if code is None or child.process is None:
                continue
            self._drain(child)
            child.let_go()
            lived = now() - child.began
            child.process = None
            if child.replaces is not None:
                self.children.remove(child)
                self.say(f"{child.name} could not be replaced ({how(code)}); the one before goes on answering.")
            elif self.ending is not None or (child.once and code == 0):
                child.done = True
            else:
                self._died(child, code, lived)

    def _drain(self, child: Child) -> None:
        """The last words of one that died, before its death is judged by them."""
        for key in [k for k in list(self.selector.get_map().values()) if isinstance(k.data, tuple) and k.data[1] is child.process]:
            if key.data[2] is not None:
                while key.fd in self.selector.get_map() and _readable(key.fd):
                    self._hear(key)

    def _died(self, child: Child, code: int, lived: float) -> None:
        if code == AGAIN and child.ready:
            child.deaths, child.ready, self.announced, child.start_at = 0, False, False, now() + SHORTEST
            self._note(f"{child.name} wants to be started again, and is.")
            return
        # Somebody, or the kernel for want of memory, may kill a child before it is ready: that says nothing of what it could do.
        soon = not child.ready and lived < LIVED and code != -signal.SIGKILL
        child.tries = child.tries + soon
        child.deaths = 0 if child.ready and lived >= LIVED else child.deaths + 1
        child.ready = False
        if child.asked is not None:
            self._asked_again(child, code, soon)
            return
        if not child.ever_ready and (child.tries >= TRIES or code == CANNOT):
            last = "\n  ".join(child.words) or "It said nothing."
            often = f" {child.tries} times in a row" if child.tries > 1 else ""
            self._complain(f"{child.name} cannot start: it ended{often} ({how(code)}).\n  {last}")
            self._end(CANNOT)
            return
        self.announced = False
        wait = min(LONGEST, SHORTEST * 2 ** max(0, child.deaths - 1))
        child.start_at = now() + wait
        self._complain(f"{child.name} {how(code)}; it is started again in {wait:g} s.")

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
            self.children.append(Child(old.name, old.module, replaces=old))

    def _announce(self) -> None:
        lasting = [child for child in self.children if child.lasts]
        if self.announced or self.ending is not None or not all(child.ready for child in lasting):
            return
        if self.listener is None or not self.answers:
            self.announced = True
            if not self.said:
                self._joined([child.pid for child in lasting if not child.listens])
            return
        first, self.said, self.announced = not self.said, True, True
        pids = [child.pid for child in lasting if child.works]
        told = {"url": url_of(self.listener), "pid": os.getpid(), "workers": pids}
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(told), encoding="utf-8")
        part.replace(self.file)
        link = self._link()
        if first and self.serving.as_json:
            self.say(json.dumps({**told, "console": link} if link else told))
        elif first:
            count = f"{len(pids)} worker{'s' * (len(pids) != 1)}"
            self.say(f"Everloop answers on {told['url']} ({count}{', turned clock' * self.serving.turned}, pid {os.getpid()})")
        if link and not self.serving.as_json:
            self.say(f"The console opens from this machine, once: {from_here(url_of(self.listener))}{link}")

    def _link(self) -> str | None:
        """What opens the console once, where nobody is let in by name; whoever began left it there."""
        file = self.serving.settings.house / LINK
        try:
            link = file.read_text(encoding="utf-8").strip()
            return link if link and self.serving.settings.console.on else None
        except OSError:
            return None
        finally:
            file.unlink(missing_ok=True)

    def _joined(self, pids: list[int | None]) -> None:
        self.said = True
        if self.serving.as_json:
            where = {"metrics": f"{url_of(self.listener)}/metrics"} if self.listener is not None else {}
            self.say(json.dumps({"pid": os.getpid(), "workers": pids} | where))
        else:
            count = f"{len(pids)} worker{'s' * (len(pids) != 1)}"
            count += f", metrics at {url_of(self.listener)}/metrics" if self.listener is not None else ""
            self.say(f"Everloop works for {self.serving.settings.folder.name} ({count}, pid {os.getpid()})")


def environment(worker: bool) -> dict[str, str]:
    """What a child is given; the user's own environment beats ours."""
    return {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1", **(LEAN if worker else {}), **os.environ}


def how(code: int) -> str:
    """How a process ended, from its exit code.

    >>> how(-9), how(2)
    ('was ended by SIGKILL', 'ended with exit code 2')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def now() -> float:
    """Monotonic seconds."""
    return time.monotonic()


def _readable(fd: int) -> bool:
    with selectors.DefaultSelector() as one:
        one.register(fd, selectors.EVENT_READ)
        return bool(one.select(0))


@contextmanager
def _asked(wanted: bool) -> Iterator[Asked | None]:
    """A socket for who starts when it is asked, in a folder of its own, whose path is short enough for any system; None: nobody is."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="everloop-", dir=None if len(tempfile.gettempdir()) < 70 else "/tmp") as folder:
        path = f"{folder}/console"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
            there.setblocking(False)
            there.bind(path)
            there.listen(BACKLOG)
            yield Asked(path, there)


@contextmanager
def _alone(house: Path) -> Iterator[IO[bytes]]:
    """Be the only one who serves a house; the lock goes with the process. Raises HouseBusy."""
    house.mkdir(parents=True, exist_ok=True)
    with (house / "serving.lock").open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(OSError, ValueError):
                there = json.loads((house / FILE).read_bytes())
                raise HouseBusy(
                    f"This house is served already: {there['url']}, pid {there['pid']}. End that one first: kill {there['pid']}"
                ) from None
            raise HouseBusy("This house is served already, by a process that is still starting or ending. Try again in a moment.") from None
        (house / FILE).unlink(missing_ok=True)
        yield held
