"""Asks the store for as many tasks as there are free slots: all groups in one round trip."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic, seconds
from taskkit.groups import covered, covers, owner
from taskkit.records import Claim, Claims, Outcome, Settlement
from taskkit.worker.pace import OVERDUE, Lead, Pace

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.settings import WorkerSettings
    from taskkit.worker.ledger import Ledger
    from taskkit.worker.listener import Listener
    from taskkit.worker.outage import Patience
    from taskkit.worker.station import Slots

MAX_CLAIM: Final = 256
"""Tasks of one group in one claim; of all groups together twice as many."""

UNHEARD: Final = 0.05
"""Seconds between looks at a group that ran dry while the listener is busy with others."""

HALF_HEARD: Final = 0.5
"""Seconds for which to listen for some groups while others have work, and may run dry too."""

PUSHED: Final = 3
"""How many times longer a worker may sleep where the store pushes: there a look finds nothing."""

SOONEST: Final = 0.005
"""Seconds before a group that ran dry is asked again, however early ``next_due`` is."""

_log = logging.getLogger("taskkit.worker.claimer")


@dataclass(slots=True)
class _Post:
    """What the claimer knows of one group."""

    slots: Slots
    pace: Pace
    dry: bool = False
    """The last claim brought less than was asked for, and nothing has woken us since."""
    due: float = field(default=float("inf"))
    """When it is worth asking again although nothing wakes us, on the monotonic clock."""
    handed: float = 0.0
    """When claims were last handed to the slots."""
    ripens: float = field(default=float("inf"))
    """When the next slot is about to become free, on the monotonic clock."""

    def ahead(self, now: float, lead: float) -> int:
        """Return how many tasks may be claimed beyond the free slots."""
        ahead = self.pace.ahead(*self.slots.work())
        self.ripens = float("inf")
        if not ahead:
            begun = (context.began for context in self.slots.contexts() if context.began)
            ahead, self.ripens = self.pace.ripe(begun, now, lead)
        return ahead


class Claimer:
    """One thread. ``wake`` may be called from anywhere; nothing else is to be.

    Args:
        backend: The store.
        worker_id: Who claims.
        slots: The slots of each group.
        ledger: Holds what is claimed.
        settings: Poll interval, heartbeat.
        patience: For a store that does not answer.
        listener: Waits for the store.
        settle: Takes releases.
        on_dead: Called when a claim's answer says that the worker is not alive.
        on_dry: Called while there is nothing to claim and nothing runs; returns how many seconds
            later to call it again.
    """

    def __init__(
        self,
        backend: Backend,
        worker_id: str,
        slots: Iterable[Slots],
        ledger: Ledger,
        settings: WorkerSettings,
        patience: Patience,
        listener: Listener,
        settle: Callable[[Settlement], object],
        on_dead: Callable[[], object],
        on_dry: Callable[[], float] | None,
    ) -> None:
        self._backend = backend
        self._worker_id = worker_id
        self._posts = {one.group: _Post(one, Pace(one.count)) for one in slots}
        self._lead = Lead()
        self._ledger = ledger
        self._settings = settings
        self._poll = settings.poll * (PUSHED if backend.capabilities().wakeup == "push" else 1)
        self._patience = patience
        self.listener = listener
        self._settle = settle
        self._on_dead = on_dead
        self._on_dry = on_dry
        self.excluding: frozenset[str] | None = None
        """Groups of which nothing is claimed, with their subgroups. None: not known yet, so that a
        worker that starts during a pause claims nothing before its first heartbeat."""
        self._wake = threading.Event()
        self._heard = False
        self._ending = False
        self._handing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="taskkit-claimer", daemon=True)

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    def wake(self) -> None:
        """Look again: a slot has become free, or what is to be served has changed."""
        self._wake.set()

    def heard(self) -> None:
        """Look again: the store has something, or the listener has waited long enough."""
        self._heard = True
        self._wake.set()

    def exclude(self, groups: frozenset[str]) -> None:
        """Claim nothing of these groups and their subgroups, until told otherwise."""
        if groups != self.excluding:
            self.excluding = groups
            self.heard()

    def end(self) -> None:
        """Claim nothing more; what an answer that is under way brings is given back.

        After it, nothing is handed to the slots.
        """
        with self._handing:
            self._ending = True
        self._wake.set()

    def _run(self) -> None:
        while not self._ending:
            self._wake.clear()
            try:
                pause = self._step()
            except Exception as error:  # noqa: BLE001 - logged once per outage by patience
                pause = self._patience.failed(error)
            if pause > 0:
                self._wake.wait(pause)

    def _step(self) -> float:
        """Do what there is to do and return how many seconds nothing else will be."""
        now = monotonic()
        if self._heard:
            self._heard = False
            for post in self._posts.values():
                post.dry = False
        excluding = self.excluding
        if excluding is None:
            return self._poll
        posts = [post for group, post in self._posts.items() if not covered(group, by=excluding)]
        self._give_back_overdue(now)
        wants = self._wants(posts, now)
        if wants:
            return self._claim(wants, excluding)
        self._listen(posts)
        pause = self._next_look(posts, now)
        if self._on_dry is not None and all(post.dry for post in posts):
            # Nothing wakes us when the last settlement is known.
            pause = min(pause, UNHEARD if len(self._ledger) else self._on_dry())
        return pause

    def _wants(self, posts: Sequence[_Post], now: float) -> dict[str, int]:
        wants: dict[str, int] = {}
        left, lead = 2 * MAX_CLAIM, self._lead.seconds
        for post in posts:
            slots = post.slots
            if post.dry and now < post.due:
                slots.low = -1
                continue
            ahead = post.ahead(now, lead)
            # Armed before we look: a slot that becomes free in between wakes us.
            slots.low = ahead // 2
            beyond = slots.outstanding() - slots.count
            room = min(ahead - beyond, MAX_CLAIM, left)
            # Asked for in halves, not one by one. What lies ready is no measure here: free slots
            # are about to take it.
            if room > 0 and beyond <= ahead // 2:
                slots.low = -1
                wants[slots.group] = room
                left -= room
        return wants

    def _claim(self, wants: dict[str, int], excluding: Collection[str]) -> float:
        relevant = [group for group in excluding if any(covers(want, group) for want in wants)]
        mark = self._ledger.mark()
        asked = monotonic()
        answer = self._backend.claim(self._worker_id, wants, relevant)
        now = monotonic()
        self._patience.worked()
        if answer.claims:
            self._lead.answered(now - asked)
        if not answer.alive:
            self._on_dead()
            return self._settings.heartbeat
        may_run = self._ledger.hold(answer.claims, mark)
        with self._handing:
            if may_run and not self._ending and now - asked <= self._settings.heartbeat:
                self._hand(answer, wants, now)
                return 0.0
        # The store may have taken them back already, and another worker may run them.
        self.release(answer.claims)
        return 0.0

    def _hand(self, answer: Claims, wants: dict[str, int], now: float) -> None:
        shares: dict[str, list[Claim]] = {group: [] for group in wants}
        for claim in answer.claims:
            group = claim.task.group
            share = shares.get(group)
            if share is None:
                share = shares[owner(group, wants) or next(iter(wants))]
            share.append(claim)
        due = float("inf")
        if answer.next_due is not None:
            due = now + max(seconds(answer.next_due - answer.now), SOONEST)
        for group, share in shares.items():
            post = self._posts.pop(group)
            # To the end of the line, so that no group is always the one for which nothing is left.
            self._posts[group] = post
            post.dry = len(share) < wants[group]
            post.due = due
            if share:
                post.handed = now
                post.slots.hand(share)

    def _give_back_overdue(self, now: float) -> None:
        """Release what has found no slot for too long: a slow task holds nothing back."""
        for post in self._posts.values():
            if now - post.handed > OVERDUE and post.slots.ready():
                post.pace.stalled()
                self.release(post.slots.take_back())

    def release(self, claims: Iterable[Claim]) -> None:
        """Give claims back unrun; their attempts do not count."""
        for claim in claims:
            self._settle(Settlement(claim.task.id, claim.token, Outcome.RELEASE, due=None))

    def _listen(self, posts: Sequence[_Post]) -> None:
        dry = [post.slots.group for post in posts if post.dry]
        if dry and not self.listener.groups:
            poll = self._poll
            wait = poll if len(dry) == len(posts) else min(poll, HALF_HEARD)
            self.listener.listen(dry, wait, self.heard)

    def _next_look(self, posts: Sequence[_Post], now: float) -> float:
        listening = self.listener.groups
        looks = [self._poll]
        for post in posts:
            if post.dry:
                looks.append(post.due - now)
                if post.slots.group not in listening:
                    looks.append(UNHEARD)
                    post.due = min(post.due, now + UNHEARD)
            else:
                looks.append(post.ripens - now)
        looks += [
            post.handed + OVERDUE - now for post in self._posts.values() if post.slots.ready()
        ]
        return max(min(looks), 0.0)
