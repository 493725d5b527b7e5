"""A client of Redis or Valkey, and what is said when its server cannot do what was asked. Imports redis-py, here only, when asked to.

In: a URL, or a client; an exception. Out: a client with time limits; where it leads, without a password; a StoreError that says what, where
and what to do next. Absent: the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from everloop.errors import HouseBusy, HouseFull, Missing, SettingsError, StoreError

if TYPE_CHECKING:
    from redis import Redis

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 5.0
SCHEMES: Final = ("redis", "rediss", "unix", "valkey", "valkeys")

#: What a server's error holds, the error it is here, and what is said of it.
TROUBLE: Final[tuple[tuple[str, type[StoreError], str], ...]] = (
    ("OOM ", HouseFull, "has no memory left for this. Raise its maxmemory, or forget models nobody asks any more; then tell it again."),
    ("READONLY", StoreError, "is a replica, which takes no writes. Let the URL name the primary."),
    ("MISCONF", StoreError, "cannot save to its own disk and therefore takes no writes. Make room there; its log says why it could not."),
    ("NOREPLICAS", HouseBusy, "has fewer replicas than it is told to write to. It takes writes again once they are back."),
    ("LOADING", HouseBusy, "is still loading what it keeps. Ask again in a while."),
    ("BUSY ", HouseBusy, "is held up by a script of somebody else. Ask again in a while."),
    ("MASTERDOWN", HouseBusy, "is a replica that has lost its primary. Ask again in a while, or let the URL name the primary."),
    ("CLUSTERDOWN", HouseBusy, "is a node of a cluster that is down. Ask again in a while."),
    ("TRYAGAIN", HouseBusy, "is a node of a cluster that is being moved. Ask again in a while."),
    ("max number of clients", HouseBusy, "has as many clients as it lets in. Raise its maxclients, or ask again in a while."),
    ("NOAUTH", StoreError, "asks for a password. Put it into the URL: [online] url = \"redis://:${REDIS_PASSWORD}@host:6379/0\"."),
    ("Authentication required", StoreError, "asks for a password. Put it into the URL: [online] url = \"redis://:${REDIS_PASSWORD}@host:6379/0\"."),
    ("WRONGPASS", StoreError, "does not take this user and password. Mend the variable that [online] url reads them from."),
    ("invalid username-password", StoreError, "does not take this user and password. Mend the variable that [online] url reads them from."),
    ("invalid password", StoreError, "does not take this password. Mend the variable that [online] url reads it from."),
    ("AUTH <password>", StoreError, "has no password for this user, but the URL gives one. Take it out of [online] url."),
    ("NOPERM", StoreError, "does not let this user do it. Allow it ~everloop:* with hashes, sorted sets, scripts, transactions and info."),
    ("WRONGTYPE", StoreError, "holds something else under a key of this house. Remove what is not Everloop's, or take another database."),
    ("unknown command", StoreError, "does not know a command of Redis 6.2. Take Redis 6.2, Valkey, or newer."),
)  # fmt: skip
CLUSTER: Final = "is a node of a cluster and does not hold the keys of this house. Let [online] url name a server of its own."


def open_client(server: str | Redis) -> Redis:
    """A client for a URL; one that was made elsewhere as it is. Connects to nothing.

    Raises SettingsError for what is no URL of a server, without repeating it: it may hold a password. Missing without redis-py.
    """
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as Broken
        from redis.retry import Retry
    except ModuleNotFoundError:
        raise Missing("redis", "redis", "The online state on Redis") from None
    if isinstance(server, str):
        scheme = server.partition("://")[0].lower()
        if "://" not in server or scheme not in SCHEMES:
            said = f"{scheme}://… is" if "://" in server else "This is"
            raise SettingsError(f'{said} no URL of Redis. Say [online] url = "redis://host:6379/0", or rediss:// where it speaks TLS.')
        url = server[len(scheme) :].replace("://", ("redis" + "s" * (scheme[-1:] == "s" and scheme != "redis")) + "://", 1)
        url = server if scheme == "unix" else url
        # What is written is compared first, so a line that broke is simply used again.
        retry = Retry(NoBackoff(), 1, supported_errors=(Broken,))
        limits = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}
        try:
            client: Redis = Redis.from_url(url, retry=retry, protocol=2, **limits)
        except (ValueError, TypeError, AttributeError):
            raise SettingsError(
                "The URL of Redis cannot be read. Write redis://user:password@host:port/database, with what is special in a password "
                "percent-encoded (an @ as %40)."
            ) from None
    else:
        client = server
    if client.get_encoder().decode_responses:
        raise SettingsError("A client with decode_responses cannot keep bytes. Make it without.")
    return client


def where(client: Redis) -> str:
    """Where a client leads, without user and password."""
    said = client.connection_pool.connection_kwargs
    if said.get("path"):
        return f"unix://{said['path']}"
    tls = "SSL" in client.connection_pool.connection_class.__name__
    return f"redis{'s' * tls}://{said.get('host', 'localhost')}:{said.get('port', 6379)}/{said.get('db') or 0}"


def trouble(error: Exception, at: str) -> StoreError:
    """What a failure comes to: StoreError, HouseBusy where it passes, HouseFull without memory.

    >>> trouble(ValueError("OOM command not allowed when used memory > 'maxmemory'."), "redis://shop:6379/0")
    HouseFull('Redis at redis://shop:6379/0 has no memory left for this. Raise its maxmemory, or forget models nobody asks any more; ...')
    """
    kinds, text = {kind.__name__ for kind in type(error).__mro__}, str(error)
    if kinds & {"MovedError", "AskError", "ClusterCrossSlotError"} or "CROSSSLOT" in text:
        return StoreError(f"Redis at {at} {CLUSTER}")
    known = {
        "AuthenticationWrongNumberOfArgsError": "AUTH <password>",
        "OutOfMemoryError": "OOM ",
        "ReadOnlyError": "READONLY",
        "BusyLoadingError": "LOADING",
        "NoPermissionError": "NOPERM",
    }
    text = next((code for kind, code in known.items() if kind in kinds), text)
    for code, sort, words in TROUBLE:
        if code in text:
            return sort(f"Redis at {at} {words}")
    if "TimeoutError" in kinds:
        return HouseBusy(
            f"Redis at {at} did not answer in time. Ask again in a while; what was told may have been kept, telling it again is safe."
        )
    if "ConnectionError" in kinds:
        return StoreError(
            f"Redis at {at} cannot be reached ({_short(text)}). Start it, or mend [online] url; what was told is safe to tell again."
        )
    return StoreError(f"Redis at {at} could not do this: {_short(text)}")


def is_trouble(error: Exception) -> bool:
    """Whether this is what redis-py raises, and no mistake of ours."""
    return any(kind.__module__.partition(".")[0] == "redis" for kind in type(error).__mro__)


def unknown_script(error: Exception) -> bool:
    """Whether a server does not know a script: it was started anew, or told to forget them."""
    return type(error).__name__ == "NoScriptError"


def evicting(memory: Mapping[str, object], at: str) -> StoreError | None:
    """Why a server's memory settings (``INFO memory``) cannot be trusted with states; None where they can.

    Keys here never expire, so ``volatile-…`` drops none of them.

    >>> evicting({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, "redis://shop:6379/0")
    >>> evicting({"maxmemory": 9, "maxmemory_policy": "volatile-lru"}, "redis://shop:6379/0")
    >>> evicting({"maxmemory": 9, "maxmemory_policy": "allkeys-lru"}, "redis://shop:6379/0")
    StoreError('Redis at redis://shop:6379/0 drops keys when its memory is full (maxmemory-policy allkeys-lru), ...')
    """
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if not policy.startswith("allkeys") or not int(str(memory.get("maxmemory", 0))):
        return None
    return StoreError(
        f"Redis at {at} drops keys when its memory is full (maxmemory-policy {policy}), and what is read after that would be wrong without "
        "a sign. Set maxmemory-policy noeviction there, or give the house a server of its own."
    )


def _short(text: str) -> str:
    """The first line, and what redis-py quotes of a command left out: it holds rows."""
    line = text.partition("\n")[0]
    return (line.rpartition("caused error: ")[2] if "of pipeline caused error" in line else line)[:300].rstrip(".") or "the line broke"
