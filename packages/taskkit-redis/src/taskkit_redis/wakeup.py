"""How waiting threads learn that something may be claimable, or that a task is over.

Scripts publish both. While somebody waits, one of those who wait reads the subscriptions for all;
no thread is needed for it, and who is alone is woken without a detour. The subscriptions are
connections of their own, never used for anything else.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from taskkit.clock import Clock, ManualClock, monotonic
from taskkit.errors import BackendError, Unavailable
from taskkit.groups import lineage
from taskkit.records import ALL_GROUPS
from taskkit_redis.store import Store
from taskkit_redis.subscriptions import Lost, Subscriptions

_LINGER: Final = 2.0
"""Seconds after which nobody who was waiting waits any more: what is published meanwhile would pile
up unread."""

_LOOK_AGAIN: Final = 30.0
"""Seconds after which a task that is waited for is looked at although nothing was heard."""

_MOST_NAMES: Final = 10_000


class Wakeup:
    """The waiting room of one backend."""

    def __init__(self, store: Store, clock: Clock | None) -> None:
        self._store = store
        self._lock = threading.Condition()
        self._subscriptions = Subscriptions(store)
        self._reading = False
        self._changing = 0
        """How many want to change the subscriptions; nobody reads them meanwhile."""
        self._waiting = 0
        self._left = 0.0
        """When the last one who waited went."""
        self._closed = False
        self._count = 0
        """Of all news; each name remembers the count of its last."""
        self._news: dict[str, int] = {}
        self._everyone = 0
        """The count when nobody could say any more what was missed."""
        self._over: dict[str, int] = {}
        self._awaited: dict[str, int] = {}
        self._local = threading.local()
        self._bell: tuple[int, int] | None = None
        if isinstance(clock, ManualClock):
            # A clock outlives many backends: it must not keep them.
            clock.listen(_shouter(weakref.ref(self)))

    # ---- waiting

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Block until something may be claimable; return whether that was so.

        Between a claim that found nothing and this call a put may slip in. So each thread
        remembers, for each group, the count of news with which its last wait for it ended: it has
        claimed since then, and whatever is newer it may not have seen. At worst it claims once in
        vain.
        """
        deadline = monotonic() + timeout
        places = {number for group in groups for number in self._store.of_group(group)}
        seen: dict[str, int] = self._local.__dict__
        with self._lock:
            self._enter()
            try:
                self._listen(places)
                while not self._closed:
                    if self._is_fresh(groups, seen):
                        return True
                    if not self._sleep(deadline):
                        return False
                return False
            finally:
                seen.update(dict.fromkeys(groups, self._count))
                self._leave()

    def wait_done(self, task_id: str, timeout: float) -> bool:
        """Block until a task is finished or gone; return whether it is."""
        deadline = monotonic() + timeout
        places = set(self._store.may_hold(task_id))
        with self._lock:
            self._awaited[task_id] = self._awaited.get(task_id, 0) + 1
            self._enter()
            try:
                return self._until_over(task_id, places, deadline)
            finally:
                self._leave()
                self._awaited[task_id] -= 1
                if not self._awaited[task_id]:
                    del self._awaited[task_id]
                    self._over.pop(task_id, None)

    def _until_over(self, task_id: str, places: Collection[int], deadline: float) -> bool:
        heard = self._over.get(task_id, 0)
        while not self._closed:
            # In every round: if a subscription was lost, nobody else makes it anew.
            self._listen(places)
            everyone = self._everyone
            # After the subscription, so that an end in between is not missed.
            if self._is_over(task_id, places):
                return True
            look = min(deadline, monotonic() + _LOOK_AGAIN)
            while self._over.get(task_id, 0) == heard and self._everyone == everyone:
                if not self._sleep(look):
                    break
            if self._over.get(task_id, 0) != heard:
                return True
            if monotonic() >= deadline:
                return False
        return False

    def _is_over(self, task_id: str, places: Collection[int]) -> bool:
        self._lock.release()
        try:
            answers = self._store.call_all("watch", dict.fromkeys(places, (task_id,)))
        except Unavailable:
            if self._closed:
                return False
            raise
        finally:
            self._lock.acquire()
        return all(answers.values())

    def _is_fresh(self, groups: Collection[str], seen: dict[str, int]) -> bool:
        for group in groups:
            known = seen.get(group, -1)
            if self._news.get(group, 0) > known or self._everyone > known or known < 0:
                return True
        return False

    # ---- coming and going; the lock is held

    def _enter(self) -> None:
        if not self._waiting and monotonic() - self._left > _LINGER:
            self._subscriptions.close()
        self._waiting += 1

    def _listen(self, places: Collection[int]) -> None:
        """See to it that these partitions are listened to."""
        if self._closed or not self._subscriptions.missing(places):
            return
        self._changing += 1
        try:
            while self._reading:
                self._ring()
                self._lock.wait()
            missing = self._subscriptions.missing(places)
            if missing and not self._closed:
                self._subscriptions.add(missing)
                self._tell_everyone()
        finally:
            self._changing -= 1
            self._lock.notify_all()

    def _leave(self) -> None:
        self._waiting -= 1
        self._left = monotonic()
        if self._closed and not self._waiting:
            self._hang_up()
        # Somebody else has to read now.
        self._lock.notify_all()

    def rest(self) -> None:
        """Hang up if nobody has waited for a while; called when there is something to do."""
        if (
            not self._waiting
            and self._subscriptions.is_open
            and monotonic() - self._left > _LINGER
            and self._lock.acquire(blocking=False)
        ):
            try:
                if not self._waiting:
                    self._subscriptions.close()
            finally:
                self._lock.release()

    # ---- sleeping

    def _sleep(self, deadline: float) -> bool:
        """Sleep until there may be news; False: the deadline has come. The lock is held."""
        left = deadline - monotonic()
        if left <= 0:
            return False
        if self._reading or self._changing:
            self._lock.wait(left)
            return True
        # First the bell: if there is none to be had, nobody reads.
        bell = self._hang_bell()
        lost: BackendError | None = None
        self._reading = True
        self._lock.release()
        try:
            messages = self._subscriptions.read(left, bell)
        except Lost as error:
            messages, lost = (), error.reason
        finally:
            self._lock.acquire()
            self._reading = False
            self._empty_bell()
        for kind, names in messages:
            self._hear(kind, names)
        if lost is not None:
            self._subscriptions.close()
            self._tell_everyone()
            if not self._closed:
                raise lost
        if messages or self._changing:
            self._lock.notify_all()
        return True

    def _hear(self, kind: str, names: Collection[str]) -> None:
        if kind == "done":
            for task_id in names:
                if task_id in self._awaited:
                    self._over[task_id] = self._over.get(task_id, 0) + 1
            return
        self._count += 1
        if ALL_GROUPS in names or len(self._news) > _MOST_NAMES:
            self._news.clear()
            self._everyone = self._count
            return
        for group in names:
            for name in lineage(group):
                self._news[name] = self._count

    def _tell_everyone(self) -> None:
        self._count += 1
        self._everyone = self._count
        self._lock.notify_all()

    # ---- from outside

    def shout(self) -> None:
        """Wake everyone, whatever they wait for."""
        with self._lock:
            self._tell_everyone()
            self._ring()

    def close(self) -> None:
        """Wake everyone for good."""
        with self._lock:
            self._closed = True
            self._tell_everyone()
            self._ring()
            if not self._waiting:
                self._hang_up()

    def abandon(self) -> None:
        """Let go of what a child process has inherited; nobody else uses it there."""
        self._hang_up()

    def _hang_up(self) -> None:
        self._subscriptions.close()
        if self._bell is not None:
            for end in self._bell:
                os.close(end)
            self._bell = None

    # ---- the bell: a pipe that ends the sleep of whoever reads

    def _hang_bell(self) -> int:
        if self._bell is None:
            try:
                self._bell = os.pipe()
            except OSError as error:
                raise Unavailable(f"cannot wait without a pipe to be woken by: {error}") from error
            os.set_blocking(self._bell[0], False)
            os.set_blocking(self._bell[1], False)
        return self._bell[0]

    def _ring(self) -> None:
        if self._bell is not None and self._reading:
            with suppress(BlockingIOError):
                os.write(self._bell[1], b"!")

    def _empty_bell(self) -> None:
        if self._bell is not None:
            with suppress(BlockingIOError):
                os.read(self._bell[0], 4096)


def _shouter(reference: weakref.ref[Wakeup]) -> Callable[[], None]:
    def shout() -> None:
        wakeup = reference()
        if wakeup is not None:
            wakeup.shout()

    return shout
