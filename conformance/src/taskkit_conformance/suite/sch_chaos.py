"""Schedules whose schedulers are killed."""

from __future__ import annotations

from itertools import pairwise

from taskkit.records import Query
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import Troupe, troupe
from taskkit_conformance.chaos_actor import tick_task
from taskkit_conformance.check import proves

EVERY = 20
"""Milliseconds between two ticks."""

TICKS = 150

GLANCES = 30
"""How often we look at what is being changed: a step that is two is seen half done."""


@proves("SCH-01", lane="chaos", capability="shared")
def state_and_tasks_together(case: Case) -> None:
    """Schedulers are killed while they advance: each stored tick has its tasks, no other has."""
    with troupe(case) as cast:
        players = cast.start("advance", "a", "b", schedule="s")
        for _ in range(GLANCES):
            version = cast.client.load_schedule("s").version
            latest = [tick_task("s", version, part).id for part in range(2)]
            there = all(one is not None for one in cast.client.get(latest).values())
            cast.require(there or not version, "expected no state without its tasks", *latest)
        for player in players:
            cut_short = cast.kill_within(player, "advance")
            case.exercised += cut_short.ending == "unknown"
        loaded = cast.client.load_schedule("s")
        state = b"" if loaded.state is None else loaded.state
        # On a slow machine both may be killed in their first step, with nothing stored.
        expected = str(loaded.version).encode() if loaded.version else b""
        cast.require(state == expected, "expected the state of its version")
        ticks = range(1, loaded.version + 3)
        ids = {(tick, part): tick_task("s", tick, part).id for tick in ticks for part in range(2)}
        known = cast.client.get(list(ids.values()))
        for (tick, _), task_id in ids.items():
            there = known[task_id] is not None
            cast.require(
                there == (tick <= loaded.version),
                f"expected the tasks of the ticks up to {loaded.version}, found "
                f"{task_id} {'there' if there else 'missing'}",
                task_id,
            )


@proves("SCH-06", lane="chaos", capability="shared")
def every_tick_once(case: Case) -> None:
    """Schedulers are killed, alone and together, and others go on: each tick has one task."""
    with troupe(case) as cast:
        crowd = cast.start("schedule", "s1", "s2", schedule="s", every=EVERY)
        more = cast.launch("schedule", "s3", schedule="s", every=EVERY)
        cast.until("ticks", lambda: len(ticks_of(cast)) > 10)
        cast.kill(crowd[0])
        before = len(ticks_of(cast))
        cast.kill(crowd[1])
        for player in more:
            player.program.wait_ready()
        cast.until("ticks after all were killed", lambda: len(ticks_of(cast)) > before)
        cast.until("enough ticks", lambda: len(ticks_of(cast)) > TICKS)
        cast.kill(*more)
        found = ticks_of(cast)
        cast.require(len(found) == len(set(found)), "expected one task for each tick")
        gaps = {later - earlier for earlier, later in pairwise(found)}
        cast.require(
            gaps == {EVERY * 1000}, f"expected every tick, found gaps of {sorted(gaps)} us"
        )


def ticks_of(cast: Troupe) -> list[int]:
    """Return the ticks of all tasks, in order."""
    records = cast.client.find(Query(group="g"), 10_000).records
    return sorted(one.task.scheduled for one in records if one.task.scheduled is not None)
