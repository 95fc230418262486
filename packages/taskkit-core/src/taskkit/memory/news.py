"""How claimers sleep until something may be claimable, and miss nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from taskkit.clock import monotonic


class News:
    """A count of the moments at which something became claimable.

    Between a claim that found nothing and the ``wait`` after it, a put may slip in. So each thread
    remembers, for each group, the count with which its last wait for it ended: it has claimed
    since then, and whatever is newer it may not have seen. At worst it claims once in vain.
    """

    __slots__ = ("_everyone", "_seen", "_sleepers", "changed", "count")

    def __init__(self, lock: threading.Lock) -> None:
        self.changed = threading.Condition(lock)
        self.count = 0
        self._everyone = 0
        self._sleepers = 0
        self._seen = threading.local()

    def add(self) -> int:
        """Count one, wake the sleepers, and return the count."""
        self.count += 1
        if self._sleepers:
            self.changed.notify_all()
        return self.count

    def shout(self) -> None:
        """Wake everyone, whatever they wait for. Takes the lock."""
        with self.changed:
            self.for_everyone()

    def for_everyone(self) -> None:
        """Count one that concerns everyone; the lock is held."""
        self._everyone = self.add()

    def wait(self, groups: Collection[str], timeout: float, news_of: Callable[[str], int]) -> bool:
        """Sleep until there is news of one of the groups, at most ``timeout`` seconds."""
        deadline = monotonic() + timeout
        seen: dict[str, int] = self._seen.__dict__
        with self.changed:
            self._sleepers += 1
            try:
                while not self._fresh(groups, seen, news_of):
                    remaining = deadline - monotonic()
                    if remaining <= 0:
                        return False
                    self.changed.wait(remaining)
                return True
            finally:
                self._sleepers -= 1
                seen.update(dict.fromkeys(groups, self.count))

    def _fresh(
        self, groups: Collection[str], seen: dict[str, int], news_of: Callable[[str], int]
    ) -> bool:
        for group in groups:
            known = seen.get(group, 0)
            if news_of(group) > known or self._everyone > known:
                return True
        return False
