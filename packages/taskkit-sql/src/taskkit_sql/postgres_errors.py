"""What PostgreSQL's errors mean: by their SQLSTATE, never by their text where there is a code."""

from __future__ import annotations

from typing import Final

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit_relational.dialects.postgres import errors
from taskkit_sql.settings import ServerSettings

ERRORS: Final[tuple[type[Exception], ...]] = (psycopg.Error, SQLAlchemyError)


class Errors:
    """The errors of one store."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        url = settings.url
        self._at = f"{url.host or 'the local server'}{f':{url.port}' if url.port else ''}"
        self._where = f"the database {url.database!r} at {self._at}"

    def is_conflict(self, error: Exception) -> bool:
        """Return whether another transaction was in the way, so that it is worth beginning anew."""
        return errors.is_conflict(_driver_error(error))

    def is_lost(self, error: Exception) -> bool:
        """Return whether the connection is of no more use."""
        return errors.is_lost(_driver_error(error))

    def translate(self, error: Exception) -> BackendError:
        """Return what an error means and what to do; never with the password."""
        if isinstance(error, PoolTimeout):
            return Unavailable(
                f"expected a free connection within {self._settings.connect_timeout:g} s, found "
                f"all {self._settings.pool_size} in use; raise pool_size, or use fewer threads"
            )
        state = _state(error)
        if state is None:
            return self._without_code(error)
        return self._with_code(state, self._text(error))

    def _with_code(self, state: str, text: str) -> BackendError:
        if state in errors.CONFLICTS:
            return Unavailable(
                f"other transactions were in the way in {self._where}, again and again: {text}"
            )
        if state == "25006":
            return Unavailable(
                f"expected to be able to write {self._where}, found it read-only: a standby, or a "
                "server that was demoted; name all servers in the URL with "
                "target_session_attrs=read-write"
            )
        if state == "57014":
            return Unavailable(
                f"expected an answer of {self._where} within "
                f"{self._settings.statement_timeout:g} s (statement_timeout), found none: {text}"
            )
        if state in errors.MISSING:
            return SchemaMismatch(
                f"expected taskkit's tables in {self._where}, found: {text}; "
                f"run: taskkit --url {self._settings.shown} db upgrade"
            )
        if state == "42501":
            return BackendError(
                f"expected the user {self._settings.url.username!r} to be allowed to use "
                f"taskkit's tables in {self._where}, found: {text}; GRANT it, or let it own them"
            )
        if state == "25P02":
            return BackendError(
                "expected an open transaction, found one in which a statement has failed; "
                "roll it back, or a savepoint before that statement"
            )
        if state in ("22021", "22P05"):
            return BackendError(
                f"expected {self._where} to hold every character, found: {text}; "
                "create it with ENCODING 'UTF8'"
            )
        if state in ("XX001", "XX002"):
            return Corrupt(f"expected {self._where} to be sound, found: {text}; restore a backup")
        if state[:2] in ("53", "57", "58", errors.LOST_CLASS) or state == "25P03":
            # Out of connections, memory or disk; shutting down or starting; failing disks.
            return Unavailable(f"{self._where} cannot serve now: {text}")
        return BackendError(f"{self._where}: {text} (SQLSTATE {state})")

    def _without_code(self, error: Exception) -> BackendError:
        # A refused connection comes without a code, and its text in the server's language: what
        # is recognised gets a hint, and everything is shown.
        text, user = self._text(error), self._settings.url.username
        if "password authentication failed" in text or "no password supplied" in text:
            return Unavailable(
                f"expected the password of the user {user!r} at {self._at} in the URL, found "
                f"{'another' if self._settings.url.password else 'none'}: {text}"
            )
        if "does not exist" in text and "database" in text:
            return Unavailable(
                f"expected {self._where}, found none: {text}; "
                f"run: createdb {self._settings.url.database}"
            )
        if "does not exist" in text and "role" in text:
            return Unavailable(f"expected the user {user!r} at {self._at}, found none: {text}")
        cause = _driver_error(error)
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            return Unavailable(f"cannot reach {self._where}: {text}")
        return BackendError(f"{self._where}: {text}")

    def _text(self, error: Exception) -> str:
        return errors.words_of(_driver_error(error), self._settings.url.password)


def _driver_error(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _state(error: Exception) -> str | None:
    return getattr(_driver_error(error), "sqlstate", None)
