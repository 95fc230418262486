"""``wait`` and ``wait_done`` for stores that cannot wake anybody: look again, now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from taskkit.clock import monotonic
from taskkit.records import Record

INTERVAL: Final = 0.02
"""Seconds between two looks."""


class Poller:
    """Looks at a *mark*: anything that is another after each change of the store.

    A mark has to be cheap (the version of a row, what ``stat`` tells of a file): each thread that
    waits asks for it every ``interval`` seconds.
    """

    def __init__(self, mark: Callable[[], object], interval: float = INTERVAL) -> None:
        self._mark = mark
        self._interval = interval
        self._closed = threading.Event()
        self._local = threading.local()

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Return True once the mark is another than when this thread last waited for these groups.

        Compared with *then*, not with the beginning of this call: what was put between the caller's
        claim and this call would be missed otherwise.
        """
        seen: dict[frozenset[str], Any] = self._local.__dict__.setdefault("seen", {})
        names = frozenset(groups)
        mark: object = None

        def changed() -> bool:
            nonlocal mark
            mark = self._mark()
            return names not in seen or seen[names] != mark

        woken = self.until(changed, timeout)
        seen[names] = mark
        return woken

    def wait_done(
        self,
        get: Callable[[Collection[str]], Mapping[str, Record | None]],
        task_id: str,
        timeout: float,
    ) -> bool:
        """Return True as soon as the task is finished or gone; ``get`` is the backend's."""

        def done() -> bool:
            record = get([task_id])[task_id]
            return record is None or record.state.finished

        return self.until(done, timeout)

    def until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Return True as soon as something holds; False after ``timeout`` seconds, or closed."""
        deadline = monotonic() + timeout
        while not holds():
            left = deadline - monotonic()
            if left <= 0 or self._closed.wait(min(left, self._interval)):
                return False
        return True

    def close(self) -> None:
        """Wake whoever waits, now and from now on."""
        self._closed.set()
