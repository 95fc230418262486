"""Faults of a store behind a network: what only killed processes and cut connections can show.

The store is ``remote_store``; its client is given the name of the fault with the URL.
"""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from mutants.mutant import fault
from taskkit_conformance.bench import Bench
from taskkit_conformance.harness import DefaultHarness, Namespace
from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import Program

FOLDER = Path(__file__).parents[1] / "remote_store"

fault(47, "DUR-01", "sends what it has acknowledged with the next call", "puts later")
fault(69, "VAL-10", "lets the errors of its driver out", "leaks")
fault(75, "DUR-03", "gives back all that runs when a client opens it", "clears when opened")
fault(77, "DUR-05", "asks again by itself when an answer was lost", "repeats by itself")
fault(78, "DUR-06", "answers from a cache when the connection is gone", "reads from a cache")
fault(98, "SCH-06", "starts with an advance that puts nothing", "starts with an empty advance")
fault(218, "DUR-02", "puts many tasks one by one", "puts one by one")
fault(219, "DUR-04", "drops one put in fifty", "puts most")
fault(220, "DUR-06", "lets the errors of its driver out", "leaks")
fault(221, "VAL-10", "hides what its errors were caused by", "hides the cause")
fault(222, "SCH-01", "stores the state, then puts the tasks", "advances in two steps")
fault(223, "EXC-01", "reclaims from workers that live", "reclaims from the living")
fault(224, "EXC-01", "ends a claim by the task's id alone", "settles without a token")
fault(225, "EXC-07", "takes tasks out before it lets them run", "removes before it claims")
fault(226, "LEA-01", "counts tokens in its client", "counts tokens in the client")
fault(229, "LIM-03", "keeps the lock of the dead for a minute", "keeps the locks of the dead")


class Restarting:
    """The default harness, with a store that can be killed."""

    inspect = yield_points = transaction = None

    def __init__(self, program: Program) -> None:
        self._default = DefaultHarness("remote")
        self._program = program
        self.provision, self.open = self._default.provision, self._default.open
        self.wipe, self.dispose = self._default.wipe, self._default.dispose

    def restart(self, namespace: Namespace) -> None:  # noqa: ARG002 - there is one place only
        """Kill the store and start it again."""
        self._program.kill()
        self._program.start()


class Server:
    """The store, running."""

    def __init__(self, program: Program, url: str) -> None:
        self._program = program
        self._url = url

    def bench(self, name: str = "") -> Bench:
        """Return a bench on the store with a fault, not opened yet."""
        return Bench(Restarting(self._program), f"{self._url}?fault={quote(name)}")


@contextmanager
def serving() -> Iterator[Server]:
    """Run the store, and let its plugin be found, as long as the context lasts."""
    folder = places.folder("remote")
    [port] = places.free_ports(1)
    command = [sys.executable, str(FOLDER / "remote_store.py"), str(port), str(folder / "db")]
    program = Program(command, folder / "log", lambda: _listens(port))
    program.start()
    sys.path.insert(0, str(FOLDER))
    try:
        yield Server(program, f"remote://127.0.0.1:{port}/")
    finally:
        sys.path.remove(str(FOLDER))
        program.stop()
        shutil.rmtree(folder)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
