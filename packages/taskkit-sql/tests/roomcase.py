"""Somebody who waits for news."""

from __future__ import annotations

import threading


class Room:
    """Who waits, as a source sees it; notes what it is told."""

    def __init__(self, claimers=True, awaited=()):
        self.claimers = claimers
        self.awaited = list(awaited)
        self.wanted = True
        self.told = []
        self._changed = threading.Condition()

    def is_wanted(self):
        return self.wanted

    def is_closing(self):
        return not self.wanted

    def has_claimers(self):
        return self.claimers

    def has_awaited(self):
        return bool(self.awaited)

    def listening(self):
        self._note("listening")

    def claimable(self):
        self._note("claimable")

    def finished(self, over=None):
        for task_id in sorted(over(self.awaited)):
            self._note(f"over {task_id}")

    def _note(self, news):
        with self._changed:
            self.told.append(news)
            self._changed.notify_all()

    def wait_for(self, news, times=1, timeout=30):
        with self._changed:
            return self._changed.wait_for(lambda: self.told.count(news) >= times, timeout)
