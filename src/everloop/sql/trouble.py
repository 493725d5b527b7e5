"""What a Postgres server cannot do, in words: what, where, and what to do next. In: its error code and text. Out: one of our errors.

Codes are SQLSTATEs, appendix A of the manual of PostgreSQL. Who cannot connect has no code, only a text.
"""

from __future__ import annotations

from typing import Final

from everloop.errors import HouseBusy, HouseFull, StoreError

#: How a code begins, or what a text holds; the error it is here, and what is said of it.
TROUBLE: Final[tuple[tuple[str, str, type[StoreError], str], ...]] = (
    ("53100", "no space left", HouseFull, "has no room left on its disk. Nothing was half-written. Make room there and run it again."),
    ("53300", "too many clients", HouseBusy, "has as many connections as it lets in. Raise its max_connections, or ask again in a while."),
    ("53", "", HouseBusy, "has not enough memory for this. Nothing was half-written; ask again in a while."),
    ("55P03", "lock timeout", HouseBusy, "is being written to by another process for too long. Run it again, or see who holds it."),
    ("57014", "", HouseBusy, "has cancelled this (statement_timeout). Nothing was half-written; ask again, or raise the limit."),
    ("40", "", HouseBusy, "was written to by two at once, and this one gave way. Nothing was half-written; run it again."),
    ("57P03", "starting up", HouseBusy, "is starting, stopping or recovering. Ask again in a while."),
    ("57P03", "shutting down", HouseBusy, "is starting, stopping or recovering. Ask again in a while."),
    ("25006", "", StoreError, "is a standby, which takes no writes. Let the URL name the primary."),
    ("28", "authentication failed", StoreError, "does not take this user and password. Mend the variable that the URL reads them from."),
    ("28", "no password supplied", StoreError, "asks for a password. Put it into the URL: postgresql://user:${PG_PASSWORD}@host/house."),
    ("28", "pg_hba.conf", StoreError, "lets nobody in from here as this user. Allow it in its pg_hba.conf, or take another user."),
    ("3D000", "does not exist", StoreError, "has no such database or user. Make it (createdb, createuser), or mend the URL."),
    ("42501", "", StoreError, "does not let this user do it. Let it own the database: ALTER DATABASE … OWNER TO …."),
)  # fmt: skip
#: These are held by another process; of everything else that passes, a stranger hears this.
LOCKS: Final = ("55P03", "40")
ALOUD: Final = "The database of this house does not answer just now."
BROKEN: Final = ("connection", "server closed", "terminating", "could not translate host", "ssl", "timeout expired")


def postgres_trouble(where: str, code: str | None, text: str) -> StoreError:
    """One of our errors for one of a Postgres server's; ``where`` names it without a password.

    >>> postgres_trouble("postgresql://db/house", "53100", "could not extend file")
    HouseFull('Postgres at postgresql://db/house has no room left on its disk. Nothing was half-written. ...')
    >>> postgres_trouble("postgresql://db/house", None, "connection refused")
    HouseBusy('Postgres at postgresql://db/house cannot be reached (connection refused). Start it, or mend the URL; ...')
    """
    low = text.lower()
    for begins, holds, sort, words in TROUBLE:
        if code.startswith(begins) if code else holds and holds in low:
            if sort is HouseBusy and not begins.startswith(LOCKS):
                return HouseBusy(f"Postgres at {where} {words}", aloud=ALOUD)
            return sort(f"Postgres at {where} {words}")
    said = first_line(text)
    if (not code or code.startswith(("08", "57P"))) and any(word in low for word in BROKEN):
        # It is back in a moment, or somebody mends it: whoever asked asks again, and nothing is half-written.
        what = f"Postgres at {where} cannot be reached ({said}). Start it, or mend the URL; what was told is safe to tell again."
        return HouseBusy(what, aloud=ALOUD)
    return StoreError(f"Postgres at {where} could not do this: {said}.")


def first_line(text: str) -> str:
    """The first line of what a server says, without the full stop; a row it quotes comes in a later one."""
    return (text.strip().splitlines() or ["the line broke"])[0][:300].rstrip(". ")
