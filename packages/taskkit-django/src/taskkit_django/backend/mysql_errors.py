"""What the errors of MySQL and MariaDB mean to a user of Django, and what to do."""

from __future__ import annotations

from typing import Any

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit_relational.dialects.mysql import errors
from taskkit_relational.dialects.mysql.named import number_of


def translate(error: BaseException, alias: str, settings: dict[str, Any]) -> BackendError:
    """Return what an error means; never with the password."""
    number, text = number_of(error), errors.words_of(error, settings.get("PASSWORD"))
    where = f"the database {alias!r} ({settings['NAME']} at {settings.get('HOST') or 'localhost'})"
    if number in {1044, 1045, 1049, 1698} | errors.UNREACHABLE | errors.CROWDED:
        return Unavailable(f"cannot connect to {where}: {text}; see DATABASES[{alias!r}]")
    if number in errors.CONFLICTS:
        return Unavailable(
            f"other transactions were in the way in {where}: {text}; is one left open somewhere?"
        )
    if number in errors.READ_ONLY:
        return Unavailable(
            f"expected to be able to write {where}, found it read-only: a replica, or a server "
            f"that was demoted: {text}; let HOST lead to the one that is written to"
        )
    if number in errors.SLOW:
        return Unavailable(f"expected an answer of {where} in time, found none: {text}")
    if number in errors.FULL:
        return Unavailable(f"{where} cannot be written: {text}; is the disk full?")
    if number in errors.LOST:
        return Unavailable(f"lost the connection to {where}: {text}")
    if number in errors.MISSING:
        return SchemaMismatch(
            f"expected taskkit's tables in {where}, found: {text}; "
            f"run: manage.py migrate taskkit --database {alias}"
        )
    if number in errors.FORBIDDEN:
        return BackendError(
            f"expected the user {settings.get('USER')!r} to be allowed to use taskkit's tables in "
            f"{where}, found: {text}; GRANT it"
        )
    if number in errors.DAMAGED:
        return Corrupt(f"expected {where} to be sound, found: {text}; restore a backup")
    return BackendError(f"{where}: {text}{'' if number is None else f' ({number})'}")
