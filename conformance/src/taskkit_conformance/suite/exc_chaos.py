"""Exclusive claims, while workers die and freeze."""

from __future__ import annotations

from taskkit.records import Query
from taskkit.task import State
from taskkit_conformance import actors
from taskkit_conformance.aftermath import judge, outdated, too_early
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, Troupe, troupe
from taskkit_conformance.check import proves
from taskkit_conformance.storm import storm


@proves("EXC-01", lane="chaos", capability="shared")
def at_most_one_live_claim(case: Case) -> None:
    """Nobody is given a task whose holder is alive, and who lost it cannot settle it."""
    found = storm(case)
    case.exercised += found.killed_with + found.late
    judge(case, found, [*too_early(found.history), *outdated(found.history)])


@proves("EXC-07", lane="chaos", capability="shared")
def a_claim_that_is_interrupted(case: Case) -> None:
    """Claimers are killed while they claim: every task is in one place, and comes back."""
    with troupe(case) as cast:
        tasks = [case.task(max_lost=100) for _ in range(30)]
        ids = {task.id for task in tasks}
        cast.sure(actors.put(*tasks))
        for claimer in cast.start("claim", "c1", "c2", size=5):
            cut_short = cast.kill_within(claimer, "claim")
            case.exercised += cut_short.ending == "unknown"
        queued = [
            one.task.id for one in cast.client.find(Query(states=[State.QUEUED]), 100).records
        ]
        running = [
            one.task.id for one in cast.client.find(Query(states=[State.RUNNING]), 100).records
        ]
        for task_id in ids:
            places = queued.count(task_id) + running.count(task_id)
            cast.require(
                places == 1,
                f"expected {task_id} queued or running, found it {places} times",
                task_id,
            )
        if case.harness.inspect is not None:
            inspected = set(case.harness.inspect(cast.place))
            cast.require(inspected == ids, "expected no task but those that were put in the store")
        cast.until("all tasks taken back", lambda: not _left_after_reclaim(cast))
        cast.sure(actors.register("w", LEASE * 100))
        claimed = cast.sure(actors.claim("w", 100))["claims"]
        found = sorted(task_id for task_id, _, _ in claimed)
        cast.require(found == sorted(ids), "expected each task to be claimable once", *ids)


def _left_after_reclaim(cast: Troupe) -> int:
    cast.sure(actors.reclaim())
    return sum(one.count for one in cast.client.count() if one.state is State.RUNNING)
