"""How the conformance suite handles this store: a place is a prefix in a file, or a new file."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final, Self

import sqlalchemy as sa
from sqlalchemy import event

from taskkit_relational.schema import STATES
from taskkit_sql.settings import FileSettings, read_settings

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock

_FOLDER: Final = "taskkit-conformance-"


class SqlHarness:
    """A harness (see ``taskkit_conformance.harness``) that builds on the default one."""

    restart = None  # there is no server that could be restarted

    def __init__(self, default: Any) -> None:
        self._default = default
        _watch_connections()

    def provision(self, url: str | None) -> Any:
        """Return a new file in a new folder, or new tables in the file that the URL names."""
        if url is None:
            return self._default.provision(f"sqlite:///{mkdtemp(prefix=_FOLDER)}/taskkit.db")
        return self._default.provision(url, prefix=f"conf_{secrets.token_hex(6)}_")

    def open(self, namespace: Any, clock: Clock | None) -> Backend:
        """Return a client with connections of its own."""
        client: Backend = self._default.open(namespace, clock)
        return client

    def wipe(self, namespace: Any, client: Backend) -> None:
        """Empty the tables: cheaper than making them anew."""
        self._default.wipe(namespace, client)

    def dispose(self, namespace: Any) -> None:
        """Remove the folder, or the tables."""
        place = _settings(namespace)
        folder = Path(place.path).parent
        if folder.name.startswith(_FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
            return
        with closing(sqlite3.connect(place.path)) as connection:
            for name in _tables(connection, place.prefix):
                connection.execute(f'DROP TABLE "{name}"')
            connection.commit()

    def inspect(self, namespace: Any) -> Mapping[str, str]:
        """Return the state of each task by id, waiting told as queued, by a query of its own."""
        place = _settings(namespace)
        with closing(sqlite3.connect(place.path)) as connection:
            # The prefix has been checked to be an identifier.
            rows = connection.execute(f"SELECT id, state FROM {place.prefix}task")  # noqa: S608
            return {task_id: str(_told(number)) for task_id, number in rows}

    @contextmanager
    def transaction(self, namespace: Any) -> Iterator[sa.Connection]:
        """Begin a transaction of the caller; give what ``put`` takes as ``within``."""
        engine = sa.create_engine(f"sqlite:///{_settings(namespace).path}", poolclass=sa.NullPool)
        with engine.begin() as connection:
            yield connection

    @contextmanager
    def yield_points(self, callback: Callable[[], None]) -> Iterator[None]:
        """While the context lasts, call back before every statement."""
        before, _watch.callback = _watch.callback, callback
        try:
            yield
        finally:
            _watch.callback = before


class _Watch:
    """Whom to call before a statement."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None


_watch = _Watch()


class _Cursor(sqlite3.Cursor):
    # Here, not in SQLAlchemy's events: the hot statements go to the driver's cursor directly.
    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        if _watch.callback is not None:
            _watch.callback()
        super().execute(sql, parameters)
        return self

    def executemany(self, sql: str, parameters: Any, /) -> Self:
        if _watch.callback is not None:
            _watch.callback()
        super().executemany(sql, parameters)
        return self


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)


def _connecting(dialect: Any, _record: object, _arguments: object, options: dict[str, Any]) -> None:
    if dialect.name == "sqlite":
        options.setdefault("factory", _Connection)


def _watch_connections() -> None:
    # Of all engines: those that are open when a context begins have to take part in it.
    if not event.contains(sa.Engine, "do_connect", _connecting):
        event.listen(sa.Engine, "do_connect", _connecting)


def _settings(namespace: Any) -> FileSettings:
    settings = read_settings(namespace.url, namespace.options)
    assert isinstance(settings, FileSettings)
    return settings


def _tables(connection: sqlite3.Connection, prefix: str) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in rows if name.startswith(prefix)]


def _told(number: int) -> str:
    # Whether an unclaimed task waits or is queued depends on the time, which a row does not know.
    return str(STATES[number]) if number else "queued"
