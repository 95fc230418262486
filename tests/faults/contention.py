"""A process that puts tasks in one thread and claims and settles them in another.

    python contention.py URL SECONDS plain|keys SEED PROCESSES

It begins when so many processes are there. After some seconds it stops putting, goes on until
nothing is left, and prints as JSON what it has done, which errors reached it, and how often a
transaction was begun anew inside.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable

from taskkit import connect
from taskkit.backend import Backend
from taskkit.ids import new_id
from taskkit.records import Claim, Outcome, Settlement, WorkerInfo
from taskkit.task import After, Failure, NewTask, State

GROUPS = ("a", "a.b", "c")
LEASE = 600_000_000
OPEN = {State.WAITING, State.QUEUED, State.RUNNING}

OUTCOMES = [Outcome.SUCCEED] * 12 + [Outcome.FAIL, Outcome.RETRY, Outcome.RELEASE, Outcome.DISCARD]


class Contender:
    """What one process does, and what came of it."""

    def __init__(self, backend: Backend, seconds: float, keys: bool, seed: str) -> None:
        self.backend = backend
        self.worker = WorkerInfo(f"worker {seed}", {"a": 32, "c": 32})
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self._seconds, self._until = seconds, 0.0
        self._seed, self._keys = seed, keys

    def run(self, processes: int) -> None:
        """Do all of it."""
        self.backend.register(self.worker, LEASE)
        while len(self.backend.workers()) < processes:
            time.sleep(0.02)
        self._until = time.monotonic() + self._seconds
        threads = [threading.Thread(target=self._guarded, args=(part,)) for part in self._parts()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _parts(self) -> list[Callable[[], None]]:
        parts = [self.produce, self.consume]
        return [*parts, self.meddle] if self._keys else parts

    def _guarded(self, part: Callable[[], None]) -> None:
        try:
            part()
        except Exception:
            self.errors.append(traceback.format_exc())

    def produce(self) -> None:
        """Put batches of tasks."""
        choice = random.Random(f"{self._seed} put")
        while time.monotonic() < self._until:
            tasks = [self._task(choice) for _ in range(choice.randint(1, 20))]
            answers = self.backend.put(tasks)
            self.done["put"] += sum(answer.status == "put" for answer in answers)

    def _task(self, choice: random.Random) -> NewTask:
        group = choice.choice(GROUPS)
        keys: dict[str, str] = {}
        if self._keys and choice.random() < 0.3:
            keys["unique_key"] = f"key {choice.randrange(20)}"
        if self._keys and choice.random() < 0.3:
            keys["lock_key"] = f"key {choice.randrange(10)}"
        return NewTask(
            id=new_id(group),
            group=group,
            name="n",
            data=b"{}",
            due=After(choice.choice((0, 0, 0, 100_000))),
            priority=choice.choice((0, 0, 0, 5, -5)),
            **keys,
        )

    def consume(self) -> None:
        """Claim and settle until all is done."""
        choice = random.Random(f"{self._seed} claim")
        worker, beat = self.worker, time.monotonic()
        while True:
            claims = self.backend.claim(worker.id, {"a": choice.randint(1, 32), "c": 8}).claims
            if claims:
                self._settle(worker.id, claims, choice)
            elif time.monotonic() > self._until and not self._is_open():
                return
            else:
                self.backend.wait(["a", "c"], 0.05)
            if time.monotonic() > beat:
                beat = time.monotonic() + 0.5
                assert self.backend.heartbeat(worker.id, LEASE, (), {}).alive

    def _settle(self, worker: str, claims: list[Claim], choice: random.Random) -> None:
        settlements = [self._settlement(claim, choice) for claim in claims]
        stood = self.backend.settle(worker, settlements)
        for settlement, stands in zip(settlements, stood, strict=True):
            self.done[settlement.outcome if stands else "void"] += 1

    def _settlement(self, claim: Claim, choice: random.Random) -> Settlement:
        outcome = choice.choice(OUTCOMES)
        failure = Failure("Error", "drawn") if outcome in (Outcome.FAIL, Outcome.RETRY) else None
        return Settlement(claim.task.id, claim.token, outcome, b"1", failure, due=After(0))

    def _is_open(self) -> bool:
        return any(count.state in OPEN for count in self.backend.count())

    def meddle(self) -> None:
        """Do the rarer things that workers and people do."""
        choice = random.Random(f"{self._seed} meddle")
        while time.monotonic() < self._until:
            time.sleep(choice.uniform(0, 0.05))
            self.backend.reclaim()
            self.backend.purge(100)
            states = {State.WAITING, State.QUEUED, State.FAILED, State.CANCELLED}
            ids = self._some(choice.choice(GROUPS), states)
            change = choice.randrange(3)
            if change == 0:
                self.backend.cancel(ids)
            elif change == 1:
                self.backend.requeue(ids, After(0))
            else:
                self.backend.reschedule(ids, After(choice.choice((0, 50_000))))

    def _some(self, group: str, states: set[State]) -> list[str]:
        from taskkit.records import Query

        page = self.backend.find(Query(group=group, states=states), 10)
        return [record.task.id for record in page.records]


class Counting(logging.Handler):
    """Counts the transactions that were begun anew."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.reasons: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count by the beginning of what the driver said."""
        self.reasons[record.getMessage()[:120]] += 1


def main(url: str, seconds: str, mix: str, seed: str, processes: str) -> None:
    """Run, and print what came of it."""
    counting, log = Counting(), logging.getLogger("taskkit.sql")
    log.addHandler(counting)
    log.setLevel(logging.DEBUG)
    backend = connect("sql", url=url)
    contender = Contender(backend, float(seconds), mix == "keys", seed)
    contender.run(int(processes))
    backend.close()
    told = {"done": contender.done, "errors": contender.errors, "anew": counting.reasons}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
