"""WAI: who waits is woken, by real threads; the other side acts through a client of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, Generic, TypeVar

from hypothesis import strategies as st

from taskkit.backend import Backend
from taskkit.clock import SECOND, monotonic
from taskkit.records import Outcome, WorkerInfo
from taskkit.task import After
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.patience import Patience
from taskkit_conformance.waking import LEASE, LONG, WAYS, running

T = TypeVar("T")

_PATIENCE: Final = 20.0

SLEPT: Final = f"that it slept on until its {LONG:g} s were over"
"""Told in place of a task by a claimer that was not woken for it."""

_LOOK: Final = 0.05


class Waiter(Generic[T]):
    """A thread that waits for something, and what came of it."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.asks = threading.Event()
        """Set right before it waits for the first time."""
        self.acted: float | None = None
        """When the other side had done what was to wake it."""
        self._call = call
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._answer.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again by `answer`
            self._error = error
        finally:
            self.asks.set()

    def answer(self, case: Case, what: str) -> T:
        """Return what it waited for; never to come back is a violation."""
        limit = Patience(_PATIENCE)
        while self.thread.is_alive():
            if limit.is_over():
                case.violated(f"expected {what}, found it still waiting after {_PATIENCE:.0f} s")
            case.moved()
            self.thread.join(_LOOK)
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def slept_through(self) -> bool:
        """Return whether a wait that ended by itself had long been over with."""
        return self.acted is not None and monotonic() - self.acted > LONG / 2


@contextmanager
def _waiting(case: Case, call: Callable[[Waiter[T]], T], *, late: bool) -> Iterator[Waiter[T]]:
    """Let a thread wait; ``late``: go on only when it is about to."""
    waiter: Waiter[T] = Waiter(lambda: call(waiter))
    waiter.thread.start()
    if late:
        waiter.asks.wait(LONG)
    yield waiter
    waiter.acted = monotonic()
    case.met()


def _claimer(client: Backend, group: str) -> Callable[[Waiter[Any]], str]:
    """Return what claims as workers do, and tells whether it was woken or woke by itself."""
    client.register(WorkerInfo("claimer", {group: 8}), LEASE)

    def claim(waiter: Waiter[Any]) -> str:
        slept = False
        limit = Patience(_PATIENCE)
        while not limit.is_over():
            claims = client.claim("claimer", {group: 1}).claims
            if claims:
                return SLEPT if slept else claims[0].task.id
            waiter.asks.set()
            slept = not client.wait([group], LONG) and waiter.slept_through()
        return "nothing at all"

    return claim


@proves("WAI-01", "WAI-02", lane="race", examples=2.0)
def what_becomes_claimable_wakes(case: Case) -> None:
    """A claimer finds nothing and waits; somebody else makes a task claimable, early or late."""
    other = case.open() if case.draw(st.booleans()) else case.backend
    way = case.draw(st.sampled_from(sorted(WAYS)))
    task_id, act = WAYS[way](case, other)
    claim = _claimer(case.backend, "g")
    with _waiting(case, claim, late=case.draw(st.booleans())) as waiter:
        act()
    found = waiter.answer(case, f"a claimer to be woken by {way}")
    _is_woken_for(case, [found], [task_id], way)


@proves("WAI-02", lane="race")
def no_put_is_missed(case: Case) -> None:
    """Puts follow each other while a claimer claims and waits: it needs no time for any of them."""
    tasks = [case.task() for _ in range(case.draw(st.integers(2, 8)))]
    other = case.open() if case.draw(st.booleans()) else case.backend
    claim = _claimer(case.backend, "g")
    with _waiting(case, lambda waiter: [claim(waiter) for _ in tasks], late=False) as waiter:
        for task in tasks:
            other.put([task])
    found = waiter.answer(case, f"{len(tasks)} tasks")
    _is_woken_for(case, found, [task.id for task in tasks], "a put")


def _is_woken_for(case: Case, found: list[str], expected: list[str], way: str) -> None:
    """Require that a claimer was woken for these tasks."""
    told = " and ".join(map(case.words, expected)).replace("'", "")
    for one in found:
        case.require(
            one in expected,
            f"expected a claimer that waits to be woken for {told} by {way}, found {one}",
        )
    case.require(sorted(found) == sorted(expected), f"expected {told} to be claimed once each")


@proves("WAI-03", lane="race", examples=0.5)
def closing_ends_all_waits(case: Case) -> None:
    """Several threads wait in a client, for work and for a task."""
    client = case.open()
    task = case.task()
    case.backend.put([task])
    kinds = case.draw(st.lists(st.sampled_from(["wait", "wait_done"]), min_size=1, max_size=3))

    def wait(kind: str) -> None:
        with suppress(Exception):  # a closed client may refuse
            if kind == "wait":
                client.wait(["nobody"], 600)
            else:
                client.wait_done(task.id, 600)

    threads = [threading.Thread(target=wait, args=(kind,), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    limit = Patience(_PATIENCE)
    while any(thread.is_alive() for thread in threads):
        # Again and again: a thread may not have begun to wait when the first close came.
        client.close()
        left = sum(thread.is_alive() for thread in threads)
        case.require(not limit.is_over(), "expected all waits to end", found=f"{left} that go on")
        case.moved()
        threads[0].join(_LOOK)
        threads = [thread for thread in threads if thread.is_alive()]
    case.met()


_ENDS: Final = ("succeed", "fail", "discard", "cancel", "delete")


@proves("WAI-04", lane="race")
def waiting_for_a_task_ends_with_it(case: Case) -> None:
    """However it ends; for those who begin to wait before and after."""
    how = case.draw(st.sampled_from(_ENDS))
    act: Callable[[], object]
    other = case.open() if case.draw(st.booleans()) else case.backend
    if how in ("cancel", "delete"):
        task = case.task()
        case.backend.put([task])
        task_id, act = task.id, partial(getattr(other, how), [task.id])
    else:
        task_id, end = running(case)
        act = partial(end, Outcome(how))

    def wait(waiter: Waiter[bool]) -> bool:
        waiter.asks.set()
        limit = Patience(_PATIENCE)
        while not limit.is_over():
            if case.backend.wait_done(task_id, LONG):
                return True
            if waiter.slept_through():
                break
        return False

    with _waiting(case, wait, late=case.draw(st.booleans())) as waiter:
        act()
    found = waiter.answer(case, "a wait to end with its task")
    case.equal(found, True, f"what a wait for a task tells at its end ({how})")
    case.equal(case.backend.wait_done(task_id, LONG), True, "a wait for what is over")
    unknown = case.task().id
    case.equal(case.backend.wait_done(unknown, LONG), True, "a wait for a task that is not known")


@proves("WAI-05", lane="race", examples=0.5)
def waiting_ends_by_itself(case: Case) -> None:
    """At once without time, and soon with little of it."""
    client = case.backend
    task = case.task(due=After(3600 * SECOND))
    client.put([task])
    short = case.draw(st.sampled_from([0, 0.0, 0.001, 0.01]))

    def wait(_: Waiter[bool]) -> bool:
        client.wait(["nobody"], short)  # to be woken without need is no fault
        return client.wait_done(task.id, short)

    with _waiting(case, wait, late=False) as waiter:
        pass
    done = waiter.answer(case, f"waits of {short} s to end")
    case.equal(done, False, f"what a wait of {short} s for a waiting task tells")
