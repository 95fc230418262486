"""Exclusive claims, while workers die and freeze."""

from __future__ import annotations

from taskkit.records import Query
from taskkit.task import State
from taskkit_conformance import steps
from taskkit_conformance.aftermath import judge, outdated, too_early
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, Troupe, troupe
from taskkit_conformance.check import proves
from taskkit_conformance.storm import storm

GLANCES = 30
"""How often we look at what is being changed: a step that is two is seen half done."""


@proves("EXC-01", lane="chaos", capability="shared")
def at_most_one_live_claim(case: Case) -> None:
    """Nobody is given a task whose holder is alive, and who lost it cannot settle it."""
    found = storm(case)
    case.exercised += found.killed_with + found.late
    judge(case, found, [*too_early(found.history), *outdated(found.history)])
    with troupe(case) as cast:
        _zombie(case, cast)


def _zombie(case: Case, cast: Troupe) -> None:
    """One sleeps until its lease has ended and its tasks are another's, then tries to settle."""
    tasks = [case.task() for _ in range(4)]
    ids = [task.id for task in tasks]
    cast.sure(steps.put(*tasks))
    wake = cast.folder / "wake"
    [zombie] = cast.start("sleep", "z", wake=str(wake))
    cast.until("claims of the zombie", lambda: len(zombie.held()) == len(ids))
    cast.until("the zombie's tasks taken back", lambda: cast.sure(steps.reclaim())["tasks"])
    cast.sure(steps.register("w", LEASE * 1000))
    claimed = cast.sure(steps.claim("w", 100))["claims"]
    cast.require(len(claimed) == len(ids), "expected all of them to be claimable again", *ids)
    wake.touch()
    late = cast.until("its late settlements", lambda: zombie.ended("settle")[len(ids) - 1 :])
    cast.require(late, "expected late settlements")
    for settled in zombie.ended("settle"):
        cast.require(settled.answer is False, "expected a late settlement not to stand", settled)
    for task_id, record in cast.client.get(ids).items():
        running = record is not None and record.worker_id == "w"
        cast.require(running, f"expected {task_id} to be run by its new worker", task_id)


@proves("EXC-07", lane="chaos", capability="shared")
def a_claim_that_is_interrupted(case: Case) -> None:
    """Claimers are killed while they claim: every task is in one place, and comes back."""
    with troupe(case) as cast:
        tasks = [case.task(max_lost=100) for _ in range(30)]
        ids = {task.id for task in tasks}
        cast.sure(steps.put(*tasks))
        claimers = cast.start("claim", "c1", "c2", size=5)
        for _ in range(GLANCES):
            known = cast.client.get(ids)
            missing = [task_id for task_id, record in known.items() if record is None]
            cast.require(not missing, "expected no moment without the task", *missing)
        for claimer in claimers:
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
        cast.sure(steps.register("w", LEASE * 100))
        claimed = cast.sure(steps.claim("w", 100))["claims"]
        found = sorted(task_id for task_id, _, _ in claimed)
        cast.require(found == sorted(ids), "expected each task to be claimable once", *ids)


def _left_after_reclaim(cast: Troupe) -> int:
    cast.sure(steps.reclaim())
    return sum(one.count for one in cast.client.count() if one.state is State.RUNNING)
