"""Doing a program: each call to the backend and to the model, each answer compared.

After every step all records and counts are compared, too. Several worlds may be possible at a time,
where the contract leaves a choice that the answer does not show; what is seen later decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from taskkit_conformance import model
from taskkit_conformance.case import Case
from taskkit_conformance.machine.blame import answer_blame, record_blame
from taskkit_conformance.machine.programs import GROUPS, WORKERS, Do
from taskkit_conformance.model import Hold, Step, World, differences

from taskkit.clock import SECOND
from taskkit.errors import QueueFull
from taskkit.records import Claims, Limits, Outcome, Query, Settlement, WorkerInfo
from taskkit.task import Failure, NewTask, State

_CONTROLS = ("pause", "resume", "stop", "configure", "move")

FAR = 2000 * SECOND
"""No move is longer, so that nothing is forgotten that a store may forget after an hour."""


def run(case: Case, program: Sequence[Do]) -> None:
    """Do a program; raises ``Violated`` at the first step that the model does not allow."""
    machine = Run(case)
    for worker_id in WORKERS[:2]:
        machine.register(worker_id, 10)
    for step in program:
        getattr(machine, step.name)(*step.args)


class Run:
    """A backend and the worlds in which it may be."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.clients = [case.backend]
        # Another client, that writes nothing down: a report shows what was done, not each look.
        self.eyes = case.harness.open(case.namespace, case.clock)
        case.opened.append(self.eyes)
        self.worlds: list[World] = [World(case.clock.now())]
        self.ids: list[str] = []
        self.claims: list[tuple[Hold, str]] = []
        """All claims ever made, with their workers; spent ones are used again on purpose."""
        self.tokens: dict[Hold, int] = {}

    @property
    def world(self) -> World:
        """Return one of the worlds: they differ in nothing that matters for what to do next."""
        return self.worlds[0]

    @property
    def now(self) -> int:
        return self.case.clock.now()

    # ---- comparing

    def call(self, name: str, *args: Any, real: Callable[..., Any] | None = None) -> Any:
        """Do one thing to both and return what the backend answered.

        ``real`` is what is done to the backend, where its arguments differ from the model's.
        """
        operation = getattr(model, name)
        steps = [step for world in self.worlds for step in operation(world, *args)]
        try:
            found = real() if real is not None else getattr(self.backend, name)(*args)
        except QueueFull as full:
            found = full
        allowed = [step for step in steps if step.allows(found)]
        self.case.met()
        if not allowed:
            self.blame(name, args, steps, found)
        self.worlds = distinct(step.after for step in allowed)
        if isinstance(found, Claims):
            self.remember(found, args[0])
        self.look(name, args)
        return found

    def blame(self, name: str, args: Sequence[Any], steps: Sequence[Step], found: Any) -> None:
        number = answer_blame(name, args, self.world, steps[0], found)
        others = f" (or {len(steps) - 1} others)" if len(steps) > 1 else ""
        expected = self.case.words(steps[0].answer)
        self.case.violated(
            f"{number}: {name} answered something that cannot be; expected {expected}{others}",
            found=found,
        )

    @property
    def backend(self) -> Any:
        return self.clients[0]

    def look(self, name: str, args: Sequence[Any]) -> None:
        """Compare every record and the counts."""
        found = self.eyes.get(self.ids) if self.ids else {}
        lives = distinct(life for world in self.worlds for life in world.lives())
        right = [life for life in lives if not self.wrong(life, found)]
        if not right:
            life = min(lives, key=lambda each: len(self.wrong(each, found)))
            task_id, fields = self.wrong(life, found)[0]
            number = record_blame(name, args, self.world, life.jobs.get(task_id), fields)
            self.case.violated(
                f"{number}: after {name}, {self.case.words(task_id)} is not what it has to be in "
                f"{', '.join(fields)}; expected {self.case.words(life.jobs.get(task_id))}",
                found=found[task_id],
            )
        self.worlds = right
        self.see_tokens(found)
        self.see("count", None)
        self.see("control" if name in _CONTROLS else "workers")

    def wrong(self, life: World, found: dict[str, Any]) -> list[tuple[str, list[str]]]:
        return [
            (task_id, fields)
            for task_id, record in found.items()
            if (fields := differences(life.jobs.get(task_id), record, self.now))
        ]

    def see(self, name: str, *args: Any) -> None:
        steps = [step for world in self.worlds for step in getattr(model, name)(world, *args)]
        found = getattr(self.eyes, name)(*args)
        allowed = [step for step in steps if step.allows(found)]
        if not allowed:
            self.blame(name, args, steps, found)
        self.worlds = distinct(step.after for step in allowed)

    def see_tokens(self, found: dict[str, Any]) -> None:
        for task_id, record in found.items():
            job = self.world.jobs.get(task_id)
            if job is None or not job.running:
                continue
            token = self.tokens[task_id, job.serial]
            if record.token != token:
                name = self.case.words(task_id)
                self.case.violated(f"INT-02: the token of {name} is {token}", found=record.token)

    def remember(self, found: Claims, worker_id: str) -> None:
        for claim in found.claims:
            task_id = claim.task.id
            job = self.world.jobs[task_id]
            hold = (task_id, job.serial)
            name = f"claim {job.serial} of {self.case.words(task_id)}"
            earlier = [self.tokens[task_id, n] for n in job.settled if (task_id, n) in self.tokens]
            if claim.token <= max(earlier, default=claim.token - 1):
                sentence = f"LEA-01: the token of {name} is larger than {max(earlier)}"
                self.case.violated(sentence, found=claim.token)
            seen = (claim.attempt, claim.losses, claim.began)
            if seen != (job.attempt, job.losses, job.began):
                number = "LEA-11" if claim.attempt != job.attempt else "INT-02"
                right = (job.attempt, job.losses, job.began)
                self.case.violated(f"{number}: attempt, losses, began of {name}: {right}", found=seen)
            if claim.task != job.task and "due" not in job.unsaid:
                self.case.violated(f"INT-03: {name} carries {job.task}", found=claim.task)
            self.tokens[hold] = claim.token
            self.claims.append((hold, worker_id))

    # ---- choosing, from what the model knows

    def pick(self, numbers: Iterable[int]) -> list[str]:
        """Return ids by number, mostly known ones."""
        return [
            self.ids[number % len(self.ids)] if self.ids and number < 30 else self.unknown(number)
            for number in numbers
        ]

    def unknown(self, number: int) -> str:
        return f"a_{number:032x}"

    def task(self, fields: dict[str, Any]) -> NewTask:
        given = dict(fields)
        delay, expires = given.pop("delay"), given.pop("expires", None)
        if expires is not None:
            given["expires"] = self.now + expires * SECOND
        task = self.case.task(due=self.now + delay * SECOND, **given)
        self.ids.append(task.id)
        return task

    def known(self, number: int) -> list[NewTask]:
        """Return a task with a known id and other contents."""
        if not self.ids:
            return []
        task_id = self.ids[number % len(self.ids)]
        group = task_id[:-33]
        return [NewTask(id=task_id, group=group, name="other", data=b"other", due=self.now)]

    def instants(self) -> list[int]:
        """Return the instants at which something changes by itself."""
        world = self.world
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
        if len(self.clients) < 3:
            self.clients.append(self.case.open())
        self.clients.append(self.clients.pop(0))

    def move(self, how: str, number: int) -> None:
        """Move the clock: to where something happens, one step beside it, far, or back."""
        step = self.case.capabilities.time_resolution
        instants = self.instants()
        if how == "back":
            target = self.now - (number % 7) * SECOND
            if any(at > target for past in self.world.starts.values() for at in past):
                return  # what a rate makes of it has a check of its own
        elif how == "far" or not instants:
            target = self.now + number * 7 * SECOND
        else:
            target = instants[number % len(instants)]
            target += 0 if how == "on" else (-step, 0, step)[number % 3]
        if target == self.now:
            return
        self.case.clock.set(target)
        self.worlds = distinct(after for world in self.worlds for after in world.moved(target))
        self.look("move", (how,))

    def put(self, tasks: Sequence[dict[str, Any]], known: Sequence[int]) -> None:
        new = [self.task(fields) for fields in tasks]
        again = [task for number in known for task in self.known(number)]
        self.call("put", [*new, *again])

    def claim(self, worker_id: str, wants: dict[str, int], excluding: Sequence[str]) -> None:
        self.call("claim", worker_id, wants, excluding)

    def settle(self, chosen: Sequence[tuple[int, Outcome, int]]) -> None:
        if not self.claims:
            return
        meant: list[Settlement] = []
        real: list[Settlement] = []
        for number, outcome, delay in chosen:
            # The newest first: most of them are live.
            (task_id, serial), worker_id = self.claims[-1 - number % len(self.claims)]
            serial = self.same_token(task_id, serial)
            failing = outcome in (Outcome.FAIL, Outcome.RETRY, Outcome.CANCEL)
            failure = Failure("E", f"claim {serial}") if failing else None
            due = None if delay == 20 else self.now + delay * SECOND
            rest = (outcome, b"r" * (number % 3), failure, due)
            meant.append(Settlement(task_id, serial, *rest))
            real.append(Settlement(task_id, self.tokens[task_id, serial], *rest))
        self.call("settle", meant, real=lambda: self.backend.settle(worker_id, real))

    def same_token(self, task_id: str, serial: int) -> int:
        """Return the newest claim with the token of this one: after a delete and another put of the
        id, tokens may begin anew."""
        token = self.tokens[task_id, serial]
        return max(n for (name, n), each in self.tokens.items() if (name, each) == (task_id, token))

    def register(self, worker_id: str, lease: int) -> None:
        info = WorkerInfo(worker_id, {"a": 8}, "host", 1, "1")
        self.call("register", info, lease * SECOND)

    def heartbeat(
        self, worker_id: str, lease: int, lost: Sequence[int], told: Sequence[int]
    ) -> None:
        mine = [hold for hold, name in self.claims if name == worker_id]
        # Some claims are forgotten, as if their reply had been lost, and spent ones are still held.
        held = [hold for place, hold in enumerate(mine) if place not in lost]
        progress = {task_id: f"{n}".encode() for n, task_id in enumerate(self.pick(told))}
        real = [(task_id, self.tokens[task_id, serial]) for task_id, serial in held]
        held = [(task_id, self.same_token(task_id, serial)) for task_id, serial in held]
        self.call(
            "heartbeat",
            worker_id,
            lease * SECOND,
            held,
            progress,
            real=lambda: self.backend.heartbeat(worker_id, lease * SECOND, real, progress),
        )

    def retire(self, worker_id: str, lost: bool) -> None:
        self.call("retire", worker_id, lost)

    def reclaim(self, limit: int) -> None:
        self.call("reclaim", limit)

    def cancel(self, numbers: Sequence[int]) -> None:
        self.call("cancel", self.pick(numbers))

    def requeue(self, numbers: Sequence[int], delay: int) -> None:
        self.call("requeue", self.pick(numbers), self.now + delay * SECOND)

    def reschedule(self, numbers: Sequence[int], delay: int) -> None:
        self.call("reschedule", self.pick(numbers), self.now + delay * SECOND)

    def delete(self, numbers: Sequence[int]) -> None:
        self.call("delete", self.pick(numbers))

    def purge(self, limit: int, which: tuple[tuple[State, ...] | None, int | None]) -> None:
        states, back = which
        older_than = None if back is None else self.now - back * SECOND
        steps = {"states": states, "older_than": older_than}
        self.call_with("purge", (limit,), steps)

    def call_with(self, name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        operation = getattr(model, name)
        steps = [s for world in self.worlds for s in operation(world, *args, **keywords)]
        found = getattr(self.backend, name)(*args, **keywords)
        allowed = [step for step in steps if step.allows(found)]
        if not allowed:
            self.blame(name, (*args, *keywords.values()), steps, found)
        self.worlds = distinct(step.after for step in allowed)
        self.look(name, (*args, *keywords.values()))

    def record(self, fields: dict[str, Any], outcome: Outcome, number: int) -> None:
        task = self.known(number)[0] if number > 25 and self.ids else self.task(fields)
        failure = Failure("E", "eager") if outcome is Outcome.FAIL else None
        self.call("record", task, Settlement(task.id, 0, outcome, b"eager", failure), self.now)

    def pause(self, groups: Sequence[str] | None, seconds: int | None) -> None:
        self.call("pause", groups, None if seconds is None else self.now + seconds * SECOND)

    def resume(self, groups: Sequence[str] | None) -> None:
        self.call("resume", groups)

    def stop(self, groups: Sequence[str] | None) -> None:
        self.call("stop", groups)

    def configure(self, group: str, limits: Limits) -> None:
        self.call("configure", group, limits)

    def advance(self, name: str, off: int, state: bytes, tasks: Sequence[dict[str, Any]]) -> None:
        version = self.world.schedules.get(name, (0, b""))[0] + off
        new = [self.task(fields) for fields in tasks]
        self.call("advance_schedule", name, version, state, new)
        self.see("load_schedule", name)

    def find(self, asked: dict[str, Any], limit: int) -> None:
        query = Query(**asked)
        after: str | None = None
        for _ in range(3):
            self.see("find", query, limit, after)
            page = self.eyes.find(query, limit, after)
            if page.next is None or not page.records:
                return
            if page.next != page.records[-1].task.id:
                return  # a page may be marked otherwise; the checks of QRY-02 go through all pages
            after = page.next


def distinct(worlds: Iterable[World]) -> list[World]:
    """Return the worlds without repetitions."""
    found: list[World] = []
    for world in worlds:
        if world not in found:
            found.append(world)
    return found


__all__ = ["GROUPS", "Run", "run"]
