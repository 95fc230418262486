"""A retry: the same task again, later."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Outcome, Settlement
from taskkit.task import After, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    BOOM,
    HOUR,
    add,
    claim_one,
    claimed,
    counts,
    end,
    get,
    ids,
    later,
    noted,
    settle,
    state,
    unit,
    worker,
)

_DELAYS = st.sampled_from([1, 1000, SECOND, HOUR // 2])


@proves("RTY-01")
def a_retry_leads_from_running_to_the_queue(case: Case) -> None:
    """It is in one place, before and after, and its worker is rid of it."""
    worker(case)
    task_id = add(case)
    beside = add(case, priority=-1)
    claim = claim_one(case)
    case.equal(ids(case, states=[State.RUNNING]), [task_id], "what runs before the retry")
    later_by = case.draw(st.just(0) | _DELAYS)
    later_by = later_by and max(later_by, unit(case))
    end(case, claim, Outcome.RETRY, due=After(later_by))
    expected = State.WAITING if later_by else State.QUEUED
    case.equal(state(case, task_id), expected, "the state after the retry")
    case.equal(ids(case, states=[State.RUNNING]), [], "what runs after the retry")
    found = ids(case, states=[State.QUEUED, State.WAITING])
    case.equal(found, sorted([task_id, beside]), "what is unclaimed after the retry")
    case.equal(case.backend.workers()[0].running, 0, "how many tasks the worker runs")
    case.equal(get(case, task_id).worker_id, None, "the worker of the task")
    case.equal(sum(counts(case).values()), 2, "how many tasks there are")


@proves("RTY-02")
def a_retry_keeps_everything_but_due_and_counts_itself(case: Case) -> None:
    """As often as it happens."""
    worker(case)
    now = case.clock.now()
    task_id = add(
        case,
        name=case.draw(values.texts(200)),
        data=case.draw(values.blobs()),
        priority=case.draw(values.priorities()),
        ttl=case.draw(values.seconds()),
        timeout=case.draw(st.none() | values.seconds(0.001)),
        scheduled=case.draw(st.sampled_from([None, 0, now])),
        labels=case.draw(values.labels()),
        lock_key=case.draw(st.sampled_from([None, "k"])),
        unique_key=case.draw(st.sampled_from([None, "u"])),
    )
    task = get(case, task_id).task
    for count in range(1, case.draw(st.integers(2, 4))):
        later(case, SECOND)
        claim = claim_one(case)
        case.equal(claim.task, task, f"the task of claim {count}")
        due = case.clock.now() + case.draw(st.sampled_from([0, -1, 1])) * unit(case)
        end(case, claim, Outcome.RETRY, due=due)
        task = replace(task, due=due, retry_count=count)
        case.equal(get(case, task_id).task, task, f"the task after retry {count}")


@proves("RTY-03")
def a_retried_task_has_no_outcome(case: Case) -> None:
    """Also one that had an outcome before, and was requeued."""
    worker(case)
    task_id = add(case)
    if case.draw(st.booleans()):
        end(case, claim_one(case), Outcome.FAIL)
        case.backend.requeue([task_id], case.clock.now())
    failure = case.draw(values.failures())
    end(case, claim_one(case), Outcome.RETRY, failure=failure, result=b"not one")
    record = get(case, task_id)
    seen = (record.result, record.failure, record.done)
    case.equal(seen, (None, None, None), "result, failure and end of a retried task")
    case.equal(case.backend.wait_done(task_id, 0), False, "whether a retried task is done")


@proves("RTY-04")
def a_retry_is_claimable_from_its_due_on(case: Case) -> None:
    """At once, or exactly then; ``next_due`` tells."""
    worker(case)
    task_id = add(case)
    delay = case.draw(st.just(0) | _DELAYS)
    delay = delay and max(delay, unit(case))
    due = case.clock.now() + delay
    given = After(delay) if case.draw(st.booleans()) else due
    end(case, claim_one(case), Outcome.RETRY, due=given)
    if delay:
        answer = case.backend.claim("w1", {"g": 1})
        seen = (list(answer.claims), answer.next_due)
        case.equal(seen, ([], due), "what a claim before the due gives, and when to come back")
        case.clock.set(due - unit(case))
        case.equal(claimed(case), [], "what is claimed one step before the due of the retry")
    case.clock.set(due)
    case.equal(claimed(case), [task_id], "what is claimed at the due of the retry")


@proves("RTY-05")
def a_retry_now_or_in_the_past_is_accepted(case: Case) -> None:
    """And kept as it was given."""
    worker(case)
    task_id = add(case)
    back = case.draw(st.sampled_from([0, unit(case), SECOND, 10 * HOUR]))
    due = case.clock.now() - back
    given = After(-back) if case.draw(st.booleans()) else due
    case.equal(
        settle(case, claim_one(case), Outcome.RETRY, due=given), True, "whether the retry stands"
    )
    case.equal(get(case, task_id).task.due, due, "the due of the retry")
    case.equal(claimed(case), [task_id], "what is claimed")


@proves("RTY-06")
def a_retry_that_is_repeated_counts_once(case: Case) -> None:
    """In another call or in the same one; it stands, and its due is that of the first."""
    worker(case)
    task_id = add(case)
    claim = claim_one(case)
    due = case.clock.now() + case.draw(st.sampled_from([0, SECOND]))
    one = Settlement(task_id, claim.token, Outcome.RETRY, failure=BOOM, due=due)
    times = case.draw(st.integers(2, 3))
    if case.draw(st.booleans()):
        stands = case.backend.settle("w1", [one] * times)
    else:
        stands = []
        for _ in range(times):
            stands += case.backend.settle("w1", [one])
            later(case, case.draw(st.sampled_from([0, 1])))
    case.equal(stands, [True] * times, "whether the retry and its repetitions stand")
    record = get(case, task_id)
    seen = (record.task.retry_count, record.task.due, len(record.history))
    case.equal(seen, (1, due, noted(case, 1)), "retry_count, due and length of the history")
    case.clock.set(due + SECOND)
    case.equal(claimed(case, most=5), [task_id], "what can be claimed then")
    case.equal(sum(counts(case).values()), 1, "how many tasks there are")


@proves("RTY-06")
def another_outcome_after_a_retry_is_refused(case: Case) -> None:
    """The claim is spent."""
    worker(case)
    task_id = add(case)
    claim = claim_one(case)
    end(case, claim, Outcome.RETRY)
    before = get(case, task_id)
    other = case.draw(st.sampled_from([each for each in Outcome if each is not Outcome.RETRY]))
    case.equal(settle(case, claim, other), False, f"whether {other} after a retry stands")
    case.equal(get(case, task_id), before, f"the record after {other}")


@proves("RTY-08")
def failures_of_earlier_attempts_are_kept_in_order(case: Case) -> None:
    """Each with its own text."""
    worker(case)
    task_id = add(case)
    failures = case.draw(st.lists(values.failures(), min_size=2, max_size=4, unique=True))
    for failure in failures:
        end(case, claim_one(case), Outcome.RETRY, failure=failure)
        later(case, case.draw(st.sampled_from([0, 1])))
    kept = [attempt.failure for attempt in get(case, task_id).history]
    case.equal(kept, failures, "the failures of the attempts, oldest first")
