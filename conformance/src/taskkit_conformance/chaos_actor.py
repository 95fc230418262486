"""What the processes of the chaos lane do until they are killed.

``python -m taskkit_conformance.chaos_actor``, told by one environment variable which store to open
and which part to play; every operation is written to standard output when it is called and when it
has ended, so that of a killed process all is known but the fate of its last operation.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn
from zlib import crc32

from taskkit.backend import Backend
from taskkit.clock import monotonic, seconds, sleep
from taskkit.records import Outcome
from taskkit.task import NewTask
from taskkit_conformance.actors import perform
from taskkit_conformance.harness import Namespace, harness_of
from taskkit_conformance.history import Operation, Recorder, nanoseconds, to_json
from taskkit_conformance.steps import (
    Hands,
    Step,
    beat,
    claim,
    put,
    reclaim,
    register,
    settle,
    to_fields,
)

PART: Final = "TASKKIT_CHAOS_PART"
"""The environment variable that holds the part, as JSON."""

READY: Final = "ready"
"""Written when the store is open."""

IDLE: Final = 0.01
"""Seconds for which one who has nothing to do sleeps."""


class Player:
    """A process: its client, what it was told, and what it writes down."""

    def __init__(self, client: Backend, told: Mapping[str, Any]) -> None:
        self.client = client
        self.told = told
        self.name: str = told["name"]
        self.chance = random.Random(told["seed"])  # noqa: S311 - nothing is to be kept secret
        self._recorder = Recorder(tell=self._tell)
        self._last: Operation | None = None

    def do(self, step: Step) -> Operation:
        """Perform one step, and write it down."""
        perform(self.name, self.client, [step], self._recorder, Hands())
        assert self._last is not None
        return self._last

    def insist(self, step: Step) -> Operation:
        """Perform one step again and again until its outcome is known."""
        while (done := self.do(step)).ending == "unknown":
            sleep(IDLE)
        return done

    def _tell(self, operation: Operation) -> None:
        self._last = operation
        say(operation)


def say(operation: Operation) -> None:
    """Write an operation in one go: what was written is there although the process dies."""
    os.write(sys.stdout.fileno(), f"{to_json(operation)}\n".encode())


# ---- working


def work(player: Player) -> NoReturn:
    """Claim, work, heartbeat, settle, as a worker does that nothing can discourage."""
    number = 0
    while True:
        number += 1
        worker = f"{player.name}.{number}"
        player.insist(register(worker, player.told["lease"]))
        _serve(player, worker)


def _serve(player: Player, worker: str) -> None:
    """Work until the store says that this worker is not alive."""
    lease: int = player.told["lease"]
    held: dict[tuple[str, int], Step] = {}
    next_beat = monotonic() + seconds(lease) / 3
    while True:
        if monotonic() >= next_beat:
            answer = player.do(beat(worker, lease, held))
            if answer.ending == "ok":
                if not answer.answer["alive"]:
                    return
                next_beat = monotonic() + seconds(lease) / 3
                for pair in [pair for pair in held if pair[0] in answer.answer["void"]]:
                    del held[pair]
        claimed = player.do(claim(worker, player.chance.randint(1, 4)))
        if is_dead(claimed):
            return
        for task_id, token, attempt in _given(claimed):
            held[task_id, token] = ending(worker, task_id, token, attempt)
        if not held:
            player.do(reclaim())
            sleep(IDLE)
        _settle_some(player, held)


def is_dead(claimed: Operation) -> bool:
    """Return whether a claim or heartbeat was told that its worker is not alive."""
    return claimed.ending == "ok" and not claimed.answer["alive"]


def _given(claimed: Operation) -> list[tuple[str, int, int]]:
    return claimed.answer["claims"] if claimed.ending == "ok" else []


def _settle_some(player: Player, held: dict[tuple[str, int], Step]) -> None:
    for pair, step in list(held.items()):
        sleep(player.chance.choice((0, 0, 0.001, 0.004)))
        # Some are held over heartbeats and further claims.
        if player.chance.random() < 0.8 and player.do(step).ending != "unknown":
            del held[pair]


def ending(worker: str, task_id: str, token: int, attempt: int) -> Step:
    """Return how a claim is to end."""
    kind = fate(task_id)
    if kind is Outcome.RETRY and attempt > 1:
        kind = Outcome.SUCCEED
    return settle(worker, kind, (task_id, token), result=task_id)


def fate(task_id: str) -> Outcome:
    """Return how a task ends; the same whoever runs it, so that it is known beforehand.

    RETRY is only for the first attempt; then it succeeds.
    """
    return FATES[crc32(task_id.encode()) % len(FATES)]


FATES: Final = (
    *(Outcome.SUCCEED,) * 5,
    Outcome.RETRY,
    Outcome.FAIL,
    Outcome.DISCARD,
)

# ---- putting, claiming, scheduling


def put_on(player: Player) -> NoReturn:
    """Put one bulk of tasks after the other."""
    size, number = player.told["size"], 0
    while True:
        number += 1
        player.do(put(*(bulk_task(player.name, number, place) for place in range(size))))


def bulk_task(name: str, number: int, place: int) -> NewTask:
    """Return one task of a bulk; its id tells which."""
    return NewTask(id=f"g_{name}.{number}.{place}", group="g", name="n", data=b"{}")


def claim_on(player: Player) -> NoReturn:
    """Claim and give back, over and over."""
    worker, size = player.name, player.told["size"]
    while True:
        for task_id, token, _ in _first_claim(player, size):
            player.do(settle(worker, Outcome.RELEASE, (task_id, token)))
        while not is_dead(claimed := player.do(claim(worker, size))):
            for task_id, token, _ in _given(claimed):
                player.do(settle(worker, Outcome.RELEASE, (task_id, token)))


def _first_claim(player: Player, most: int) -> list[tuple[str, int, int]]:
    """Register and claim; anew where a busy machine let the lease end in between."""
    worker = player.name
    while True:
        player.insist(register(worker, player.told["lease"]))
        claimed = player.insist(claim(worker, most))
        if claimed.answer["alive"]:
            return _given(claimed)


def hold(player: Player) -> NoReturn:
    """Claim, and keep what was claimed alive for ever."""
    worker, lease = player.name, player.told["lease"]
    held = [(task_id, token) for task_id, token, _ in _first_claim(player, 100)]
    while True:
        player.do(beat(worker, lease, held))
        sleep(seconds(lease) / 4)


def sleep_on(player: Player) -> None:
    """Claim, sleep until told to wake, and then settle as if nothing had happened."""
    claimed = _first_claim(player, 100)
    while not Path(player.told["wake"]).exists():
        sleep(IDLE)
    for task_id, token, _ in claimed:
        player.insist(settle(player.name, Outcome.SUCCEED, (task_id, token), result="late"))


def advance_on(player: Player) -> NoReturn:
    """Advance one schedule tick by tick, each with two tasks, against whoever else does."""
    name = player.told["schedule"]
    while True:
        loaded = player.do(Step("schedule", {"name": name}))
        if loaded.ending != "ok":
            continue
        version, _ = loaded.answer
        tasks = [to_fields(tick_task(name, version + 1, part)) for part in range(2)]
        player.do(
            Step(
                "advance",
                {"name": name, "version": version, "state": str(version + 1), "tasks": tasks},
            )
        )


def tick_task(name: str, tick: int, part: int) -> NewTask:
    """Return one of the tasks of a tick."""
    return NewTask(id=f"g_{name}.{tick}.{part}", group="g", name="n", data=b"{}")


def schedule_on(player: Player) -> NoReturn:
    """Run the scheduler of the core, with one entry that misses nothing."""
    from datetime import timedelta

    from taskkit.schedule import IntervalSchedule, ScheduleEntry
    from taskkit.schedule.scheduler import Scheduler

    every = timedelta(milliseconds=player.told["every"])
    entry = ScheduleEntry("tick", IntervalSchedule(every), "g", "n", b"{}", missed="all")
    while True:
        # Made anew each time, as by a restart: what it remembers itself would only help it.
        Scheduler(player.client, player.told["schedule"], [entry]).step()
        sleep(player.chance.uniform(0, 0.005))


def starve(player: Player) -> None:
    """Use the store while no file may be written by this process; then while it may again.

    What the errors were is told at the end: until then nothing can be.
    """
    import resource
    import signal

    first, last, *between = (bulk_task(player.name, number, 0) for number in range(40))
    player.do(put(first))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, usual[1]))
    troubles = [trouble_of(player.client, task) for task in between]
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    say(Operation(0, player.name, "starve", {}, nanoseconds(), answer=troubles))
    player.insist(put(last))


def trouble_of(client: Backend, task: NewTask) -> list[str] | None:
    """Put a task; return the error's families and its cause's name, None if there was none."""
    try:
        client.put([task])
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is evidence
        families = [kind.__name__ for kind in type(error).__mro__]
        return [*families, "" if error.__cause__ is None else type(error.__cause__).__name__]
    return None


PARTS: Final[Mapping[str, Callable[[Player], None]]] = {
    "work": work,
    "put": put_on,
    "claim": claim_on,
    "hold": hold,
    "sleep": sleep_on,
    "advance": advance_on,
    "schedule": schedule_on,
    "starve": starve,
}


def main() -> None:
    """Play the part that the environment tells."""
    told = json.loads(os.environ[PART])
    place = Namespace(told["backend"], told["url"], told["options"])
    player = Player(harness_of(place.backend, place.options).open(place, None), told)
    print(READY, flush=True)  # noqa: T201 - this is how it answers
    PARTS[told["part"]](player)


if __name__ == "__main__":
    main()
