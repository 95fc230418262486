"""Async slots: up to ``count`` tasks of one group at a time as coroutines on the worker's loop."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import replace
from typing import TYPE_CHECKING

from taskkit.clock import monotonic
from taskkit.context import Relay, TaskContext
from taskkit.worker.interrupt import absorb
from taskkit.worker.slots import ThreadSlots

if TYPE_CHECKING:
    from taskkit.records import Claim, Settlement
    from taskkit.worker.loop import LoopThread
    from taskkit.worker.station import Station

_log = logging.getLogger("taskkit.worker.coroutines")

_ALWAYS = 1 << 60


class CoroutineSlots:
    """See ``Slots``. A task that is not ``async def`` would block the loop: it gets a thread.

    Coroutines and such threads together are never more than ``count``. Except for ``hand`` and
    the readers, everything happens on the loop, so it needs no lock.
    """

    def __init__(self, group: str, count: int, station: Station, loop: LoopThread) -> None:
        self.group = group
        self.count = count
        self.low = -1
        self._station = station
        self._loop = loop
        self._backlog: deque[Claim] = deque()
        self._running: dict[TaskContext, asyncio.Task[None] | None] = {}
        self._lock = threading.Lock()
        self._handed = 0
        self._short = False
        self._withdrawn = 0
        self._done = 0
        self._busy = 0.0
        self._threads = ThreadSlots(group, count, replace(station, hungry=self._thread_is_free))

    def hand(self, claims: Sequence[Claim]) -> None:
        """Let these claims be run, in this order, as slots become free."""
        self._handed += len(claims)
        self._backlog.extend(claims)
        try:
            self._loop.call(self._fill)
        except RuntimeError as error:
            # No thread for the loop. The next hand tries again; until then they lie ready, and
            # are given back before long.
            if not self._short:
                _log.error("group %s: the event loop cannot be started: %s", self.group, error)
            self._short = True
        else:
            self._short = False

    def take_back(self) -> list[Claim]:
        """Return the claims that no slot has taken yet; they will not be run."""
        claims: list[Claim] = []
        try:
            while True:
                claims.append(self._backlog.popleft())
        except IndexError:
            pass
        # A claim that was passed on to a thread counts there, and here as handed.
        passed = self._threads.take_back()
        with self._lock:
            self._withdrawn += len(claims) + len(passed)
        return claims + passed

    def ready(self) -> int:
        """Return how many claims lie ready for a free slot."""
        return len(self._backlog) + self._threads.ready()

    def outstanding(self) -> int:
        """Return how many claims are ready or running."""
        return self._handed - self._withdrawn - self.work()[0]

    def work(self) -> tuple[int, float]:
        """Return how many claims were ever finished, and how many seconds they took."""
        done, busy = self._threads.work()
        return self._done + done, self._busy + busy

    def contexts(self) -> list[TaskContext]:
        """Return the attempts that are running."""
        return [*self._running.copy(), *self._threads.contexts()]

    def replace(self, context: TaskContext) -> bool:
        """Give up the slot in which this abandoned attempt is stuck, and open another."""
        with self._lock:
            if context.thread is None:
                found = self._running.pop(context, self) is not self
            else:
                found = self._threads.replace(context)
            if found:
                self._withdrawn += 1
        self._loop.call(self._fill)
        return found

    def stack(self, context: TaskContext) -> str:
        """Return where the code of an attempt is at this moment, as text."""
        if context.thread is not None:
            return self._threads.stack(context)
        task = self._running.get(context)
        frame = sys._current_frames().get(self._loop.thread)  # noqa: SLF001 - its public name
        where = "".join(traceback.format_stack(frame)) if frame is not None else ""
        waiting = "" if task is None else "".join(map(str, task.get_stack()))
        return f"the loop's thread:\n{where}the coroutine: {waiting}"

    def stop(self) -> None:
        """Let the slots end once they have nothing more to run."""
        self._threads.stop()

    def _thread_is_free(self) -> None:
        self._threads.low = _ALWAYS
        self._loop.call(self._fill)

    def _fill(self) -> None:
        station = self._station
        self._threads.low = _ALWAYS
        while self._backlog and len(self._running) + self._threads.outstanding() < self.count:
            try:
                claim = self._backlog.popleft()
            except IndexError:  # taken back meanwhile, by another thread
                break
            if self._belongs_on_thread(claim):
                self._threads.hand([claim])
                continue
            context = TaskContext(claim, station.worker_id, station.ledger.publish)
            self._running[context] = asyncio.get_running_loop().create_task(
                self._attempt(context), context=Context()
            )
        self._look_low()

    def _belongs_on_thread(self, claim: Claim) -> bool:
        station = self._station
        try:
            if station.needs_child(claim):
                return True
            return station.is_async is not None and not station.is_async(claim.task)
        except Exception:  # noqa: BLE001 - raised again in the slot, where it is the task's failure
            return True

    async def _attempt(self, context: TaskContext) -> None:
        began = context.began = monotonic()
        station, claim = self._station, context.claim
        context.relay = self._relay(asyncio.current_task())
        context.open = True
        settlement: Settlement | None
        verdict = station.ledger.verdict(claim, began)
        if verdict is None:
            timeout = claim.task.timeout
            if timeout is not None:
                context.deadline = began + timeout
                station.watch(context.deadline)
            settlement = await station.execution.arun(claim, context)
        else:
            settlement = station.refuse(claim, verdict)
        context.open = False
        if context.interrupted is not None:
            absorb(context)
            if context.abandoned:
                settlement = None
        self._finish(context, settlement, monotonic() - began)

    def _finish(self, context: TaskContext, settlement: Settlement | None, took: float) -> None:
        if settlement is not None:
            self._station.settle(settlement)
        with self._lock:
            if self._running.pop(context, self) is not self:
                self._done += 1
                self._busy += took
        self._fill()

    def _look_low(self) -> None:
        if len(self._backlog) <= self.low:
            self.low = -1
            self._station.hungry()

    def _relay(self, task: asyncio.Task[None] | None) -> Relay:
        def cancel(*_: object) -> None:
            if task is not None:
                self._loop.call(task.cancel)

        return cancel
