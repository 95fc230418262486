"""Keeps the worker's lease, and brings back what people want of the worker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from taskkit.clock import micros, monotonic
from taskkit.errors import Unavailable

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.records import Heartbeat, WorkerInfo
    from taskkit.settings import WorkerSettings
    from taskkit.worker.ledger import Key, Ledger
    from taskkit.worker.outage import Patience

_log = logging.getLogger("taskkit.worker.heartbeat")


class Pulse:
    """One thread that sends a heartbeat every ``settings.heartbeat`` seconds.

    A worker that the store does not count alive any more registers again under the same id: its
    supervisor knows it by that id, and whatever the store still counts as its own is taken back by
    the rule of held claims, at no cost to the tasks.

    Args:
        backend: The store.
        info: What the worker says of itself.
        settings: Its lease and interval.
        ledger: Says what is held; told until when the lease is sure.
        patience: For a store that does not answer.
        on_answer: Called with each answer of a worker that is alive, and the claims that the
            heartbeat named.
        on_dead: Called before the worker registers again; must drop all that is held.
    """

    def __init__(
        self,
        backend: Backend,
        info: WorkerInfo,
        settings: WorkerSettings,
        ledger: Ledger,
        patience: Patience,
        on_answer: Callable[[Heartbeat, Sequence[Key]], object],
        on_dead: Callable[[], object],
    ) -> None:
        self._backend = backend
        self._info = info
        self._interval = settings.heartbeat
        self._lease = settings.lease
        self._ledger = ledger
        self._patience = patience
        self._on_answer = on_answer
        self._on_dead = on_dead
        self._registered = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskkit-heartbeat", daemon=True)

    def start(self) -> None:
        """Register the worker and keep its lease from now on.

        Raises:
            BackendError: except for ``Unavailable``: then it registers when the store answers.
        """
        try:
            self._register()
        except Unavailable as error:
            self._patience.failed(error)
        self._thread.start()

    def hasten(self) -> None:
        """Send the next heartbeat now.

        Only for a worker that has learned it is not alive: the store takes back what two
        heartbeats do not name, however close they are.
        """
        self._wake.set()

    def end(self, timeout: float) -> None:
        """Send no more heartbeats."""
        self._ended.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        wait = 0.0  # at once: only an answer tells what is paused
        while not self._ended.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            if self._ended.is_set():
                return
            began = monotonic()
            try:
                self._step(began)
            except Exception as error:  # noqa: BLE001 - logged once per outage by patience
                wait = min(self._patience.failed(error), self._interval)
            else:
                self._patience.worked()
                wait = max(self._interval - (monotonic() - began), 0.0)

    def _step(self, began: float) -> None:
        if not self._registered:
            self._register()
        self._beat(began)

    def _register(self) -> None:
        began = monotonic()
        self._backend.register(self._info, micros(self._lease))
        self._registered = True
        self._ledger.extend(began + self._lease)

    def _beat(self, began: float) -> None:
        ledger = self._ledger
        progress = ledger.take_progress()
        held = ledger.beat()
        named = frozenset(held) if progress else ()
        # An attempt that was given up may still tell of itself, beside the next one of its task.
        told = {key[0]: value for key, value in sorted(progress.items()) if key in named}
        answer = self._backend.heartbeat(self._info.id, micros(self._lease), held, told)
        if not answer.alive:
            self._revive()
            return
        # Counted from before the call: the store cannot have renewed it earlier.
        ledger.extend(began + self._lease)
        ledger.sent(progress)
        self._on_answer(answer, held)

    def _revive(self) -> None:
        if self._ended.is_set():
            return  # the worker has retired while its last heartbeat was under way
        _log.warning("the lease had run out; dropping what was running and registering again")
        self._registered = False
        self._on_dead()
        self._register()
