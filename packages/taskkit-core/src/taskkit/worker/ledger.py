"""The claims that this worker holds: what its heartbeat names, and what may not be started."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import TypeAlias

from taskkit.limits import DEFAULT_MAX_DATA_BYTES, check_data
from taskkit.records import Claim

Key: TypeAlias = tuple[str, int]
"""Task id and token: one claim."""


class Verdict(Enum):
    """What is to be done with a claim that has not been started yet."""

    CANCEL = auto()
    """Somebody asked to cancel it: settle it so."""
    FORGET = auto()
    """It is not ours any more: drop it without a word."""
    RELEASE = auto()
    """Our lease may have run out, so another worker may have it: give it back unrun."""


class Ledger:
    """Thread-safe. A claim is held from the answer that brought it until its settlement is known.

    Attributes:
        lease_end: Until when, on the monotonic clock, the store surely counts this worker alive.
        revoked: Held claims that must not be started; empty almost always, so that a slot pays
            for it with one look.
        progress: The last progress of running attempts that no heartbeat has carried yet. By
            claim, because a task's next attempt must not begin with it.
    """

    __slots__ = (
        "_beats",
        "_claims",
        "_closed",
        "_lock",
        "_max_progress",
        "lease_end",
        "progress",
        "revoked",
    )

    def __init__(self, max_progress: int = DEFAULT_MAX_DATA_BYTES) -> None:
        self._max_progress = max_progress
        self._lock = threading.Lock()
        self._claims: dict[Key, None] = {}
        self._beats = 0
        self._closed = False
        self.lease_end = float("-inf")
        self.revoked: dict[Key, Verdict] = {}
        self.progress: dict[Key, bytes] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def mark(self) -> int:
        """Return a mark to be taken before a claim is asked for; see ``hold``."""
        return self._beats

    def hold(self, claims: Sequence[Claim], mark: int) -> bool:
        """Hold the claims of an answer; return whether they may be run.

        The store takes back what two heartbeats in a row did not name. If two have been begun
        since the claim was asked for, it may have done so before the answer arrived.
        """
        with self._lock:
            self._claims.update(((claim.task.id, claim.token), None) for claim in claims)
            return self._beats - mark < 2

    def forget(self, keys: Iterable[Key]) -> None:
        """Hold these claims no longer: their settlement is known, or they are not ours."""
        with self._lock:
            for key in keys:
                self._claims.pop(key, None)
                self.revoked.pop(key, None)

    def beat(self) -> list[Key]:
        """Count a heartbeat that is about to be sent and return what it is to name."""
        with self._lock:
            self._beats += 1
            if not self.revoked:
                return list(self._claims)
            dropped = {key for key, verdict in self.revoked.items() if verdict is Verdict.FORGET}
            return [key for key in self._claims if key not in dropped]

    def extend(self, until: float) -> None:
        """Take note that the lease surely lasts until then, on the monotonic clock."""
        with self._lock:
            if not self._closed:
                self.lease_end = until

    def close(self) -> None:
        """Let nothing be started any more; what a slot takes from now on is given back."""
        with self._lock:
            self._closed = True
            self.lease_end = float("-inf")

    def revoke(self, keys: Iterable[Key], verdict: Verdict) -> None:
        """Give a verdict on these claims, as far as they are held."""
        with self._lock:
            self.revoked.update((key, verdict) for key in keys if key in self._claims)

    def revoke_all(self) -> None:
        """Let nothing be started that is held now: the worker was told that it is not alive.

        A claim whose answer is still under way is not to be run either.
        """
        with self._lock:
            self._beats += 2
            self.revoked.update(dict.fromkeys(self._claims, Verdict.FORGET))

    def verdict(self, claim: Claim, now: float) -> Verdict | None:
        """Return why a claim must not be started, or None if it may."""
        verdict = self.revoked.get((claim.task.id, claim.token))
        if verdict is None and now >= self.lease_end:
            return Verdict.RELEASE
        return verdict

    def publish(self, key: Key, value: bytes) -> None:
        """Take the progress of a running attempt, for the next heartbeat to carry.

        Refused here, in the task: what the store refuses costs the worker its heartbeat, and with
        its lease every other task.

        Raises:
            InvalidTask: it is larger than what is accepted.
        """
        check_data("progress", value, self._max_progress)
        self.progress[key] = value

    def take_progress(self) -> dict[Key, bytes]:
        """Return the progress to be sent; give it to ``sent`` once the store has it."""
        return self.progress.copy()

    def sent(self, progress: dict[Key, bytes]) -> None:
        """Drop the progress that the store has, unless the task has come further meanwhile."""
        for key, value in progress.items():
            if self.progress.get(key) is value:
                self.progress.pop(key, None)

    def drop_progress(self, keys: Iterable[Key]) -> None:
        """Drop the progress of attempts that are over, before the store is told so."""
        if self.progress:
            for key in keys:
                self.progress.pop(key, None)
