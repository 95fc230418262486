"""LIM and EXP, interleaved: locks, places, rates and room are never given out twice."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome, Rate
from taskkit_conformance.bounds import too_many_running
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, claim, on, put, settle
from taskkit_conformance.verbs import unit


def _work(stage: Stage, ids: list[str], most: int, what: str) -> None:
    """Let workers claim and settle; at most so many of the tasks run at once."""
    for number in range(1, stage.several(3) + 1):
        worker = f"w{number}"
        stage.workers(worker)
        outcome = stage.draw(st.sampled_from((Outcome.SUCCEED, Outcome.RELEASE)))
        stage.actor(claim(worker, stage.some(1, 2)), settle(worker, outcome), claim(worker))
    stage.play()
    stage.none(too_many_running(stage.story, ids, most))
    running = [task_id for task_id, found in stage.seen(*ids).items() if found["worker"]]
    stage.require(
        len(running) <= most, f"expected at most {most} to run {what}, found {len(running)}"
    )


def locks_hold(stage: Stage) -> None:
    """Several tasks of one lock key."""
    limit = stage.draw(st.sampled_from((1, 1, 2)))
    ids = stage.tasks(stage.some(2, 4), lock_key="k", lock_limit=limit)
    if stage.draw(st.booleans()):
        stage.tasks(1)
    _work(stage, ids, limit, "under one lock key")


def places_hold(stage: Stage) -> None:
    """A group with a limit on how many run."""
    most = stage.some(1, 2)
    stage.case.backend.configure("g", Limits(max_running=most))
    _work(stage, stage.tasks(stage.some(2, 4)), most, "in the group")


def rates_hold(stage: Stage) -> None:
    """A group with a rate; all claims fall into one period."""
    most = stage.some(1, 2)
    stage.case.backend.configure("g", Limits(rate=Rate(most, 60.0)))
    ids = stage.tasks(stage.some(2, 4))
    early = stage.draw(st.booleans())
    stage.workers("w0")
    used = len(stage.claimed("w0")) if early else 0
    if early:
        # Less than a period later what was claimed then still counts.
        stage.move(5 * SECOND)
    for number in range(1, stage.several(3) + 1):
        stage.workers(f"w{number}")
        stage.actor(*[claim(f"w{number}", stage.some(1, 2))] * stage.some(1, 2))
    used += sum(len(one.claims) for one in stage.play())
    expected = min(most, len(ids))
    stage.require(
        used == expected,
        f"a rate of {most} in a period, {len(ids)} tasks: expected {expected} claims, found {used}",
    )
    attempts = sum(found["attempt"] for found in stage.seen(*ids).values())
    stage.require(attempts == used, f"{used} claims: expected as many attempts, found {attempts}")


def room_holds(stage: Stage) -> None:
    """Puts race for the last places of a bounded queue."""
    most = stage.some(1, 4)
    stage.case.backend.configure("g", Limits(max_queue_size=most))
    sizes = [stage.some(1, 2) for _ in range(stage.several())]
    for size in sizes:
        stage.actor(put(*[stage.task() for _ in range(size)]))
    played = stage.play()
    stored = sum(len(one.answer) for one in played if one.ending == "ok")
    refused = [one for one in played if one.ending == "refused"]
    stage.require(stored <= most, f"room for {most} tasks: expected no more, found {stored} put")
    for one in refused:
        stage.require(one.error == "QueueFull", f"expected QueueFull, found {one.error}", one)
        more = len(one.arguments["tasks"])
        stage.require(
            stored + more > most,
            f"room for {most} tasks, {stored} put: expected {more} more to find room",
            one,
        )
    there = [task_id for task_id, found in stage.seen(*stage.case.names).items() if found]
    stage.require(
        len(there) == stored,
        f"expected the {stored} tasks that were accepted, found {len(there)} in the store",
    )


def expired_are_not_claimed(stage: Stage) -> None:
    """The instant at which tasks expire has come; claims, readers and the sweep meet."""
    now = stage.case.clock.now()
    gone = stage.tasks(stage.some(1, 2), expires=now + SECOND)
    stage.tasks(stage.some(0, 1), expires=now + SECOND + unit(stage.case))
    stage.move(SECOND)
    stage.workers("w1", "w2")
    stage.actor(claim("w1", stage.some(1, 2)))
    meddling = [Step("purge"), on("get", *gone), claim("w2"), on("cancel", gone[0])]
    for _ in range(stage.several(3) - 1):
        stage.actor(*stage.draw(st.lists(st.sampled_from(meddling), min_size=1, max_size=2)))
    for one in stage.play():
        late = [task_id for task_id, _ in one.claims if task_id in gone]
        stage.require(not late, "expected an expired task not to be claimed", one)
    stage.do(Step("purge"))
    for task_id, found in stage.seen(*gone).items():
        stage.require(
            found is not None and found["state"] == "cancelled",
            f"expected {stage.case.names[task_id]} to be cancelled, found {found}",
            task_id,
        )


proves("LIM-01", lane="interleave")(interleaved(locks_hold))
proves("LIM-04", lane="interleave")(interleaved(places_hold))
proves("LIM-05", lane="interleave")(interleaved(rates_hold))
proves("LIM-06", lane="interleave")(interleaved(room_holds))
proves("EXP-01", lane="interleave")(interleaved(expired_are_not_claimed))
