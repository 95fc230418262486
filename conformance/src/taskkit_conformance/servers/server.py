"""What a server for tests can do, and the one that is made of programs of our own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from taskkit_conformance.servers.program import Program


class Server(Protocol):
    """A store that tests can use.

    What it cannot do is None: a server that is not ours is neither killed nor paused.
    """

    kind: str
    """``postgres``, ``mariadb``, ``mysql``, ``redis``, ``redis-cluster``, ``redis-sentinel``."""
    url: str

    @property
    def kill(self) -> Callable[[], None] | None:
        """Kill all its processes without ceremony; what it has acknowledged must survive that."""
        ...

    @property
    def restart(self) -> Callable[[], None] | None:
        """Kill it if it runs, start it again on the same port, and return when it answers."""
        ...

    @property
    def pause(self) -> Callable[[], None] | None:
        """Freeze it: connections stay open and nothing answers."""
        ...

    @property
    def resume(self) -> Callable[[], None] | None:
        """Let it go on."""
        ...

    def database(self) -> AbstractContextManager[str]:
        """Return the URL of an empty database that is removed afterwards."""
        ...

    def stop(self) -> None:
        """End it and remove what it has kept; nothing happens to a server that is not ours."""
        ...


class PrivateServer:
    """A server that runs as programs of this test run. Some have several: a cluster's nodes."""

    def __init__(
        self,
        kind: str,
        url: str,
        folder: Path,
        nodes: Sequence[Program],
        database: Callable[[], AbstractContextManager[str]],
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self.url = url
        self.nodes = nodes
        """Its programs, to be killed and paused one by one."""
        self._folder = folder
        self._database = database
        self._settle = settle

    def start(self) -> None:
        """Start all nodes and return when they answer, and answer together."""
        for node in self.nodes:
            if not node.is_alive():
                node.launch()
        for node in self.nodes:
            node.wait_ready()
        self._settle()

    def kill(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()

    def restart(self) -> None:
        """Kill all nodes and start them again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze all nodes."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Let all nodes go on."""
        for node in self.nodes:
            node.resume()

    def database(self) -> AbstractContextManager[str]:
        """Return the URL of an empty database that is removed afterwards."""
        return self._database()

    def stop(self) -> None:
        """End all nodes and remove their folder."""
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class ForeignServer:
    """A server that the environment names: used, never killed."""

    kill: Callable[[], None] | None = None
    restart: Callable[[], None] | None = None
    pause: Callable[[], None] | None = None
    resume: Callable[[], None] | None = None

    def __init__(
        self, kind: str, url: str, database: Callable[[], AbstractContextManager[str]]
    ) -> None:
        self.kind = kind
        self.url = url
        self._database = database

    def database(self) -> AbstractContextManager[str]:
        """Return the URL of an empty database that is removed afterwards."""
        return self._database()

    def stop(self) -> None:
        """Do nothing: it is not ours."""
