"""How the conformance suite handles these stores: a place is a prefix, or a new file.

Without a URL a file is made; the URL ``postgres`` or ``mariadb`` starts a private server. What the
URL names becomes a database of a Django project that exists for the suite alone.
"""

from __future__ import annotations

import atexit
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.db import connections, transaction

from taskkit_django.backend.opening import open_backend
from taskkit_django.backend.watching import calling, watch_cursors
from taskkit_relational.schema import STATES

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock

_FOLDER: Final = "taskkit-conformance-"

_KINDS: Final = {"postgres": "postgres", "mariadb": "mariadb", "mysql": "mysql"}
"""The kind of server to start for a URL that is only a name."""

_SQLITE: Final = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    "timeout": 10,
}


class DjangoHarness:
    """A harness (see ``taskkit_conformance.harness``) that builds on the default one."""

    def __init__(self, default: Any) -> None:
        self._default = default
        self._server: Any = None
        """A server of our own, if one was started."""
        watch_cursors()

    def provision(self, url: str | None) -> Any:
        """Return new tables where the URL leads, or where we have made a place."""
        if url is None:
            url = f"sqlite:///{mkdtemp(prefix=_FOLDER)}/taskkit.db"
        elif url in _KINDS:
            url = self._own_server(_KINDS[url])
        place = self._default.provision(url, prefix=f"conf_{secrets.token_hex(6)}_")
        client = self.open(place, None)
        client.migrate()
        client.close()
        return place

    def _own_server(self, kind: str) -> str:
        # Only now: of the suite nothing else is needed, and who has no suite has this module.
        from taskkit_conformance.servers import obtain

        if self._server is None:
            self._server = obtain(kind)
            atexit.register(self._server.stop)
        return str(self._server.url)

    @property
    def restart(self) -> Callable[[Any], None] | None:
        """Kill our own server and start it again; None where there is none."""
        restart = None if self._server is None else self._server.restart
        return None if restart is None else lambda _namespace: restart()

    def open(self, namespace: Any, clock: Clock | None) -> Backend:
        """Return a client: with connections of its own, by an alias of its own."""
        return open_backend(new_alias(namespace.url), clock=clock, **namespace.options)

    def wipe(self, namespace: Any, client: Backend) -> None:
        """Empty the tables: cheaper than making them anew."""
        self._default.wipe(namespace, client)

    def dispose(self, namespace: Any) -> None:
        """Remove the folder, or the tables."""
        connection = connections[alias_of(namespace.url)]
        if connection.vendor == "sqlite":
            connection.close()
            shutil.rmtree(Path(connection.settings_dict["NAME"]).parent, ignore_errors=True)
            return
        prefix = namespace.options["prefix"]
        with connection.cursor() as cursor:
            for name in connection.introspection.table_names(cursor):
                if name.startswith(prefix):
                    cursor.execute(f"DROP TABLE {connection.ops.quote_name(name)}")
            if connection.vendor == "postgresql":
                cursor.execute(f"DROP SEQUENCE IF EXISTS {prefix}token")
        connection.close()

    def inspect(self, namespace: Any) -> Mapping[str, str]:
        """Return the state of each task by id, waiting told as queued, by a query of its own."""
        connection = connections[alias_of(namespace.url)]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id, state FROM {namespace.options['prefix']}task")  # noqa: S608 - own names
            rows = cursor.fetchall()
        return {_text(task_id): _told(number) for task_id, number in rows}

    @contextmanager
    def transaction(self, namespace: Any) -> Iterator[str]:
        """Begin a transaction of the caller; give what ``put`` takes as ``within``.

        On another alias than any client's: a client of that alias would be in it by itself.
        """
        alias = alias_of(namespace.url)
        try:
            with transaction.atomic(using=alias):
                yield alias
        finally:
            connections[alias].close()

    def yield_points(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """While the context lasts, call back before every statement."""
        return calling(callback)


@cache
def alias_of(url: str) -> str:
    """Return the alias by which the harness itself reaches a URL's database."""
    return new_alias(url)


def new_alias(url: str) -> str:
    """Return a new alias of a URL's database in the project that exists for the suite."""
    if not settings.configured:
        settings.configure(INSTALLED_APPS=["taskkit_django"], DATABASES={}, USE_TZ=True)
        django.setup()
    alias = f"suite_{secrets.token_hex(4)}"
    # Kept open: the suite's threads would spend their time connecting.
    database = {"CONN_MAX_AGE": None, **_database(url)}
    configured = connections.configure_settings({"default": {}, alias: database})
    connections.settings[alias] = configured[alias]
    return alias


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    if kind == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parts.path.removeprefix("/"),
            "OPTIONS": _SQLITE,
        }
    if kind in ("mysql", "mariadb"):
        kind = "mysql"
        _have_driver()
    return {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": parts.path.removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


def _have_driver() -> None:
    try:
        import_module("MySQLdb")
    except ImportError:
        # As a project does that has chosen PyMySQL.
        import_module("pymysql").install_as_MySQLdb()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _told(number: int) -> str:
    # Whether an unclaimed task waits or is queued depends on the time, which a row does not know.
    return str(STATES[number]) if number else "queued"
