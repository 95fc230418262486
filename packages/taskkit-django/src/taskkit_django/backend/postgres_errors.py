"""What PostgreSQL's errors mean to a user of Django, and what to do."""

from __future__ import annotations

from typing import Any

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit_relational.dialects.postgres.errors import (
    CONFLICTS,
    LOST_CLASS,
    MISSING,
    state_of,
    words_of,
)


def translate(error: BaseException, alias: str, settings: dict[str, Any]) -> BackendError:
    """Return what an error means; never with the password."""
    state, text = state_of(error), words_of(error, settings.get("PASSWORD"))
    where = f"the database {alias!r} ({settings['NAME']} at {settings.get('HOST') or 'localhost'})"
    if state is None:
        return Unavailable(f"cannot reach {where}: {text}")
    if state in CONFLICTS:
        return Unavailable(f"other transactions were in the way in {where}: {text}")
    if state == "25006":
        return Unavailable(
            f"expected to be able to write {where}, found it read-only: a standby, or a server "
            "that was demoted; name all servers in HOST, with 'OPTIONS': {'target_session_attrs': "
            f"'read-write'}}: {text}"
        )
    if state == "57014":
        return Unavailable(f"expected an answer of {where} in time, found none: {text}")
    if state in MISSING:
        return SchemaMismatch(
            f"expected taskkit's tables in {where}, found: {text}; "
            f"run: manage.py migrate taskkit --database {alias}"
        )
    if state == "42501":
        return BackendError(
            f"expected the user {settings.get('USER')!r} to be allowed to use taskkit's tables in "
            f"{where}, found: {text}; GRANT it, or let it own them"
        )
    if state in ("XX001", "XX002"):
        return Corrupt(f"expected {where} to be sound, found: {text}; restore a backup")
    if state[:2] in ("53", "57", "58", LOST_CLASS) or state == "25P03":
        # Out of connections, memory or disk; shutting down or starting; failing disks.
        return Unavailable(f"{where} cannot serve now: {text}")
    return BackendError(f"{where}: {text} (SQLSTATE {state})")
