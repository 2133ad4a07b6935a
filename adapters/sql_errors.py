"""Why a database gave no answer, in our words: never the driver's text, which may hold a key or a password."""

from __future__ import annotations

from typing import Final

from sqlalchemy import exc

from adapters.errors import Reason

_BY_SQLSTATE: Final = (  # the longest prefix that fits; PostgreSQL appendix A, ISO 9075 classes elsewhere
    ("57014", Reason.TIMEOUT),  # statement_timeout, or a cancel
    ("42501", Reason.REFUSED),
    ("28", Reason.REFUSED),
    ("25006", Reason.GARBAGE),  # the view tried to write
    ("42", Reason.GARBAGE),
    ("22", Reason.GARBAGE),
)
_BY_SQLITE_NAME: Final = (
    ("SQLITE_INTERRUPT", Reason.TIMEOUT),
    ("SQLITE_TOOBIG", Reason.TOO_LARGE),
    ("SQLITE_PERM", Reason.REFUSED),
    ("SQLITE_AUTH", Reason.REFUSED),
    ("SQLITE_BUSY", Reason.DOWN),
    ("SQLITE_LOCKED", Reason.DOWN),
    ("SQLITE_CANTOPEN", Reason.DOWN),
    ("SQLITE_IOERR", Reason.DOWN),
    ("SQLITE_", Reason.GARBAGE),  # no such column, not a database, corrupt, written to
)


def reason_of(error: BaseException) -> tuple[Reason, str]:
    """The reason and a detail made of class names and codes only."""
    if isinstance(error, TimeoutError | exc.TimeoutError):
        return Reason.TIMEOUT, "no answer in time"
    if isinstance(error, exc.NoSuchTableError):
        return Reason.GARBAGE, "there is no such view"
    if not isinstance(error, exc.DBAPIError):
        return Reason.DOWN, type(error).__name__
    driver_error = error.orig
    name = getattr(driver_error, "sqlite_errorname", None)
    state = getattr(driver_error, "sqlstate", None) or getattr(driver_error, "pgcode", None)
    code, table = (str(name), _BY_SQLITE_NAME) if name else (str(state or ""), _BY_SQLSTATE)
    for prefix, reason in table:
        if code.startswith(prefix):
            return reason, code
    if not code and isinstance(error, exc.DataError | exc.ProgrammingError):
        return Reason.GARBAGE, type(driver_error).__name__
    if not code and type(driver_error).__module__ == "sqlite3":
        return Reason.GARBAGE, type(
            driver_error
        ).__name__  # all else of SQLite has a code; this is text that is no UTF-8
    return Reason.DOWN, code or type(driver_error).__name__
