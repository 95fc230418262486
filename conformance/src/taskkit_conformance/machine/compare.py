"""A backend and the model side by side: one call to both, the answers compared.

After every call all records and counts are compared, too. Several worlds may be possible at a time,
where the contract leaves a choice that the answer does not show; what is seen later decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from taskkit.errors import QueueFull
from taskkit.records import Claims, Record
from taskkit.task import State
from taskkit_conformance import model
from taskkit_conformance.case import Case
from taskkit_conformance.machine.blame import answer_blame, record_blame
from taskkit_conformance.model import Hold, Job, Step, World, differences

_CONTROLS: Final = ("pause", "resume", "stop", "configure", "move")


class Pair:
    """A backend and the worlds in which it may be."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.clients = [case.backend]
        # Another client, that writes nothing down: a report shows what was done, not each look.
        self.eyes = case.harness.open(case.namespace, case.clock)
        case.opened.append(self.eyes)
        self.worlds: list[World] = [World(case.clock.now())]
        self.ids: list[str] = []
        """Every id that was ever put."""
        self.claims: list[tuple[Hold, str]] = []
        """All claims ever made, with their workers; spent ones are used again on purpose."""
        self.tokens: dict[Hold, int] = {}

    @property
    def world(self) -> World:
        """One of the worlds: they differ in nothing that matters for what to do next."""
        return self.worlds[0]

    @property
    def backend(self) -> Any:
        """The client that is used now."""
        return self.clients[0]

    # ---- doing

    def call(
        self, name: str, *args: Any, real: Callable[[], Any] | None = None, **options: Any
    ) -> None:
        """Do one thing to both.

        ``real`` does it to the backend, where its arguments differ from the model's.
        """
        before, steps = self.world, self.steps(name, *args, **options)
        try:
            found = getattr(self.backend, name)(*args, **options) if real is None else real()
        except QueueFull as full:
            found = full
        self.case.met()
        told = (*args, *options.values())
        self.narrow(name, told, steps, found)
        if isinstance(found, Claims):
            self.remember(found, args[0], before)
        self.look(name, told)

    def steps(self, name: str, *args: Any, **options: Any) -> list[Step]:
        """Return everything that may happen."""
        operation = getattr(model, name)
        return [step for world in self.worlds for step in operation(world, *args, **options)]

    def narrow(self, name: str, args: Sequence[Any], steps: Sequence[Step], found: Any) -> None:
        """Go on with the steps that allow an answer; there has to be one."""
        allowed = [step for step in steps if step.allows(found)]
        if not allowed:
            number = answer_blame(name, args, self.world, steps[0], found)
            others = f" (or {len(steps) - 1} others)" if len(steps) > 1 else ""
            expected = self.case.words(steps[0].answer)
            sentence = f"{number}: {name} gave a wrong answer; expected {expected}{others}"
            self.case.violated(sentence, found=found)
        self.worlds = _distinct(step.after for step in allowed)

    def move(self, target: int) -> None:
        """Move the clock of both."""
        self.case.clock.set(target)
        self.worlds = _distinct(after for world in self.worlds for after in world.moved(target))
        self.look("move", ())

    # ---- looking

    def look(self, name: str, args: Sequence[Any]) -> None:
        """Compare every record, the counts, and workers or controls."""
        found = self.eyes.get(self.ids) if self.ids else {}
        lives = _distinct(life for world in self.worlds for life in world.lives())
        right = [life for life in lives if not _wrong(life, found)]
        if not right:
            life = min(lives, key=lambda each: len(_wrong(each, found)))
            task_id, fields = _wrong(life, found)[0]
            job = life.jobs.get(task_id)
            number = record_blame(name, args, job, fields)
            self.case.violated(
                f"{number}: after {name}, {self.case.words(task_id)} is not what it has to be in "
                f"{', '.join(fields)}; expected {self.case.words(job)}",
                found=found[task_id],
            )
        self.worlds = right
        self.look_at_tokens(found)
        self.see("count", None)
        self.see("control" if name in _CONTROLS else "workers")

    def see(self, name: str, *args: Any) -> Any:
        """Compare what something reads as, and return it."""
        found = getattr(self.eyes, name)(*args)
        self.narrow(name, args, self.steps(name, *args), found)
        return found

    def inspect(self) -> None:
        """Compare what lies in the store itself, where the harness can look past the backend."""
        if self.case.harness.inspect is None:
            return
        found = {
            task_id: State.QUEUED if state == State.WAITING else State(state)
            for task_id, state in self.case.harness.inspect(self.case.namespace).items()
        }
        # What has expired may lie there as it was until somebody looks for work.
        lives = _distinct(life for world in self.worlds for life in world.lives())
        if any(_states(life) == found for life in [*self.worlds, *lives]):
            return
        expected = _states(self.world)
        different = {
            task_id
            for task_id in {*expected, *found}
            if expected.get(task_id) != found.get(task_id)
        }
        self.case.violated(
            "INT-04: what lies in the store is what the backend tells; expected "
            + self.case.words({task_id: expected.get(task_id) for task_id in different}),
            found={task_id: found.get(task_id) for task_id in different},
        )

    def look_at_tokens(self, found: dict[str, Record | None]) -> None:
        """Compare the tokens of what runs: the model knows only the number of the claim."""
        for task_id, record in found.items():
            job = self.world.jobs.get(task_id)
            if job is None or record is None or not job.running:
                continue
            token = self.tokens[task_id, job.serial]
            if record.token != token:
                sentence = f"INT-02: the token of {self.case.words(task_id)} is {token}"
                self.case.violated(sentence, found=record.token)

    def remember(self, found: Claims, worker_id: str, before: World) -> None:
        """Keep the tokens of new claims; they grow, and the claims tell what they have to."""
        for claim in found.claims:
            task_id = claim.task.id
            job = self.world.jobs[task_id]
            name = f"claim {job.serial} of {self.case.words(task_id)}"
            # 0: in this life of the id it is the first claim.
            last = self.tokens.get((task_id, before.jobs[task_id].serial), -1)
            if claim.token <= last:
                self.case.violated(f"LEA-01: {name} has a token above {last}", found=claim.token)
            seen = (claim.attempt, claim.losses, claim.began)
            right = (job.attempt, job.losses, job.began)
            if seen != right:
                number = "LEA-11" if claim.attempt != job.attempt else "INT-02"
                sentence = f"{number}: attempt, losses and began of {name} are {right}"
                self.case.violated(sentence, found=seen)
            if claim.task != job.task and "due" not in job.unsaid:
                sentence = f"INT-03: {name} carries {self.case.words(job.task)}"
                self.case.violated(sentence, found=claim.task)
            self.tokens[task_id, job.serial] = claim.token
            self.claims.append(((task_id, job.serial), worker_id))

    def same_token(self, hold: Hold) -> int:
        """Return the newest claim that has the token of this one.

        After a delete and another put of an id its tokens may begin anew.
        """
        task_id, token = hold[0], self.tokens[hold]
        return max(n for (name, n), each in self.tokens.items() if (name, each) == (task_id, token))


def _wrong(life: World, found: dict[str, Record | None]) -> list[tuple[str, list[str]]]:
    jobs: dict[str, Job | None] = {task_id: life.jobs.get(task_id) for task_id in found}
    wrong = [(name, differences(jobs[name], record, life.now)) for name, record in found.items()]
    return [(task_id, fields) for task_id, fields in wrong if fields]


def _states(life: World) -> dict[str, State]:
    """Return the states as a store keeps them, which does not tell waiting from queued."""
    return {
        task_id: State.QUEUED if job.unclaimed else job.state for task_id, job in life.jobs.items()
    }


def _distinct(worlds: Iterable[World]) -> list[World]:
    found: list[World] = []
    for world in worlds:
        if world not in found:
            found.append(world)
    return found
