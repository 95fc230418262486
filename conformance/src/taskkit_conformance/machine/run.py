"""Doing a program: each operation in terms of what the model knows by now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome, Query, Settlement, WorkerInfo
from taskkit.task import Failure, NewTask, State
from taskkit_conformance.case import Case
from taskkit_conformance.machine.compare import Pair
from taskkit_conformance.machine.programs import WORKERS, Do

FAR: Final = 2000 * SECOND
"""No move is longer, so that nothing is forgotten that a store may forget after an hour."""


def run(case: Case, program: Sequence[Do]) -> None:
    """Do a program; raises ``Violated`` at the first step that the model does not allow."""
    machine = Run(case)
    for worker_id in WORKERS[:2]:
        machine.register(worker_id, 10)
    for step in program:
        getattr(machine, step.name)(*step.args)
    machine.pair.inspect()


class Run:
    """The operations of programs, by name."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.pair = Pair(case)

    @property
    def now(self) -> int:
        """What the clock shows."""
        return self.case.clock.now()

    # ---- choosing, from what the model knows

    def pick(self, numbers: Iterable[int]) -> list[str]:
        """Return ids by number, mostly known ones."""
        return [
            self.pair.ids[number % len(self.pair.ids)]
            if self.pair.ids and number < 30
            else self.unknown(number)
            for number in numbers
        ]

    def unknown(self, number: int) -> str:
        return f"a_{number:032x}"

    def task(self, fields: dict[str, Any]) -> NewTask:
        given = {**fields, **self.without_history()}
        delay, expires = given.pop("delay"), given.pop("expires", None)
        if expires is not None:
            given["expires"] = self.now + expires * SECOND
        task = self.case.task(due=self.now + delay * SECOND, **given)
        self.pair.ids.append(task.id)
        return task

    def without_history(self) -> dict[str, int]:
        """Return what a task has to ask for in a store that keeps no history."""
        return {} if self.case.capabilities.history else {"max_history": 0}

    def known(self, number: int) -> list[NewTask]:
        """Return a task with a known id and other contents."""
        if not self.pair.ids:
            return []
        task_id = self.pair.ids[number % len(self.pair.ids)]
        group = task_id[:-33]
        other: dict[str, Any] = {"name": "other", "data": b"other", **self.without_history()}
        return [NewTask(id=task_id, group=group, due=self.now, **other)]

    def instants(self) -> list[int]:
        """Return the instants at which something changes by itself."""
        world = self.pair.world
        found = {worker.expires for worker in world.workers.values()}
        found |= {end for end in world.pauses.values() if end is not None}
        for job in world.jobs.values():
            task = job.task
            found |= {task.due} if job.unclaimed else set()
            found |= {task.expires} if job.unclaimed and task.expires is not None else set()
            if job.done is not None:
                found.add(job.done + round(task.ttl * SECOND))
        for group, past in world.starts.items():
            rate = world.limits.get(group, Limits()).rate
            found |= {at + round(rate.period * SECOND) for at in past} if rate else set()
        return sorted(at for at in found if self.now < at <= self.now + FAR)

    # ---- the operations of programs

    def nothing(self) -> None:
        """What programs shrink towards."""

    def other_client(self) -> None:
        """Go on with another client of the same store; the third time with the first again."""
        if len(self.pair.clients) < 3:
            self.pair.clients.append(self.case.open())
        self.pair.clients.append(self.pair.clients.pop(0))

    def move(self, how: str, number: int) -> None:
        """Move the clock: to where something happens, one step beside it, far, or back."""
        step = self.case.capabilities.time_resolution
        instants = self.instants()
        if how == "back":
            target = self.now - (number % 7) * SECOND
            if any(at > target for past in self.pair.world.starts.values() for at in past):
                return  # what a rate makes of it has a check of its own
        elif how == "far" or not instants:
            target = self.now + number * 7 * SECOND
        else:
            target = instants[number % len(instants)]
            target += 0 if how == "on" else (-step, 0, step)[number % 3]
        if target == self.now:
            return
        self.pair.move(target)

    def put(self, tasks: Sequence[dict[str, Any]], known: Sequence[int]) -> None:
        new = [self.task(fields) for fields in tasks]
        again = [task for number in known for task in self.known(number)]
        self.pair.call("put", [*new, *again])

    def claim(self, worker_id: str, wants: dict[str, int], excluding: Sequence[str]) -> None:
        self.pair.call("claim", worker_id, wants, excluding)

    def settle(self, chosen: Sequence[tuple[int, Outcome, int]]) -> None:
        if not self.pair.claims:
            return
        meant: list[Settlement] = []
        real: list[Settlement] = []
        worker_id = ""
        for number, outcome, delay in chosen:
            # The newest first: most of them are live.
            (task_id, serial), worker_id = self.pair.claims[-1 - number % len(self.pair.claims)]
            serial = self.pair.same_token((task_id, serial))
            failing = outcome in (Outcome.FAIL, Outcome.RETRY, Outcome.CANCEL)
            failure = Failure("E", f"claim {serial}") if failing else None
            due = None if delay == 20 else self.now + delay * SECOND
            rest = (outcome, b"r" * (number % 3), failure, due)
            meant.append(Settlement(task_id, serial, *rest))
            real.append(Settlement(task_id, self.pair.tokens[task_id, serial], *rest))
        self.pair.call("settle", meant, real=lambda: self.pair.backend.settle(worker_id, real))

    def register(self, worker_id: str, lease: int) -> None:
        info = WorkerInfo(worker_id, {"a": 8}, "host", 1, "1")
        self.pair.call("register", info, lease * SECOND)

    def heartbeat(
        self, worker_id: str, lease: int, lost: Sequence[int], told: Sequence[int]
    ) -> None:
        mine = [hold for hold, name in self.pair.claims if name == worker_id]
        # Some claims are forgotten, as if their reply had been lost, and spent ones are still held.
        held = [hold for place, hold in enumerate(mine) if place not in lost]
        progress = {task_id: f"{n}".encode() for n, task_id in enumerate(self.pick(told))}
        real = [(hold[0], self.pair.tokens[hold]) for hold in held]
        held = [(hold[0], self.pair.same_token(hold)) for hold in held]
        self.pair.call(
            "heartbeat",
            worker_id,
            lease * SECOND,
            held,
            progress,
            real=lambda: self.pair.backend.heartbeat(worker_id, lease * SECOND, real, progress),
        )

    def retire(self, worker_id: str, lost: bool) -> None:
        self.pair.call("retire", worker_id, lost)

    def reclaim(self, limit: int) -> None:
        self.pair.call("reclaim", limit)

    def cancel(self, numbers: Sequence[int]) -> None:
        self.pair.call("cancel", self.pick(numbers))

    def requeue(self, numbers: Sequence[int], delay: int) -> None:
        self.pair.call("requeue", self.pick(numbers), self.now + delay * SECOND)

    def reschedule(self, numbers: Sequence[int], delay: int) -> None:
        self.pair.call("reschedule", self.pick(numbers), self.now + delay * SECOND)

    def delete(self, numbers: Sequence[int]) -> None:
        self.pair.call("delete", self.pick(numbers))

    def purge(self, limit: int, which: tuple[tuple[State, ...] | None, int | None]) -> None:
        states, back = which
        older_than = None if back is None else self.now - back * SECOND
        self.pair.call("purge", limit, states=states, older_than=older_than)

    def record(self, fields: dict[str, Any], outcome: Outcome, number: int) -> None:
        task = self.known(number)[0] if number > 25 and self.pair.ids else self.task(fields)
        failure = Failure("E", "eager") if outcome is Outcome.FAIL else None
        self.pair.call("record", task, Settlement(task.id, 0, outcome, b"eager", failure), self.now)

    def pause(self, groups: Sequence[str] | None, seconds: int | None) -> None:
        self.pair.call("pause", groups, None if seconds is None else self.now + seconds * SECOND)

    def resume(self, groups: Sequence[str] | None) -> None:
        self.pair.call("resume", groups)

    def stop(self, groups: Sequence[str] | None) -> None:
        self.pair.call("stop", groups)

    def configure(self, group: str, limits: Limits) -> None:
        self.pair.call("configure", group, limits)

    def advance(self, name: str, off: int, state: bytes, tasks: Sequence[dict[str, Any]]) -> None:
        version = self.pair.world.schedules.get(name, (0, b""))[0] + off
        new = [self.task(fields) for fields in tasks]
        self.pair.call("advance_schedule", name, version, state, new)
        self.pair.see("load_schedule", name)

    def find(self, asked: dict[str, Any], limit: int) -> None:
        query = Query(**asked)
        after: str | None = None
        for _ in range(3):
            page = self.pair.see("find", query, limit, after)
            if page.next is None or not page.records:
                return
            if page.next != page.records[-1].task.id:
                return  # a page may be marked otherwise; the checks of QRY-02 go through all pages
            after = page.next
