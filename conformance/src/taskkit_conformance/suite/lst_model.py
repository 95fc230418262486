"""What becomes of a task whose worker died with it."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Answered, Outcome
from taskkit.task import WORKER_DIED, State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    DEATHS,
    HOUR,
    add,
    claim_one,
    claimed,
    die,
    end,
    find,
    get,
    later,
    state,
    unit,
    worker,
)

_WAYS = st.sampled_from(DEATHS)


@proves("LST-01")
def a_task_is_queued_again_until_it_was_lost_too_often(case: Case) -> None:
    """Three times by default; retries and releases in between neither count nor forgive."""
    most = case.draw(st.sampled_from([None, 1, 2, 4]))
    fields = {} if most is None else {"max_lost": most}
    task_id = add(case, due=case.clock.now() - unit(case), **fields)
    most = most or 3
    record = get(case, task_id)
    for losses in range(1, most + 1):
        if case.draw(st.booleans()):
            worker(case)
            between = case.draw(st.sampled_from([Outcome.RETRY, Outcome.RELEASE]))
            claim = claim_one(case)
            case.equal(claim.losses, losses - 1, "the losses that a claim tells")
            end(case, claim, between)
        die(case, case.draw(_WAYS))
        record = get(case, task_id)
        expected = State.LOST if losses == most else State.QUEUED
        seen = (record.state, record.losses)
        case.equal(seen, (expected, losses), f"state and losses after death {losses} of {most}")
    cause = record.failure.type if record.failure else None
    case.equal((cause, record.done), (WORKER_DIED, case.clock.now()), "cause and end of the lost")
    worker(case)
    case.equal(claimed(case, most=5), [], "what is claimed of the lost")


@proves("LST-02")
def a_task_decides_what_a_death_means(case: Case) -> None:
    """Queued again, kept as lost, or failed; by every way to die."""
    on_lost = case.draw(st.sampled_from(["retry", "keep", "fail"]))
    expected = {"retry": State.QUEUED, "keep": State.LOST, "fail": State.FAILED}[on_lost]
    task_id = add(case, on_lost=on_lost)
    way = case.draw(_WAYS)
    die(case, way)
    record = get(case, task_id)
    seen = (record.state, record.losses, record.attempt)
    case.equal(seen, (expected, 1, 1), f"state, losses, attempt after {way} ({on_lost})")
    if on_lost != "retry":
        cause = record.failure.type if record.failure else None
        case.equal((cause, record.done), (WORKER_DIED, case.clock.now()), "its cause and its end")
    worker(case)
    given = claimed(case, most=5)
    case.equal(given, [task_id] if on_lost == "retry" else [], "what can be claimed then")


@proves("LST-03")
def a_lost_task_can_be_requeued_and_deleted(case: Case) -> None:
    """Requeued it counts anew."""
    keep = case.draw(st.booleans())
    task_id = add(case, on_lost="keep" if keep else "retry", max_lost=1)
    die(case, case.draw(_WAYS))
    case.equal(state(case, task_id), State.LOST, "the state after its death")
    if case.draw(st.booleans()):
        answer = case.backend.delete([task_id])
        case.equal(answer, {task_id: Answered.DONE}, "the answer to delete")
        case.equal(find(case, task_id), None, "what is left of it")
        return
    due = case.clock.now() + case.draw(st.sampled_from([0, SECOND]))
    case.equal(case.backend.requeue([task_id], due), {task_id: Answered.DONE}, "the requeue")
    record = get(case, task_id)
    seen = (record.losses, record.failure, record.done, record.task.due)
    case.equal(seen, (0, None, None, due), "losses, failure, end and due after the requeue")
    case.clock.set(due)
    worker(case)
    claim = claim_one(case)
    case.equal((claim.losses, claim.attempt), (0, 2), "losses and attempt of the next claim")


@proves("LST-04")
def giving_back_counts_neither_attempt_nor_loss(case: Case) -> None:
    """By release and by retiring in good order, as often as it happens."""
    due = case.clock.now() - case.draw(st.integers(0, 9)) * unit(case)
    task_id = add(case, due=due, max_lost=1)
    for _ in range(case.draw(st.integers(1, 3))):
        worker(case)
        claim = claim_one(case)
        case.equal((claim.attempt, claim.losses), (1, 0), "attempt and losses of each claim")
        later(case, case.draw(st.integers(0, SECOND)))
        if case.draw(st.booleans()):
            end(case, claim, Outcome.RELEASE, due=None)
        else:
            case.equal(case.backend.retire("w1"), 1, "how many tasks the worker leaves")
        record = get(case, task_id)
        seen = (record.state, record.attempt, record.losses, record.task, record.history)
        case.equal(seen, (State.QUEUED, 0, 0, claim.task, ()), "the record after it was given back")


@proves("LST-04")
def a_release_may_name_a_due(case: Case) -> None:
    """Then it is claimable from that instant on."""
    worker(case)
    task_id = add(case)
    due = case.clock.now() + case.draw(st.sampled_from([unit(case), SECOND, HOUR // 2]))
    end(case, claim_one(case), Outcome.RELEASE, due=due)
    case.clock.set(due - unit(case))
    case.equal(claimed(case), [], "what is claimed one step before the due of the release")
    case.clock.set(due)
    case.equal(claimed(case), [task_id], "what is claimed at the due of the release")
