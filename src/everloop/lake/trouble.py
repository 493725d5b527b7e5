"""Foreign errors as ours: a full disk is HouseFull, a lock not given back HouseBusy, anything else of a store StoreError."""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from everloop.errors import EverloopError, HouseBusy, HouseFull, StoreError

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
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(word in low for word in _FULL):
        return HouseFull(f"There is no room left for {where}: {what}. Nothing was half-written. Make room and run it again.")
    if isinstance(error, sqlite3.OperationalError) and "locked" in low:
        return HouseBusy(f"Another process has been writing to {where} for too long ({what}). Run it again, or see who holds it.")
    if isinstance(error, sqlite3.DatabaseError) and ("not a database" in low or "malformed" in low):
        return StoreError(f"{where} is no event log, or a broken one ({what}). Restore the house folder from a backup.")
    return StoreError(f"{where}: {what}. Nothing was half-written.")
