"""How waiting threads learn that something may be claimable, or that a task is over.

Within a process a commit tells them directly. For other processes one thread watches the store
through a *source*, only while somebody waits (and a little longer: a claimer is soon back).

Nothing is missed between a claim and the wait that follows it: each thread remembers how many news
had come when its last claim began, or when its last wait ended (then somebody has claimed for it
since), and its wait ends at once if more have come. At worst it claims once in vain. When the
watching thread begins to listen counts as news, because whatever came before was not heard.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol, TypeAlias

from taskkit.clock import Clock, ManualClock, monotonic
from taskkit.errors import BackendError, Unavailable

_LINGER_SECONDS: Final = 5.0
"""How long the thread stays without anybody waiting."""
_AFTER_ERROR_SECONDS: Final = 0.5

_NAME: Final = "taskkit-wakeup"

Over: TypeAlias = Callable[[Collection[str]], set[str]]
"""Returns which of some tasks are finished or gone."""

_log = logging.getLogger("taskkit.wakeup")


class Room(Protocol):
    """Who waits in this process, as a source sees it."""

    def is_wanted(self) -> bool:
        """Return whether to go on watching; blocks for a while when nobody waits."""
        ...

    def is_closing(self) -> bool:
        """Return whether to end at once; does not block."""
        ...

    def listening(self) -> None:
        """Say that from now on nothing is missed; whoever claimed before claims once more."""
        ...

    def claimable(self) -> None:
        """Wake all who wait for something to claim."""
        ...

    def has_claimers(self) -> bool:
        """Return whether somebody has waited for something to claim, and may come back."""
        ...

    def has_awaited(self) -> bool:
        """Return whether somebody waits for the end of a task."""
        ...

    def finished(self, over: Over | None = None) -> None:
        """Look which of the tasks that somebody waits for are over, and wake those.

        ``over`` finds out, for a source that has a connection at hand; else the store is asked.
        """
        ...


class Source(Protocol):
    """Where news of other processes come from; ``watch`` is run by one thread at a time."""

    def watch(self, room: Room) -> None:
        """Watch until ``room.is_wanted()`` says no more; tell the room what others have done.

        Raises:
            BackendError: the store cannot be watched now; it is tried again.
        """
        ...

    def interrupt(self) -> None:
        """Let ``watch`` look at ``room.is_wanted()`` soon; called by other threads."""
        ...


class Wakeup:
    """The waiting room of one backend.

    Args:
        source: Tells what other processes have done.
        over: Returns which of some tasks are finished or gone.
        clock: Moving it by hand wakes everybody.
    """

    def __init__(
        self,
        source: Source,
        over: Over,
        clock: Clock | None = None,
    ) -> None:
        self._source = source
        self._over = over
        self._closed = False
        self.reset()
        _listen(clock, self)

    def reset(self) -> None:
        """Begin anew, in the child after a fork."""
        self._changed = threading.Condition()
        self._news = 1
        self._local = threading.local()
        """For each thread: how many news there had been when it last claimed from a group, or was
        woken for it. Not for all of them together: what one has claimed after news leaves others
        to whom it has not come yet."""
        self._waiting = 0
        self._has_claimers = False
        self._awaited: dict[str, list[threading.Event]] = {}
        self._thread: threading.Thread | None = None
        self._giving_way = False

    # ---- telling

    def mark(self) -> int:
        """Return how many news there have been; for ``claimed``, before a claim begins."""
        return self._news

    def claimed(self, groups: Iterable[str], mark: int) -> None:
        """Remember that a claim of this thread from these groups has seen all news to the mark."""
        self._marks().update(dict.fromkeys(groups, mark))

    def _marks(self) -> dict[str, int]:
        marks: dict[str, int] = self._local.__dict__
        return marks

    def committed(self, *, wakes: bool, finished: Collection[str]) -> None:
        """Tell what this process has done itself."""
        if wakes:
            self.claimable()
        if finished and self._awaited:
            self._wake(finished)

    def claimable(self) -> None:
        """Wake all who wait for something to claim."""
        with self._changed:
            self._news += 1
            self._changed.notify_all()

    def listening(self) -> None:
        """Say that from now on nothing is missed."""
        self.claimable()
        self.finished()

    def finished(self, over: Over | None = None) -> None:
        """Look which of the tasks that somebody waits for are over, and wake those."""
        with self._changed:
            awaited = list(self._awaited)
        if awaited:
            self._wake((over or self._over)(awaited))

    def tell(self) -> None:
        """Wake everyone: something may be claimable, or over."""
        self.claimable()
        with self._changed:
            events = [event for waiting in self._awaited.values() for event in waiting]
        for event in events:
            event.set()

    def _wake(self, ids: Iterable[str]) -> None:
        with self._changed:
            events = [event for task_id in ids for event in self._awaited.get(task_id, ())]
        for event in events:
            event.set()

    def close(self) -> None:
        """Wake everyone for good."""
        self._closed = True
        self.tell()
        self._source.interrupt()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    def give_way(self) -> None:
        """Let the thread give its connection back for a moment, because the process forks."""
        with self._changed:
            if self._thread is None:
                return
            self._giving_way = True
            self._changed.notify_all()
        self._source.interrupt()

    # ---- waiting

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Block until something may be claimable; return whether that was so."""
        deadline, marks = monotonic() + timeout, self._marks()
        with self._changed:
            if self._closed:
                return False
            seen = min((marks.get(group, 0) for group in groups), default=self._news)
            self._enter()
            if not self._has_claimers:
                self._has_claimers = True
                # A source may have watched for the end of tasks alone so far.
                self._source.interrupt()
            try:
                # Closing is news too: it wakes everyone.
                return self._changed.wait_for(
                    lambda: self._news > seen, max(0.0, deadline - monotonic())
                )
            finally:
                self._waiting -= 1
                # A claim follows, of whatever thread; who does not claim after it was woken is not
                # to be woken for ever.
                marks.update(dict.fromkeys(groups, self._news))

    def wait_done(self, task_id: str, timeout: float) -> bool:
        """Block until a task is finished or gone; return whether it is."""
        try:
            return not self._closed and self._wait_done(task_id, monotonic() + timeout)
        except BackendError:
            # Closed in the middle of a look at the store.
            if self._closed:
                return False
            raise

    def _wait_done(self, task_id: str, deadline: float) -> bool:
        event = threading.Event()
        with self._changed:
            # First, for it may raise. A thread that it starts looks for whom to watch under the
            # lock, and so after this.
            self._enter()
            is_first = not self._awaited
            self._awaited.setdefault(task_id, []).append(event)
        if is_first:
            # A source may have watched for claims alone so far.
            self._source.interrupt()
        try:
            # After entering, so that an end in between is not missed.
            while not self._over([task_id]):
                if not event.wait(max(0.0, deadline - monotonic())) or self._closed:
                    return False
                event.clear()
            return True
        finally:
            with self._changed:
                self._waiting -= 1
                self._awaited[task_id].remove(event)
                if not self._awaited[task_id]:
                    del self._awaited[task_id]

    # ---- watching

    def _enter(self) -> None:
        """Count one who waits, and see to it that the thread runs; the lock is held.

        Raises:
            Unavailable: no thread can be started now; nobody was counted.
        """
        if self._thread is None and not self._closed:
            thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise Unavailable(
                    f"expected to start a thread that can watch the store: {error}; allow this "
                    "process more threads (ulimit -u, or pids.max of its container)"
                ) from error
            self._thread = thread
        self._waiting += 1
        self._changed.notify_all()

    def _run(self) -> None:
        is_told = False
        while True:
            try:
                self._source.watch(self)
                is_told = False
            except Exception as error:  # noqa: BLE001 - if it ended, all would wait in vain for ever
                if not self._closed:
                    if not is_told:
                        _tell_trouble(error)
                    is_told = True
                    # Nobody can say what was missed.
                    self.tell()
            with self._changed:
                self._giving_way = False
                # Under the lock: whoever waits from now on starts another thread.
                if self._closed or not self._waiting:
                    self._thread = None
                    return
                if is_told:
                    self._changed.wait_for(self.is_closing, _AFTER_ERROR_SECONDS)

    def is_wanted(self) -> bool:
        """Return whether to go on watching; blocks for a while when nobody waits."""
        with self._changed:
            if not self._waiting:
                self._changed.wait_for(
                    lambda: self._waiting > 0 or self.is_closing(), _LINGER_SECONDS
                )
            return self._waiting > 0 and not self.is_closing()

    def is_closing(self) -> bool:
        """Return whether to end at once."""
        return self._closed or self._giving_way

    def has_claimers(self) -> bool:
        """Return whether somebody has waited for something to claim, and may come back."""
        return self._has_claimers

    def has_awaited(self) -> bool:
        """Return whether somebody waits for the end of a task."""
        return bool(self._awaited)


def _tell_trouble(error: Exception) -> None:
    # While the store is down, whoever uses it says so: one line per outage.
    level = logging.DEBUG if isinstance(error, Unavailable) else logging.WARNING
    place = None if isinstance(error, (BackendError, OSError)) else error
    _log.log(level, "cannot watch the store; trying again: %s", error, exc_info=place)


def _listen(clock: Clock | None, wakeup: Wakeup) -> None:
    """Wake everyone whenever a clock is moved by hand."""
    if isinstance(clock, ManualClock):
        # A clock outlives many backends: it must not keep them.
        reference = weakref.ref(wakeup)
        clock.listen(_teller(reference))


def _teller(reference: weakref.ref[Wakeup]) -> Callable[[], None]:
    def tell() -> None:
        wakeup = reference()
        if wakeup is not None:
            wakeup.tell()

    return tell
