"""Making and removing SQL databases, with whatever client is here: a driver or a program."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Final
from urllib.parse import unquote, urlsplit

from taskkit_conformance.servers.places import installed
from taskkit_conformance.servers.urls import address_of, with_database

_TIMEOUT: Final = 30


class NoClient(Exception):
    """Nothing is installed with which a statement could be sent; the message says what would do."""


@contextmanager
def sql_database(url: str, drop: str = "DROP DATABASE {}") -> Iterator[str]:
    """Yield the URL of a new database on the server of this URL, and drop it afterwards."""
    name = f"taskkit_{secrets.token_hex(6)}"
    execute(url, f"CREATE DATABASE {name}")
    try:
        yield with_database(url, name)
    finally:
        execute(url, drop.format(name))


def execute(url: str, statement: str) -> None:
    """Execute one statement outside of any transaction.

    Raises:
        NoClient: neither the driver nor the client program is installed.
    """
    if urlsplit(url).scheme.startswith("postgres"):
        _on_postgres(url, statement)
    else:
        _on_mysql(url, statement)


def _on_postgres(url: str, statement: str) -> None:
    plain = "postgresql:" + url.partition(":")[2]
    if find_spec("psycopg") is not None:
        with import_module("psycopg").connect(
            plain, autocommit=True, connect_timeout=_TIMEOUT
        ) as connection:
            connection.execute(statement)
        return
    program = installed("psql")
    if program is None:
        raise NoClient("PostgreSQL: pip install 'psycopg[binary]', or install psql")
    # -X: a start-up file of this user must not change what happens.
    _run([program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", plain, "-c", statement])


def _on_mysql(url: str, statement: str) -> None:
    address = address_of(url)
    assert address is not None
    parts = urlsplit(url)
    database = parts.path.strip("/")
    user, password = unquote(parts.username or "root"), unquote(parts.password or "")
    if find_spec("pymysql") is not None:
        connection = import_module("pymysql").connect(
            host=address.host,
            port=address.port,
            user=user,
            password=password,
            database=database or None,
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
        return
    program = installed("mariadb", "mysql")
    if program is None:
        raise NoClient("MySQL and MariaDB: pip install pymysql, or install the client program")
    where = ["--protocol=tcp", f"--host={address.host}", f"--port={address.port}"]
    _run(
        [program, "--no-defaults", *where, f"--user={user}", f"--execute={statement}", database],
        # In the environment: arguments can be read by everybody on the machine.
        {"MYSQL_PWD": password},
    )


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")
