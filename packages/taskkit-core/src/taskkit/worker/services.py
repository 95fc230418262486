"""What a worker does for the whole store, beside its tasks: reclaim, purge, schedules."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.handler import TaskHandler
    from taskkit.settings import WorkerSettings
    from taskkit.worker.outage import Outage

RECLAIM_LIMIT: Final = 1000
PURGE_LIMIT: Final = 1000
PURGE_INTERVAL: Final = 60.0
_PURGE_PAUSE: Final = 0.05
"""Seconds between full batches: a purge of millions must not take the store from the workers."""

_log = logging.getLogger("taskkit.worker.services")


@dataclass(slots=True)
class _Service:
    step: Callable[[], float]
    """Does what is due; returns in how many seconds to call again."""
    failed: Callable[[Exception], float]
    worked: Callable[[], None]
    next: float = field(default=0.0)


class Services:
    """One thread that steps each service when its time has come.

    Any number of workers may do this at once: each step is one atomic call of the store. A step
    that raises is tried again with growing pauses and ends nothing.
    """

    def __init__(
        self, backend: Backend, handler: TaskHandler, settings: WorkerSettings, outage: Outage
    ) -> None:
        from taskkit.schedule.scheduler import schedulers
        from taskkit.worker.outage import Patience

        self._backend = backend
        self._interval = settings.lease / 3
        steps: dict[str, Callable[[], float]] = {"reclaim": self._reclaim, "purge": self._purge}
        for scheduler in schedulers(backend, settings.schedules, settings.tzinfo, handler):
            steps[f"scheduler {scheduler.name!r}"] = scheduler.step
        patiences = {name: Patience(outage, name) for name in steps}
        self._services: Sequence[_Service] = [
            _Service(step, patiences[name].failed, patiences[name].worked)
            for name, step in steps.items()
        ]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskkit-services", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Begin no further step."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            now = monotonic()
            for service in self._services:
                if service.next <= now and not self._ended.is_set():
                    self._step(service)
            soonest = min(service.next for service in self._services)
            self._ended.wait(max(soonest - monotonic(), 0.0))

    def _step(self, service: _Service) -> None:
        try:
            pause = service.step()
        except Exception as error:  # noqa: BLE001 - logged once per outage
            pause = service.failed(error)
        else:
            service.worked()
        service.next = monotonic() + pause

    def _reclaim(self) -> float:
        reclaimed = self._backend.reclaim(RECLAIM_LIMIT)
        if reclaimed.tasks or reclaimed.workers:
            _log.warning(
                "took back %d tasks of dead workers %s",
                reclaimed.tasks,
                ", ".join(reclaimed.workers),
            )
        return self._interval if reclaimed.tasks < RECLAIM_LIMIT else 0.0

    def _purge(self) -> float:
        return PURGE_INTERVAL if self._backend.purge(PURGE_LIMIT) < PURGE_LIMIT else _PURGE_PAUSE
