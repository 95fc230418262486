"""What kind an error of PostgreSQL is: by its SQLSTATE, whatever driver raised it."""

from __future__ import annotations

from typing import Final

CONFLICTS: Final = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # a lock was not to be had in time
    "23505",  # a unique key was taken meanwhile
    "42P07",  # a table was made meanwhile
    "42710",  # so was another object
}

# Of no more use although the server may still answer: it shuts down (57P01, 57P02), is not ready
# yet (57P03), has ended an idle session (57P05, 25P03) or was demoted to one that only reads.
LOST: Final = {"57P01", "57P02", "57P03", "57P05", "25P03", "25006"}
LOST_CLASS: Final = "08"

MISSING: Final = {"42P01", "42703", "3F000"}
"""A table, a column, a schema."""

_WITHOUT_CODE: Final = {"OperationalError", "InterfaceError"}


def state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's error; all drivers for PostgreSQL tell it."""
    found = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return found if isinstance(found, str) else None


def words_of(error: BaseException, password: object) -> str:
    """Return an error's own words on one line, without the password.

    And without the lines on where in a statement it happened.
    """
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    text = " ".join((primary or str(error)).split())
    return text.replace(str(password), "***") if password else text


def is_conflict(error: BaseException) -> bool:
    """Return whether another transaction was in the way, so that it is worth beginning anew."""
    return state_of(error) in CONFLICTS


def is_lost(error: BaseException) -> bool:
    """Return whether the connection is of no more use."""
    state = state_of(error)
    if state is None:
        # What libpq says of a broken connection has no code. The names are those of PEP 249.
        return any(kind.__name__ in _WITHOUT_CODE for kind in type(error).__mro__)
    return state in LOST or state.startswith(LOST_CLASS)
