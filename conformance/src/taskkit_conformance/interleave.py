"""Deterministic interleaving: several actors, of which one at a time goes on.

Each actor is a thread that holds the baton or waits for it. At its yield points (the lines of the
backend, the edges of its locks, the round trips to the store) the schedule says whether it goes on
or hands the baton to another. A schedule is data, so that a failure shrinks to the fewest
operations and the fewest switches. An actor that waits for a lock of the backend lets others go
on (see ``cooperative``); one that is stuck in the store, out of sight, is passed over in the end.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn

from taskkit_conformance.case import Violated
from taskkit_conformance.patience import Patience, hand_in
from taskkit_conformance.schedule import Schedule

_POLL_SECONDS: Final = 0.005
_POLLS: Final = 4
"""An actor that has not moved for so many looks is taken as blocked in the store: 20 ms."""
_PATIENCE_SECONDS: Final = 20.0
_FAIR_POINTS: Final = 20_000
"""An actor that spins for so long without end waits for somebody: another one has its turn."""


class Abandoned(BaseException):
    """Ends an actor whose run is given up; no ``except Exception`` of a backend can stop it."""


class Stalled(Violated):
    """The actors wait for each other, or for something that does not come."""


@dataclass(slots=True, eq=False)
class Actor:
    """One thread of a run."""

    name: str
    body: Callable[[], None]
    run: Interleaving
    baton: threading.Lock = field(default_factory=threading.Lock)
    state: Literal["ready", "waiting", "stuck", "over"] = "ready"
    waits_for: object | None = None
    """The lock that it waits for."""
    locks: int = 0
    """How many locks of the backend it holds."""
    begins: bool = False
    """Whether it has taken no lock since its operation began."""
    left: bool = False
    """Whether it has been told that the run is given up; from then on it only cleans up."""
    thread: threading.Thread | None = None
    error: BaseException | None = None


Lines = Callable[[Callable[[], None]], AbstractContextManager[None]]

_here = threading.local()


def here() -> Actor | None:
    """Return the actor that this thread is."""
    found: Actor | None = getattr(_here, "actor", None)
    return found


class Interleaving:
    """One run. ``patience`` is how many seconds it may take before it counts as stalled."""

    def __init__(self, schedule: Schedule, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._switches: Iterator[tuple[int, int]] = iter(schedule.switches)
        self._grain = schedule.grain
        self._first = schedule.first
        self._patience = patience
        self._actors: list[Actor] = []
        self._current: Actor | None = None
        self._mutex = threading.Lock()
        """Guards who is current and in which state; never held while waiting."""
        self._over = threading.Event()
        self._abandoned = ""
        self._moves = 0
        self._since_switch = 0
        self._gap, self._step = 0, 0
        self._next_switch()

    # ---- the driver's side

    def go(
        self,
        bodies: Mapping[str, Callable[[], None]],
        lines: Lines | None = None,
    ) -> None:
        """Run the actors until all have ended.

        Args:
            bodies: What each actor does.
            lines: Makes a context, entered on each actor's thread, that calls what it is given
                before each line; not used where only edges count.

        Raises:
            Stalled: they did not end; with the stacks of all.
        """
        self._actors = [Actor(name, body, self) for name, body in bodies.items()]
        for actor in self._actors:
            actor.baton.acquire()
            actor.thread = threading.Thread(
                target=self._live, args=(actor, lines), name=actor.name, daemon=True
            )
        self._hand(self._actors[self._first % len(self._actors)])
        for actor in self._actors:
            assert actor.thread is not None
            actor.thread.start()
        self._watch()
        for actor in self._actors:
            assert actor.thread is not None
            actor.thread.join(1.0)
        self._judge()

    def _judge(self) -> None:
        if self._abandoned:
            raise Stalled(self._abandoned)
        for actor in self._actors:
            if actor.error is not None:
                raise actor.error

    def _watch(self) -> None:
        """Pass over who is stuck in the store; give up in the end."""
        limit = Patience(self._patience)
        seen, looks = -1, 0
        while not self._over.wait(_POLL_SECONDS):
            if limit.is_over():
                self._abandon(f"the actors did not end within {self._patience:g} s")
                return
            looks = looks + 1 if seen == self._moves else 0
            seen = self._moves
            if looks >= _POLLS:
                looks = 0
                self._pass_over()

    def _pass_over(self) -> None:
        with self._mutex:
            current = self._current
            if current is not None:
                current.state = "stuck"
                self._current = None
            for actor in self._actors:
                # Perhaps somebody who is no actor has released the lock: look again.
                if actor.state == "waiting":
                    actor.state = "ready"
            self._hand_to_next(current or self._actors[0])

    def _abandon(self, why: str) -> None:
        stacks = "\n".join(self._stacks())
        with self._mutex:
            if self._abandoned:
                return
            self._abandoned = f"{why}\n{stacks}"
            for actor in self._actors:
                if actor.baton.locked():
                    actor.baton.release()
        self._over.set()

    def _stacks(self) -> Iterator[str]:
        frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
        for actor in self._actors:
            frame = None if actor.thread is None else frames.get(actor.thread.ident or 0)
            yield f"{actor.name} ({actor.state}):"
            if frame is not None:
                yield "".join(traceback.format_stack(frame)[-8:]).rstrip()

    # ---- the actors' side

    def _live(self, actor: Actor, lines: Lines | None) -> None:
        _here.actor = actor
        try:
            self._wait_for_baton(actor)
            traced = lines is not None and self._grain in ("lines", "all")
            with lines(self.line) if lines is not None and traced else nullcontext():
                actor.body()
        except Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by `go`
            actor.error = error
        finally:
            _here.actor = None
            hand_in()
            self._end(actor)

    def edge(self, *, lock: bool = False) -> None:
        """Let another actor go on here, if the schedule says so: a point of every grain."""
        actor = here()
        if actor is None or actor.left:
            return
        first, actor.begins = actor.begins and lock, not lock
        if first and self._grain == "gaps":
            return
        self._pass(actor)

    def line(self) -> None:
        """Let another actor go on before a line of the backend, if lines count here."""
        actor = here()
        if actor is None or actor.left or (actor.locks and self._grain != "all"):
            return
        self._pass(actor)

    def _pass(self, actor: Actor) -> None:
        self._check(actor)
        self._moves += 1
        self._since_switch += 1
        if self._gap > 0 and self._since_switch < _FAIR_POINTS:
            self._gap -= 1
            return
        step = self._step if self._since_switch < _FAIR_POINTS else 1
        self._next_switch()
        if step:
            self._switch(actor, step)

    def rest(self, lock: object | None = None) -> bool:
        """Let others go on until it makes sense to look again.

        The actor waits for a lock, or (without one) sleeps. False: nobody else can go on.
        """
        actor = here()
        assert actor is not None
        self._check(actor)
        with self._mutex:
            self._moves += 1
            if lock is not None:
                actor.state, actor.waits_for = "waiting", lock
            deadlock = self._is_deadlock()
            target = self._after(actor, 1)
            if target is not None:
                self._hand(target)
            elif lock is not None:
                self._current = None
        if deadlock:
            self._abandon("the actors wait for each other's locks")
        if target is None and lock is None:
            return False
        self._wait_for_baton(actor)
        return True

    def released(self, lock: object) -> None:
        """Take note that a lock is free."""
        with self._mutex:
            for actor in self._actors:
                if actor.state == "waiting" and actor.waits_for is lock:
                    actor.state, actor.waits_for = "ready", None

    def _check(self, actor: Actor) -> None:
        """Leave if the run is given up; queue up again after having been stuck in the store."""
        if self._abandoned:
            self._leave(actor)
        if self._current is actor:
            return
        with self._mutex:
            actor.state = "ready"
            if self._current is None:
                self._current = actor
                return
        self._wait_for_baton(actor)

    def _leave(self, actor: Actor) -> NoReturn:
        actor.left = True
        raise Abandoned

    def _switch(self, actor: Actor, step: int) -> None:
        with self._mutex:
            target = self._after(actor, step)
            if target is None:
                return
            self._hand(target)
        self._wait_for_baton(actor)

    def _end(self, actor: Actor) -> None:
        with self._mutex:
            actor.state = "over"
            self._moves += 1
            if all(other.state == "over" for other in self._actors):
                self._over.set()
            elif self._current is actor or self._current is None:
                self._current = None
                self._hand_to_next(actor)

    # ---- the baton; the mutex is held

    def _after(self, actor: Actor, step: int) -> Actor | None:
        """Return the so-manieth next actor that can go on, other than this one."""
        place = self._actors.index(actor)
        ring = self._actors[place + 1 :] + self._actors[:place]
        ready = [other for other in ring if other.state == "ready"]
        return ready[(step - 1) % len(ready)] if ready else None

    def _hand(self, target: Actor) -> None:
        self._current = target
        self._since_switch = 0
        if target.baton.locked():
            target.baton.release()

    def _hand_to_next(self, actor: Actor) -> None:
        target = self._after(actor, 1)
        if target is None and actor.state == "ready":
            target = actor
        if target is not None:
            self._hand(target)

    def _next_switch(self) -> None:
        self._gap, self._step = next(self._switches, (sys.maxsize, 0))

    def _is_deadlock(self) -> bool:
        alive = [actor for actor in self._actors if actor.state != "over"]
        return all(
            actor.state == "waiting" and isinstance(getattr(actor.waits_for, "owner", None), Actor)
            for actor in alive
        )

    def _wait_for_baton(self, actor: Actor) -> None:
        actor.baton.acquire()
        if self._abandoned:
            self._leave(actor)
