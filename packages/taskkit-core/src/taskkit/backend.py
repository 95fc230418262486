"""The Backend protocol: all that taskkit asks of a store.

It is the union of small protocols, so that each can be read, taught and implemented by itself:
``Queue`` and ``Workers`` move tasks, ``Results`` reads them, ``Schedules`` keeps time-tables,
``Operations`` and ``Control`` serve people, ``Store`` is the house around them.

Rules for every method:

- It is one atomic step: another client sees all of it or nothing, and a crash in the middle
  leaves all of it or nothing.
- It may be called from several threads at once.
- "Now" is the store's own clock, or the ``clock=`` that the backend was opened with; never the
  caller's. Instants are microseconds since the epoch, and no delay leads to before it.
  Comparisons: a task is due when ``due <= now``; a lease, a pause or a task has expired when
  ``expires <= now``.
- Only errors of ``taskkit.errors`` leave it; a driver's error is their cause.
- A group in ``wants``, ``excluding``, pauses and stops stands for itself and all its subgroups
  (``mail`` for ``mail`` and ``mail.acme``, never for ``mailing``); a subgroup that is itself
  wanted belongs to its own want only. Everywhere else a group is just itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from taskkit.records import (
    Answered,
    Capabilities,
    Claims,
    Control,
    Count,
    Heartbeat,
    Limits,
    Page,
    PutResult,
    Query,
    Reclaimed,
    Record,
    ScheduleState,
    Settlement,
    WorkerInfo,
    WorkerRecord,
)
from taskkit.task import Instant, NewTask, State, Task


class Queue(Protocol):
    """The hot path: put, claim, settle."""

    def put(self, tasks: Sequence[NewTask], within: object | None = None) -> list[PutResult]:
        """Store tasks: all of them or none. Each becomes waiting or queued, by its due.

        In the order given, per task: an id that is known in any state changes nothing and answers
        ``known``; a ``unique_key`` that another task of the group holds changes nothing and
        answers ``duplicate`` with that task's id; else the task is stored, with ``created`` = now
        and its ``due`` and ``expires`` resolved.

        Args:
            tasks: At most ``capabilities().max_batch``; the first of two equal ids or keys wins.
            within: The caller's open transaction, of a kind that the backend knows. The tasks
                exist if and only if it commits, and nobody else sees them before.

        Raises:
            QueueFull: a group would hold more waiting and queued tasks than its
                ``max_queue_size``; nothing was put.
            Unsupported: ``within`` is not of a kind that this backend can join.
        """
        ...

    def claim(
        self, worker_id: str, wants: Mapping[str, int], excluding: Collection[str] = ()
    ) -> Claims:
        """Give up to n due tasks of each wanted group to a worker: queued becomes running.

        Within one concrete group the order is priority (high first), due, id. Between the
        non-empty subgroups of a want it goes round: k claims of one serve k subgroups once each.
        Each claim has a token larger than all earlier ones of its task, and ``attempt`` one
        higher. A task whose lock, ``max_running`` or rate is used up is passed over and blocks
        nobody; a task that has expired becomes cancelled (its failure has the type ``EXPIRED``)
        and is not given. Of a paused group nothing is given.

        Args:
            worker_id: A registered worker whose lease has not expired; otherwise nothing is
                claimed and the answer's ``alive`` is false.
            wants: How many tasks of each group (with its subgroups) at most; 0 gives none.
            excluding: Groups (with their subgroups) of which nothing is given, whatever is wanted.

        Raises:
            InvalidInput: a number that is wanted is negative.
        """
        ...

    def settle(self, worker_id: str, settlements: Sequence[Settlement]) -> list[bool]:
        """End claims; answer for each whether this claim's settlement stands.

        A settlement stands if its token is the task's current one and the task is running. To
        repeat one that stood is harmless and answers true again. With an outdated token nothing
        changes and the answer is false. All of the batch is one transaction, but one settlement
        that does not stand does not hinder the others.

        Whatever the outcome, a task that somebody asked to cancel becomes cancelled (the request
        came first) unless it is discarded. ``LOSE`` does to the task what ``reclaim`` would: its
        ``losses`` grows by one, and it is queued again with its due unchanged, or failed or lost
        by its ``on_lost`` and ``max_lost``. A task that returns to the queue while another holds
        its unique key becomes cancelled; its failure has the type ``SUPERSEDED`` and that task's
        id as its message.
        """
        ...

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Block until something may be claimable in ``groups``, at most ``timeout`` seconds.

        Returns whether it was woken. Waking without need is allowed, missing a put is not, as long
        as the caller claims at least once after each call. A task that becomes due by itself does
        not wake: ``Claims.next_due`` tells when to come back. ``close`` wakes everyone.
        """
        ...


class Workers(Protocol):
    """Leases: who is alive, and what becomes of the work of the dead."""

    def register(self, info: WorkerInfo, lease: int) -> None:
        """Enter a worker whose lease ends ``lease`` microseconds from now."""
        ...

    def heartbeat(
        self,
        worker_id: str,
        lease: int,
        held: Collection[tuple[str, int]],
        progress: Mapping[str, bytes],
    ) -> Heartbeat:
        """Renew a worker's lease and exchange what both sides know.

        The lease is extended to now + ``lease``, never shortened. Running tasks that the store
        counts as this worker's, that are not in ``held``, and that were claimed before the
        *previous* heartbeat, are queued again without counting the attempt: their claim's reply
        or their settlement was lost. (The previous one, because a claim may be on its way while
        ``held`` is.) Their old tokens are void.

        Args:
            worker_id: The worker.
            lease: Microseconds.
            held: Task id and token of each claim that the worker has and has not settled.
            progress: What to store as ``Record.progress``, by task id; others are left alone, and
                ids that the worker does not run are ignored.

        Returns:
            With ``alive`` false if the worker is unknown or its lease has expired; then nothing
            was changed, and it must drop what it runs and register anew.
        """
        ...

    def retire(self, worker_id: str, lost: bool = False) -> int:
        """Remove a worker; return how many running tasks it left behind.

        ``lost=False``: it stopped in good order; what it left is queued again, neither attempt nor
        loss counted. ``lost=True``: it is known to be dead; its tasks fare as with ``reclaim``. An
        unknown worker is no error.
        """
        ...

    def reclaim(self, limit: int = 1000) -> Reclaimed:
        """Take back the running tasks of workers that are unknown or whose lease has expired.

        At most ``limit`` tasks in this call, none hidden behind live ones; an expired worker is
        removed with its last task. Each task's ``losses`` grows by one, its token becomes void,
        and it is queued again with its due unchanged; or it becomes cancelled where that was asked
        for, ``failed`` where its ``on_lost`` is ``fail``, ``lost`` where it is ``keep`` or
        ``losses`` has reached ``max_lost``. A negative ``limit`` raises ``InvalidInput``.
        """
        ...

    def workers(self) -> list[WorkerRecord]:
        """Return all workers, those with expired leases too, ordered by expiry, then id."""
        ...


class Results(Protocol):
    """What became of tasks."""

    def get(self, ids: Collection[str]) -> dict[str, Record | None]:
        """Return a record for each distinct id, None where the store does not know it."""
        ...

    def wait_done(self, task_id: str, timeout: float) -> bool:
        """Block until the task is finished or gone, at most ``timeout`` seconds.

        Returns whether it is; a wake-up without need is allowed and answers false.
        """
        ...

    def record(self, task: NewTask, outcome: Settlement, began: int) -> bool:
        """Store a task that was run in place, finished: it never enters a queue.

        ``outcome`` is a success or a failure. False, with nothing changed, if the id is known.
        """
        ...


class Schedules(Protocol):
    """The state of schedulers, opaque bytes under a name, changed by compare-and-set."""

    def load_schedule(self, name: str) -> ScheduleState:
        """Return version and state under ``name``; version 0 and no state before the first."""
        ...

    def advance_schedule(
        self, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
    ) -> bool:
        """Store ``state`` and put ``tasks``, in one transaction, if the version is still this.

        Returns False, with nothing changed, if somebody else advanced it first. A stored state has
        version + 1. Tasks are put as by ``put``; ``max_queue_size`` does not hold them back.
        """
        ...


class Operations(Protocol):
    """What people and programs do to tasks outside the hot path."""

    def cancel(self, ids: Collection[str]) -> dict[str, Answered]:
        """Cancel: an unclaimed task becomes cancelled at once and for ever (``DONE``).

        A running one is marked (``REQUESTED``): its worker learns of it by heartbeat, and however
        it is settled it becomes cancelled. A finished one is ``REFUSED``. The failure of what
        becomes cancelled has the type ``CANCELLED_BY_REQUEST``.
        """
        ...

    def requeue(self, ids: Collection[str], due: Instant) -> dict[str, Answered]:
        """Put failed, lost and cancelled tasks back in the queue, their history kept.

        ``retry_count`` and ``losses`` start again at 0, ``attempt`` goes on, ``expires`` is
        dropped. Anything else, and a task whose unique key is taken, is ``REFUSED``.
        """
        ...

    def reschedule(self, ids: Collection[str], due: Instant) -> dict[str, Answered]:
        """Change the due of unclaimed tasks; others are ``REFUSED``."""
        ...

    def delete(self, ids: Collection[str]) -> dict[str, Answered]:
        """Remove tasks in any state, without trace; claims on them become void."""
        ...

    def purge(
        self,
        limit: int = 1000,
        *,
        states: Collection[State] | None = None,
        older_than: int | None = None,
    ) -> int:
        """Remove up to ``limit`` finished tasks and return how many.

        Without arguments those whose ``done + ttl <= now``; also sweeps expired tasks into
        ``cancelled``. With ``states`` or ``older_than`` (``done <= older_than``, an instant) those
        finished tasks instead, whatever their ttl. A negative ``limit`` raises ``InvalidInput``.
        """
        ...

    def count(self, groups: Collection[str] | None = None) -> list[Count]:
        """Count tasks for each group and state that has any, with the oldest due of each.

        Ordered by group, then state. ``waiting`` and ``queued`` are told apart by due and now.
        """
        ...

    def find(self, query: Query, limit: int, after: str | None = None) -> Page:
        """Return a page of matching tasks, ordered by id; ``after`` is the last page's ``next``.

        A task that does not change while the pages are read is on exactly one of them. A negative
        ``limit`` raises ``InvalidInput``.
        """
        ...


class Controls(Protocol):
    """State that steers workers; they read it with every heartbeat, so nobody misses it."""

    def pause(self, groups: Collection[str] | None, until: Instant | None = None) -> None:
        """Stop claims in these groups (None: in all; empty: in none), until then or resumed."""
        ...

    def resume(self, groups: Collection[str] | None) -> None:
        """Lift the pauses of exactly these groups (None: every pause)."""
        ...

    def stop(self, groups: Collection[str] | None) -> None:
        """Tell the workers that are registered now to stop serving these groups (None: all)."""
        ...

    def configure(self, group: str, limits: Limits) -> None:
        """Set the limits of one group (not of its subgroups), replacing what was set before."""
        ...

    def control(self) -> Control:
        """Return what is paused and limited now."""
        ...


class Store(Protocol):
    """The house around the protocols."""

    def migrate(self) -> None:
        """Create or upgrade what the backend needs; nothing to do is no error.

        Raises:
            SchemaMismatch: the store's layout is newer than this backend.
        """
        ...

    def clear(self) -> None:
        """Remove everything that this backend keeps in its namespace, and nothing else."""
        ...

    def close(self) -> None:
        """Let go of all connections and wake whoever waits. Closing twice is no error."""
        ...

    def capabilities(self) -> Capabilities:
        """Return what this backend offers, and its limits."""
        ...


class Backend(Queue, Workers, Results, Schedules, Operations, Controls, Store, Protocol):
    """A store. Pickling a backend pickles how to open it, never its connections."""


__all__ = [
    "Backend",
    "Controls",
    "Operations",
    "Queue",
    "Results",
    "Schedules",
    "Store",
    "Task",
    "Workers",
]
