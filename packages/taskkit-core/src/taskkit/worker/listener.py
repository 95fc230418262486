"""Waits for the store to wake the worker, so that nobody who has other things to do must wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.worker.outage import Patience

_Request: TypeAlias = tuple[frozenset[str], float, Callable[[], object]]


class Listener:
    """One thread around ``Backend.wait``.

    The claimer must also wake when a slot becomes free or the worker stops, and no store could wake
    it for that. A wait that is under way when the worker stops is left behind.
    """

    def __init__(self, backend: Backend, patience: Patience) -> None:
        self._backend = backend
        self._patience = patience
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._ended = threading.Event()
        self.groups: frozenset[str] = frozenset()
        """What is being listened to; empty when nothing is."""
        self._thread = threading.Thread(target=self._run, name="taskkit-listener", daemon=True)

    def start(self) -> None:
        """Begin to take requests."""
        self._thread.start()

    def listen(
        self, groups: Collection[str], timeout: float, on_return: Callable[[], object]
    ) -> None:
        """Wait in the background; ``on_return`` is called once, woken or not."""
        self.groups = frozenset(groups)
        self._requests.put((self.groups, timeout, on_return))

    def end(self) -> None:
        """Take no more requests."""
        self._ended.set()
        self._requests.put(None)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            groups, timeout, on_return = request
            try:
                self._backend.wait(groups, timeout)
            except Exception as error:  # noqa: BLE001 - logged once per outage by patience
                if self._ended.is_set():
                    return  # the store was closed behind a worker that has ended
                self._ended.wait(self._patience.failed(error))
            else:
                self._patience.worked()
            self.groups = frozenset()
            on_return()
