"""What a peer of a benchmark is, and how its tasks tell when they started.

A peer is a module with ``fill(count)``, which makes tables and enqueues no-op tasks, ``work()``,
which runs until it is told to stop, and ``left()``: how many tasks are not done. Each is called in
a process of its own; ``PEER_URL`` is the database. A task notes its start, unless the peer stores
results: then the module has a ``starts()`` that reads them. Where its latency is measured
(``peer_latency.py``) it has a ``producer()`` too, within which it is connected, and which yields
what enqueues one task.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from struct import Struct
from threading import get_ident
from time import sleep, time
from typing import TypeAlias
from urllib.parse import urlsplit

from bench import HERE, processes, start_rate

Put: TypeAlias = Callable[[], float]
"""Enqueues one task and returns the time just before."""

_TIME = Struct("d")
_files: dict[int, int] = {}


def note_start() -> None:
    """Note that a task has started; one short write, into a file of the thread."""
    file = _files.get(get_ident())
    if file is None:
        name = f"{os.environ['STARTS']}/{os.getpid()}-{get_ident()}"
        file = _files[get_ident()] = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(file, _TIME.pack(time()))


def noted_starts() -> list[float]:
    """Return what has been noted."""
    noted = b"".join(path.read_bytes() for path in Path(os.environ["STARTS"]).iterdir())
    return [at for (at,) in _TIME.iter_unpack(noted)]


def url() -> str:
    """Return the database of the peer."""
    return os.environ["PEER_URL"]


def mysql_parameters() -> dict[str, object]:
    """Return the same as PyMySQL takes it."""
    parts = urlsplit(url())
    where = {"host": parts.hostname, "port": parts.port, "user": parts.username}
    return {**where, "password": parts.password or "", "database": parts.path[1:]}


def timed(enqueue: Callable[[], object]) -> Put:
    """Return what notes the time before it enqueues."""

    def put() -> float:
        before = time()
        enqueue()
        return before

    return put


def timed_on(runner: asyncio.Runner, enqueue: Callable[[], Awaitable[object]]) -> Put:
    """Return the same for a coroutine; to enter the loop is not its work, so that is before."""

    async def put() -> float:
        before = time()
        await enqueue()
        return before

    return lambda: runner.run(put())


def measure(module: str, database: str, count: int, workers: int) -> float:
    """Return how many tasks a second the worker processes of a peer start."""
    with working(module, database, workers, count) as call:
        return float(call(f"print(peer.rate({module!r}, {count}))"))


@contextmanager
def working(
    module: str,
    database: str,
    workers: int,
    count: int = 0,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Callable[[str], str]]:
    """Enqueue so many tasks and run a peer's workers; yields what runs code beside them."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**(settings or {}), "PEER_URL": database, "STARTS": folder}
        full = {**os.environ, **env, "PYTHONPATH": str(HERE)}
        work = [sys.executable, "-c", f"import {module}; {module}.work()"]

        def call(code: str) -> str:
            command = [sys.executable, "-c", f"import peer, {module}; {code}"]
            done = subprocess.run(command, env=full, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own command
            return done.stdout.decode()

        call(f"{module}.fill({count})")
        with processes(*[work] * workers, env=env):
            yield call


def rate(module: str, count: int) -> float:
    """Wait until all tasks are done and return the rate."""
    peer = import_module(module)
    while peer.left():
        sleep(0.2)
    started = getattr(peer, "starts", noted_starts)()
    assert len(started) >= count, f"{module}: {len(started)} of {count} tasks have started"
    return start_rate(started)
