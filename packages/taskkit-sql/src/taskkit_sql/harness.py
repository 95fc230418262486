"""How the conformance suite handles these stores: a place is a prefix, or a new file.

Without a URL a file is made, or, for the name of a server, a private one is started.
"""

from __future__ import annotations

import atexit
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from taskkit_relational.schema import STATES
from taskkit_sql.settings import FileSettings, Settings, read_settings
from taskkit_sql.watching import calling, watch_connections

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock

_FOLDER: Final = "taskkit-conformance-"

_KINDS: Final = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mariadb": "mariadb",
    "mysql": "mysql",
}
"""The kind of server to start for each name of the plugin that tells one."""


class SqlHarness:
    """A harness (see ``taskkit_conformance.harness``) that builds on the default one."""

    def __init__(self, default: Any) -> None:
        self._default = default
        self._server: Any = None
        """A server of our own, if one was started."""
        watch_connections()

    def provision(self, url: str | None) -> Any:
        """Return new tables where the URL leads, or where we have made a place."""
        kind = _KINDS.get(self._default.backend)
        if url is None and kind is None:
            return self._default.provision(f"sqlite:///{mkdtemp(prefix=_FOLDER)}/taskkit.db")
        if url is None:
            url = self._own_server(kind)
        return self._default.provision(url, prefix=f"conf_{secrets.token_hex(6)}_")

    def _own_server(self, kind: str | None) -> str:
        # Only now: of the suite nothing else is needed, and who has no suite has this module.
        from taskkit_conformance.servers import obtain

        if self._server is None:
            self._server = obtain(str(kind))
            atexit.register(self._server.stop)
        return str(self._server.url)

    @property
    def restart(self) -> Callable[[Any], None] | None:
        """Kill our own server and start it again; None where there is none."""
        restart = None if self._server is None else self._server.restart
        return None if restart is None else lambda _namespace: restart()

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
        if isinstance(place, FileSettings) and _FOLDER in Path(place.path).parent.name:
            shutil.rmtree(Path(place.path).parent, ignore_errors=True)
            return
        with _engine(place) as engine, engine.begin() as connection:
            found = sa.inspect(connection).get_table_names(getattr(place, "schema", None))
            for name in found:
                if name.startswith(place.prefix):
                    connection.execute(sa.schema.DropTable(sa.Table(name, sa.MetaData())))
            if getattr(place, "kind", None) == "postgres":
                for name in sa.inspect(connection).get_sequence_names():
                    if name.startswith(place.prefix):
                        connection.execute(sa.schema.DropSequence(sa.Sequence(name)))

    def inspect(self, namespace: Any) -> Mapping[str, str]:
        """Return the state of each task by id, waiting told as queued, by a query of its own."""
        place = _settings(namespace)
        table = sa.table(f"{place.prefix}task", sa.column("id"), sa.column("state"))
        with _engine(place) as engine, engine.connect() as connection:
            rows = connection.execute(sa.select(table)).all()
        return {_text(task_id): _told(number) for task_id, number in rows}

    @contextmanager
    def transaction(self, namespace: Any) -> Iterator[sa.Connection]:
        """Begin a transaction of the caller; give what ``put`` takes as ``within``."""
        with _engine(_settings(namespace)) as engine, engine.begin() as connection:
            yield connection

    def yield_points(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """While the context lasts, call back before every statement."""
        return calling(callback)


@contextmanager
def _engine(place: Settings) -> Iterator[sa.Engine]:
    url = f"sqlite:///{place.path}" if isinstance(place, FileSettings) else place.url
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        yield engine
    finally:
        engine.dispose()


def _settings(namespace: Any) -> Settings:
    return read_settings(namespace.url, namespace.options)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _told(number: int) -> str:
    # Whether an unclaimed task waits or is queued depends on the time, which a row does not know.
    return str(STATES[number]) if number else "queued"
