"""The storm: workers at work, and everything that can happen to them and to the store.

One storm is looked at by several checks, each for its own property: what costs seconds is done once
for each seed and place.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

from hypothesis import strategies as st

from taskkit.clock import seconds
from taskkit.ids import stable_id
from taskkit.records import Query
from taskkit.task import NewTask
from taskkit_conformance import steps
from taskkit_conformance.aftermath import UNFINISHED, Report
from taskkit_conformance.case import Case, Violated
from taskkit_conformance.chaos import LEASE, Troupe, troupe
from taskkit_conformance.chaos_actor import PART
from taskkit_conformance.chaos_player import Player
from taskkit_conformance.harness import Harness
from taskkit_conformance.proxy import HOLD, Flow, Proxy

TASKS: Final = 160
"""Put before the storm; more are put while it goes on."""

_MORE: Final = 20
_LOCKS: Final = 5
_KEPT: Final = 4
"""Storms of which the reports are kept."""

_seen: OrderedDict[tuple[int, str | None, int], tuple[Harness, Report]] = OrderedDict()


def storm(case: Case) -> Report:
    """Return the report of the storm of a drawn seed; it is raised only once."""
    seed: int = case.draw(st.integers(0, 2**16))
    # With the harness itself, so that no other can have its id while this is kept.
    key = (id(case.harness), case.url, seed)
    if key not in _seen:
        with troupe(case) as cast:
            _seen[key] = case.harness, _Storm(cast, seed).run()
        while len(_seen) > _KEPT:
            _seen.popitem(last=False)
    found = _seen[key][1]
    case.names.update(found.names)
    return found


class _Storm:
    def __init__(self, cast: Troupe, seed: int) -> None:
        self.cast = cast
        self.chance = random.Random(seed)  # noqa: S311 - nothing is to be kept secret
        self.names: dict[str, str] = {}
        self.report = Report([], cast.notes, {}, {}, self.names)
        self.proxy: Proxy | None = None
        self.workers: list[Player] = []
        self._number = 0

    def run(self) -> Report:
        """Raise the storm, let it pass, and count."""
        try:
            self.rage()
            self.cast.until("an end of all tasks", self.idle)
            self.cast.note("all is drained")
        except Violated as never:
            self.report.stuck = str(never)
            self.cast.note(f"it is given up: {never}")
        self.cast.kill(*self.workers)
        self.count()
        return self.report

    def rage(self) -> None:
        """Let everything happen once that can, in any order."""
        self.put(TASKS)
        url = None
        events: list[Callable[[], None]] = [self.kill, self.freeze, self.kill_two]
        if self.cast.has_network():
            self.proxy, url = self.cast.proxied()
            events += [self.cut, self.silence, self.slow_down]
        if self.cast.case.harness.restart is not None:
            events.append(self.restart)
        # Two behind the proxy, one in front of it, who goes on while the others are cut off.
        self.enlist(2, url)
        self.enlist(1)
        self.chance.shuffle(events)
        for event in events:
            self.put(_MORE)
            self.progress()
            event()

    # ---- tasks and workers

    def put(self, number: int) -> None:
        tasks = [self.task() for _ in range(number)]
        self.cast.sure(steps.put(*tasks))

    def task(self) -> NewTask:
        name = f"t{len(self.names) + 1}"
        task_id = stable_id("g", name)
        self.names[task_id] = name
        lock = self.chance.randrange(_LOCKS * 4)
        return NewTask(
            id=task_id,
            group="g",
            name="n",
            data=b"{}",
            priority=self.chance.randint(-1, 1),
            lock_key=f"lock {lock}" if lock < _LOCKS else None,
            max_lost=1000,
        )

    def enlist(self, number: int, url: str | None = None) -> None:
        names = [f"w{self._number + step + 1}" for step in range(number)]
        self._number += number
        seed = self.chance.randrange(1 << 30)
        self.workers += self.cast.launch("work", *names, url=url, seed=seed)

    def progress(self) -> None:
        """Wait until each worker is at work."""
        for worker in self.workers:
            worker.program.wait_ready()
            self.cast.until("workers that work", partial(self.is_busy, worker))

    def is_busy(self, worker: Player) -> bool:
        """Return whether a worker holds something; put more if there is nothing left."""
        if self.idle():
            self.put(_MORE)
        return bool(worker.held())

    def idle(self) -> bool:
        counts = self.cast.sure(steps.Step("count"))
        return not any(state in UNFINISHED for _, state, _ in counts)

    # ---- what happens to them

    def kill(self) -> None:
        """Kill one, and put another in its place."""
        self._kill(1)

    def kill_two(self) -> None:
        """Kill two at once."""
        self._kill(2)

    def _kill(self, number: int) -> None:
        victims = self.chance.sample(self.workers, number)
        self.cast.kill(*victims)
        self.report.killed_with += sum(len(victim.held()) for victim in victims)
        self.workers = [worker for worker in self.workers if worker not in victims]
        self.enlist(number)

    def freeze(self) -> None:
        """Freeze one until others have taken all that it holds, then wake it."""
        zombie = self.chance.choice(self.workers)
        self.cast.until("a worker with work in its hands", lambda: self.caught(zombie))
        self.cast.note(f"freeze {zombie.name}")
        held = zombie.held()
        self.cast.until("the frozen worker's tasks taken by others", lambda: self.retaken(held))
        before = len(zombie.ended("register"))
        zombie.program.resume()
        self.cast.note(f"wake {zombie.name}, whose lease has ended")
        self.cast.until("the zombie registered", lambda: len(zombie.ended("register")) > before)

    def caught(self, zombie: Player) -> bool:
        """Freeze a worker, and wake it again unless it holds something.

        Nor may it be within the store, where it would keep a lock that stops everybody.
        """
        if not self.is_busy(zombie):
            return False
        zombie.program.pause()
        if zombie.held() and zombie.is_within() is None:
            return True
        zombie.program.resume()
        return False

    def retaken(self, held: set[tuple[str, int]]) -> bool:
        """Return whether each of these claims has a successor, or its task has ended."""
        ids = [task_id for task_id, _ in held]
        records = self.cast.client.get(ids)
        return all(
            (record := records[task_id]) is None or record.token > token or record.state.finished
            for task_id, token in held
        )

    def cut(self) -> None:
        """Cut all connections, some of them in the middle of something."""
        assert self.proxy is not None
        for _ in range(4):
            before = self.proxy.accepted
            self.report.cuts += self.proxy.cut()
            self.cast.until("workers that connect again", partial(self.connected, before))
        self.cast.note("cut all connections, four times")

    def connected(self, before: int) -> bool:
        """Return whether somebody has connected again, or nobody wants to."""
        assert self.proxy is not None
        return self.proxy.accepted > before or not self.behind() or self.idle()

    def behind(self) -> list[Player]:
        """Return the workers that go through the proxy."""
        assert self.proxy is not None
        return [w for w in self.workers if f":{self.proxy.address.port}" in _told(w)]

    def silence(self) -> None:
        """Keep everything back until the leases have ended, then pass it on."""
        assert self.proxy is not None
        silent = self.behind()
        self.proxy.set(to_store=HOLD, to_client=HOLD)
        self.cast.note("pass nothing on")
        # Not until others have taken their tasks: what was cut off may keep locks in the store.
        self.cast.until("an end of their leases", lambda: not any(map(self.is_leased, silent)))
        self.proxy.heal()
        self.cast.note("pass everything on again")

    def is_leased(self, worker: Player) -> bool:
        """Return whether the store counts a worker as alive."""
        now = self.cast.client.load_schedule("now").now
        return any(
            one.expires > now and one.info.id.startswith(f"{worker.name}.")
            for one in self.cast.client.workers()
        )

    def slow_down(self) -> None:
        """Make every answer late."""
        assert self.proxy is not None
        self.proxy.set(to_client=Flow(delay=seconds(LEASE) / 10))
        before = sum(len(worker.ended("claim")) for worker in self.workers)
        self.cast.until(
            "claims that are answered late",
            lambda: sum(len(worker.ended("claim")) for worker in self.workers) > before + 10,
        )
        self.proxy.heal()
        self.cast.note("delay every answer for a while")

    def restart(self) -> None:
        """Kill the store and start it again."""
        self.cast.restart()

    # ---- the end

    def count(self) -> None:
        """Read what became of everything."""
        client, report = self.cast.client, self.report
        records = client.get(list(self.names))
        listed = [record.task.id for record in client.find(Query(), 10_000).records]
        report.finals = {
            **dict.fromkeys(listed, "there"),
            **{
                task_id: None if one is None else str(one.state) for task_id, one in records.items()
            },
        }
        report.results = {
            task_id: None if one is None else one.result for task_id, one in records.items()
        }
        report.history = self.cast.history()
        report.late = sum(one.answer is False for one in report.history if one.kind == "settle")


def _told(player: Player) -> str:
    return player.program.environment[PART]
