"""Tasks that nobody wants any more after an instant."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome
from taskkit.task import EXPIRED, After, State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    claim_one,
    claimed,
    drained,
    end,
    get,
    later,
    state,
    worker,
)

_LIFE = st.sampled_from([1, 1000, SECOND, 100 * SECOND])


@proves("EXP-01")
def a_task_is_claimable_until_just_before_it_expires(case: Case) -> None:
    """One step before: yes; from then on: never, and it says why."""
    worker(case)
    step = case.capabilities.time_resolution
    life = max(case.draw(_LIFE), 2 * step)
    expires = case.clock.now() + life
    given = After(life) if case.draw(st.booleans()) else expires
    first, second = add(case, expires=given), add(case, expires=given)
    beside = add(case, due=case.clock.now() + life)
    case.clock.set(expires - step)
    [claim] = case.claim()
    later(case, step + case.draw(st.sampled_from([0, step, HALF])))
    left = second if claim.task.id == first else first
    case.equal(drained(case), [beside], "what is claimed once the task has expired")
    record = get(case, left)
    cause = record.failure.type if record.failure else None
    case.equal(
        (record.state, cause, record.attempt), (State.CANCELLED, EXPIRED, 0), "what it became"
    )
    case.require(record.done is not None, "an expired task has an end")
    case.equal(state(case, claim.task.id), State.RUNNING, "the state of the one claimed in time")


HALF = 1800 * SECOND


@proves("EXP-01")
def purge_sweeps_what_has_expired_wherever_it_waits(case: Case) -> None:
    """Waiting for its due, behind a lock, in a paused or a full group."""
    worker(case)
    expires = case.clock.now() + 10 * SECOND
    why = case.draw(st.sampled_from(["due", "later", "lock", "pause", "limit"]))
    if why in ("lock", "limit"):
        case.backend.configure("g", Limits(max_running=1 if why == "limit" else None))
        add(case, lock_key="k")
        claim_one(case)
    due = case.clock.now() + {"later": 99 * SECOND, "due": 5 * SECOND}.get(why, 0)
    task_id = add(case, lock_key="k", due=due, expires=expires, unique_key="u")
    if why == "pause":
        case.backend.pause(["g"])
    if why in ("later", "lock", "limit"):
        case.equal(claimed(case, most=3), [], f"what can be claimed meanwhile ({why})")
    later(case, 10 * SECOND - case.draw(st.sampled_from([0, case.capabilities.time_resolution])))
    case.backend.purge()
    gone = case.clock.now() >= expires
    record = get(case, task_id)
    if not gone:
        case.require(record.state in (State.QUEUED, State.WAITING), "one step before, it waits")
        return
    cause = record.failure.type if record.failure else None
    case.equal(
        (record.state, cause), (State.CANCELLED, EXPIRED), f"the state after a purge ({why})"
    )
    [answer] = case.backend.put([case.task(unique_key="u")])
    case.equal(answer.status, "put", "a put with the key of a task that has expired")


@proves("EXP-01")
def what_was_claimed_in_time_does_not_expire(case: Case) -> None:
    """A running task goes on; retried, it has to be claimed in time again."""
    worker(case)
    expires = case.clock.now() + 10 * SECOND
    task_id = add(case, expires=expires)
    claim = claim_one(case)
    late = case.draw(st.booleans())
    later(case, (10 if late else 4) * SECOND)
    case.backend.purge()
    case.equal(state(case, task_id), State.RUNNING, "the state of a running task after its expires")
    if case.draw(st.booleans()):
        end(case, claim)
        case.equal(state(case, task_id), State.SUCCEEDED, "the state after it succeeded")
        return
    end(case, claim, Outcome.RETRY)
    case.equal(claimed(case), [] if late else [task_id], "what is claimed after its retry")


@proves("EXP-01")
def a_requeued_task_expires_no_more(case: Case) -> None:
    """Who asks for it again wants it."""
    worker(case)
    task_id = add(case, expires=case.clock.now() + SECOND)
    later(case, case.draw(st.sampled_from([SECOND, 2 * SECOND])))
    case.backend.purge()
    case.backend.requeue([task_id], case.clock.now())
    later(case, case.draw(st.sampled_from([0, SECOND, HALF])))
    case.equal(claimed(case), [task_id], "what is claimed after the requeue")
