"""Settles what is finished: at once when the worker is idle, in batches when it is busy."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from taskkit.clock import sleep
from taskkit.errors import Unavailable
from taskkit.records import Outcome, Settlement
from taskkit.task import Failure

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.worker.ledger import Key, Ledger
    from taskkit.worker.outage import Patience

MAX_BATCH: Final = 256

LINGER: Final = 0.001
"""Seconds to wait for more, but only while more tasks lie ready in this worker."""

STRIKES: Final = 3
"""How often a store may refuse one settlement by itself before something plainer is tried."""

_log = logging.getLogger("taskkit.worker.settler")


class Settler:
    """One thread. A settlement that was put is repeated under its token until its fate is known.

    ``put`` never blocks and may be called from any thread.
    """

    def __init__(
        self,
        backend: Backend,
        worker_id: str,
        ledger: Ledger,
        patience: Patience,
        busy: Callable[[], bool],
        on_finished: Callable[[], object],
    ) -> None:
        self._backend = backend
        self._worker_id = worker_id
        self._ledger = ledger
        self._patience = patience
        self._busy = busy
        self._on_finished = on_finished
        self._queue: SimpleQueue[Settlement | None] = SimpleQueue()
        self.put: Callable[[Settlement | None], None] = self._queue.put
        self._strikes: dict[Key, int] = {}
        self._given_up = threading.Event()
        self.finished = False
        self._thread = threading.Thread(target=self._run, name="taskkit-settler", daemon=True)

    def start(self) -> None:
        """Begin to settle."""
        self._thread.start()

    def finish(self) -> None:
        """Settle all that was put before this call, then end; ``finished`` tells when."""
        self.put(None)

    def give_up(self) -> None:
        """End without having settled everything, because the store does not answer.

        What is left is taken back when the worker retires, or with its lease; it runs again.
        """
        self._given_up.set()

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            self.finished = True
            self._on_finished()

    def _serve(self) -> None:
        get = self._queue.get
        while (first := get()) is not None:
            batch = [first]
            last = not self._gather(batch)
            if not last and len(batch) < MAX_BATCH and self._busy():
                sleep(LINGER)
                last = not self._gather(batch)
            self._settle(batch)
            if last:
                return

    def _gather(self, batch: list[Settlement]) -> bool:
        """Add what lies ready; return False if the end was reached."""
        get = self._queue.get_nowait
        try:
            while len(batch) < MAX_BATCH:
                settlement = get()
                if settlement is None:
                    return False
                batch.append(settlement)
        except Empty:
            pass
        return True

    def _settle(self, batch: Sequence[Settlement]) -> None:
        while batch and not self._given_up.is_set():
            try:
                self._settle_together(batch)
            except Unavailable as error:
                # Whether it took effect is unknown; repeating it under its token is harmless.
                self._given_up.wait(self._patience.failed(error))
            except Exception as error:  # noqa: BLE001 - logged; one bad record spoils its batch
                wait = self._patience.failed(error)
                batch = self._settle_singly(batch)
                if batch:
                    self._given_up.wait(wait)
            else:
                return

    def _settle_together(self, batch: Sequence[Settlement]) -> None:
        keys = [(one.task_id, one.token) for one in batch]
        self._ledger.drop_progress(keys)
        answers = self._backend.settle(self._worker_id, batch)
        self._patience.worked()
        self._ledger.forget(keys)
        if not all(answers):
            void = [one.task_id for one, stands in zip(batch, answers, strict=True) if not stands]
            _log.info("%d settlements came too late: %s", len(void), ", ".join(void[:10]))

    def _settle_singly(self, batch: Sequence[Settlement]) -> list[Settlement]:
        """Settle each by itself and return those that are to be tried again."""
        again: list[Settlement] = []
        for one in batch:
            try:
                self._settle_together([one])
            except Unavailable:
                again.append(one)
            except Exception as error:  # noqa: BLE001 - logged below, when it is given up
                plainer = self._strike(one, error)
                if plainer is not None:
                    again.append(plainer)
            else:
                self._strikes.pop((one.task_id, one.token), None)
        return again

    def _strike(self, refused: Settlement, error: Exception) -> Settlement | None:
        key = (refused.task_id, refused.token)
        strikes = self._strikes[key] = self._strikes.get(key, 0) + 1
        if strikes < STRIKES:
            return refused
        _log.error("%s: the store refuses its settlement", refused.task_id, exc_info=error)
        if strikes < 2 * STRIKES:
            failure = Failure(
                type(error).__name__, f"the store refused how this attempt ended: {error}"[:500]
            )
            return Settlement(refused.task_id, refused.token, Outcome.FAIL, failure=failure)
        # Not even a plain failure can be written. Held no longer, the store takes it back.
        del self._strikes[key]
        self._ledger.forget([key])
        return None
