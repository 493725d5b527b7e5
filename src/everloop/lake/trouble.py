"""Foreign errors as ours: a full disk is HouseFull, a lock not given back HouseBusy, anything else of a store StoreError."""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everloop.disk import MEND_THE_DISK, full
from everloop.errors import EverloopError, HouseBusy, HouseFull, StoreError

#: How clouds and their libraries say that they do not know who asks; the addresses are where a machine of theirs would be told.
_UNASKED = (
    "access_denied", "accessdenied", "access denied", "credential", "169.254.169.254", "169.254.170.2", "metadata.google.internal",
    "forbidden", "invalidaccesskeyid", "signaturedoesnotmatch", "expiredtoken", "invalid_grant", "unauthenticated", "unauthorized",
    "authenticationfailed",
)  # fmt: skip
_WHO_ASKS = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN, too, where there is one), or give the machine a role.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to the file of a key, or give the machine a service account.",
    "az": "Set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN.",
}
_FULL = ("disk is full", "no space left", "quota exceeded", "os error 28", "errno 28")


@contextmanager
def told(where: str) -> Iterator[None]:
    """Whatever a store throws inside, told as one of our errors; ``where`` is the file or folder it happened in.

    >>> with told("events.db"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    everloop.errors.HouseFull: There is no room left for events.db: No space left on device. Nothing was half-written. ...
    """
    try:
        yield
    except EverloopError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise _ours(error, where) from error
    except Exception as error:
        # The Delta library raises plain Exception for what its own storage could not do.
        if type(error) is Exception or _of_delta(error):
            raise _ours(error, where) from error
        raise


def _of_delta(error: Exception) -> bool:
    # Who has not loaded the library has not met its errors; loading it to compare would cost 18 MiB.
    exceptions = sys.modules.get("deltalake.exceptions")
    return exceptions is not None and isinstance(error, exceptions.DeltaError)


def _ours(error: Exception, where: str) -> StoreError:
    what = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).strip().split("\n")[0].rstrip(".")
    low = str(error).lower()
    # SQLite says no more than that where it cannot make its -wal and -shm, also where that is for want of room.
    failed = isinstance(error, sqlite3.Error) and "disk i/o error" in low
    no_room = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(word in low for word in _FULL)
    if no_room or (failed and full(Path(where))):
        return HouseFull(f"There is no room left for {where}: {what}. Nothing was half-written. Make room and run it again.")
    if isinstance(error, sqlite3.OperationalError) and "locked" in low:
        return HouseBusy(f"Another process has been writing to {where} for too long ({what}). Run it again, or see who holds it.")
    if isinstance(error, sqlite3.DatabaseError) and ("not a database" in low or "malformed" in low):
        return StoreError(f"{where} is no event log, or a broken one ({what}). Restore the house folder from a backup.")
    if failed:
        return StoreError(f"{where}: {what}. Nothing was half-written. {MEND_THE_DISK}")
    if (cure := asked_by(where, low)) is not None:
        return StoreError(f"{where}: {cure} Nothing was half-written. (It said: {what}.)")
    return StoreError(f"{where}: {what}. Nothing was half-written.")


def asked_by(where: str, said: str) -> str | None:
    """What to do where a cloud does not know who asks, or does not let them; None where an error (in small letters) says something else.

    >>> asked_by("s3://shop/lake", "aws error access_denied during headobject operation").split(". ")[0]
    'nobody is let in here, or nobody said who asks'
    >>> asked_by("/shop/lake", "permission denied") is None
    True
    """
    cure = _WHO_ASKS.get(where.partition("://")[0])
    if cure is None or not any(word in said for word in _UNASKED):
        return None
    return f"nobody is let in here, or nobody said who asks. {cure}"
