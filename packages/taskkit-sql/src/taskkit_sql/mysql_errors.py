"""What the errors of MySQL and MariaDB mean: by their numbers, never by their text."""

from __future__ import annotations

from typing import Final

import pymysql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit_relational.dialects.mysql import errors
from taskkit_relational.dialects.mysql.named import number_of
from taskkit_sql.settings import ServerSettings

ERRORS: Final[tuple[type[Exception], ...]] = (pymysql.Error, SQLAlchemyError)


class Errors:
    """The errors of one store."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        url = settings.url
        self._at = f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"
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
        number, text = _number(error), self._text(error)
        return (
            self._refused(number, text)
            or self._unavailable(number, text)
            or self._unusable(number, text)
            or BackendError(f"{self._where}: {text}{'' if number is None else f' ({number})'}")
        )

    def _refused(self, number: int | None, text: str) -> BackendError | None:
        """Return what an error of connecting means."""
        url = self._settings.url
        if number in {1045, 1698}:
            return Unavailable(
                f"expected the password of the user {url.username!r} at {self._at} in the URL, "
                f"found {'another' if url.password else 'none'}: {text}"
            )
        if number == 1044:
            return Unavailable(
                f"expected the user {url.username!r} to be allowed to use {self._where}, found: "
                f"{text}; run: GRANT ALL ON `{url.database}`.* TO the user"
            )
        if number == 1049:
            return Unavailable(
                f"expected {self._where}, found none: {text}; run: CREATE DATABASE `{url.database}`"
            )
        if number in errors.UNREACHABLE:
            return Unavailable(f"cannot reach {self._where}: {text}")
        if number in errors.CROWDED:
            return Unavailable(
                f"expected a connection to {self._where}, found too many: {text}; "
                "lower pool_size, or raise the server's max_connections"
            )
        return None

    def _unavailable(self, number: int | None, text: str) -> BackendError | None:
        """Return what an error means that may be gone when it is tried again."""
        if number in {errors.DEADLOCK, errors.LOCKED}:
            return Unavailable(
                f"other transactions were in the way in {self._where}, again and again: {text}; "
                "is one left open somewhere?"
            )
        if number in errors.CONFLICTS:
            return Unavailable(
                f"other transactions were in the way in {self._where}, again and again: {text}"
            )
        if number in errors.READ_ONLY:
            return Unavailable(
                f"expected to be able to write {self._where}, found it read-only: a replica, or a "
                f"server that was demoted: {text}; let the URL lead to the one that is written to"
            )
        if number in errors.SLOW:
            return Unavailable(
                f"expected an answer of {self._where} within "
                f"{self._settings.statement_timeout:g} s (statement_timeout), found none: {text}"
            )
        if number in errors.FULL:
            return Unavailable(f"{self._where} cannot be written: {text}; is the disk full?")
        if number in errors.LOST:
            return Unavailable(f"lost the connection to {self._where}: {text}")
        return None

    def _unusable(self, number: int | None, text: str) -> BackendError | None:
        """Return what an error means that somebody has to do something about."""
        if number in errors.MISSING:
            return SchemaMismatch(
                f"expected taskkit's tables in {self._where}, found: {text}; "
                f"run: taskkit --url {self._settings.shown} db upgrade"
            )
        if number in errors.FORBIDDEN:
            return BackendError(
                f"expected the user {self._settings.url.username!r} to be allowed to use "
                f"taskkit's tables in {self._where}, found: {text}; GRANT it"
            )
        if number == 1153:
            return BackendError(
                f"expected {self._where} to take a task or a result of this size, found: {text}; "
                "raise max_allowed_packet of the server, or lower max_data_bytes of the kit"
            )
        if number in errors.DAMAGED:
            return Corrupt(f"expected {self._where} to be sound, found: {text}; restore a backup")
        return None

    def _text(self, error: Exception) -> str:
        return errors.words_of(_driver_error(error), self._settings.url.password)


def _driver_error(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _number(error: Exception) -> int | None:
    return number_of(_driver_error(error))
