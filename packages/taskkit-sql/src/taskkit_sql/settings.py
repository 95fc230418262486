"""How a store is to be opened: the URL and the options, checked before anything is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from taskkit.errors import InvalidSetting, InvalidTask
from taskkit.limits import check_duration, check_int

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
"""Short enough that prefix and name together stay below the 63 bytes of PostgreSQL."""

_POSTGRES: Final = ("postgresql", "postgres")
_MYSQL: Final = ("mysql", "mariadb")


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What ``sqlite:///taskkit.db`` and its options mean."""

    path: str
    """The database file, absolute: a later change of the working directory must not matter."""
    prefix: str = "taskkit_"
    """Before the names of all tables and indexes: the namespace of this store."""
    create: bool = True
    """Whether a store without tables gets them on first use."""
    synchronous: str = "normal"
    """``normal``: a power cut may undo the last moments. ``full``: it may not."""
    busy_timeout: float = 10.0
    """Seconds to wait for other writers before giving up with ``Unavailable``."""

    @property
    def shown(self) -> str:
        """The URL for messages."""
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the URL of a database server and its options mean."""

    kind: Literal["postgres", "mysql"]
    url: URL
    """With the driver named; its query holds what the driver is to get, such as TLS."""
    prefix: str = "taskkit_"
    """Before the names of all tables and indexes: the namespace of this store."""
    create: bool = True
    """Whether a store without tables gets them on first use."""
    schema: str | None = None
    """PostgreSQL: where the tables are; None: where the search path of the connection leads."""
    notify: bool = True
    """PostgreSQL: push by LISTEN and NOTIFY; False behind a pooler that changes sessions."""
    pool_size: int = 5
    """Connections at most, besides one that listens. A worker process needs four at a time: to
    claim, to settle, for its heartbeat, to look after the dead; handlers that enqueue share the
    rest, and wait for each other when there is none."""
    connect_timeout: float = 10.0
    """Seconds to wait for a connection, from the server or from the pool."""
    statement_timeout: float = 30.0
    """Seconds after which a statement without an answer is given up."""
    lock_timeout: float = 10.0
    """Seconds to wait for a lock of another transaction."""

    @property
    def shown(self) -> str:
        """The URL for messages, without the password."""
        return self.url.render_as_string(hide_password=True)


Settings: TypeAlias = FileSettings | ServerSettings


def read_settings(url: str | None, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a URL and options.

    Raises:
        InvalidSetting: one of them is not understood; says what was expected.
    """
    if url is None:
        raise InvalidSetting("url: expected one such as 'sqlite:///taskkit.db', found none")
    parsed = _parse(url)
    name = parsed.drivername.partition("+")[0]
    if name == "sqlite":
        _refuse_unknown(options, FileSettings, ("path",))
        settings: Settings = FileSettings(_path(parsed), **options)
    else:
        is_postgres = name in _POSTGRES
        hidden = ("kind", "url") if is_postgres else ("kind", "url", "schema", "notify")
        _refuse_unknown(options, ServerSettings, hidden)
        kind: Literal["postgres", "mysql"] = "postgres" if is_postgres else "mysql"
        settings = ServerSettings(kind, _server_url(parsed, is_postgres), **options)
    try:
        _check(settings)
    except InvalidTask as error:  # what checks the limits of tasks checks ours, too
        raise InvalidSetting(str(error)) from None
    return settings


def _refuse_unknown(options: Mapping[str, Any], kind: type, hidden: tuple[str, ...]) -> None:
    known = [field.name for field in fields(kind) if field.name not in hidden]
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            raise InvalidSetting(
                f"option: expected one of {', '.join(known)}, found {name!r}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )


def _check(settings: Settings) -> None:
    _check_name("prefix", settings.prefix)
    if not isinstance(settings.create, bool):
        raise InvalidSetting(f"create: expected True or False, found {settings.create!r}")
    if isinstance(settings, FileSettings):
        if settings.synchronous not in ("normal", "full"):
            raise InvalidSetting(
                f"synchronous: expected 'normal' or 'full', found {settings.synchronous!r}"
            )
        check_duration("busy_timeout", settings.busy_timeout)
        return
    if settings.schema is not None:
        _check_name("schema", settings.schema)
    if not isinstance(settings.notify, bool):
        raise InvalidSetting(f"notify: expected True or False, found {settings.notify!r}")
    check_int("pool_size", settings.pool_size, 1, 1000)
    for name in ("connect_timeout", "statement_timeout", "lock_timeout"):
        check_duration(name, getattr(settings, name), zero=False)


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidSetting(
            f"{what}: expected at most 30 letters, digits and underscores, no digit first, "
            f"found {name!r}"
        )


def _path(parsed: URL) -> str:
    if parsed.host:
        raise InvalidSetting(
            "url: expected 'sqlite:///' and the path of a file (three slashes before a relative "
            f"path, four before an absolute one), found {parsed.render_as_string()!r}"
        )
    database = parsed.database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise InvalidSetting(
            "url: expected the path of a file, such as 'sqlite:///taskkit.db' (relative) or "
            "'sqlite:////var/lib/taskkit.db' (absolute), found "
            f"{parsed.render_as_string()!r}; for a store in memory use connect('memory')"
        )
    if parsed.query:
        known = [field.name for field in fields(FileSettings) if field.name != "path"]
        raise InvalidSetting(
            f"url: expected no parameters, found {', '.join(sorted(parsed.query))}; "
            f"give options as arguments: {', '.join(known)}"
        )
    try:
        is_name = "\0" not in database and bool(os.fsencode(database))
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise InvalidSetting(
            "url: expected a path of characters that files can have in their names, found "
            f"{database!r}"
        )
    return str(Path(database).absolute())


def _server_url(parsed: URL, is_postgres: bool) -> URL:
    name, _, driver = parsed.drivername.partition("+")
    ours = "psycopg" if is_postgres else "pymysql"
    if driver not in ("", ours):
        raise InvalidSetting(
            f"url: expected the driver {ours} ({name}+{ours}://…, or just {name}://…), found "
            f"{driver!r}; transactions of other drivers can still be passed as within= where they "
            "lead to the same database through SQLAlchemy"
        )
    if not parsed.database:
        raise InvalidSetting(
            f"url: expected the name of a database, such as {name}://user@host/name, found none in "
            f"{parsed.render_as_string()!r}"
        )
    return parsed.set(drivername=f"{'postgresql' if is_postgres else 'mysql'}+{ours}")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Without the URL: it may hold a password.
        raise InvalidSetting(
            "url: expected one such as 'sqlite:///taskkit.db' or "
            "'postgresql://user@host/name', found something else"
        ) from error
    if parsed.drivername.partition("+")[0] not in ("sqlite", *_POSTGRES, *_MYSQL):
        raise InvalidSetting(
            "url: expected sqlite, postgresql, mysql or mariadb before the colon, found "
            f"{parsed.drivername!r}"
        )
    return parsed
