"""The parts of a worker, put together: who gives what to whom is written here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from taskkit.worker.claimer import Claimer
from taskkit.worker.control import Control
from taskkit.worker.deadlines import Deadlines
from taskkit.worker.execution import Execution
from taskkit.worker.heartbeat import Pulse
from taskkit.worker.ledger import Ledger
from taskkit.worker.listener import Listener
from taskkit.worker.loop import LoopThread
from taskkit.worker.outage import Outage, Patience
from taskkit.worker.recycling import Recycling
from taskkit.worker.settler import Settler
from taskkit.worker.slots import ThreadSlots
from taskkit.worker.station import Slots, Station

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.context import TaskContext
    from taskkit.handler import TaskHandler
    from taskkit.hooks import Hooks
    from taskkit.records import Claim, Settlement, WorkerInfo
    from taskkit.settings import WorkerSettings
    from taskkit.worker.isolation import Isolation, OnIsolated
    from taskkit.worker.nursery import Nursery
    from taskkit.worker.services import Services


class Parts:
    """All that works in one worker. Made whole, then started.

    Args:
        backend: The store.
        handler: What tasks mean.
        hooks: Who listens.
        settings: What to serve, and how.
        info: Who the worker is.
        look: Makes the runtime look at its parts again.
        on_slot_free: Called when what lies ready for a group falls to its ``low`` mark.
        on_stuck: Called when a thread was given up.
        on_stopped: Called when no group is left to serve.
        on_dry: See ``Claimer``.
        nursery: See ``WorkerRuntime``.
        on_isolated: See ``WorkerRuntime``.
    """

    def __init__(
        self,
        backend: Backend,
        handler: TaskHandler,
        hooks: Hooks,
        settings: WorkerSettings,
        info: WorkerInfo,
        *,
        look: Callable[[], object],
        on_slot_free: Callable[[], object],
        on_stuck: Callable[[], object],
        on_stopped: Callable[[], object],
        on_dry: Callable[[], float] | None,
        nursery: Nursery | None,
        on_isolated: OnIsolated | None,
    ) -> None:
        self._nursery = nursery
        self._on_isolated = on_isolated
        self._backend = backend
        self._handler = handler
        self._settings = settings
        self._info = info
        self._isolation: Isolation | None = None
        self._services: Services | None = None
        self.outage = Outage()
        self.ledger = Ledger(settings.max_data_bytes)
        self.loop = LoopThread()
        self.execution = Execution(
            handler, hooks, settings.max_data_bytes, settings.unknown, resolve=self.loop.resolve
        )
        self.settler = Settler(
            backend, info.id, self.ledger, self._patience("settle"), self._are_busy, look
        )
        self.slots = self._open_slots(on_slot_free)
        self.deadlines = Deadlines(self.slots, self.execution, self.settler.put, look, on_stuck)
        self.claimer = self._make_claimer(on_dry)
        self.listener = self.claimer.listener
        self.control = Control(self.slots, self.ledger, self.claimer, self.deadlines, on_stopped)
        self.pulse = Pulse(
            backend,
            info,
            settings,
            self.ledger,
            self._patience("heartbeat"),
            self.control.obey,
            self.control.drop_everything,
        )
        self.recycling = Recycling(settings, self.done)

    def start(self) -> None:
        """Begin to work; the worker is registered."""
        self.settler.start()
        self.listener.start()
        self.claimer.start()
        if self._settings.services:
            from taskkit.worker.services import Services

            self._services = Services(self._backend, self._handler, self._settings, self.outage)
            self._services.start()

    def stop_asking(self) -> None:
        """Ask nothing more of the store, except to settle and to keep the lease."""
        self.listener.end()
        if self._services is not None:
            self._services.end()

    def done(self) -> int:
        """Return how many tasks were handled."""
        return sum(slots.work()[0] for slots in self.slots)

    def _open_slots(self, on_slot_free: Callable[[], object]) -> Sequence[Slots]:
        station = Station(
            self._info.id,
            self.ledger,
            self.execution,
            self._run_isolated,
            self.settler.put,
            on_slot_free,
            self._watch,
            getattr(self._handler, "is_async", None),
            getattr(self._handler, "is_isolated", None),
        )
        opened: list[Slots] = []
        for group, slots in self._settings.groups.items():
            if slots.kind == "thread":
                opened.append(ThreadSlots(group, slots.count, station))
            else:
                from taskkit.worker.coroutines import CoroutineSlots

                opened.append(CoroutineSlots(group, slots.count, station, self.loop))
        return opened

    def _make_claimer(self, on_dry: Callable[[], float] | None) -> Claimer:
        return Claimer(
            self._backend,
            self._info.id,
            self.slots,
            self.ledger,
            self._settings,
            self._patience("claim"),
            Listener(self._backend, self._patience("wait")),
            self.settler.put,
            self._hasten,
            on_dry,
        )

    def _patience(self, part: str) -> Patience:
        return Patience(self.outage, part)

    def _are_busy(self) -> bool:
        return any(slots.ready() for slots in self.slots)

    # The two that follow stand for parts that do not exist yet when they are passed on.

    def _watch(self, deadline: float) -> None:
        self.deadlines.watch(deadline)

    def _hasten(self) -> None:
        self.pulse.hasten()

    def _run_isolated(self, claim: Claim, context: TaskContext) -> Settlement:
        # Two threads may both make one; either will do.
        if self._isolation is None:
            from taskkit.worker.isolation import Isolation

            self._isolation = Isolation(
                self._handler,
                self._settings,
                self.execution,
                self.ledger.publish,
                self._nursery,
                self._on_isolated,
            )
        return self._isolation.run(claim, context)
