"""PgBouncer in front of PostgreSQL: it gives each transaction to whichever session is free."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import Program

HOW: Final = "install PgBouncer (Debian: pgbouncer)"

_SETTINGS: Final = """\
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = {listen_host}
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
ignore_startup_parameters = extra_float_digits
"""

_STARTUP: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""PostgreSQL's question whether TLS is spoken; a pooler without it answers N."""


def find() -> str | None:
    """Return the program."""
    return places.installed("pgbouncer")


@contextmanager
def pooled(program: str, url: str, size: int = 3) -> Iterator[str]:
    """Yield the URL of the same database behind a pooler with so many sessions."""
    parts = urlsplit(url)
    user = places.unprivileged()  # it refuses to run as root
    folder = places.folder("pgbouncer", user)
    [port] = places.free_ports(1)
    users, settings = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{parts.username}" "{parts.password or ""}"\n')
    settings.write_text(
        _SETTINGS.format(
            host=parts.hostname,
            port=parts.port or 5432,
            user=parts.username,
            listen_host=places.HOST,
            listen_port=port,
            users=users,
            size=size,
        )
    )
    bouncer = Program(
        [program, str(settings)],
        folder / "log",
        lambda: places.connects(port, _STARTUP, b"N"),
        user=user,
    )
    bouncer.start()
    try:
        place = f"{parts.username}@{places.HOST}:{port}"
        yield urlunsplit(parts._replace(netloc=place))
    finally:
        bouncer.stop()
        shutil.rmtree(folder)


__all__ = ["HOW", "find", "pooled"]
