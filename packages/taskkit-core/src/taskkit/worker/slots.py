"""Thread slots: the threads of one group, each handling one claim at a time."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Sequence
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from taskkit.clock import monotonic
from taskkit.context import TaskContext
from taskkit.worker.interrupt import INTERRUPTIONS, absorb

if TYPE_CHECKING:
    from taskkit.records import Claim, Settlement
    from taskkit.worker.station import Station

_log = logging.getLogger("taskkit.worker.slots")


class ThreadSlots:
    """Up to ``count`` threads, each started when there is work for it; see ``Slots``."""

    def __init__(self, group: str, count: int, station: Station) -> None:
        self.group = group
        self.count = count
        self.low = -1
        # A SimpleQueue hands over without a Python-level lock, which at 60,000 tasks/s matters.
        self.queue: SimpleQueue[Claim | None] = SimpleQueue()
        self.station = station
        self.lock = threading.Lock()
        self._slots: list[_ThreadSlot] = []
        self._threads = 0
        self._short = False
        self._handed = 0
        self._withdrawn = 0

    def hand(self, claims: Sequence[Claim]) -> None:
        """Let these claims be run, in this order, as slots become free."""
        self._handed += len(claims)
        put = self.queue.put
        for claim in claims:
            put(claim)
        # Afterwards, because a thread may be refused: what lies in the queue is for the others, or
        # is given back before long.
        while self._threads < min(self.count, self.outstanding()) and self._open():
            pass

    def take_back(self) -> list[Claim]:
        """Return the claims that no slot has taken yet; they will not be run."""
        claims: list[Claim] = []
        stops = 0
        try:
            while True:
                claim = self.queue.get_nowait()
                if claim is None:
                    stops += 1
                else:
                    claims.append(claim)
        except Empty:
            pass
        for _ in range(stops):
            self.queue.put(None)
        with self.lock:
            self._withdrawn += len(claims)
        return claims

    def ready(self) -> int:
        """Return how many claims lie ready for a free slot."""
        return self.queue.qsize()

    def outstanding(self) -> int:
        """Return how many claims are ready or running."""
        return self._handed - self._withdrawn - sum(slot.done for slot in self._slots)

    def work(self) -> tuple[int, float]:
        """Return how many claims were ever finished, and how many seconds they took."""
        slots = self._slots
        return sum(slot.done for slot in slots), sum(slot.busy for slot in slots)

    def contexts(self) -> list[TaskContext]:
        """Return the attempts that are running."""
        found = [slot.context for slot in self._slots]
        return [context for context in found if context is not None and context.open]

    def replace(self, context: TaskContext) -> bool:
        """Give up the slot in which this abandoned attempt is stuck, and open another."""
        with self.lock:
            slot = next((slot for slot in self._slots if slot.context is context), None)
            if slot is None:
                return False
            slot.replaced = True
            self._withdrawn += 1
        self._open()
        return True

    def stack(self, context: TaskContext) -> str:
        """Return where the code of an attempt is at this moment, as text."""
        frame = sys._current_frames().get(context.thread or 0)  # noqa: SLF001 - its public name
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def stop(self) -> None:
        """Let the slots end once they have nothing more to run."""
        for _ in self._slots:
            self.queue.put(None)

    def _open(self) -> bool:
        """Start a thread; return False if the system allows no more, for now."""
        slot = _ThreadSlot(self)
        # Daemons: a thread that is stuck in C code must not keep the process from ending. Whoever
        # stops the worker waits for the tasks, not for the threads.
        name = f"taskkit-{self.group}-{len(self._slots)}"
        with self.lock:
            # Before it runs: it takes a claim at once, whose deadline others look for here. Lists
            # are replaced, because others are reading them.
            self._slots = [*self._slots, slot]
        try:
            threading.Thread(target=slot.serve, name=name, daemon=True).start()
        except RuntimeError as error:
            with self.lock:
                self._slots = [one for one in self._slots if one is not slot]
            if not self._short:  # once: it is tried again several times a second
                _log.error(
                    "group %s: no more than %d threads: %s", self.group, self._threads, error
                )
            self._short = True
        else:
            self._short = False
        self._threads = len(self._slots) - sum(slot.replaced for slot in self._slots)
        return not self._short


class _ThreadSlot:
    """One thread. Only it writes ``done`` and ``busy``, so they need no lock."""

    __slots__ = ("_pool", "_thread", "busy", "context", "done", "replaced")

    def __init__(self, pool: ThreadSlots) -> None:
        self._pool = pool
        self._thread = 0
        self.done = 0
        self.busy = 0.0
        self.context: TaskContext | None = None
        self.replaced = False

    def serve(self) -> None:
        """Handle claims until told to stop."""
        self._thread = threading.get_ident()
        pool = self._pool
        get, ready = pool.queue.get, pool.queue.qsize
        settle, hungry = pool.station.settle, pool.station.hungry
        while (claim := get()) is not None:
            # Looked at twice: a slot that was free takes a claim without finishing one, and one
            # that finishes may find none to take.
            if ready() <= pool.low:
                pool.low = -1
                hungry()
            began = monotonic()
            settlement = self._attempt(claim, began)
            if settlement is not None:
                settle(settlement)
            elif not self._goes_on():
                return
            self.busy += monotonic() - began
            self.done += 1
            if ready() <= pool.low:
                pool.low = -1
                hungry()

    def _attempt(self, claim: Claim, began: float) -> Settlement | None:
        station = self._pool.station
        ledger = station.ledger
        context = TaskContext(claim, station.worker_id, ledger.publish, self._thread)
        self.context = context
        settlement = raised = None
        try:
            context.began = began
            context.open = True
            if ledger.revoked or began >= ledger.lease_end:
                settlement = self._check_and_run(context, began)
            else:
                settlement = self._run(context, began)
            context.open = False
            if context.interrupted is None:
                return settlement
        except BaseException as error:  # noqa: BLE001 - an interruption; anything else is a bug
            context.open = False
            raised = error
        # From here on nobody interrupts this attempt any more, but what was raised may still be
        # on its way: see worker/interrupt.py. Nothing may stand between this try and that one.
        while True:
            try:
                absorb(context)
                break
            except INTERRUPTIONS:  # it landed here, so it is not on its way any longer
                continue
        if context.abandoned:
            return None
        if settlement is None and raised is not None:
            return station.execution.judge(claim, context, raised)
        return settlement

    def _run(self, context: TaskContext, began: float) -> Settlement:
        claim, station = context.claim, self._pool.station
        timeout = claim.task.timeout
        if timeout is not None:
            context.deadline = began + timeout
            station.watch(context.deadline)
        run = station.run_isolated if station.needs_child(claim) else station.execution.run
        # Nothing that a task leaves in its context variables may reach the next one.
        return Context().run(run, claim, context)

    def _check_and_run(self, context: TaskContext, began: float) -> Settlement | None:
        station = self._pool.station
        verdict = station.ledger.verdict(context.claim, began)
        if verdict is None:
            return self._run(context, began)
        return station.refuse(context.claim, verdict)

    def _goes_on(self) -> bool:
        """Return whether this thread is still wanted after an attempt that it does not settle."""
        with self._pool.lock:
            self.context = None
            return not self.replaced
