"""Apprise: messages to Slack, mail, Teams, webhooks and a hundred others, by a URL each. The only file that imports it.

In: a URL and a message. Out: nothing where the other side took it, else why not, in words that hold no secret. What apprise and the
libraries below it would log while sending is kept from the logs: their lines hold whole URLs. Keeps nothing, retries nothing.
"""

from __future__ import annotations

import difflib
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.manager_plugins import NotificationManager

from everloop.connect.message import Message, masked, without_secrets
from everloop.errors import SettingsError

KEY_HEADER = "Idempotency-Key"
CONNECT_SECONDS, READ_SECONDS = 5.0, 5.0
_URGENCY = {"info": NotifyType.INFO, "warning": NotifyType.WARNING, "critical": NotifyType.FAILURE}
_QUIET = ("apprise", "urllib3.connectionpool")
_overheard = threading.local()

with warnings.catch_warnings():
    # Its mail plugin looks for a module of the standard library that is on its way out. All plugins are loaded here, once, so that
    # no sending thread meets them half loaded.
    warnings.simplefilter("ignore", DeprecationWarning)
    _known: Any = NotificationManager()  # type: ignore[no-untyped-call]
    _known.load_modules()


class Line:
    """An open line to one address. One message at a time; the pace each service asks for is apprise's to keep.

    >>> Line("slak://T1JJ3T3L2/hush")
    Traceback (most recent call last):
    everloop.errors.SettingsError: slak://… is no address: nothing is called slak. Did you mean slack://?
    """

    def __init__(self, url: str) -> None:
        """Raises SettingsError for what is no address, with the cure."""
        # No pictures: they would be fetched from a stranger's server by whoever reads the message.
        asset = AppriseAsset(app_id="Everloop", app_desc="Everloop", image_url_mask="", image_url_logo="")
        with _unlogged():
            try:
                plugin: Any = Apprise.instantiate(url, asset=asset)
            except Exception:  # a plugin may raise whatever it likes about a URL
                plugin = None
        if plugin is None:
            raise SettingsError(f"{masked(url)} is no address: {_cure(url)}")
        self._url, self._plugin, self._said = url, plugin, dict(getattr(plugin, "payload_extras", None) or {})
        # A redirect turns a POST into a GET, which is answered by 200 and tells nobody anything.
        plugin.redirects = "redirect=" in url
        plugin.socket_connect_timeout = plugin.socket_connect_timeout if "cto=" in url else CONNECT_SECONDS
        plugin.socket_read_timeout = plugin.socket_read_timeout if "rto=" in url else READ_SECONDS

    def send(self, message: Message) -> str | None:
        """None where the other side took it, else why not. Raises nothing."""
        with _unlogged() as heard:
            try:
                self._mark(message)
                urgency = _URGENCY[message.severity]
                took = self._plugin.notify(title=message.title, body=message.body, notify_type=urgency, body_format=NotifyFormat.TEXT)
            except Exception as error:  # whatever a plugin raises, this recipient was not reached
                return without_secrets(f"{type(error).__name__}: {error}", self._url)
        if took:
            return None
        return without_secrets("; ".join(dict.fromkeys(heard)) or "it was not taken, and nothing was said about why.", self._url)

    def _mark(self, message: Message) -> None:
        """The message's key and facts, where a webhook or a mail has room for them; what the URL says itself stays."""
        plugin = self._plugin
        if isinstance(headers := getattr(plugin, "headers", None), dict):
            headers[KEY_HEADER] = message.key
        if isinstance(beside := getattr(plugin, "payload_extras", None), dict):
            lists = type(plugin).__name__ == "NotifyJSON"
            facts = {"key": message.key, "severity": message.severity, **message.facts}
            beside.clear()
            beside.update({n: v if lists or isinstance(v, str) else " ".join(v) for n, v in facts.items()} | self._said)


def mistake(url: str) -> str | None:
    """What is wrong with an address, and the cure; None where apprise can write to it. Sends nothing.

    >>> mistake("json://127.0.0.1:8080/news")
    >>> mistake("http://127.0.0.1:8080/news")
    'http://… is no address: nothing is called http. A webhook is json://host/path, or jsons:// where it speaks TLS.'
    """
    try:
        Line(url)
    except SettingsError as error:
        return str(error)
    return None


def _cure(url: str) -> str:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if not scheme:
        return "it has no kind. Say slack://…, mailtos://… or json://host/path."
    if scheme in ("http", "https"):
        return f"nothing is called {scheme}. A webhook is json://host/path, or jsons:// where it speaks TLS."
    if scheme in ("msteams", "teams"):
        return f"nothing is called {scheme}. Teams is workflows://host/workflow/signature."
    if scheme not in _known:
        near = difflib.get_close_matches(scheme, sorted(_known.schemas()), n=1, cutoff=0.6)
        return f"nothing is called {scheme}." + (f" Did you mean {near[0]}://?" if near else " See: apprise --details")
    plugin: Any = _known[scheme]
    if not plugin.enabled:
        needs = plugin.requirements.get("packages_required") or "a library"
        needs = needs if isinstance(needs, str) else ", ".join(map(str, needs))
        return f"{scheme}:// needs {needs}, which is not installed."
    shapes = [template.replace("{schema}", scheme) for template in plugin.templates[:2]]
    return f"say {' or '.join(shapes)}." if shapes else f"this is not how {scheme}:// is written."


@contextmanager
def _unlogged() -> Iterator[list[str]]:
    """What this thread's libraries have to say meanwhile: their warnings, and nothing of it in anybody's log."""
    for name in _QUIET:
        logging.getLogger(name).addFilter(_kept_quiet)  # a filter that is there already is not added again
    heard = _overheard.lines = []
    try:
        yield heard
    finally:
        _overheard.lines = None


def _kept_quiet(record: logging.LogRecord) -> bool:
    lines: list[str] | None = getattr(_overheard, "lines", None)
    if lines is None:
        return True
    if record.levelno >= logging.WARNING:
        lines.append(record.getMessage())
    return False
