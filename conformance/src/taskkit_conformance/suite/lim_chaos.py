"""Locks whose holder dies."""

from __future__ import annotations

from taskkit_conformance import steps
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, troupe
from taskkit_conformance.check import proves


@proves("LIM-03", lane="chaos", capability="shared")
def the_lock_of_a_dead_worker(case: Case) -> None:
    """The next task of a lock can be claimed as soon as its dead holder is taken back."""
    with troupe(case) as cast:
        first = case.task(lock_key="k", on_lost="fail")
        second = case.task(lock_key="k")
        cast.sure(steps.put(first, second))
        [holder] = cast.start("hold", "h")
        cast.until("a claim of the first task", holder.held)
        cast.sure(steps.register("w", LEASE * 100))
        cast.require(
            not cast.sure(steps.claim("w"))["claims"],
            "expected nothing to claim while the lock is held",
            second.id,
        )
        cast.kill(holder)
        cast.until("the dead worker's task taken back", lambda: cast.sure(steps.reclaim())["tasks"])
        claimed = [task_id for task_id, _, _ in cast.sure(steps.claim("w"))["claims"]]
        cast.require(
            claimed == [second.id],
            "expected the next task of the lock at once",
            first.id,
            second.id,
        )
