"""What the errors of MySQL and MariaDB mean: by their numbers, never by their text."""

from __future__ import annotations

from typing import Final

import pymysql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit_relational.dialects.mysql.named import number_of
from taskkit_sql.settings import ServerSettings

ERRORS: Final[tuple[type[Exception], ...]] = (pymysql.Error, SQLAlchemyError)

_DEADLOCK: Final = 1213
_LOCKED: Final = 1205
_CONFLICTS: Final = {
    _DEADLOCK,
    _LOCKED,  # a lock was not to be had in time
    1062,  # a unique key was taken meanwhile
    1020,  # a row has changed since this transaction's snapshot (MariaDB from 11.6)
    1412,  # a table was changed since
    3101,  # the other servers of a group had another transaction first
    3572,  # a lock was not to be had at once
}

_READ_ONLY: Final = {1290, 1792, 1836}
"""The server, this transaction or this mode only reads: it was demoted."""

_LOST: Final = {
    0,  # the driver's, where it has closed the connection
    1047,  # this node of a cluster does not serve now
    1053,  # the server shuts down
    1152, 1158, 1159, 1160, 1161, 1184,  # the network
    1317,  # interrupted, as by a shutdown
    1927,  # killed (MariaDB)
    2006, 2013,  # gone
    2014, 2027,  # out of step with the server
    2055,
    3169,  # killed (MySQL)
    4031,  # idle for too long (MySQL)
    *_READ_ONLY,
}  # fmt: skip

_UNREACHABLE: Final = {2002, 2003, 2005, 1129, 1130}
_FULL: Final = {1021, 1030, 1114, 1041, 1037, 3}
"""No room on the disk, in a table or in memory."""
_CROWDED: Final = {1040, 1203, 1226}
_SLOW: Final = {1969, 3024}
_MISSING: Final = {1146, 1054, 1305}
_FORBIDDEN: Final = {1142, 1143, 1227, 1370}
_DAMAGED: Final = {1034, 1194, 1195, 1712, 1877}


class Errors:
    """The errors of one store."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        url = settings.url
        self._at = f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"
        self._where = f"the database {url.database!r} at {self._at}"

    def is_conflict(self, error: Exception) -> bool:
        """Return whether another transaction was in the way, so that it is worth beginning anew."""
        return _number(error) in _CONFLICTS

    def is_lost(self, error: Exception) -> bool:
        """Return whether the connection is of no more use."""
        return _number(error) in _LOST

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
        if number in _UNREACHABLE:
            return Unavailable(f"cannot reach {self._where}: {text}")
        if number in _CROWDED:
            return Unavailable(
                f"expected a connection to {self._where}, found too many: {text}; "
                "lower pool_size, or raise the server's max_connections"
            )
        return None

    def _unavailable(self, number: int | None, text: str) -> BackendError | None:
        """Return what an error means that may be gone when it is tried again."""
        if number in {_DEADLOCK, _LOCKED}:
            return Unavailable(
                f"other transactions were in the way in {self._where}, again and again: {text}; "
                "is one left open somewhere?"
            )
        if number in _CONFLICTS:
            return Unavailable(
                f"other transactions were in the way in {self._where}, again and again: {text}"
            )
        if number in _READ_ONLY:
            return Unavailable(
                f"expected to be able to write {self._where}, found it read-only: a replica, or a "
                f"server that was demoted: {text}; let the URL lead to the one that is written to"
            )
        if number in _SLOW:
            return Unavailable(
                f"expected an answer of {self._where} within "
                f"{self._settings.statement_timeout:g} s (statement_timeout), found none: {text}"
            )
        if number in _FULL:
            return Unavailable(f"{self._where} cannot be written: {text}; is the disk full?")
        if number in _LOST:
            return Unavailable(f"lost the connection to {self._where}: {text}")
        return None

    def _unusable(self, number: int | None, text: str) -> BackendError | None:
        """Return what an error means that somebody has to do something about."""
        if number in _MISSING:
            return SchemaMismatch(
                f"expected taskkit's tables in {self._where}, found: {text}; "
                f"run: taskkit --url {self._settings.shown} db upgrade"
            )
        if number in _FORBIDDEN:
            return BackendError(
                f"expected the user {self._settings.url.username!r} to be allowed to use "
                f"taskkit's tables in {self._where}, found: {text}; GRANT it"
            )
        if number == 1153:
            return BackendError(
                f"expected {self._where} to take a task or a result of this size, found: {text}; "
                "raise max_allowed_packet of the server, or lower max_data_bytes of the kit"
            )
        if number in _DAMAGED:
            return Corrupt(f"expected {self._where} to be sound, found: {text}; restore a backup")
        return None

    def _text(self, error: Exception) -> str:
        cause = _driver_error(error)
        told = cause.args[1] if len(cause.args) > 1 else cause
        text = " ".join(str(told).split()) or "the connection is closed"
        password = self._settings.url.password
        return text.replace(str(password), "***") if password else text


def _driver_error(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _number(error: Exception) -> int | None:
    return number_of(_driver_error(error))
