"""Heartbeats: what they extend, what they cannot revive, what they find astray."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Outcome
from taskkit.task import State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    beat,
    claim_one,
    claimed,
    get,
    later,
    put,
    settle,
    state,
    unit,
    worker,
)

_LEASE = st.sampled_from([1, 10, 60]).map(lambda seconds: seconds * SECOND)
_NOT_SUCCESS = st.sampled_from([each for each in Outcome if each is not Outcome.SUCCEED])


@proves("LEA-07")
def a_heartbeat_extends_the_lease_of_all_claims(case: Case) -> None:
    """From now, to the step."""
    lease = case.draw(_LEASE)
    worker(case, lease=lease)
    count = case.draw(st.integers(1, 3))
    put(case, *[case.task() for _ in range(count)])
    claims = case.claim(most=count)
    later(case, case.draw(st.integers(1, lease // unit(case) - 1)) * unit(case))
    case.require(beat(case, "w1", *claims, lease=lease).alive, "a heartbeat in time is answered")
    until = case.clock.now() + lease
    case.equal(case.backend.workers()[0].expires, until, "the end of the lease after a heartbeat")
    case.clock.set(until - unit(case))
    case.equal(case.backend.reclaim().tasks, 0, "what is reclaimed one step before it")
    case.clock.set(until)
    case.equal(case.backend.reclaim().tasks, count, "what is reclaimed at its end")


@proves("LEA-07")
def a_heartbeat_revives_nobody(case: Case) -> None:
    """Too late is too late, reclaimed or not; and it changes nothing."""
    worker(case, lease=10 * SECOND)
    task_id = add(case)
    claim = claim_one(case)
    later(case, 10 * SECOND + case.draw(st.sampled_from([0, 1, 50 * SECOND])))
    how = case.draw(st.sampled_from(["expired", "reclaimed", "retired", "unknown"]))
    if how == "reclaimed":
        case.backend.reclaim()
    elif how == "retired":
        case.backend.retire("w1", lost=True)
    name = "nobody" if how == "unknown" else "w1"
    before = get(case, task_id)
    answer = beat(case, name, claim, progress={task_id: b"half"})
    case.equal(answer.alive, False, f"whether a worker that is {how} is alive")
    case.equal(get(case, task_id), before, "the record after its heartbeat")
    case.equal(case.backend.claim(name, {"g": 1}).alive, False, "whether it may claim after it")
    case.backend.reclaim()
    case.equal(case.backend.workers(), [], "the workers that are left after a reclaim")


@proves("LEA-08")
def a_heartbeat_never_shortens_a_lease(case: Case) -> None:
    """The later of both ends counts."""
    lengths = st.integers(2, 10**5).map(lambda steps: steps * unit(case))
    long = case.draw(lengths)
    worker(case, lease=long)
    until = case.clock.now() + long
    for _ in range(case.draw(st.integers(1, 3))):
        short = case.draw(lengths)
        case.require(beat(case, lease=short).alive, "a heartbeat in time is answered")
        until = max(until, case.clock.now() + short)
        case.equal(case.backend.workers()[0].expires, until, "the end of the lease")
        later(
            case,
            case.draw(st.integers(0, (until - case.clock.now()) // 2 // unit(case))) * unit(case),
        )


@proves("LEA-09")
def reclaim_removes_whose_lease_is_over_at_that_moment(case: Case) -> None:
    """One that has just beaten, or registered anew, stays."""
    names = ["w1", "w2", "w3"]
    for name in names:
        worker(case, name, 10 * SECOND)
    later(case, 9 * SECOND)
    saved = set(case.draw(st.lists(st.sampled_from(names), unique=True, max_size=2)))
    for name in sorted(saved):
        if case.draw(st.booleans()):
            beat(case, name, lease=10 * SECOND)
        else:
            worker(case, name, 10 * SECOND)
    later(case, SECOND)
    case.equal(len(case.backend.workers()), 3, "how many workers there are before the reclaim")
    removed = sorted(case.backend.reclaim().workers)
    case.equal(removed, sorted(set(names) - saved), "the workers that are removed")
    left = sorted(each.info.id for each in case.backend.workers())
    case.equal(left, sorted(saved), "the workers that are left")


@proves("LEA-13")
def what_a_worker_does_not_hold_comes_back(case: Case) -> None:
    """At its second heartbeat, as if it had never been claimed; what it holds stays."""
    worker(case)
    worker(case, "w2")
    now = case.clock.now()
    strays = put(
        case, *[case.task(due=now - n * unit(case)) for n in range(1, case.draw(st.integers(2, 3)))]
    )
    later(case, case.draw(st.integers(1, 10**6)))
    lost = case.claim(most=len(strays))
    held_id = add(case)
    held = claim_one(case)
    later(case, case.draw(st.integers(1, 5 * SECOND)))
    beat(case, "w1", held)
    for task_id in strays:
        case.equal(state(case, task_id), State.RUNNING, "the state after the first heartbeat")
    later(case, case.draw(st.integers(1, 5 * SECOND)))
    beat(case, "w1", held)
    for claim in lost:
        record = get(case, claim.task.id)
        seen = (record.state, record.attempt, record.losses, record.history, record.task)
        case.equal(
            seen, (State.QUEUED, 0, 0, (), claim.task), "the stray after the second heartbeat"
        )
        case.equal(settle(case, claim), False, "whether a settlement of the stray claim stands")
    case.equal(state(case, held_id), State.RUNNING, "the state of what is held")
    again = claimed(case, most=5, worker_id="w2")
    case.equal(sorted(again), sorted(strays), "what another worker is given")
    case.equal(settle(case, held), True, "whether the settlement of what is held stands")


@proves("LEA-13")
def a_claim_on_its_way_is_not_taken_for_a_stray(case: Case) -> None:
    """One that was made since the last heartbeat may not be known to the worker yet."""
    worker(case)
    for _ in range(case.draw(st.integers(0, 2))):
        later(case, 5 * SECOND)
        beat(case)
    later(case, case.draw(st.integers(1, SECOND)))
    task_id = add(case)
    claim = claim_one(case)
    later(case, case.draw(st.integers(1, SECOND)))
    beat(case)
    case.equal(state(case, task_id), State.RUNNING, "the state after the next heartbeat")
    for _ in range(case.draw(st.integers(1, 2))):
        later(case, 5 * SECOND)
        case.require(not beat(case, "w1", claim).void, "the claim is not void once it is held")
    case.equal(settle(case, claim), True, "whether its settlement stands")
